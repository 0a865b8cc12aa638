/*
 * counts.h - a feature's distinct values in order, one after the other, wherever they are kept.
 *
 * Value      a number or a category.
 * Count      a value and how often it came.
 * Missing    NULL, or NaN.
 * Misfit     a value that the feature's type cannot hold (a type error).
 */
#ifndef MLS_COUNTS_H
#define MLS_COUNTS_H

#include "postgres.h"

#include <math.h>

typedef struct MlsCount
{
	uint64 key;		  /* of a number: numbers.h */
	const char *word; /* of a category; valid until the next one is read */
	uint32 len;
	int64 count;
} MlsCount;

/* What is known of a feature beside its values. */
typedef struct MlsTotals
{
	bool numeric;
	int64 values; /* those counted: neither missing nor misfits */
	int64 missing;
	int64 misfits;
	uint64 min; /* of numbers, as keys; max < min: there are none */
	uint64 max;
	double low; /* of finite numbers; high < low: there are none */
	double high;
} MlsTotals;

static inline void
mls_totals_init(MlsTotals *totals, bool numeric)
{
	*totals = (MlsTotals){.numeric = numeric, .min = PG_UINT64_MAX, .low = INFINITY, .high = -INFINITY};
}

/* Widen the ranges of numbers; counts nothing. */
static inline void
mls_totals_see(MlsTotals *totals, uint64 key, double number)
{
	totals->min = Min(totals->min, key);
	totals->max = Max(totals->max, key);
	if (!isinf(number))
	{
		totals->low = Min(totals->low, number);
		totals->high = Max(totals->high, number);
	}
}

/* Rows of the feature. */
static inline int64
mls_totals_rows(const MlsTotals *totals)
{
	return totals->values + totals->missing + totals->misfits;
}

/* A source of counts; embedded in what implements it. */
typedef struct MlsCounts
{
	const MlsTotals *totals;
	/* Fill in the next count, in ascending order; false at the end. */
	bool (*next)(struct MlsCounts *counts, MlsCount *count);
} MlsCounts;

#endif
