/*
 * control.c - what is done to streams that there are: pause, resume, seek, drop, purge.
 *
 * A change gives the stream a new version, for which the supervisor ends its workers and starts new ones.
 */
#include "stream/argument.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "stream/limit.h"
#include "stream/window.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

static int64
	dropped_id; /* of the stream that this process dropped last; perhaps in a transaction that was rolled back */

/* Change the caller's stream by a statement that has its name as $1, home or start as $2. */
static void
change_stream(const char *name, const char *sql, const char *second)
{
	Oid types[] = {TEXTOID, TEXTOID};
	Datum values[] = {CStringGetTextDatum(name), CStringGetTextDatum(second)};

	mls_stream_lock_own(name);
	SPI_connect();
	mls_ledger_execute(sql, 2, types, values, NULL);
	SPI_finish();
	mls_worker_wake_at_commit();
}

PG_FUNCTION_INFO_V1(mls_pause_stream);

PGDLLEXPORT Datum
mls_pause_stream(PG_FUNCTION_ARGS)
{
	change_stream(text_to_cstring(PG_GETARG_TEXT_PP(0)),
				  "UPDATE ml_score.stream SET state = 'paused', stop_reason = NULL, version = version + 1 "
				  "WHERE name = $1 AND state <> $2",
				  "paused");
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(mls_resume_stream);

PGDLLEXPORT Datum
mls_resume_stream(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	MlsStream *stream;

	mls_worker_require("streams");
	stream = mls_stream_lock_own(name);
	stream->state = "running";
	mls_stream_check_workers(stream);
	change_stream(name,
				  "UPDATE ml_score.stream SET state = 'running', stop_reason = NULL, home = $2, version = version + 1 "
				  "WHERE name = $1 AND (state <> 'running' OR home <> $2)",
				  mls_worker_home());
	PG_RETURN_VOID();
}

static void
seek_stream(const char *name, const char *start)
{
	change_stream(name, "UPDATE ml_score.stream SET start = $2, version = version + 1 WHERE name = $1",
				  mls_stream_arg_start(start));
	change_stream(name,
				  "UPDATE ml_score.stream_offset SET next_offset = NULL, event_time = NULL, updated_at = now() "
				  "WHERE stream = $1 AND $2 IS NOT NULL",
				  start);
	mls_window_forget(name);
}

PG_FUNCTION_INFO_V1(mls_seek_stream);

PGDLLEXPORT Datum
mls_seek_stream(PG_FUNCTION_ARGS)
{
	seek_stream(text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(1)));
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(mls_seek_stream_time);

PGDLLEXPORT Datum
mls_seek_stream_time(PG_FUNCTION_ARGS)
{
	TimestampTz start = PG_GETARG_TIMESTAMPTZ(1);

	seek_stream(text_to_cstring(PG_GETARG_TEXT_PP(0)),
				TIMESTAMP_NOT_FINITE(start) ? "infinity" : timestamptz_to_str(start));
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(mls_drop_stream);

PGDLLEXPORT Datum
mls_drop_stream(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));

	dropped_id = mls_stream_lock_own(name)->id;
	change_stream(name, "DELETE FROM ml_score.stream WHERE name = $1 AND $2 IS NOT NULL", "");
	PG_RETURN_VOID();
}

bool
mls_stream_dropped_here(const MlsStream *stream)
{
	MlsStream *found;

	if (stream->id != dropped_id)
		return false;
	found = mls_stream_load(stream->name, true);
	return found == NULL || found->id != stream->id;
}

int64
mls_stream_purge(Interval *older_than, const char *stream)
{
	Oid types[] = {INTERVALOID, TEXTOID, OIDOID};
	Datum values[] = {IntervalPGetDatum(older_than), stream == NULL ? (Datum) 0 : CStringGetTextDatum(stream),
					  ObjectIdGetDatum(GetUserId())};
	char nulls[] = {' ', stream == NULL ? 'n' : ' ', ' '};
	int64 count;

	if (stream != NULL)
		mls_stream_load_own(stream);
	SPI_connect();
	mls_ledger_execute("DELETE FROM ml_score.dead_letter d USING ml_score.stream s WHERE s.name = d.stream "
					   "AND d.created_at <= now() - $1 AND ($2 IS NULL OR d.stream = $2) "
					   "AND pg_has_role($3, s.owner, 'USAGE')",
					   3, types, values, nulls);
	count = (int64) SPI_processed;
	SPI_finish();
	return count;
}
