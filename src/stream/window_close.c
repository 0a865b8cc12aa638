/*
 * window_close.c - runs a stream's query over windows that are due; see window.h.
 *
 * Whoever closes holds the stream's row of ml_score.stream_window, which those who add events share: no event slips into a
 * window that is being closed. An error that is the events' own fault makes dead letters of the window's events, for no
 * part of a window can stand for the whole; all others go on, and the window is tried again.
 */
#include "stream/window.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "subtransaction.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define PAGE_EVENTS "5000"

/* What is to be decided, and about what. */
typedef struct CloseRun
{
	MlsRowMaker *rows;
	const MlsStream *stream;
	TimestampTz closed;
	TimestampTz final;
	TimestampTz watermark;
	MemoryContext context;
	MemoryContext page; /* of a page of events */
	bool *wants_schema;
} CloseRun;

/* Passes on the rows that are in the window, with its bounds. */
typedef struct WindowSink
{
	MlsSink sink;
	MlsSink *inner;
	CloseRun *run;
	int time_column;
	int start_column;
	int end_column;
	TimestampTz start;
	TimestampTz end;
	int64 count;
} WindowSink;

typedef void (*EventVisitor)(CloseRun *run, const MlsEvent *event, void *arg);

static int
find_column(const MlsRowMaker *rows, const char *name)
{
	TupleDesc desc = mls_row_maker_desc(rows);
	int i = 0;

	while (i < desc->natts && strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) != 0)
		i++;
	return i;
}

static void
put_in_window(MlsSink *sink, Datum *values, bool *nulls)
{
	WindowSink *window = (WindowSink *) sink;
	TimestampTz time = DatumGetTimestampTz(values[window->time_column]);

	if (nulls[window->time_column] || time < window->start || time >= window->end)
		return;
	values[window->start_column] = TimestampTzGetDatum(window->start);
	values[window->end_column] = TimestampTzGetDatum(window->end);
	nulls[window->start_column] = nulls[window->end_column] = false;
	window->inner->put(window->inner, values, nulls);
	window->count++;
}

static TimestampTz
time_column(int column, bool *isnull)
{
	return DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, isnull));
}

/*
 * Read how far things are, and keep others out. Partitions that never had an event hold the watermark until they are
 * idle. When all are, it goes on with the clock, so that the last windows are closed, too.
 */
static void
lock_and_look(CloseRun *run)
{
	Oid types[] = {TEXTOID};
	Datum values[] = {CStringGetTextDatum(run->stream->name)};
	bool isnull;

	mls_ledger_execute("SELECT closed, final FROM ml_score.stream_window WHERE stream = $1 FOR UPDATE", 1, types,
					   values, NULL);
	if (SPI_processed != 1)
		elog(ERROR, "stream \"%s\" has no windows", run->stream->name);
	run->closed = time_column(1, &isnull);
	run->final = time_column(2, &isnull);
	mls_ledger_execute("SELECT CASE WHEN bool_and(w.idle_at IS NOT NULL) "
					   "THEN least(max(w.watermark) + (clock_timestamp() - max(w.idle_at)), clock_timestamp()) "
					   "ELSE min(coalesce(w.watermark, '-infinity')) FILTER (WHERE w.idle_at IS NULL) END "
					   "FROM ml_score.stream_offset o LEFT JOIN ml_score.stream_window_partition w "
					   "ON w.stream = o.stream AND w.partition = o.partition WHERE o.stream = $1",
					   1, types, values, NULL);
	run->watermark = time_column(1, &isnull);
	if (isnull)
		run->watermark = DT_NOBEGIN;
}

/* The start of the first window that ends after end. */
static TimestampTz
open_from(const MlsWindow *window, TimestampTz end)
{
	return TIMESTAMP_NOT_FINITE(end) ? end : end + window->hop - window->size;
}

/* The end of a window that late events are to be added to; false when there is none. */
static bool
find_update(CloseRun *run, TimestampTz *end)
{
	Oid types[] = {TEXTOID};
	Datum values[] = {CStringGetTextDatum(run->stream->name)};
	bool isnull;

	mls_ledger_execute("SELECT min(window_end) FROM ml_score.stream_window_update WHERE stream = $1", 1, types, values,
					   NULL);
	*end = time_column(1, &isnull);
	return !isnull;
}

