/*
 * poller.c - the process that looks at all jobs which the service has, and stops those that are to be cancelled.
 *
 * A round takes the jobs whose time has come, asks for all of them at once without a transaction, then notes each
 * answer in one of its own. A job is looked at in growing intervals, so thousands of them cost some requests a second.
 */
#include "ml_score.h"

#include <time.h>

#include "batch/service.h"
#include "batch/worker.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "transport/retry.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "worker/worker.h"

/* How often the table is looked at: new jobs, and those to be cancelled, wait so long at the most. */
#define ROUND_MS 500
#define ROUND_JOBS 64

/* So long the service may not know a job that it has just started. */
#define PROPAGATION_MS 60000
#define LIST_SETTLES_MS 15000

/* How often jobs of roles that are gone are looked for. */
#define ORPHANS_MS 5000

/* Answers that refuse (401, 403, ...) are taken for passing so many times in a row. */
#define MAX_REFUSALS 6

/* A job that is looked at in this round. */
typedef struct Look
{
	MlsJob *job;
	MlsServer *server;
	MlsService *service;
	MlsExchange *exchange; /* or NULL */
	bool cancels;		   /* it asks to stop the job */
} Look;

/* Read the jobs that are due. */
static Look *
read_due(int *n)
{
	MemoryContext cxt = CurrentMemoryContext;
	Look *looks = palloc0(sizeof(Look) * ROUND_JOBS);
	int64 ids[ROUND_JOBS];
	MlsLedger ledger;

	mls_worker_begin();
	mls_ledger_open(&ledger);
	*n = (int) mls_ledger_run_texts(
		psprintf("SELECT id FROM ml_score.batch_job WHERE state IN ('running', 'cancelling') AND "
				 "home = ml_score.home() AND "
				 "next_poll_at <= clock_timestamp() ORDER BY next_poll_at LIMIT %d",
				 ROUND_JOBS),
		0, NULL);
	for (int i = 0; i < *n; i++)
	{
		bool isnull;

		ids[i] = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
	}
	mls_ledger_close(&ledger);
	MemoryContextSwitchTo(cxt);
	for (int i = 0; i < *n; i++)
		looks[i].job = mls_job_load(ids[i], false);
	mls_worker_commit();
	MemoryContextSwitchTo(cxt);
	return looks;
}

/* Is another look's service the same one? */
static bool
share_service(Look *looks, int i)
{
	for (int k = 0; k < i; k++)
	{
		if (looks[k].service != NULL && looks[k].job->owner == looks[i].job->owner &&
			strcmp(looks[k].job->server, looks[i].job->server) == 0)
		{
			looks[i].service = looks[k].service;
			looks[i].server = looks[k].server;
			return true;
		}
	}
	return false;
}

static void
open_service(Look *look)
{
	MemoryContext cxt = CurrentMemoryContext;

	mls_worker_begin();
	MemoryContextSwitchTo(cxt);
	look->server = mls_place_server(look->job->server, look->job->owner);
	mls_worker_commit();
	MemoryContextSwitchTo(cxt);
	look->service = mls_service_open(look->server, look->job->owner);
}

static void
end_cancelled(const MlsJob *job, const char *message)
{
	mls_worker_begin();
	(void) mls_job_move(job, MLS_JOB_CANCELLED, message,
						"completed_at = clock_timestamp(), cleanup = (retain <> 'all')", 0, NULL);
	mls_worker_commit();
}

/* Look again so much later, and set columns besides. */
static void
put_off(const MlsJob *job, int64 ms, const char *set, int n, const char *const *arguments)
{
	mls_worker_begin();
	(void) mls_job_set(job,
					   psprintf("polls = polls + 1, next_poll_at = clock_timestamp() + interval '1 ms' * " INT64_FORMAT
								"%s%s",
								ms, set != NULL ? ", " : "", set != NULL ? set : ""),
					   n, arguments);
	mls_worker_commit();
}

static bool
has_passed(TimestampTz since, int ms)
{
	return TimestampDifferenceExceeds(since, GetCurrentTimestamp(), ms);
}

/*
 * A job to be cancelled whose name is not known. Without an intent to start it, there is nothing to stop; else it may be
 * in the service's list by now.
 */
static void
cancel_unnamed(Look *look)
{
	MlsRun run;

	if (!look->job->invoke_started)
		end_cancelled(look->job, "before it was started");
	else if (mls_service_find(look->service, look->job->uuid, &run))
	{
		const char *name = run.name;

		put_off(look->job, 0, "job_name = $3", 1, &name);
	}
	else if (has_passed(look->job->invoke_started_at, LIST_SETTLES_MS))
		end_cancelled(look->job, "the service does not know it");
	else
		put_off(look->job, look->server->poll_min_interval_ms, NULL, 0, NULL);
}

