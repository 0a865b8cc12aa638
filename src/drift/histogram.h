/*
 * histogram.h - two features side by side as shares in a few bins, to be looked at. Pure.
 *
 * Numbers: equal bins over the range of both sides' finite values; what is infinite lies in the outer ones. Categories: the
 * most frequent ones of both sides together, each in a bin, and the others in a last one.
 */
#ifndef MLS_HISTOGRAM_H
#define MLS_HISTOGRAM_H

#include "drift/counts.h"

#define MLS_HISTOGRAM_MOST 24
#define MLS_HISTOGRAM_CATEGORIES 8

typedef struct MlsHistogramBin
{
	char *word; /* of a category; palloc'd. NULL for the others */
	int64 baseline;
	int64 current;
} MlsHistogramBin;

typedef struct MlsHistogram
{
	bool numeric;
	double low; /* of numbers */
	double high;
	int64 others; /* how many categories the last bin stands for; 0: there is none such */
	int nbins;
	MlsHistogramBin bins[MLS_HISTOGRAM_MOST];
} MlsHistogram;

/* Both features are numeric, or neither; both are at their beginning and are read to the end. No bins: neither has values. */
extern void mls_histogram_make(MlsHistogram *histogram, MlsCounts *baseline, MlsCounts *current);

#endif
