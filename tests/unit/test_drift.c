/* sources: src/drift/gamma.c src/drift/smirnov.c src/drift/numbers.c src/drift/words.c src/drift/compare.c src/drift/distribution.c src/drift/pair.c src/drift/histogram.c
 *
 * test_drift.c - p-values against scipy's, counting, the frozen form, and figures that can be told by hand.
 */
#include "postgres.h"

#include <math.h>

#include "drift/compare.h"
#include "drift/distribution.h"
#include "drift/gamma.h"
#include "drift/histogram.h"
#include "drift/numbers.h"
#include "drift/words.h"
#include "tap.h"

static bool
near(double got, double expected)
{
	return got == expected || fabs(got - expected) <= 1e-9 * fabs(expected);
}

static void
test_chi_squared(void)
{
	static const double cases[][3] = {{1, 3.5, 0.0613688291394023},		  {1, 60, 9.485737571073857e-15},
									  {2, 0.01, 0.9950124791926823},	  {5, 5, 0.4158801869955079},
									  {31, 80, 3.3125285528482517e-06},	  {100, 100, 0.48119168452795674},
									  {1000, 1100, 0.014614408126295192}, {100000, 101000, 0.012868840377233648},
									  {100000, 98000, 0.9999966152457719}};

	for (int i = 0; i < lengthof(cases); i++)
		ok(near(mls_chi_squared_sf(cases[i][1], cases[i][0]), cases[i][2]), "chi-squared %g, %g degrees of freedom",
		   cases[i][1], cases[i][0]);
	ok(mls_chi_squared_sf(0, 3) == 1 && mls_chi_squared_sf(INFINITY, 3) == 0, "its ends");
	ok(isnan(mls_chi_squared_sf(1, 0)) && isnan(mls_chi_squared_sf(NAN, 1)), "not defined");
}

static int ticks;

static void
tick(void)
{
	ticks++;
}

static void
test_kolmogorov(void)
{
	static const double one[][3] = {{1, 0.7, 0.6000000000000001},
									{3, 0.2, 0.9982222222222222},
									{5, 0.9, 1.9999999999999978e-05},
									{10, 0.3, 0.27053557479999946},
									{50, 0.1, 0.6623112704658186},
									{100, 0.15, 0.019839242125643017},
									{140, 0.2, 2.1981563302200222e-05},
									{140, 0.05, 0.8576480297656114},
									{150, 0.6, 3.62982061841626e-52},
									{500, 0.03, 0.7473166700457021},
									{1000, 0.06, 0.001428597887952891},
									{20000, 0.006, 0.4657689508612477},
									{20000, 0.004, 0.9048968240702959},
									{100001, 0.002, 0.8178361459744294},
									{500000, 0.003, 0.00024632301239186754},
									{500000, 0.001, 0.6989801443663661}};
	static const double two[][4] = {{1, 1, 1.0 / 1, 1.0},
									{2, 3, 4.0 / 6, 0.6},
									{5, 5, 3.0 / 5, 0.35714285714285715},
									{7, 10, 35.0 / 70, 0.1893767996709173},
									{100, 100, 20.0 / 100, 0.03638428787491733},
									{100, 77, 1500.0 / 7700, 0.06167814650558296},
									{1000, 999, 60000.0 / 999000, 0.051349233288280394},
									{10, 1000, 500.0 / 1000, 0.008295501892324796}};

	for (int i = 0; i < lengthof(one); i++)
		ok(near(mls_kolmogorov_sf((int64) one[i][0], one[i][1]), one[i][2]), "one sample of %g, %g", one[i][0],
		   one[i][1]);
	ok(mls_kolmogorov_sf(100, 1) == 0 && mls_kolmogorov_sf(100, 0.001) == 1 && mls_kolmogorov_sf(1000, 0.7) == 0,
	   "its ends");
	for (int i = 0; i < lengthof(two); i++)
	{
		ok(near(mls_ks_p_value(two[i][0], two[i][1], two[i][2], MLS_KS_AUTO, tick), two[i][3]),
		   "samples of %g and %g, %g", two[i][0], two[i][1], two[i][2]);
		ok(near(mls_ks_p_value(two[i][1], two[i][0], two[i][2], MLS_KS_EXACT, NULL), two[i][3]), "the other way round");
	}
	ok(ticks > 0, "long computations let others in");
	ok(mls_ks_p_value(20, 30, 0, MLS_KS_EXACT, NULL) == 1, "no difference");
	ok(mls_ks_p_value(20000, 30000, 0.01, MLS_KS_AUTO, NULL) == mls_kolmogorov_sf(12000, 0.01), "large: asymptotic");
	ok(mls_ks_p_value(20, 30, 0.5, MLS_KS_ASYMPTOTIC, NULL) == mls_kolmogorov_sf(12, 0.5), "or when asked for");
}

