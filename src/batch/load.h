/*
 * load.h - predictions into the target: lines of results, joined with the keys that the database has kept.
 */
#ifndef MLS_LOAD_H
#define MLS_LOAD_H

#include "batch/download.h"
#include "batch/job.h"

/* What became of the lines. */
typedef struct MlsLoaded
{
	int64 rows;	   /* stored */
	int64 bad;	   /* in ml_score.dead_letter */
	int64 missing; /* rows that went out and have no prediction, in ml_score.batch_missing; -1: not known */
} MlsLoaded;

/*
 * In a transaction with a snapshot, as the job's owner: store everything. Raises when the target does not fit, and for what
 * the job says it must not stand.
 */
extern MlsLoaded mls_load_results(const MlsJob *job, MlsDownload *download);

#endif
