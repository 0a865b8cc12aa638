/*
 * latencies.h - how long a call's requests took: kept one by one, for quantiles.
 */
#ifndef MLS_LATENCIES_H
#define MLS_LATENCIES_H

#include "postgres.h"

typedef struct MlsLatencies
{
	double *ms; /* in the context of mls_latencies_init */
	int count;
	int capacity;
} MlsLatencies;

extern void mls_latencies_init(MlsLatencies *latencies);

/* Add one. An MlsRequestTimer (call.h), whose arg is the MlsLatencies. */
extern void mls_latencies_note(void *arg, int64 us);

/* Once all are there, and before quantiles. */
extern void mls_latencies_sort(MlsLatencies *latencies);

/* The milliseconds that a part q (0..1) of the requests stayed within. There must be some. */
extern double mls_latencies_quantile(const MlsLatencies *latencies, double q);

#endif
