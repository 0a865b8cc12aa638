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
#include "drift/pair.h"

#define LEAST_DEVIATION 0.001
#define MOST_BINS 66 /* log2 of an int64, rounded up, and one more */

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
	MlsPairCount seen; /* values up to here */
	double position;
	double largest_gap; /* between the two distribution functions */
	double area;
	double mean; /* of the baseline's finite values above their least, and the sum of squares about it (Welford) */
	double squares;
	int64 finite;
	int bin;
	int bins;
	MlsPairCount cells[MOST_BINS];
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
psi_of_cell(const CellSums *sums, MlsPairCount cell)
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
contingency(const CellSums *sums, MlsPairCount cell, double less)
{
	double total = sums->baseline_values + sums->current_values;
	double share = (cell.baseline + cell.current) / total;
	double difference = fabs(cell.current - share * sums->current_values);

	difference -= Min(less, difference);
	return difference * difference * (1 / (share * sums->baseline_values) + 1 / (share * sums->current_values));
}

static void
add_chi_squared(CellSums *sums, MlsPairCount cell)
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
add_cell(CellSums *sums, MlsPairCount cell)
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
add_to_bin(Walk *walk, double number, MlsPairCount here)
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
visit_number(Walk *walk, uint64 key, MlsPairCount here, const MlsTotals *baseline, const MlsTotals *current)
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

static void
compare_numbers(MlsPair *pair, CellSums *sums, MlsFigures *figures)
{
	const MlsTotals *baseline = pair->sources[0]->totals;
	const MlsTotals *current = pair->sources[1]->totals;
	Walk walk = {0};
	MlsPairCount here;
	MlsCount value;
	double deviation;

	make_edges(&walk, baseline, current);
	while (mls_pair_next(pair, &value, &here))
		visit_number(&walk, value.key, here, baseline, current);
	for (int i = 0; i < walk.bins; i++)
		add_cell(sums, walk.cells[i]);
	deviation = walk.finite > 1 ? sqrt(walk.squares / (walk.finite - 1)) : 0;
	figures->ks_statistic = walk.largest_gap;
	figures->wasserstein = walk.area;
	figures->normalized_wasserstein = walk.area / Max(deviation, LEAST_DEVIATION);
	figures->out_of_bounds_rate = (double) walk.outside / mls_totals_rows(current);
}

static void
compare_categories(MlsPair *pair, CellSums *sums, MlsFigures *figures)
{
	MlsPairCount here;
	MlsCount value;
	int64 outside = 0;

	while (mls_pair_next(pair, &value, &here))
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
	MlsPair pair;

	/* Against nothing, nothing can be said. */
	if (baseline->totals->values == 0 || current->totals->values == 0)
		return figures;
	pair = mls_pair_open(baseline, current);
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
	MlsPair pair;
	MlsPairCount here;
	MlsCount value;
	double below = 0;
	double pairs = 0;

	if (negatives->totals->values == 0 || positives->totals->values == 0)
		return NAN;
	pair = mls_pair_open(negatives, positives);
	while (mls_pair_next(&pair, &value, &here))
	{
		pairs += here.current * (below + here.baseline / 2.0);
		below += here.baseline;
	}
	return pairs / negatives->totals->values / positives->totals->values;
}
