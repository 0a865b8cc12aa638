/*
 * control.c - what users do with their batch jobs: wait, cancel, retry, purge.
 */
#include "ml_score.h"

#include "access/xact.h"
#include "batch/worker.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"
#include "worker/worker.h"

#define WAIT_FIRST_MS 50
#define WAIT_LONGEST_MS 1000

/* The job, if it is the caller's or one of a role that the caller is a member of. */
static MlsJob *
load_own(int64 id, bool lock)
{
	MlsJob *job = mls_job_load(id, lock);

	if (job == NULL || !has_privs_of_role(GetUserId(), job->owner))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("batch job " INT64_FORMAT " does not exist", id),
						errhint("ml_score.batch_job shows your jobs.")));
	return job;
}

/* Nothing of the original's job is stopped or removed. */
static bool
forget(MlsJob *job)
{
	if (job->state != MLS_JOB_CANCELLING)
	{
		(void) mls_job_move(job, MLS_JOB_CANCELLING, "asked for", NULL, 0, NULL);
		job->state = MLS_JOB_CANCELLING;
	}
	return mls_job_move(job, MLS_JOB_CANCELLED, "here only: it is the job of the database that this is a copy of",
						"completed_at = clock_timestamp(), cleanup = false", 0, NULL);
}

/* ml_score.cancel_batch(job bigint) */
PG_FUNCTION_INFO_V1(mls_cancel_batch);

PGDLLEXPORT Datum
mls_cancel_batch(PG_FUNCTION_ARGS)
{
	MlsJob *job = load_own(PG_GETARG_INT64(0), true);

	if (job->state == MLS_JOB_CANCELLING && !job->elsewhere)
		PG_RETURN_BOOL(true);
	if (mls_job_state_is_final(job->state))
		PG_RETURN_BOOL(false);
	if (job->elsewhere)
		PG_RETURN_BOOL(forget(job));
	PG_RETURN_BOOL(mls_job_move(job, MLS_JOB_CANCELLING, "asked for",
								"version = version + 1, cancel_sent = false, next_poll_at = clock_timestamp()", 0,
								NULL));
}

/*
 * Where a job goes on. What was loaded in part was rolled back, so its results are fetched again; a job that failed in
 * Azure or was cancelled is another one there, which begins with the query.
 */
static MlsJobState
state_to_retry(const MlsJob *job, const char *failed_state, bool cleaned)
{
	MlsJobState first = job->query != NULL ? MLS_JOB_EXPORTING : MLS_JOB_SUBMITTING;
	MlsJobState state;

	if (job->state == MLS_JOB_CANCELLED || cleaned || failed_state == NULL ||
		!mls_job_state_parse(failed_state, &state))
		return first;
	if (state == MLS_JOB_DOWNLOADING || state == MLS_JOB_LOADING)
		return MLS_JOB_DOWNLOADING;
	return state == MLS_JOB_SUBMITTING ? MLS_JOB_SUBMITTING : first;
}

/* The state that it failed in, as the table has it; palloc'd, or NULL. */
static char *
failed_state_of(const MlsJob *job)
{
	const char *id = psprintf(INT64_FORMAT, job->id);
	MemoryContext cxt = CurrentMemoryContext;
	char *state = NULL;
	MlsLedger ledger;

	mls_ledger_open(&ledger);
	if (mls_ledger_run_texts("SELECT failed_state FROM ml_score.batch_job WHERE id = $1::bigint", 1, &id) == 1)
	{
		state = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
		if (state != NULL)
			state = MemoryContextStrdup(cxt, state);
	}
	mls_ledger_close(&ledger);
	return state;
}

/* ml_score.retry_batch(job bigint, target regclass DEFAULT NULL) */
PG_FUNCTION_INFO_V1(mls_retry_batch);