/* Start what is to be asked about a job. */
static void
start_look(Look *look)
{
	MlsJob *job = look->job;

	if (job->state == MLS_JOB_CANCELLING && job->job_name == NULL)
		cancel_unnamed(look);
	else if (job->state == MLS_JOB_CANCELLING && !job->cancel_sent)
	{
		look->cancels = true;
		look->exchange = mls_service_cancel(look->service, job->job_name);
		if (look->exchange == NULL)
			end_cancelled(job, "here only: it goes on in Azure, as the server has no workspace_url");
	}
	else
		look->exchange = mls_service_look(look->service, job->job_name);
}

static bool
is_overdue(const MlsJob *job)
{
	return job->deadline != 0 && job->state == MLS_JOB_RUNNING && GetCurrentTimestamp() >= job->deadline;
}

/* Ask Azure to stop a job whose time is over; if that fails, it is over here all the same. */
static void
end_overdue(Look *look, const char *detail)
{
	MlsJob *job = look->job;
	MlsExchange *cancel = mls_service_cancel(look->service, job->job_name);

	if (cancel != NULL)
		mls_exchange_wait(cancel);
	mls_worker_begin();
	mls_job_fail(job, "57014", psprintf("the job \"%s\" has not ended within its timeout", job->job_name), detail,
				 "Give a longer timeout. Without the server's option workspace_url the job goes on in Azure.");
	mls_worker_commit();
}

/* The service refuses to say. It may be passing: a role that is being given, a job that is not known everywhere yet. */
static void
take_refusal(Look *look)
{
	MlsJob *job = look->job;
	int status = mls_exchange_status(look->exchange);

	if (status == 404 && job->invoked_at != 0 && !has_passed(job->invoked_at, PROPAGATION_MS))
		put_off(job, look->server->poll_min_interval_ms, NULL, 0, NULL);
	else if (is_overdue(job))
		end_overdue(look, psprintf("It cannot be looked at: %s.", mls_exchange_failure(look->exchange)->message));
	else if (status == 0 || status == 408 || status == 429 || status >= 500 || job->attempts + 1 < MAX_REFUSALS)
	{
		const MlsFailure *failure = mls_exchange_failure(look->exchange);
		const char *arguments[] = {failure->message, failure->detail, failure->hint};

		put_off(
			job,
			mls_job_poll_delay(job->polls, look->server->poll_min_interval_ms, look->server->poll_max_interval_ms, -1),
			status >= 400 && status < 500 ? "attempts = attempts + 1, error = $3, error_detail = $4, error_hint = $5"
										  : "error = $3, error_detail = $4, error_hint = $5",
			3, arguments);
	}
	else
		mls_service_raise(look->service, look->exchange, look->cancels ? "cancel a job" : "look at a job");
}

/* The job has come to its end in Azure. */
static void
take_end(const Look *look, const MlsRun *run)
{
	const MlsJob *job = look->job;
	const char *arguments[] = {run->status, run->error};

	mls_worker_begin();
	(void) mls_job_set(job, "azure_status = $3, ended_at = clock_timestamp()", 1, arguments);
	if (job->state == MLS_JOB_CANCELLING || run->meaning == MLS_RUN_CANCELED)
		(void) mls_job_move(job, MLS_JOB_CANCELLED, run->status,
							"completed_at = clock_timestamp(), cleanup = (retain <> 'all')", 0, NULL);
	else if (run->meaning == MLS_RUN_FAILED && look->server->workspace != NULL)
	{
		/* A worker reads its logs, for which the others need not wait; then it is over here, too. */
		(void) mls_job_set(job, "next_poll_at = NULL, error_detail = $3", 1, arguments + 1);
		mls_job_note(job->id, mls_job_state_name(job->state), run->status);
		mls_worker_wake_at_commit();
	}
	else if (run->meaning == MLS_RUN_FAILED)
		mls_job_fail_in_azure(job, run->error);
	else if (OidIsValid(job->target))
		(void) mls_job_move(job, MLS_JOB_DOWNLOADING, run->status, NULL, 0, NULL);
	else
		(void) mls_job_move(job, MLS_JOB_COMPLETED, run->status,
							"completed_at = clock_timestamp(), cleanup = (retain <> 'all' AND query IS NOT NULL)", 0,
							NULL);
	mls_worker_commit();
}

/* It goes on. */
static void
take_status(Look *look, const MlsRun *run)
{
	MlsJob *job = look->job;
	const char *stopped = run->meaning == MLS_RUN_STOPPED ? psprintf("the service says \"%s\"", run->status) : NULL;
	const char *arguments[] = {run->status, run->studio_url, stopped};
	char *after = mls_exchange_header(look->exchange, "Retry-After");
	int64 delay = mls_job_poll_delay(job->polls, look->server->poll_min_interval_ms, look->server->poll_max_interval_ms,
									 after == NULL ? -1 : mls_retry_after_parse(after, (int64) time(NULL)));

	if (is_overdue(job))
	{
		end_overdue(look, psprintf("The service says \"%s\".", run->status));
		return;
	}
	if (run->status != NULL && (job->azure_status == NULL || strcmp(run->status, job->azure_status) != 0))
	{
		mls_worker_begin();
		mls_job_note(job->id, mls_job_state_name(job->state), run->status);
		mls_worker_commit();
	}
	put_off(job, delay,
			"attempts = 0, azure_status = $3, studio_url = coalesce($4, studio_url), error = $5, error_detail = NULL, "
			"error_hint = NULL",
			3, arguments);
}

