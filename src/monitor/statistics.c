/*
 * statistics.c - what is counted of a server's requests, all backends together.
 */
#include "postgres.h"

#include <math.h>

#include "monitor/statistics.h"
#include "port/pg_bitutils.h"

/* Bucket 0 is everything below the first doubling; after it each doubling has MLS_HISTOGRAM_STEPS equal steps. */
static int
bucket_of(int64 us)
{
	int doubling;

	if (us < (INT64CONST(1) << MLS_HISTOGRAM_FIRST))
		return 0;
	if (us >= (INT64CONST(1) << MLS_HISTOGRAM_LAST))
		return MLS_HISTOGRAM_BUCKETS - 1;
	doubling = pg_leftmost_one_pos64((uint64) us);
	return 1 + (doubling - MLS_HISTOGRAM_FIRST) * MLS_HISTOGRAM_STEPS +
		   (int) ((us - (INT64CONST(1) << doubling)) * MLS_HISTOGRAM_STEPS >> doubling);
}

/* The middle of a bucket. */
static double
bucket_us(int bucket)
{
	int doubling;
	int step;

	if (bucket == 0)
		return (double) (INT64CONST(1) << MLS_HISTOGRAM_FIRST) / 2;
	doubling = MLS_HISTOGRAM_FIRST + (bucket - 1) / MLS_HISTOGRAM_STEPS;
	step = (bucket - 1) % MLS_HISTOGRAM_STEPS;
	return ldexp(1 + (step + 0.5) / MLS_HISTOGRAM_STEPS, doubling);
}

void
mls_statistics_add_latency(MlsStatistics *statistics, int64 us)
{
	statistics->latency_count++;
	statistics->latency_max_us = Max(statistics->latency_max_us, us);
	statistics->histogram[bucket_of(us)]++;
}

double
mls_statistics_quantile(const MlsStatistics *statistics, double q)
{
	double wanted = q * statistics->latency_count;
	double seen = 0;

	if (statistics->latency_count == 0)
		return 0;
	for (int i = 0; i < MLS_HISTOGRAM_BUCKETS; i++)
	{
		seen += statistics->histogram[i];
		if (seen >= wanted && seen > 0)
			return Min(bucket_us(i), (double) statistics->latency_max_us);
	}
	return (double) statistics->latency_max_us;
}
