/*
 * job_state.h - the states of a batch job, and what Azure's words for a job's status mean. Pure.
 *
 *	exporting --> submitting --> running --> downloading --> loading --> completed
 *	    |             |             |             |             |
 *	    +-------------+-------------+-------------+-------------+--> failed
 *	    +-------------+-------------+-------------+-------------+--> cancelling --> cancelled
 *
 * exporting    the query runs and its rows go to the store; begins anew, in another folder, when it was interrupted
 * submitting   the endpoint is asked to start the job; after an answer that was lost its list is looked at first
 * running      the endpoint has the job; polled
 * downloading  the results are fetched into temporary files of the worker; begins anew when it was interrupted
 * loading      they go into the target, in one transaction with the state; back to downloading when it was interrupted
 * cancelling   the endpoint is asked to stop the job
 *
 * A job without a query begins with submitting, one without a target ends behind running.
 */
#ifndef MLS_JOB_STATE_H
#define MLS_JOB_STATE_H

typedef enum MlsJobState
{
	MLS_JOB_EXPORTING,
	MLS_JOB_SUBMITTING,
	MLS_JOB_RUNNING,
	MLS_JOB_DOWNLOADING,
	MLS_JOB_LOADING,
	MLS_JOB_COMPLETED,
	MLS_JOB_FAILED,
	MLS_JOB_CANCELLING,
	MLS_JOB_CANCELLED
} MlsJobState;

extern const char *mls_job_state_name(MlsJobState state);
extern bool mls_job_state_parse(const char *name, MlsJobState *state);

/* Nothing more happens to it by itself. */
extern bool mls_job_state_is_final(MlsJobState state);

/* May a job go from one to the other? */
extern bool mls_job_state_may_follow(MlsJobState from, MlsJobState to);

/* What Azure's word for a job's status means. */
typedef enum MlsRunStatus
{
	MLS_RUN_ACTIVE, /* under way, also for words that nobody knows */
	MLS_RUN_COMPLETED,
	MLS_RUN_FAILED,
	MLS_RUN_CANCELED,
	MLS_RUN_STOPPED /* NotResponding, Paused: nothing happens, but it may go on */
} MlsRunStatus;

/* len bytes of status, in any spelling of case. */
extern MlsRunStatus mls_run_status(const char *status, size_t len);

/* How long until the next look at a job that was looked at polls times, ms; asked_ms: Retry-After, of which an hour counts, or -1. */
extern int64 mls_job_poll_delay(int polls, int64 min_ms, int64 max_ms, int64 asked_ms);

#endif
