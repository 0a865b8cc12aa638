/*
 * compare.c - one walk over two sorted features, from which all figures come. See compare.h.
 *
 * Every statistic here needs no more than the two cumulative counts at each distinct value, or the two counts in each
 * cell (a bin of numbers, or a category). So the walk holds nothing but sums, whatever the features' size.
 */
#include "postgres.h"

#include "drift/compare.h"

#include <math.h>

#include "drift/gamma.h"
#include "drift/numbers.h"
#include "drift/words.h"

#define LEAST_DEVIATION 0.001
#define MOST_BINS 66 /* log2 of an int64, rounded up, and one more */

typedef struct Cell
{
	int64 baseline;
	int64 current;
} Cell;

/* Sums over cells. */
typedef struct CellSums
{
	MlsFormulas formulas;
	double baseline_values;
	double current_values;
	int64 cells;
	double psi;
	double divergence; /* Jensen and Shannon's, twice, in nats */
	double chi_squared;
	double corrected; /* chi-squared with Yates's correction */
} CellSums;

/* The walk along the numbers. */
typedef struct Walk
{
	Cell seen; /* values up to here */
	double position;
	double largest_gap; /* between the two distribution functions */
	double area;
	double mean; /* of the baseline's finite values above their least, and the sum of squares about it (Welford) */
	double squares;
	int64 finite;
	int bin;
	int bins;
	Cell cells[MOST_BINS];
	double edges[MOST_BINS + 1];
	int64 outside; /* current values beyond the baseline's range */
} Walk;

/* x ln(x / y), which is 0 without x, and infinite without y alone. */
static double
relative_entropy(double x, double y)
{
	if (x == 0)
		return 0;
	return y == 0 ? INFINITY : x * log(x / y);
}

static double
psi_of_cell(const CellSums *sums, Cell cell)
{
	double p = cell.baseline / sums->baseline_values;
	double q = cell.current / sums->current_values;

	if (sums->formulas == MLS_FORMULAS_SCIPY)
		return relative_entropy(p, q) + relative_entropy(q, p);
	/* Azure adds one to each count, and divides by the number of values as it was. */
	p = (cell.baseline + 1) / sums->baseline_values;
	q = (cell.current + 1) / sums->current_values;
	return (q - p) * log(q / p);
}

/* (observed - expected)^2 / expected of both rows of the contingency table, the difference shrunk by most "less". */
static double
contingency(const CellSums *sums, Cell cell, double less)
{
	double total = sums->baseline_values + sums->current_values;
	double share = (cell.baseline + cell.current) / total;
	double difference = fabs(cell.current - share * sums->current_values);

	difference -= Min(less, difference);
	return difference * difference * (1 / (share * sums->baseline_values) + 1 / (share * sums->current_values));
}

static void
add_chi_squared(CellSums *sums, Cell cell)
{
	double expected = cell.baseline / sums->baseline_values * sums->current_values;

	if (sums->formulas == MLS_FORMULAS_AZURE)
		sums->chi_squared +=
			expected == 0 ? INFINITY : (cell.current - expected) * (cell.current - expected) / expected;
	else
	{
		sums->chi_squared += contingency(sums, cell, 0);
		sums->corrected += contingency(sums, cell, 0.5);
	}
}

static void
add_cell(CellSums *sums, Cell cell)
{
	double p = cell.baseline / sums->baseline_values;
	double q = cell.current / sums->current_values;
	double middle = (p + q) / 2;

	sums->cells++;
	sums->psi += psi_of_cell(sums, cell);
	sums->divergence += relative_entropy(p, middle) + relative_entropy(q, middle);
}

static double
js_distance(const CellSums *sums)
{
	double divergence = Max(sums->divergence, 0) / 2; /* rounding may leave less than nothing */

	return sqrt(sums->formulas == MLS_FORMULAS_AZURE ? divergence / M_LN2 : divergence);
}

static void
put_chi_squared(const CellSums *sums, MlsFigures *figures)
{
	int64 df = sums->cells - 1;

	if (sums->formulas == MLS_FORMULAS_SCIPY && df == 1)
		figures->chi_squared = sums->corrected;
	else
		figures->chi_squared = sums->chi_squared;
	figures->chi_squared_p_value = mls_chi_squared_sf(figures->chi_squared, df);
	/* With a single category scipy's chi2_contingency is certain, and its chisquare undecided. */
	if (sums->formulas == MLS_FORMULAS_SCIPY && df == 0)
		figures->chi_squared_p_value = 1;
}

/* Equal bins over the range of both features' finite values, each closed below; what is infinite lies in the outer ones. */
static void
make_edges(Walk *walk, const MlsTotals *baseline, const MlsTotals *current)
{
	double low = Min(baseline->low, current->low);
	double high = Max(baseline->high, current->high);
	int bins = (int) ceil(log2(Min(baseline->values, current->values)) + 1);
	double width = (high - low) / bins;

	walk->bins = low < high ? bins : 1;
	if (isinf(width)) /* beyond double's range: halve before subtracting */
		width = high / bins - low / bins;
	for (int i = 0; i < walk->bins; i++)
		walk->edges[i] = low + i * width;
	walk->edges[walk->bins] = high;
}

static void
add_to_bin(Walk *walk, double number, Cell here)
{
	while (walk->bin < walk->bins - 1 && number >= walk->edges[walk->bin + 1])
		walk->bin++;
	walk->cells[walk->bin].baseline += here.baseline;
	walk->cells[walk->bin].current += here.current;
}