/* MlsCounts over numbers. */
typedef struct Source
{
	MlsCounts counts;
	MlsTotals totals;
	MlsNumbers numbers;
	int64 at;
} Source;

static bool
next_number(MlsCounts *counts, MlsCount *count)
{
	Source *source = (Source *) counts;

	if (source->at == source->numbers.nentries)
		return false;
	*count =
		(MlsCount){.key = source->numbers.entries[source->at].key, .count = source->numbers.entries[source->at].count};
	source->at++;
	return true;
}

static void
fill(Source *source, int n, double (*value)(int i), int64 buffer)
{
	memset(source, 0, sizeof(*source));
	mls_numbers_init(&source->numbers, buffer);
	mls_totals_init(&source->totals, true);
	for (int i = 0; i < n; i++)
	{
		if (!mls_numbers_add(&source->numbers, value(i)))
		{
			mls_numbers_fold(&source->numbers);
			mls_numbers_add(&source->numbers, value(i));
		}
		source->totals.values++;
		mls_totals_see(&source->totals, mls_number_key(value(i)), value(i));
	}
	mls_numbers_fold(&source->numbers);
	source->counts = (MlsCounts){&source->totals, next_number};
}

static double
scrambled(int i)
{
	return (i * 7919 % 10007 - 5000) / 8.0;
}

static double
repeated(int i)
{
	return i % 7;
}

static double
ascending(int i)
{
	return i;
}

static void
check_numbers(int n, double (*value)(int i), int64 buffer, int64 distinct, const char *name)
{
	Source source;
	int64 sum = 0;
	bool ordered = true;

	fill(&source, n, value, buffer);
	for (int64 i = 0; i < source.numbers.nentries; i++)
	{
		sum += source.numbers.entries[i].count;
		ordered &= i == 0 || mls_number_of_key(source.numbers.entries[i - 1].key) <
								 mls_number_of_key(source.numbers.entries[i].key);
	}
	ok(source.numbers.nentries == distinct && sum == n && ordered, "%s, buffer %d", name, (int) buffer);
}

static void
test_numbers(void)
{
	static const double ends[] = {-INFINITY, -1e308, -1, -4e-324, 0, 4e-324, 1, 1e308, INFINITY};

	for (int i = 0; i < lengthof(ends); i++)
	{
		ok(mls_number_of_key(mls_number_key(ends[i])) == ends[i], "%g is read back", ends[i]);
		ok(i == 0 || mls_number_key(ends[i - 1]) < mls_number_key(ends[i]), "and stands in order");
	}
	ok(mls_number_key(-0.0) == mls_number_key(0.0), "there is one zero");
	for (int64 buffer = 0; buffer <= 4096; buffer = buffer * 16 + 1)
	{
		check_numbers(10007, scrambled, buffer, 10007, "distinct numbers");
		check_numbers(30021, scrambled, buffer, 10007, "each of them three times");
		check_numbers(10000, repeated, buffer, 7, "few numbers");
		check_numbers(5000, ascending, buffer, 5000, "numbers in order");
		check_numbers(0, ascending, buffer, 0, "none");
	}
}

static void
test_words(void)
{
	MlsWords *words = mls_words_create();
	MlsWordCount *sorted;
	bool ordered = true;
	char word[32];

	for (int i = 0; i < 30000; i++)
		mls_words_add(words, word, snprintf(word, sizeof(word), "%d", i % 10000), 2);
	mls_words_add(words, "", 0, 1);
	mls_words_add(words, "a\0b", 3, 1);
	sorted = mls_words_sorted(words);
	for (int i = 1; i < mls_words_number(words); i++)
		ordered &= mls_word_compare(sorted[i - 1].word, sorted[i - 1].len, sorted[i].word, sorted[i].len) < 0;
	ok(mls_words_number(words) == 10002 && ordered, "words are counted once and sorted");
	ok(sorted[0].len == 0 && sorted[0].count == 1 && sorted[1].count == 6, "the empty one, and counts");
	ok(mls_words_size(words) > 10000 * sizeof(MlsWordCount), "their memory is known");
	mls_words_free(words);
}