static void
take_answer(Look *look)
{
	MlsJob *job = look->job;
	const char *body;
	size_t len;
	MlsRun run;

	mls_exchange_wait(look->exchange);
	if (look->cancels)
	{
		int status = mls_exchange_status(look->exchange);

		/* A job that has ended cannot be stopped (409, 400, 404): its state says the rest. */
		if (mls_exchange_failure(look->exchange) == NULL || status == 409 || status == 400 || status == 404)
			put_off(job, look->server->poll_min_interval_ms, "cancel_sent = true", 0, NULL);
		else
			take_refusal(look);
		return;
	}
	if (mls_exchange_failure(look->exchange) != NULL)
	{
		take_refusal(look);
		return;
	}
	body = mls_exchange_body(look->exchange, &len);
	if (!mls_service_read(body, len, &run) || run.status == NULL)
		ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
						errmsg("server \"%s\" does not say how the job \"%s\" is", look->server->name, job->job_name)));
	if (run.meaning == MLS_RUN_ACTIVE || run.meaning == MLS_RUN_STOPPED)
		take_status(look, &run);
	else
		take_end(look, &run);
}

/* Do something for one job; what it raises is the job's fault, not the round's. */
static void
guarded(Look *look, void (*action)(Look *))
{
	MemoryContext cxt = CurrentMemoryContext;
	ErrorData *error;

	PG_TRY();
	{
		action(look);
		MemoryContextSwitchTo(cxt);
	}
	PG_CATCH();
	{
		int64 delay;

		MemoryContextSwitchTo(cxt);
		error = CopyErrorData();
		EmitErrorReport();
		FlushErrorState();
		mls_worker_abort();
		MemoryContextSwitchTo(cxt);
		look->service = NULL;
		look->exchange = NULL;
		delay = mls_job_fault(look->job, error);
		if (delay >= 0)
			put_off(look->job, delay, NULL, 0, NULL);
		MemoryContextSwitchTo(cxt);
	}
	PG_END_TRY();
}

/* Nobody can go on with jobs of roles that were dropped: their workers and credentials went with the role. */
static void
end_orphans(void)
{
#define IS_ORPHAN "home = ml_score.home() AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = j.owner::oid)"
	static TimestampTz looked_at = 0;
	MlsLedger ledger;

	if (!has_passed(looked_at, ORPHANS_MS))
		return;
	looked_at = GetCurrentTimestamp();
	mls_worker_begin();
	mls_ledger_open(&ledger);
	mls_ledger_run_texts(
		"WITH ended AS (UPDATE ml_score.batch_job j SET state = 'failed', failed_state = state, sqlstate = "
		"'42704', error = 'the role that submitted the job does not exist any more', error_detail = NULL, "
		"error_hint = 'Submit it again as another role. Its files stay in the storage.', completed_at = "
		"clock_timestamp(), cleanup = false, version = version + 1 WHERE state NOT IN ('completed', "
		"'failed', 'cancelled') AND " IS_ORPHAN " RETURNING id, state, error) "
		"INSERT INTO ml_score.batch_job_event (job, state, message) SELECT id, state, error FROM ended",
		0, NULL);
	mls_ledger_run_texts("UPDATE ml_score.batch_job j SET cleanup = false WHERE cleanup AND " IS_ORPHAN, 0, NULL);
	mls_ledger_close(&ledger);
	mls_worker_commit();
}

/* One round. How many jobs were looked at. */
static int
look_at_jobs(void)
{
	MemoryContext cxt = CurrentMemoryContext;
	int n;
	Look *looks;

	end_orphans();
	MemoryContextSwitchTo(cxt);
	looks = read_due(&n);

	for (int i = 0; i < n; i++)
	{
		if (looks[i].job == NULL)
			continue;
		if (!share_service(looks, i))
			guarded(&looks[i], open_service);
		if (looks[i].service != NULL)
			guarded(&looks[i], start_look);
	}
	for (int i = 0; i < n; i++)
	{
		if (looks[i].exchange != NULL)
			guarded(&looks[i], take_answer);
	}
	return n;
}

void
mls_batch_poll(const MlsWorker *worker)
{
	MemoryContext cxt = AllocSetContextCreate(TopMemoryContext, "ml_score batch poller", ALLOCSET_DEFAULT_SIZES);
	uint32 wait_event = WaitEventExtensionNew("MlScoreBatchPoller");

	for (;;)
	{
		int n;

		MemoryContextReset(cxt);
		MemoryContextSwitchTo(cxt);
		n = look_at_jobs();
		if (n < ROUND_JOBS)
			(void) mls_worker_sleep(ROUND_MS, wait_event);
		CHECK_FOR_INTERRUPTS();
	}
}
