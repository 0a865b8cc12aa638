/*
 * runs.h - counts that are too many for memory: sorted runs in a temporary file, read back merged.
 */
#ifndef MLS_RUNS_H
#define MLS_RUNS_H

#include "drift/counts.h"

typedef struct MlsRuns MlsRuns;

/* In the current memory context; the file goes with the transaction, or with mls_runs_free. */
extern MlsRuns *mls_runs_create(bool numeric);
extern void mls_runs_free(MlsRuns *runs);

/* A run: mls_runs_begin, then counts in ascending order. */
extern void mls_runs_begin(MlsRuns *runs);
extern void mls_runs_put(MlsRuns *runs, const MlsCount *count);

/* All runs as one sorted source, no value twice. Nothing may be put before it was read to its end. */
extern MlsCounts *mls_runs_read(MlsRuns *runs, const MlsTotals *totals);

#endif
