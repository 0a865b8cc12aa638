/*
 * histogram.c - two features side by side in a few bins. See histogram.h.
 */
#include "postgres.h"

#include "drift/histogram.h"

#include "drift/numbers.h"
#include "drift/pair.h"

static int
bin_of(const MlsHistogram *histogram, double number)
{
	/* Halved, so that the range of all doubles is one. */
	double part = (number / 2 - histogram->low / 2) / (histogram->high / 2 - histogram->low / 2);

	if (!(histogram->low < histogram->high) || !(part > 0))
		return 0;
	return part >= 1 ? histogram->nbins - 1 : (int) (part * histogram->nbins);
}

static void
bin_numbers(MlsHistogram *histogram, MlsCounts *baseline, MlsCounts *current)
{
	MlsPair pair = mls_pair_open(baseline, current);
	MlsPairCount here;
	MlsCount value;

	histogram->low = Min(baseline->totals->low, current->totals->low);
	histogram->high = Max(baseline->totals->high, current->totals->high);
	histogram->nbins = histogram->low < histogram->high ? MLS_HISTOGRAM_MOST : 1;
	while (mls_pair_next(&pair, &value, &here))
	{
		MlsHistogramBin *bin = &histogram->bins[bin_of(histogram, mls_number_of_key(value.key))];

		bin->baseline += here.baseline;
		bin->current += here.current;
	}
}

/* Its shares of both sides: what counts when categories are chosen. */
static double
weight(MlsPairCount count, const MlsCounts *baseline, const MlsCounts *current)
{
	return (double) count.baseline / Max(baseline->totals->values, 1) +
		   (double) count.current / Max(current->totals->values, 1);
}

/*
 * Put a category in its place among the most frequent. When all places are taken, what falls off goes to the bin behind
 * them.
 */
static void
rank_category(MlsHistogram *histogram, double *weights, double added, const MlsCount *value, MlsPairCount here)
{
	MlsHistogramBin *bins = histogram->bins;
	MlsHistogramBin *rest = &bins[MLS_HISTOGRAM_CATEGORIES];
	int at = histogram->nbins;

	while (at > 0 && weights[at - 1] < added)
		at--;
	if (histogram->nbins < MLS_HISTOGRAM_CATEGORIES)
		histogram->nbins++;
	else
	{
		MlsHistogramBin *last = &bins[MLS_HISTOGRAM_CATEGORIES - 1];
		bool stays = at == MLS_HISTOGRAM_CATEGORIES;

		histogram->others++;
		rest->baseline += stays ? here.baseline : last->baseline;
		rest->current += stays ? here.current : last->current;
		if (stays)
			return;
		pfree(last->word);
	}
	memmove(&bins[at + 1], &bins[at], sizeof(*bins) * (histogram->nbins - 1 - at));
	memmove(&weights[at + 1], &weights[at], sizeof(*weights) * (histogram->nbins - 1 - at));
	bins[at] = (MlsHistogramBin){pnstrdup(value->word, value->len), here.baseline, here.current};
	weights[at] = added;
}

static void
bin_categories(MlsHistogram *histogram, MlsCounts *baseline, MlsCounts *current)
{
	double weights[MLS_HISTOGRAM_CATEGORIES];
	MlsPair pair = mls_pair_open(baseline, current);
	MlsPairCount here;
	MlsCount value;

	while (mls_pair_next(&pair, &value, &here))
		rank_category(histogram, weights, weight(here, baseline, current), &value, here);
	if (histogram->others > 0)
		histogram->nbins++;
}

void
mls_histogram_make(MlsHistogram *histogram, MlsCounts *baseline, MlsCounts *current)
{
	memset(histogram, 0, sizeof(*histogram));
	histogram->numeric = baseline->totals->numeric;
	if (baseline->totals->values == 0 && current->totals->values == 0)
		return;
	if (histogram->numeric)
		bin_numbers(histogram, baseline, current);
	else
		bin_categories(histogram, baseline, current);
}