PGDLLEXPORT Datum
mls_retry_batch(PG_FUNCTION_ARGS)
{
	/* A new job in Azure needs an output of its own; the folders of another database's job are not ours to remove. */
	static const char anew[] =
		"request_id = t.uuid, folder = 'ml_score/' || id || '-' || t.uuid, folders = CASE WHEN home = ml_score.home() "
		"THEN folders ELSE '{}' END || ('ml_score/' || id || '-' || t.uuid), job_name = NULL, invoke_started_at = "
		"NULL, azure_status = NULL, studio_url = NULL, home = ml_score.home(), ";
	static const char common[] =
		"target = coalesce($3::oid::regclass, target), version = version + 1, cleanup = false, cancel_sent = false, "
		"deadline = clock_timestamp() + timeout, completed_at = NULL, sqlstate = NULL, error = NULL, "
		"error_detail = NULL, error_hint = NULL, failed_state = NULL";
	MlsJob *job;
	MlsJobState state;
	const char *argument = PG_ARGISNULL(1) ? NULL : psprintf("%u", PG_GETARG_OID(1));

	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument \"job\" must not be null")));
	mls_worker_require("batch jobs");
	job = load_own(PG_GETARG_INT64(0), true);
	if (job->state != MLS_JOB_FAILED && job->state != MLS_JOB_CANCELLED)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("batch job " INT64_FORMAT " is %s", job->id, mls_job_state_name(job->state)),
						errhint("Only failed and cancelled jobs can be tried again.")));
	state = state_to_retry(job, failed_state_of(job), job->elsewhere || strcmp(job->retain, "none") == 0);
	if (job->elsewhere || (state == MLS_JOB_SUBMITTING && job->query == NULL && job->job_name != NULL))
		(void) mls_job_move(job, state, "tried again",
							psprintf("%s%s FROM (SELECT gen_random_uuid() AS uuid) t", anew, common), 1, &argument);
	else
		(void) mls_job_move(job, state, "tried again", common, 1, &argument);
	PG_RETURN_VOID();
}

/* ml_score.resume_batch(job bigint) */
PG_FUNCTION_INFO_V1(mls_resume_batch);

PGDLLEXPORT Datum
mls_resume_batch(PG_FUNCTION_ARGS)
{
	MlsJob *job;

	mls_worker_require("batch jobs");
	job = load_own(PG_GETARG_INT64(0), true);
	if (!job->elsewhere)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("batch job " INT64_FORMAT " is a job of this database", job->id),
						errhint("Only jobs that came with a copy of their database can be resumed; retry_batch has a "
								"failed or cancelled one go on.")));
	(void) mls_job_set(job, "home = ml_score.home(), version = version + 1", 0, NULL);
	mls_job_note(job->id, mls_job_state_name(job->state), "goes on in this database");
	mls_worker_wake_at_commit();
	PG_RETURN_VOID();
}

int64
mls_batch_purge(Interval *older_than, const int64 *id)
{
	const char *arguments[] = {DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(older_than))),
							   psprintf("%u", GetUserId()), id == NULL ? NULL : psprintf(INT64_FORMAT, *id)};
	MlsLedger ledger;
	uint64 purged;

	if (id != NULL)
		(void) load_own(*id, true);
	mls_ledger_open(&ledger);
	purged = mls_ledger_run_texts(
		"DELETE FROM ml_score.batch_job WHERE state IN ('completed', 'failed', 'cancelled') AND "
		"(NOT cleanup OR home <> ml_score.home()) AND completed_at <= clock_timestamp() - $1::interval AND "
		"($3 IS NULL OR id = $3::bigint) AND pg_has_role($2::oid, owner::oid, 'USAGE')",
		lengthof(arguments), arguments);
	mls_ledger_close(&ledger);
	return (int64) purged;
}

/* Was the job submitted by the transaction that now wants to wait for it? */
static bool
is_uncommitted(int64 id)
{
	const char *argument = psprintf(INT64_FORMAT, id);
	MlsLedger ledger;
	bool found;

	mls_ledger_open(&ledger);
	found = mls_ledger_run_texts("SELECT FROM ml_score.batch_job WHERE id = $1::bigint AND xmin = "
								 "pg_current_xact_id_if_assigned()::xid",
								 1, &argument) == 1;
	mls_ledger_close(&ledger);
	return found;
}

