/*
 * worker.h - the background work of batch jobs: a worker for each job that has something to do, a poller for all that run.
 */
#ifndef MLS_BATCH_WORKER_H
#define MLS_BATCH_WORKER_H

#include "batch/job.h"

/* From _PG_init. */
extern void mls_batch_init(void);

/* control.c: delete jobs of the caller (NULL: all, else *id) that ended so long ago. How many. Raises for others' jobs. */
extern int64 mls_batch_purge(Interval *older_than, const int64 *id);

/* poller.c: the poller's main function. */
struct MlsWorker;
extern void mls_batch_poll(const struct MlsWorker *worker);

/*
 * fault.c: an error that was caught, outside of a transaction by now: note it in the job. A passing one (a network's, say)
 * is tried again some times: the result is how long to wait, in ms. -1: the job has failed, or is another's by now.
 */
extern int64 mls_job_fault(const MlsJob *job, const ErrorData *error);

/* A number of the job's own words of failure, at the transaction's hands: it has failed. In a transaction. */
extern void mls_job_fail(const MlsJob *job, const char *sqlstate, const char *message, const char *detail,
						 const char *hint);

/* The same for a job that has failed in Azure, which said this of it (or NULL). */
extern void mls_job_fail_in_azure(const MlsJob *job, const char *detail);

#endif
