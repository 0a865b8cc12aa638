/*
 * steps.c - the worker of one job: does the next step, and the next, until there is nothing for it to do.
 *
 * Each step begins from what the table says, and ends by changing the state in a transaction of its own or together with
 * what it did; so it may be cut off anywhere, and is begun again by the next worker. What cannot be repeated is the
 * request that starts a job: the intent is noted before it, and after an intent that has no outcome the service's list
 * is looked at first.
 */
#include "ml_score.h"

#include "batch/export.h"
#include "batch/job_logs.h"
#include "batch/load.h"
#include "batch/progress.h"
#include "batch/service.h"
#include "batch/worker.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/worker.h"

/* How long a job that was started may be missing in the service's list. */
#define LIST_SETTLES_MS 15000
#define LIST_LOOK_MS 2000

static uint32 wait_event;

/* The service has the job. */
static void
note_invoked(MlsJob *job, const MlsRun *run, const char *message)
{
	const char *arguments[] = {run->name, run->status, run->studio_url};

	mls_worker_begin();
	(void) mls_job_move(
		job, MLS_JOB_RUNNING, message,
		"job_name = $3, azure_status = $4, studio_url = $5, invoked_at = clock_timestamp(), ended_at = NULL, "
		"polls = 0, "
		"next_poll_at = clock_timestamp(), sqlstate = NULL, error = NULL, error_detail = NULL, "
		"error_hint = NULL",
		3, arguments);
	mls_worker_commit();
}

/* Note that the request goes out now, or (with false) that it was certainly not carried out. */
static bool
note_intent(MlsJob *job, bool intent)
{
	bool noted;

	mls_worker_begin();
	noted = mls_job_set(job, intent ? "invoke_started_at = clock_timestamp()" : "invoke_started_at = NULL", 0, NULL);
	mls_worker_commit();
	return noted;
}

/* Was it certainly not carried out? Of a server's error, or of silence, nobody knows. */
static bool
was_refused(int status)
{
	return status >= 400 && status < 500 && status != 408;
}

/*
 * A request whose outcome is not known: is the job in the list? It may take a while to appear there. False: it is not, so
 * it was not started.
 */
static bool
find_started(MlsJob *job, MlsService *service)
{
	TimestampTz begun = GetCurrentTimestamp();
	MlsRun run;

	for (;;)
	{
		if (mls_service_find(service, job->uuid, &run))
		{
			note_invoked(job, &run, "found in the service's list");
			return true;
		}
		if (TimestampDifferenceExceeds(begun, GetCurrentTimestamp(), LIST_SETTLES_MS))
			return false;
		(void) mls_worker_sleep(LIST_LOOK_MS, wait_event);
	}
}

/* A SAS cannot be renewed once a job has it, and Azure signs in the name of an identity for a week at most. In a transaction. */
static void
note_short_sas(const MlsJob *job, const char *sas)
{
	const char *ends = sas == NULL ? NULL : mls_blob_sas_expiry(sas);

	if (ends != NULL && job->deadline != 0 && strcmp(ends, mls_blob_time(timestamptz_to_time_t(job->deadline))) < 0)
		mls_job_note(job->id, mls_job_state_name(job->state),
					 psprintf("its SAS ends at %s, which is before its timeout", ends));
}

/* The endpoint, and what it is to be sent to start the job. */
static char *
prepare(const MlsJob *job, MlsService **service)
{
	MemoryContext cxt = CurrentMemoryContext;
	MlsServer *server;
	MlsServer *storage = NULL;
	MlsBlobStore *store;
	char *sas;
	char *body;

	mls_worker_begin();
	MemoryContextSwitchTo(cxt);
	server = mls_place_server(job->server, job->owner);
	if (job->query != NULL || server->storage != NULL)
		storage = mls_place_storage(server, job->owner);
	mls_worker_commit();
	MemoryContextSwitchTo(cxt);

	*service = mls_service_open(server, job->owner);
	store = storage == NULL ? NULL : mls_blob_open(storage, job->owner);
	sas = mls_service_sas(*service, job, store);
	mls_worker_begin();
	note_short_sas(job, sas);
	MemoryContextSwitchTo(cxt);
	body = mls_service_invocation(*service, job, store, sas);
	mls_worker_commit();
	MemoryContextSwitchTo(cxt);
	return body;
}