/* The end of the first window after those closed that may have rows in it; false when nothing waits. */
static bool
find_next(CloseRun *run, TimestampTz *end)
{
	const MlsWindow *window = run->stream->window;
	Oid types[] = {TEXTOID, TIMESTAMPTZOID};
	Datum values[] = {CStringGetTextDatum(run->stream->name), TimestampTzGetDatum(open_from(window, run->closed))};
	bool isnull;

	mls_ledger_execute("SELECT least((SELECT min(first_at) FROM ml_score.stream_window_event WHERE stream = $1 "
					   "AND first_at >= $2), (SELECT min(t) FROM ml_score.stream_window_event, unnest(times) t "
					   "WHERE stream = $1 AND first_at < $2 AND last_at >= $2 AND t >= $2))",
					   2, types, values, NULL);
	*end = time_column(1, &isnull);
	if (isnull)
		return false;
	*end = mls_window_first_end(window, *end);
	if (!TIMESTAMP_NOT_FINITE(run->closed))
		*end = Max(*end, run->closed + window->hop);
	return true;
}

/* An event of the running SPI's rows; what it points to is in the current context. */
static MlsEvent
event_of(HeapTuple row, TupleDesc desc)
{
	MlsEvent event = {0};
	bool isnull;
	Datum value;
	bytea *bytes;

	event.partition = DatumGetInt32(SPI_getbinval(row, desc, 1, &isnull));
	event.offset = DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull));
	value = SPI_getbinval(row, desc, 3, &isnull);
	event.time = isnull ? 0 : DatumGetTimestampTz(value);
	value = SPI_getbinval(row, desc, 4, &isnull);
	if (!isnull)
	{
		bytes = DatumGetByteaPP(value);
		event.key = VARDATA_ANY(bytes);
		event.key_len = VARSIZE_ANY_EXHDR(bytes);
	}
	value = SPI_getbinval(row, desc, 5, &isnull);
	if (!isnull)
	{
		bytes = DatumGetByteaPP(value);
		event.value = VARDATA_ANY(bytes);
		event.value_len = VARSIZE_ANY_EXHDR(bytes);
	}
	value = SPI_getbinval(row, desc, 6, &isnull);
	event.headers = isnull ? NULL : DatumGetJsonbP(value);
	return event;
}

/* Show the visitor every event that may have rows in the window, by partition and offset. In SPI_connect. */
static void
visit_window(CloseRun *run, TimestampTz end, EventVisitor visit, void *arg)
{
	Oid types[] = {TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT4OID, INT8OID};
	Datum values[] = {CStringGetTextDatum(run->stream->name), TimestampTzGetDatum(end - run->stream->window->size),
					  TimestampTzGetDatum(end), Int32GetDatum(-1), Int64GetDatum(-1)};
	uint64 count;

	do
	{
		SPITupleTable *table;
		MemoryContext old;
		bool isnull;

		mls_ledger_execute(
			"SELECT partition, \"offset\", event_time, key, raw, headers FROM ml_score.stream_window_event "
			"WHERE stream = $1 AND last_at >= $2 AND first_at < $3 AND (partition, \"offset\") > ($4, $5) "
			"ORDER BY partition, \"offset\" LIMIT " PAGE_EVENTS,
			lengthof(types), types, values, NULL);
		table = SPI_tuptable;
		count = SPI_processed;
		old = MemoryContextSwitchTo(run->page);
		for (uint64 i = 0; i < count; i++)
		{
			MlsEvent event = event_of(table->vals[i], table->tupdesc);

			visit(run, &event, arg);
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(run->page);
		if (count > 0)
		{
			values[3] = SPI_getbinval(table->vals[count - 1], table->tupdesc, 1, &isnull);
			values[4] = Int64GetDatum(DatumGetInt64(SPI_getbinval(table->vals[count - 1], table->tupdesc, 2, &isnull)));
		}
		SPI_freetuptable(table);
		CHECK_FOR_INTERRUPTS();
	} while (count > 0);
}

static void
put_event(CloseRun *run, const MlsEvent *event, void *arg)
{
	MlsEventFault fault;
	int64 count = 0;

	switch (mls_row_maker_put(run->rows, event, arg, &count, &fault))
	{
		case MLS_EVENT_OK:
			break;
		case MLS_EVENT_BAD:
			ereport(ERROR, errcode(fault.sqlstate), errmsg("%s", fault.reason));
		case MLS_EVENT_WANTS_SCHEMA:
			*run->wants_schema = true;
			ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("a schema is to be fetched"));
	}
}