/* Raise what the job failed with. */
pg_noreturn static void
raise_failure(const MlsJob *job)
{
	const char *id = psprintf(INT64_FORMAT, job->id);
	MemoryContext cxt = CurrentMemoryContext;
	char *values[4] = {NULL};
	MlsLedger ledger;

	mls_ledger_open(&ledger);
	if (mls_ledger_run_texts(
			"SELECT sqlstate, error, error_detail, error_hint FROM ml_score.batch_job WHERE id = $1::bigint", 1, &id) ==
		1)
	{
		for (int i = 0; i < lengthof(values); i++)
		{
			char *value = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1);

			if (value != NULL)
				values[i] = MemoryContextStrdup(cxt, value);
		}
	}
	mls_ledger_close(&ledger);
	ereport(ERROR, (errcode(values[0] == NULL || strlen(values[0]) != 5
								? ERRCODE_EXTERNAL_ROUTINE_EXCEPTION
								: MAKE_SQLSTATE(values[0][0], values[0][1], values[0][2], values[0][3], values[0][4])),
					errmsg("batch job " INT64_FORMAT " has failed: %s", job->id, values[1] == NULL ? "" : values[1]),
					values[2] == NULL ? 0 : errdetail_internal("%s", values[2]),
					values[3] == NULL ? 0 : errhint("%s", values[3])));
}

/* Look at the job. True: it has completed. Raises when it ended otherwise. */
static bool
has_completed(int64 id)
{
	MlsJob *job = load_own(id, false);

	if (job->state == MLS_JOB_FAILED)
		raise_failure(job);
	if (job->state == MLS_JOB_CANCELLED)
		ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED), errmsg("batch job " INT64_FORMAT " was cancelled", id)));
	if (job->elsewhere && job->state != MLS_JOB_COMPLETED)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("batch job " INT64_FORMAT " does not go on in this database", id),
						errdetail("It came with a copy of its database, which follows it."),
						errhint("If the original is gone, ml_score.resume_batch has it go on here.")));
	return job->state == MLS_JOB_COMPLETED;
}

/* ml_score.wait_batch(job bigint, timeout interval DEFAULT NULL) */
PG_FUNCTION_INFO_V1(mls_wait_batch);

PGDLLEXPORT Datum
mls_wait_batch(PG_FUNCTION_ARGS)
{
	static uint32 wait_event;
	bool atomic =
		fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) || castNode(CallContext, fcinfo->context)->atomic;
	TimestampTz end = DT_NOEND;
	long delay = WAIT_FIRST_MS;
	int64 id;

	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument \"job\" must not be null")));
	id = PG_GETARG_INT64(0);
	if (!PG_ARGISNULL(1))
		end = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
													  TimestampTzGetDatum(GetCurrentTimestamp()), PG_GETARG_DATUM(1)));
	if (wait_event == 0)
		wait_event = WaitEventExtensionNew("MlScoreWaitBatch");
	if (SPI_connect_ext(atomic ? 0 : SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (is_uncommitted(id))
		ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
						errmsg("batch job " INT64_FORMAT " was submitted in this transaction", id),
						errhint("It begins when the transaction is committed: COMMIT, then wait.")));
	while (!has_completed(id))
	{
		if (GetCurrentTimestamp() >= end)
			ereport(ERROR,
					(errcode(ERRCODE_QUERY_CANCELED), errmsg("batch job " INT64_FORMAT " has not ended in time", id),
					 errhint("It goes on; ml_score.batch_job shows how it is.")));
		if (!atomic)
			SPI_commit();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, delay, wait_event);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		delay = Min(delay * 2, WAIT_LONGEST_MS);
	}
	SPI_finish();
	PG_RETURN_VOID();
}