/* The request to start the job has failed. Returns when the service has started it nevertheless, else raises. */
static void
take_failure(MlsJob *job, MlsService *service, MlsExchange *exchange)
{
	MemoryContext cxt = CurrentMemoryContext;

	if (!was_refused(mls_exchange_status(exchange)) && find_started(job, service))
		return;
	(void) note_intent(job, false);
	MemoryContextSwitchTo(cxt);
	mls_service_raise(service, exchange, "start a job");
}

static void
submit(MlsJob *job)
{
	MemoryContext cxt = CurrentMemoryContext;
	MlsService *service;
	char *request = prepare(job, &service);
	MlsExchange *exchange;
	const char *reply;
	size_t len;
	MlsRun run;

	if (job->invoke_started && find_started(job, service))
		return;
	if (!note_intent(job, true))
		return;
	MemoryContextSwitchTo(cxt);
	exchange = mls_service_invoke(service, request, job->uuid);
	mls_exchange_wait(exchange);
	if (mls_exchange_failure(exchange) != NULL)
	{
		take_failure(job, service, exchange);
		return;
	}
	reply = mls_exchange_body(exchange, &len);
	if (mls_service_read(reply, len, &run) && run.name != NULL)
		note_invoked(job, &run, "started");
	else if (!find_started(job, service))
		ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
						errmsg("server \"%s\" did not say which job it has started", job->server),
						errhint("Check that the server's option url is a batch endpoint's, ending in /jobs.")));
}

/* What the logs of a job that has failed say; or why that is not known. */
static char *
read_logs(MlsJob *job)
{
	MemoryContext cxt = CurrentMemoryContext;
	MlsServer *server;
	MlsServer *workspace;
	MlsJobLogs *logs;
	char *problem = NULL;
	char *tail;

	mls_worker_begin();
	MemoryContextSwitchTo(cxt);
	server = mls_place_server(job->server, job->owner);
	workspace = mls_place_workspace(server, job->owner);
	mls_worker_commit();
	MemoryContextSwitchTo(cxt);
	logs = mls_job_logs_open(workspace, mls_service_open(server, job->owner), job->owner);
	tail = mls_job_logs_tail(logs, job, &problem);
	return tail != NULL ? tail : problem;
}

/* The job has failed in Azure: it fails here, with the words of its logs, if they can be had. */
static void
fail_with_logs(MlsJob *job)
{
	MemoryContext cxt = CurrentMemoryContext;
	char *volatile logs = NULL;
	char *detail;

	PG_TRY();
	{
		logs = read_logs(job);
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(cxt);
		error = CopyErrorData();
		FlushErrorState();
		mls_worker_abort();
		MemoryContextSwitchTo(cxt);
		logs = psprintf("Its logs could not be read: %s.", error->message);
	}
	PG_END_TRY();
	detail = job->error_detail == NULL ? logs : psprintf("%s\n%s", job->error_detail, logs);
	mls_worker_begin();
	mls_job_fail_in_azure(job, detail);
	mls_worker_commit();
	MemoryContextSwitchTo(cxt);
}

/* Load what was downloaded, and complete the job in the same transaction. */
static void
load(MlsJob *job, MlsDownload *download)
{
	MlsLoaded loaded;
	const char *arguments[4];
	const char *id = psprintf(INT64_FORMAT, job->id);
	MlsLedger ledger;
	char *message;

	mls_worker_begin();
	job = mls_job_load(job->id, true);
	if (job == NULL || job->state != MLS_JOB_LOADING)
	{
		mls_worker_commit();
		return;
	}
	loaded = mls_load_results(job, download);
	arguments[0] = psprintf(INT64_FORMAT, loaded.rows);
	arguments[1] = psprintf(INT64_FORMAT, loaded.bad);
	arguments[2] = loaded.missing < 0 ? NULL : psprintf(INT64_FORMAT, loaded.missing);
	message = psprintf(INT64_FORMAT " rows, " INT64_FORMAT " bad lines, " INT64_FORMAT " without a prediction",
					   loaded.rows, loaded.bad, Max(loaded.missing, 0));
	if (mls_job_move(job, MLS_JOB_COMPLETED, message,
					 "rows_in = $3::bigint, dead_letters = $4::bigint, missing = $5::bigint, "
					 "completed_at = clock_timestamp(), cleanup = (retain <> 'all'), sqlstate = NULL, error = NULL, "
					 "error_detail = NULL, error_hint = NULL",
					 3, arguments))
	{
		mls_ledger_open(&ledger);
		mls_ledger_run_texts("DELETE FROM ml_score.batch_file WHERE job = $1::bigint", 1, &id);
		mls_ledger_close(&ledger);
	}
	mls_worker_commit();
}