static void
test_distribution(void)
{
	Source source;
	StringInfoData out;
	MlsDistribution read;
	MlsCount count;
	bool same = true;
	int refused = 0;

	fill(&source, 1000, scrambled, 0);
	source.totals.missing = 300;
	source.totals.misfits = 5;
	initStringInfo(&out);
	ok(mls_distribution_write(&out, &source.counts, "numeric", 6, 1 << 20), "a distribution is written");
	ok(mls_distribution_open(&read, out.data, out.len) == NULL, "and read");
	ok(read.distinct == 1000 && read.totals.values == 1000 && read.totals.missing == 300 && read.totals.misfits == 5 &&
		   read.totals.min == source.totals.min && read.totals.high == source.totals.high && read.encoding == 6 &&
		   strcmp(read.type, "numeric") == 0,
	   "with all that was said of it");
	for (int64 i = 0; read.counts.next(&read.counts, &count); i++)
		same &= count.key == source.numbers.entries[i].key && count.count == source.numbers.entries[i].count;
	ok(same && !read.counts.next(&read.counts, &count), "its values are the same, to the end");
	ok(mls_distribution_rewind(&read)->next(&read.counts, &count) && count.key == source.numbers.entries[0].key,
	   "and from the beginning again");
	for (int len = 0; len < out.len; len++)
		refused += mls_distribution_open(&read, out.data, len) != NULL;
	ok(refused == out.len, "cut anywhere, it is refused");
	appendStringInfoChar(&out, 0);
	ok(mls_distribution_open(&read, out.data, out.len) != NULL, "longer, too");
	out.len--;
	for (int i = 0; i < out.len * 8; i++)
	{
		out.data[i / 8] ^= 1 << i % 8;
		if (mls_distribution_open(&read, out.data, out.len) == NULL)
			while (read.counts.next(&read.counts, &count))
				same &= count.count > 0;
		out.data[i / 8] ^= 1 << i % 8;
	}
	ok(same, "with any bit wrong, it is refused or read within its bounds");
	source.at = 0;
	resetStringInfo(&out);
	ok(!mls_distribution_write(&out, &source.counts, "numeric", 6, 1000), "more than what is allowed is not written");
}

static double
half(int i)
{
	return i % 2;
}

static double
quarter(int i)
{
	return i % 4 == 0;
}

static MlsFigures
compare(int n, double (*a)(int i), int m, double (*b)(int i), MlsFormulas formulas)
{
	Source baseline;
	Source current;

	fill(&baseline, n, a, 0);
	fill(&current, m, b, 0);
	return mls_compare(&baseline.counts, &current.counts, formulas, MLS_KS_AUTO, NULL);
}

static void
test_figures(void)
{
	MlsFigures figures = compare(100, ascending, 100, ascending, MLS_FORMULAS_SCIPY);

	ok(figures.psi == 0 && figures.js_distance == 0 && figures.ks_statistic == 0 && figures.ks_p_value == 1 &&
		   figures.wasserstein == 0 && figures.out_of_bounds_rate == 0,
	   "nothing has drifted");
	figures = compare(400, half, 400, quarter, MLS_FORMULAS_SCIPY);
	ok(near(figures.psi, 0.25 * log(3)), "PSI of a half to a quarter");
	ok(near(figures.ks_statistic, 0.25) && near(figures.wasserstein, 0.25), "a quarter of all moved by one");
	ok(near(figures.normalized_wasserstein, 0.25 / sqrt(100.0 / 399)), "over the deviation");
	figures = compare(10, ascending, 20, ascending, MLS_FORMULAS_AZURE);
	ok(near(figures.out_of_bounds_rate, 0.5), "half is beyond");
	ok(isnan(figures.chi_squared) && isnan(figures.chi_squared_p_value), "numbers have no chi-squared");
	figures = compare(0, ascending, 20, ascending, MLS_FORMULAS_AZURE);
	ok(isnan(figures.psi) && isnan(figures.ks_p_value) && isnan(figures.out_of_bounds_rate),
	   "against nothing, nothing can be said");
}