/* Run the query over the window's rows, if there are any; in a subtransaction. */
static void
run_query(void *arg)
{
	WindowSink *sink = arg;
	CloseRun *run = sink->run;

	SPI_connect();
	sink->inner = mls_batch_sink(run->rows, NULL, NULL, 0);
	mls_row_maker_begin(run->rows);
	visit_window(run, sink->end, put_event, &sink->sink);
	if (sink->count > 0)
		sink->inner->finish(sink->inner);
	mls_row_maker_end(run->rows);
	SPI_finish();
}

/*
 * Run the query over the window that ends then. NULL, or the error that is the events' fault and has undone it. A model that
 * refuses them may be broken: that goes on, as other errors do.
 */
static ErrorData *
try_query(CloseRun *run, TimestampTz end)
{
	WindowSink sink = {
		.sink = {.put = put_in_window}, .run = run, .start = end - run->stream->window->size, .end = end};
	ErrorData *error;

	sink.time_column = find_column(run->rows, run->stream->window->event_time);
	sink.start_column = find_column(run->rows, MLS_WINDOW_START);
	sink.end_column = find_column(run->rows, MLS_WINDOW_END);
	error = mls_try(run_query, &sink);
	if (error != NULL && (!mls_store_is_fault(error->sqlerrcode) ||
						  ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_EXTERNAL_ROUTINE_EXCEPTION))
		ReThrowError(error);
	MemoryContextReset(run->page);
	return error;
}

static void
bury_event(CloseRun *run, const MlsEvent *event, void *arg)
{
	MlsStoreResult result = {.faults = arg, .nfaults = 1};

	mls_store_dead_letters(run->stream, event, 1, &result);
}

/* The events of a window that the query does not take are dead letters; or the stream stops. */
static MlsWindowResult
give_up(CloseRun *run, TimestampTz end, ErrorData *error)
{
	MlsStoreFault fault = {.sqlstate = error->sqlerrcode};

	fault.reason = psprintf("window ending at %s: %s", timestamptz_to_str(end), error->message);
	if (!run->stream->dead_letters)
	{
		mls_stream_stop(run->stream, fault.reason);
		return MLS_WINDOW_STOPPED;
	}
	visit_window(run, end, bury_event, &fault);
	return MLS_WINDOW_CLOSED;
}

/* Note that a window was run over, and drop the events that are in no window that is still to be. */
static void
note_closed(CloseRun *run, TimestampTz end)
{
	const MlsWindow *window = run->stream->window;
	Oid types[] = {TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	TimestampTz closed = Max(run->closed, end);
	TimestampTz final = closed;
	Datum values[5];

	if (window->update)
		final = Max(run->final,
					TIMESTAMP_NOT_FINITE(run->watermark) ? run->final : Min(closed, run->watermark - window->lateness));
	values[0] = CStringGetTextDatum(run->stream->name);
	values[1] = TimestampTzGetDatum(closed);
	values[2] = TimestampTzGetDatum(final);
	values[3] = TimestampTzGetDatum(open_from(window, final));
	values[4] = TimestampTzGetDatum(end);
	mls_ledger_execute("WITH windows AS (UPDATE ml_score.stream_window SET closed = $2, final = $3 WHERE stream = $1), "
					   "updates AS (DELETE FROM ml_score.stream_window_update WHERE stream = $1 AND window_end = $5) "
					   "DELETE FROM ml_score.stream_window_event WHERE stream = $1 AND last_at < $4",
					   lengthof(types), types, values, NULL);
}

MlsWindowResult
mls_window_close_next(MlsRowMaker *rows, bool *wants_schema)
{
	CloseRun run = {.rows = rows,
					.stream = mls_row_maker_stream(rows),
					.context = CurrentMemoryContext,
					.wants_schema = wants_schema};
	const MlsWindow *window = run.stream->window;
	MlsWindowResult result = MLS_WINDOW_NOT_DUE;
	ErrorData *error;
	TimestampTz end;
	bool due;

	run.page = AllocSetContextCreate(run.context, "ml_score window events", ALLOCSET_DEFAULT_SIZES);
	SPI_connect();
	lock_and_look(&run);
	due = find_update(&run, &end);
	if (!due && find_next(&run, &end))
		due = !TIMESTAMP_NOT_FINITE(run.watermark) && end <= run.watermark - (window->update ? 0 : window->lateness);
	if (due)
	{
		MemoryContextSwitchTo(run.context);
		error = try_query(&run, end);
		result = error == NULL ? MLS_WINDOW_CLOSED : give_up(&run, end, error);
		if (result == MLS_WINDOW_CLOSED)
			note_closed(&run, end);
	}
	SPI_finish();
	MemoryContextDelete(run.page);
	return result;
}