static void
fetch_and_load(MlsJob *job)
{
	MemoryContext cxt = CurrentMemoryContext;
	MlsBlobStore *store = mls_place_open_storage(job);
	MlsDownload *download;
	const char *bytes;
	bool moved;

	download = mls_download_folder(store, mls_place_output(job), job);
	bytes = psprintf(INT64_FORMAT, download->bytes);
	mls_worker_begin();
	moved = mls_job_move(job, MLS_JOB_LOADING, psprintf("%d files, %s bytes", download->nfiles, bytes),
						 "bytes_in = $3::bigint, downloaded_at = clock_timestamp()", 1, &bytes);
	mls_worker_commit();
	MemoryContextSwitchTo(cxt);
	if (moved)
	{
		job->state = MLS_JOB_LOADING;
		load(job, download);
	}
	mls_download_close(download);
}

/* The temporary file went with the last worker. */
static void
fetch_again(MlsJob *job)
{
	mls_worker_begin();
	(void) mls_job_move(job, MLS_JOB_DOWNLOADING, "interrupted, so once more", NULL, 0, NULL);
	mls_worker_commit();
}

/* The folders that this job has written to, below the storage's url. */
static List *
folders_of(MlsJob *job)
{
	const char *id = psprintf(INT64_FORMAT, job->id);
	MemoryContext cxt = CurrentMemoryContext;
	List *folders = NIL;
	MlsLedger ledger;
	uint64 n;

	mls_ledger_open(&ledger);
	n = mls_ledger_run_texts("SELECT unnest(folders) FROM ml_score.batch_job WHERE id = $1::bigint", 1, &id);
	for (uint64 i = 0; i < n; i++)
	{
		char *folder = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		MemoryContext old = MemoryContextSwitchTo(cxt);

		folders = lappend(folders, pstrdup(folder));
		MemoryContextSwitchTo(old);
	}
	mls_ledger_close(&ledger);
	return folders;
}

/* A job that has ended: remove what it left in the store. */
static void
clean_up(MlsJob *job)
{
	MemoryContext cxt = CurrentMemoryContext;
	MlsServer *storage = NULL;
	MlsServer *server;
	MlsBlobStore *store;
	List *folders;
	ListCell *lc;

	mls_worker_begin();
	MemoryContextSwitchTo(cxt);
	server = mls_place_server(job->server, job->owner);
	if (server->storage != NULL)
		storage = mls_place_storage(server, job->owner);
	folders = storage == NULL ? NIL : folders_of(job);
	mls_worker_commit();
	MemoryContextSwitchTo(cxt);

	store = folders == NIL ? NULL : mls_blob_open(storage, job->owner);
	foreach (lc, folders)
	{
		MlsBlobListing listing;

		mls_blob_list(store, psprintf("%s/", (char *) lfirst(lc)), &listing);
		for (int i = 0; i < listing.n; i++)
			(void) mls_blob_delete(store, listing.items[i].name);
	}
	mls_worker_begin();
	if (mls_job_set(job, "cleanup = false", 0, NULL))
		mls_worker_wake_at_commit();
	mls_worker_commit();
}

/* Giving up on a clean-up changes nothing of how the job ended. */
static void
give_up_cleaning(MlsJob *job, const ErrorData *error)
{
	mls_worker_begin();
	if (mls_job_set(job, "cleanup = false", 0, NULL))
	{
		mls_job_note(job->id, mls_job_state_name(job->state), psprintf("its files stay: %s", error->message));
		mls_worker_wake_at_commit();
	}
	mls_worker_commit();
}