/* Categories with counts, as a feature. */
typedef struct Category
{
	const char *word;
	int64 count;
} Category;

typedef struct Categories
{
	MlsCounts counts;
	MlsTotals totals;
	const Category *at;
	char word[32]; /* overwritten by each one, as a file's reader does */
} Categories;

static bool
next_category(MlsCounts *counts, MlsCount *count)
{
	Categories *categories = (Categories *) counts;

	if (categories->at->word == NULL)
		return false;
	strcpy(categories->word, categories->at->word);
	*count = (MlsCount){.word = categories->word, .len = strlen(categories->word), .count = (categories->at++)->count};
	return true;
}

static void
open_categories(Categories *categories, const Category *list)
{
	mls_totals_init(&categories->totals, false);
	categories->counts = (MlsCounts){&categories->totals, next_category};
	categories->at = list;
	for (; list->word != NULL; list++)
		categories->totals.values += list->count;
}

static void
test_histogram_of_categories(void)
{
	static const Category before[] = {{"a", 1}, {"b", 2}, {"c", 3}, {"d", 4},  {"e", 5}, {"f", 6},
									  {"g", 7}, {"h", 8}, {"i", 9}, {"j", 10}, {NULL, 0}};
	static const Category now[] = {{"a", 100}, {"k", 1}, {NULL, 0}};
	Categories baseline;
	Categories current;
	MlsHistogram histogram;
	StringInfoData words;

	open_categories(&baseline, before);
	open_categories(&current, now);
	mls_histogram_make(&histogram, &baseline.counts, &current.counts);
	initStringInfo(&words);
	for (int i = 0; i < histogram.nbins; i++)
		appendStringInfoString(&words, histogram.bins[i].word == NULL ? "." : histogram.bins[i].word);
	ok(strcmp(words.data, "ajihgfed.") == 0, "the most frequent categories of both, and the others: %s", words.data);
	ok(histogram.bins[0].baseline == 1 && histogram.bins[0].current == 100, "with the counts of both");
	ok(histogram.others == 3 && histogram.bins[8].baseline == 5 && histogram.bins[8].current == 1,
	   "the others' are summed up");
	open_categories(&baseline, before + 10);
	open_categories(&current, before + 10);
	mls_histogram_make(&histogram, &baseline.counts, &current.counts);
	ok(histogram.nbins == 0, "nothing has no bins");
}

static double
endless(int i)
{
	return i == 0 ? -INFINITY : i == 1 ? INFINITY : i == 2 ? -1.7e308 : 1.7e308;
}

static double
constant(int i)
{
	return 7;
}

static void
test_histogram_of_numbers(void)
{
	Source baseline;
	Source current;
	MlsHistogram histogram;
	int64 sums[2] = {0};

	fill(&baseline, 240, ascending, 0);
	fill(&current, 480, ascending, 0);
	mls_histogram_make(&histogram, &baseline.counts, &current.counts);
	for (int i = 0; i < histogram.nbins; i++)
	{
		sums[0] += histogram.bins[i].baseline;
		sums[1] += histogram.bins[i].current;
	}
	ok(histogram.nbins == MLS_HISTOGRAM_MOST && sums[0] == 240 && sums[1] == 480, "every number is in a bin");
	ok(histogram.low == 0 && histogram.high == 479 && histogram.bins[0].baseline == 20 &&
		   histogram.bins[0].current == 20 && histogram.bins[23].baseline == 0 && histogram.bins[23].current == 20,
	   "over the range of both");
	fill(&baseline, 4, endless, 0);
	fill(&current, 4, endless, 0);
	mls_histogram_make(&histogram, &baseline.counts, &current.counts);
	ok(histogram.bins[0].baseline == 2 && histogram.bins[23].current == 2, "infinite ones are in the outer bins");
	fill(&baseline, 5, constant, 0);
	fill(&current, 0, constant, 0);
	mls_histogram_make(&histogram, &baseline.counts, &current.counts);
	ok(histogram.nbins == 1 && histogram.bins[0].baseline == 5 && histogram.bins[0].current == 0,
	   "a constant has one bin");
}

int
main(void)
{
	test_chi_squared();
	test_kolmogorov();
	test_numbers();
	test_words();
	test_distribution();
	test_figures();
	test_histogram_of_categories();
	test_histogram_of_numbers();
	return done_testing();
}
