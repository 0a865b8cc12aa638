/*
 * progress.h - how far the step of a batch job is, for the view ml_score.progress_batch.
 */
#ifndef MLS_BATCH_PROGRESS_H
#define MLS_BATCH_PROGRESS_H

#include "batch/job.h"

/*
 * Show that of job's step so much is done: rows of an export, bytes of a download or load. total: of how much, -1 when
 * nobody knows. Cheap; the end of a transaction that fails takes it away.
 */
extern void mls_batch_progress_show(const MlsJob *job, int64 done, int64 total);

/* The same once more, where COPY has put its own in place of it. */
extern void mls_batch_progress_again(void);

/* The step is over. */
extern void mls_batch_progress_end(void);

#endif