/* One step. False: there is nothing (more) to do. */
static bool
do_step(MlsJob *job)
{
	switch (job->state)
	{
		case MLS_JOB_EXPORTING:
			mls_export_run(job);
			return true;
		case MLS_JOB_SUBMITTING:
			submit(job);
			return true;
		case MLS_JOB_DOWNLOADING:
			fetch_and_load(job);
			return true;
		case MLS_JOB_LOADING:
			fetch_again(job);
			return true;
		case MLS_JOB_COMPLETED:
		case MLS_JOB_FAILED:
		case MLS_JOB_CANCELLED:
			if (!job->cleanup)
				return false;
			clean_up(job);
			return true;
		case MLS_JOB_RUNNING:
			if (!job->has_ended)
				return false; /* the poller's, as the next */
			fail_with_logs(job);
			return true;
		case MLS_JOB_CANCELLING:
			return false;
	}
	pg_unreachable();
}

static MlsJob *
read_job(int64 id)
{
	MemoryContext cxt = CurrentMemoryContext;
	MlsJob *job;

	mls_worker_begin();
	MemoryContextSwitchTo(cxt);
	job = mls_job_load(id, false);
	mls_worker_commit();
	MemoryContextSwitchTo(cxt);
	return job;
}

/* Do a step. 0: go on; -1: done; else so many ms are to pass before the next. */
static int64
try_step(MlsJob *job, MemoryContext cxt)
{
	volatile int64 delay = 0;
	ErrorData *error;

	PG_TRY();
	{
		if (!do_step(job))
			delay = -1;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(cxt);
		error = CopyErrorData();
		EmitErrorReport();
		FlushErrorState();
		mls_worker_abort();
		MemoryContextSwitchTo(cxt);
		if (mls_job_state_is_final(job->state))
			give_up_cleaning(job, error);
		else
			delay = mls_job_fault(job, error);
	}
	PG_END_TRY();
	mls_batch_progress_end();
	return delay;
}

static void
job_main(const MlsWorker *worker)
{
	MemoryContext cxt = AllocSetContextCreate(TopMemoryContext, "ml_score batch job", ALLOCSET_DEFAULT_SIZES);
	int64 delay = 0;

	wait_event = WaitEventExtensionNew("MlScoreBatchJob");
	while (delay >= 0)
	{
		MlsJob *job;

		MemoryContextReset(cxt);
		MemoryContextSwitchTo(cxt);
		CHECK_FOR_INTERRUPTS();
		job = read_job(worker->key);
		if (job == NULL)
			return;
		delay = try_step(job, cxt);
		if (delay > 0)
			(void) mls_worker_sleep(delay, wait_event);
	}
}

static const MlsWorkerKind job_kind = {
	.name = "batch job",
	.wanted = "SELECT id, 'batch job ' || id, owner::oid, 1, version FROM ml_score.batch_job "
			  "WHERE home = ml_score.home() AND (state IN ('exporting', 'submitting', 'downloading', 'loading') OR "
			  "cleanup OR (state = 'running' AND "
			  "ended_at IS NOT NULL)) AND EXISTS (SELECT FROM "
			  "pg_catalog.pg_roles r WHERE r.oid OPERATOR(pg_catalog.=) owner::oid) "
			  "ORDER BY cleanup, id LIMIT pg_catalog.current_setting('ml_score.max_batch_workers')::integer",
	.main = job_main,
};

/*
 * It looks at everybody's jobs, each with its owner's credential, and ends those whose owner is gone, so it is the extension
 * owner's.
 */
static const MlsWorkerKind poller_kind = {
	.name = "batch poller",
	.wanted =
		"SELECT 0::bigint, 'batch poller'::text, extowner, 1, 0::bigint FROM pg_catalog.pg_extension "
		"WHERE extname = 'ml_score' AND EXISTS (SELECT FROM ml_score.batch_job j WHERE home = ml_score.home() "
		"AND (state IN ('running', 'cancelling') OR ((cleanup OR state NOT IN ('completed', 'failed', 'cancelled')) "
		"AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid OPERATOR(pg_catalog.=) j.owner::oid))))",
	.main = mls_batch_poll,
};

void
mls_batch_init(void)
{
	mls_worker_register(&job_kind);
	mls_worker_register(&poller_kind);
}
