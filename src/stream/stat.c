/*
 * stat.c - ml_score.stream_status, from which the view stat_stream is made, and ml_score.wait_stream.
 */
#include "stream/stream.h"

#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "stream/status.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define WAIT_INTERVAL_MS 50 /* between looks at what nobody tells of: the stream is paused, workers begin */

enum
{
	COLUMN_STREAM_ID,
	COLUMN_PARTITION,
	COLUMN_PID,
	COLUMN_STATE,
	COLUMN_END_OFFSET,
	COLUMN_SEEN_OFFSET,
	COLUMN_EVENTS_PER_SECOND,
	COLUMN_BYTES_PER_SECOND,
	COLUMN_THROTTLED,
	COLUMN_RESTARTS,
	COLUMN_LAST_ERROR,
	COLUMN_LAST_ERROR_AT,
	COLUMN_COUNT
};

static const char *
state_name(MlsStreamState state)
{
	switch (state)
	{
		case MLS_STREAM_STARTING:
			return "starting";
		case MLS_STREAM_RUNNING:
			return "running";
		case MLS_STREAM_WAITING:
			break;
	}
	return "waiting";
}

/* The supervisor's word on the worker that reads the partition; NULL when it has none. */
static const MlsWorkerStatus *
find_worker(const MlsWorkerStatus *workers, int count, const MlsStreamStatus *status)
{
	for (int i = 0; i < count; i++)
		if (workers[i].key == status->stream_id && workers[i].index == status->worker)
			return &workers[i];
	return NULL;
}

static void
put_status(ReturnSetInfo *result, const MlsStreamStatus *status, const MlsWorkerStatus *worker)
{
	Datum values[COLUMN_COUNT] = {0};
	bool nulls[COLUMN_COUNT] = {false};

	values[COLUMN_STREAM_ID] = Int64GetDatum(status->stream_id);
	values[COLUMN_PARTITION] = Int32GetDatum(status->partition);
	nulls[COLUMN_PARTITION] = status->partition < 0;
	values[COLUMN_PID] = Int32GetDatum(status->pid);
	nulls[COLUMN_PID] = status->pid == 0;
	values[COLUMN_STATE] = CStringGetTextDatum(status->pid == 0 ? "starting" : state_name(status->state));
	values[COLUMN_END_OFFSET] = Int64GetDatum(status->end_offset);
	nulls[COLUMN_END_OFFSET] = status->end_offset < 0;
	values[COLUMN_SEEN_OFFSET] = Int64GetDatum(status->seen_offset);
	nulls[COLUMN_SEEN_OFFSET] = status->seen_offset < 0;
	values[COLUMN_EVENTS_PER_SECOND] = Float8GetDatum(status->rate.events_per_second);
	values[COLUMN_BYTES_PER_SECOND] = Float8GetDatum(status->rate.bytes_per_second);
	values[COLUMN_THROTTLED] = Int64GetDatum(status->throttled);
	values[COLUMN_RESTARTS] = Int64GetDatum(worker == NULL ? 0 : worker->restarts);
	values[COLUMN_LAST_ERROR] = CStringGetTextDatum(status->last_error);
	values[COLUMN_LAST_ERROR_AT] = TimestampTzGetDatum(status->last_error_at);
	nulls[COLUMN_LAST_ERROR] = nulls[COLUMN_LAST_ERROR_AT] = status->last_error_at == 0;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* A worker that the server has no slot for says nothing itself. */
static void
put_short(ReturnSetInfo *result, const MlsWorkerStatus *worker)
{
	MlsStreamStatus status = {.stream_id = worker->key,
							  .partition = MLS_STATUS_NO_PARTITION,
							  .pid = -1,
							  .state = MLS_STREAM_WAITING,
							  .end_offset = -1,
							  .seen_offset = -1,
							  .last_error_at = GetCurrentTimestamp()};

	snprintf(status.last_error, sizeof(status.last_error),
			 "there is no background worker slot: raise max_worker_processes (now %d)", max_worker_processes);
	put_status(result, &status, worker);
}

PG_FUNCTION_INFO_V1(mls_stream_status);

PGDLLEXPORT Datum
mls_stream_status(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bool sees_all = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	int nworkers;
	int count;
	MlsWorkerStatus *workers = mls_worker_list(&mls_stream_kind, &nworkers);
	MlsStreamStatus *list = mls_status_list(0, &count);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < count; i++)
		if (sees_all || has_privs_of_role(GetUserId(), list[i].owner))
			put_status(result, &list[i], find_worker(workers, nworkers, &list[i]));
	for (int i = 0; i < nworkers; i++)
		if (workers[i].short_of_slots)
			put_short(result, &workers[i]);
	return (Datum) 0;
}

/* Have all of the stream's workers? why: the last error of one that has not; palloc'd. */
static bool
have_all_caught_up(const MlsStream *stream, uint64 question, char **why)
{
	int count;
	MlsStreamStatus *list = mls_status_list(stream->id, &count);
	Bitmapset *workers = NULL;
	bool all = true;

	for (int i = 0; i < count; i++)
	{
		workers = bms_add_member(workers, list[i].worker);
		if (mls_status_has_caught_up(&list[i], question))
			continue;
		all = false;
		if (list[i].last_error_at != 0)
			*why = pstrdup(list[i].last_error);
	}
	return all && bms_num_members(workers) >= stream->workers;
}

static void
check_runs(const MlsStream *stream)
{
	bool running = strcmp(stream->state, "running") == 0;

	if (!running || stream->elsewhere)
		ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("stream \"%s\" is %s", stream->name, running ? "restored" : stream->state),
				errhint("ml_score.stat_stream shows why; ml_score.resume_stream lets it run."));
}

PG_FUNCTION_INFO_V1(mls_wait_stream);

/* wait_stream(name text, timeout interval) */
PGDLLEXPORT Datum
mls_wait_stream(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	TimestampTz end = DatumGetTimestampTz(
		DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(GetCurrentTimestamp()), PG_GETARG_DATUM(1)));
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ml_score wait", ALLOCSET_DEFAULT_SIZES);
	static uint32 wait_event = 0;
	uint64 question;
	char *why = NULL;

	mls_worker_require("streams");
	if (wait_event == 0)
		wait_event = WaitEventExtensionNew("MlScoreWaitStream");
	question = mls_status_new_question();
	MemoryContextSwitchTo(context);
	for (;;)
	{
		MlsStream *stream;

		MemoryContextReset(context);
		why = NULL;
		stream = mls_stream_load_own(name);
		check_runs(stream);
		mls_status_ask(stream->id, question); /* again, because workers may have begun since */
		if (have_all_caught_up(stream, question, &why))
			break;
		if (GetCurrentTimestamp() >= end)
			ereport(ERROR, errcode(ERRCODE_QUERY_CANCELED), errmsg("stream \"%s\" has not caught up in time", name),
					why != NULL ? errdetail("Its last error is: %s", why) : 0,
					errhint("ml_score.stat_stream shows how far it is."));
		mls_status_wait(WAIT_INTERVAL_MS, wait_event);
	}
	mls_status_end_wait();
	PG_RETURN_VOID();
}
