/*
 * fault.c - what becomes of a job when a step of it fails.
 */
#include "ml_score.h"

#include "batch/worker.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/worker.h"

#define MAX_ATTEMPTS 8
#define FIRST_DELAY_MS 1000
#define LONGEST_DELAY_MS 60000

/* May the same step work a little later, without anybody doing something? */
static bool
is_passing(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case ERRCODE_CONNECTION_EXCEPTION:
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_OPERATOR_INTERVENTION:
			return true;
	}
	return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE || sqlstate == ERRCODE_OBJECT_IN_USE;
}

void
mls_job_fail(const MlsJob *job, const char *sqlstate, const char *message, const char *detail, const char *hint)
{
	const char *arguments[] = {sqlstate, message, detail, hint, mls_job_state_name(job->state)};

	(void) mls_job_move(job, MLS_JOB_FAILED, message,
						"sqlstate = $3, error = $4, error_detail = $5, error_hint = $6, failed_state = $7, "
						"completed_at = clock_timestamp(), cleanup = (retain = 'none')",
						lengthof(arguments), arguments);
}

void
mls_job_fail_in_azure(const MlsJob *job, const char *detail)
{
	mls_job_fail(job, "38000", psprintf("the job \"%s\" has failed in Azure", job->job_name), detail,
				 "The job's logs are in the studio: see studio_url. ml_score.retry_batch starts it anew.");
}

/*
 * Until its deadline a job that runs in Azure, or is to be stopped there, goes on whatever keeps us from looking at it: it
 * would otherwise be lost, and paid for.
 */
static bool
may_wait(const MlsJob *job)
{
	return (job->state == MLS_JOB_RUNNING || job->state == MLS_JOB_CANCELLING) &&
		   (job->deadline == 0 || GetCurrentTimestamp() < job->deadline);
}

int64
mls_job_fault(const MlsJob *job, const ErrorData *error)
{
	const char *sqlstate = pstrdup(unpack_sql_state(error->sqlerrcode));
	const char *arguments[] = {sqlstate, error->message, error->detail, error->hint};
	bool again = is_passing(error->sqlerrcode) && (job->attempts + 1 < MAX_ATTEMPTS || may_wait(job));
	int64 delay = FIRST_DELAY_MS;
	bool noted;

	for (int i = 0; i < job->attempts && delay < LONGEST_DELAY_MS; i++)
		delay *= 2;
	mls_worker_begin();
	if (again)
	{
		noted =
			mls_job_set(job, "attempts = attempts + 1, sqlstate = $3, error = $4, error_detail = $5, error_hint = $6",
						lengthof(arguments), arguments);
		if (noted && job->attempts < MAX_ATTEMPTS)
			mls_job_note(job->id, mls_job_state_name(job->state), psprintf("will try again: %s", error->message));
	}
	else
	{
		mls_job_fail(job, sqlstate, error->message, error->detail, error->hint);
		noted = false;
	}
	mls_worker_commit();
	return noted ? Min(delay, LONGEST_DELAY_MS) : -1;
}