static double
gap(const Walk *walk, const MlsTotals *baseline, const MlsTotals *current)
{
	return fabs((double) walk->seen.baseline / baseline->values - (double) walk->seen.current / current->values);
}

static void
add_to_deviation(Walk *walk, double above, int64 count)
{
	double distance = above - walk->mean;

	if (count == 0 || isinf(above))
		return;
	walk->finite += count;
	walk->mean += distance * ((double) count / walk->finite);
	walk->squares += distance * (above - walk->mean) * count;
}

static void
visit_number(Walk *walk, uint64 key, Cell here, const MlsTotals *baseline, const MlsTotals *current)
{
	double number = mls_number_of_key(key);
	double before = gap(walk, baseline, current);

	if (before > 0)
		walk->area += before * (number - walk->position);
	walk->position = number;
	walk->seen.baseline += here.baseline;
	walk->seen.current += here.current;
	walk->largest_gap = Max(walk->largest_gap, gap(walk, baseline, current));
	add_to_deviation(walk, number - baseline->low, here.baseline);
	add_to_bin(walk, number, here);
	if (key < baseline->min || key > baseline->max)
		walk->outside += here.current;
}

static int
order_of(const MlsCount *a, const MlsCount *b, bool numeric)
{
	if (numeric)
		return a->key < b->key ? -1 : a->key > b->key;
	return mls_word_compare(a->word, a->len, b->word, b->len);
}

/* Two sources read side by side. */
typedef struct Pair
{
	MlsCounts *sources[2];
	MlsCount counts[2];
	bool more[2];
} Pair;

static Pair
open_pair(MlsCounts *baseline, MlsCounts *current)
{
	Pair pair = {.sources = {baseline, current}};

	for (int i = 0; i < 2; i++)
		pair.more[i] = pair.sources[i]->next(pair.sources[i], &pair.counts[i]);
	return pair;
}

/* The next value of either and its counts; false at the end of both. */
static bool
next_of_pair(Pair *pair, uint64 *key, Cell *here)
{
	int order;

	if (!pair->more[0] && !pair->more[1])
		return false;
	if (!pair->more[0] || !pair->more[1])
		order = pair->more[0] ? -1 : 1;
	else
		order = order_of(&pair->counts[0], &pair->counts[1], pair->sources[0]->totals->numeric);
	*here = (Cell){order <= 0 ? pair->counts[0].count : 0, order >= 0 ? pair->counts[1].count : 0};
	*key = order <= 0 ? pair->counts[0].key : pair->counts[1].key;
	if (order <= 0)
		pair->more[0] = pair->sources[0]->next(pair->sources[0], &pair->counts[0]);
	if (order >= 0)
		pair->more[1] = pair->sources[1]->next(pair->sources[1], &pair->counts[1]);
	return true;
}

static void
compare_numbers(Pair *pair, CellSums *sums, MlsFigures *figures)
{
	const MlsTotals *baseline = pair->sources[0]->totals;
	const MlsTotals *current = pair->sources[1]->totals;
	Walk walk = {0};
	Cell here;
	uint64 key;
	double deviation;

	make_edges(&walk, baseline, current);
	while (next_of_pair(pair, &key, &here))
		visit_number(&walk, key, here, baseline, current);
	for (int i = 0; i < walk.bins; i++)
		add_cell(sums, walk.cells[i]);
	deviation = walk.finite > 1 ? sqrt(walk.squares / (walk.finite - 1)) : 0;
	figures->ks_statistic = walk.largest_gap;
	figures->wasserstein = walk.area;
	figures->normalized_wasserstein = walk.area / Max(deviation, LEAST_DEVIATION);
	figures->out_of_bounds_rate = (double) walk.outside / mls_totals_rows(current);
}

static void
compare_categories(Pair *pair, CellSums *sums, MlsFigures *figures)
{
	Cell here;
	uint64 key;
	int64 outside = 0;

	while (next_of_pair(pair, &key, &here))
	{
		add_cell(sums, here);
		add_chi_squared(sums, here);
		outside += here.baseline == 0 ? here.current : 0;
	}
	put_chi_squared(sums, figures);
	figures->out_of_bounds_rate = (double) outside / mls_totals_rows(pair->sources[1]->totals);
}

MlsFigures
mls_compare(MlsCounts *baseline, MlsCounts *current, MlsFormulas formulas, MlsKsMethod method, MlsTick tick)
{
	MlsFigures figures = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
	CellSums sums = {
		.formulas = formulas, .baseline_values = baseline->totals->values, .current_values = current->totals->values};
	Pair pair;

	/* Against nothing, nothing can be said. */
	if (baseline->totals->values == 0 || current->totals->values == 0)
		return figures;
	pair = open_pair(baseline, current);
	if (baseline->totals->numeric)
	{
		compare_numbers(&pair, &sums, &figures);
		figures.ks_p_value =
			mls_ks_p_value(baseline->totals->values, current->totals->values, figures.ks_statistic, method, tick);
	}
	else
		compare_categories(&pair, &sums, &figures);
	figures.psi = sums.psi;
	figures.js_distance = js_distance(&sums);
	return figures;
}

double
mls_compare_auc(MlsCounts *negatives, MlsCounts *positives)
{
	Pair pair;
	Cell here;
	uint64 key;
	double below = 0;
	double pairs = 0;

	if (negatives->totals->values == 0 || positives->totals->values == 0)
		return NAN;
	pair = open_pair(negatives, positives);
	while (next_of_pair(&pair, &key, &here))
	{
		pairs += here.current * (below + here.baseline / 2.0);
		below += here.baseline;
	}
	return pairs / negatives->totals->values / positives->totals->values;
}
