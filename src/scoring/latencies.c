/*
 * latencies.c - see latencies.h.
 */
#include "scoring/latencies.h"

#define FIRST_CAPACITY 1024

void
mls_latencies_init(MlsLatencies *latencies)
{
	latencies->count = 0;
	latencies->capacity = FIRST_CAPACITY;
	latencies->ms = palloc(sizeof(double) * latencies->capacity);
}

void
mls_latencies_note(void *arg, int64 us)
{
	MlsLatencies *latencies = arg;

	if (latencies->count == latencies->capacity)
	{
		latencies->capacity *= 2;
		latencies->ms = repalloc_huge(latencies->ms, sizeof(double) * latencies->capacity);
	}
	latencies->ms[latencies->count++] = us / 1000.0;
}

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *) a;
	double y = *(const double *) b;

	return (x > y) - (x < y);
}

void
mls_latencies_sort(MlsLatencies *latencies)
{
	qsort(latencies->ms, latencies->count, sizeof(double), compare_doubles);
}

double
mls_latencies_quantile(const MlsLatencies *latencies, double q)
{
	int index = (int) (q * latencies->count);

	return latencies->ms[Min(index, latencies->count - 1)];
}
