/*
 * window.c - events to where they wait for their windows; see window.h. Running over them is window_close.c's.
 */
#include "stream/window.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define EVENTS_AT_ONCE 1000

/* Takes the rows of one event for their times only. */
typedef struct TimeSink
{
	MlsSink sink;
	int column;
	Datum *times;
	int count;
	int room;
	bool null_seen;
	TimestampTz first;
	TimestampTz last;
} TimeSink;

/* Events on their way into the table: a row each. */
typedef struct Waiting
{
	int count;
	Datum *columns[8];
	bool *nulls[8];
} Waiting;

typedef struct PartitionTime
{
	int partition;
	TimestampTz time;
} PartitionTime;

typedef struct StoreRun
{
	MlsRowMaker *rows;
	const MlsStream *stream;
	const MlsEvent *events;
	MlsStoreResult *result;
	TimestampTz closed; /* ends up to here were run over */
	TimestampTz final;	/* and will not be again */
	TimeSink times;
	Waiting waiting;
	PartitionTime *partitions; /* how far the micro-batch goes */
	int npartitions;
	MemoryContext context; /* of the result */
	MemoryContext chunk;   /* of waiting events */
	MemoryContext values;  /* of an event's values */
} StoreRun;

static int64
floor_to(int64 value, int64 unit)
{
	int64 rest = value % unit;

	return value - (rest < 0 ? rest + unit : rest);
}

TimestampTz
mls_window_first_end(const MlsWindow *window, TimestampTz time)
{
	return floor_to(time - window->size, window->hop) + window->hop + window->size;
}

TimestampTz
mls_window_last_end(const MlsWindow *window, TimestampTz time)
{
	return floor_to(time, window->hop) + window->size;
}

static int
find_event_time(const MlsRowMaker *rows)
{
	TupleDesc desc = mls_row_maker_desc(rows);

	for (int i = 0; i < desc->natts; i++)
	{
		if (strcmp(NameStr(TupleDescAttr(desc, i)->attname), mls_row_maker_stream(rows)->window->event_time) == 0)
			return i;
	}
	return -1;
}

void
mls_window_check(const MlsRowMaker *rows)
{
	const char *name = mls_row_maker_stream(rows)->window->event_time;
	int column = find_event_time(rows);

	if (column < 0)
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_COLUMN),
				errmsg("the event time \"%s\" is no column of the stream", name));
	if (TupleDescAttr(mls_row_maker_desc(rows), column)->atttypid != TIMESTAMPTZOID)
		ereport(ERROR, errcode(ERRCODE_DATATYPE_MISMATCH),
				errmsg("the event time \"%s\" is not of type timestamp with time zone", name));
}

static void
take_time(MlsSink *sink, Datum *values, bool *nulls)
{
	TimeSink *times = (TimeSink *) sink;
	TimestampTz time = DatumGetTimestampTz(values[times->column]);

	if (nulls[times->column] || TIMESTAMP_NOT_FINITE(time))
	{
		times->null_seen = true;
		return;
	}
	if (times->count == times->room)
	{
		times->room *= 2;
		times->times = repalloc(times->times, times->room * sizeof(Datum));
	}
	times->first = times->count == 0 ? time : Min(times->first, time);
	times->last = times->count == 0 ? time : Max(times->last, time);
	times->times[times->count++] = TimestampTzGetDatum(time);
}

static void
set_fault(MlsStoreResult *result, int event, int sqlstate, char *reason)
{
	result->faults[event] = (MlsStoreFault){sqlstate, reason};
	result->nfaults++;
}

/* Has the event times that are not over? Else note why it cannot wait; one without rows just does not. */
static bool
is_in_time(StoreRun *run, int event)
{
	const TimeSink *times = &run->times;
	TimestampTz end;

	if (times->null_seen)
	{
		set_fault(run->result, event, ERRCODE_NULL_VALUE_NOT_ALLOWED,
				  psprintf("the event time, column \"%s\", is null or infinite", run->stream->window->event_time));
		return false;
	}
	if (times->count == 0)
		return false;
	end = mls_window_last_end(run->stream->window, times->first);
	if (end > run->final)
		return true;
	set_fault(run->result, event, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE,
			  psprintf("the event is late: its window ended at %s and is closed", timestamptz_to_str(end)));
	return false;
}

static Datum
bytes_datum(const char *bytes, size_t len)
{
	return bytes == NULL ? (Datum) 0 : PointerGetDatum(cstring_to_text_with_len(bytes, (int) len));
}

static void
add_waiting(Waiting *waiting, const MlsEvent *event, const TimeSink *times)
{
	Jsonb *headers = mls_event_headers(event);
	int i = waiting->count++;
	Datum values[] = {Int32GetDatum(event->partition),
					  Int64GetDatum(event->offset),
					  TimestampTzGetDatum(event->time),
					  bytes_datum(event->key, event->key_len),
					  bytes_datum(event->value, event->value_len),
					  JsonbPGetDatum(headers),
					  TimestampTzGetDatum(times->first),
					  TimestampTzGetDatum(times->last)};

	for (int column = 0; column < lengthof(values); column++)
	{
		waiting->columns[column][i] = values[column];
		waiting->nulls[column][i] = false;
	}
	waiting->nulls[2][i] = event->time == 0;
	waiting->nulls[3][i] = event->key == NULL;
	waiting->nulls[4][i] = event->value == NULL;
	waiting->nulls[5][i] = headers == NULL;
}

static void
insert_waiting(const MlsStream *stream, Waiting *waiting)
{
	static const struct
	{
		Oid type;
		int16 len;
		bool byval;
		char align;
	} kinds[] = {{INT4OID, 4, true, TYPALIGN_INT},
				 {INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE},
				 {TIMESTAMPTZOID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE},
				 {BYTEAOID, -1, false, TYPALIGN_INT},
				 {BYTEAOID, -1, false, TYPALIGN_INT},
				 {JSONBOID, -1, false, TYPALIGN_INT},
				 {TIMESTAMPTZOID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE},
				 {TIMESTAMPTZOID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE}};
	Oid types[] = {TEXTOID,		  INT4ARRAYOID,	 INT8ARRAYOID,		  TIMESTAMPTZARRAYOID, BYTEAARRAYOID,
				   BYTEAARRAYOID, JSONBARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID};
	Datum values[9];
	int dims[] = {waiting->count};
	int lower[] = {1};

	if (waiting->count == 0)
		return;
	values[0] = CStringGetTextDatum(stream->name);
	for (int i = 0; i < lengthof(kinds); i++)
		values[i + 1] =
			PointerGetDatum(construct_md_array(waiting->columns[i], waiting->nulls[i], 1, dims, lower, kinds[i].type,
											   kinds[i].len, kinds[i].byval, kinds[i].align));
	mls_ledger_execute("INSERT INTO ml_score.stream_window_event (stream, partition, \"offset\", event_time, key, raw, "
					   "headers, first_at, last_at) SELECT $1, * FROM unnest($2, $3, $4, $5, $6, $7, $8, $9)",
					   lengthof(types), types, values, NULL);
	waiting->count = 0;
}

/* The times of an event that has rows in several windows are kept one by one. */
static void
insert_times(const MlsStream *stream, const MlsEvent *event, const TimeSink *times)
{
	Oid types[] = {TEXTOID, INT4OID, INT8OID, TIMESTAMPTZARRAYOID};
	Datum values[] = {CStringGetTextDatum(stream->name), Int32GetDatum(event->partition), Int64GetDatum(event->offset),
					  PointerGetDatum(construct_array(times->times, times->count, TIMESTAMPTZOID, sizeof(TimestampTz),
													  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE))};

	mls_ledger_execute("UPDATE ml_score.stream_window_event SET times = $4 "
					   "WHERE stream = $1 AND partition = $2 AND \"offset\" = $3",
					   lengthof(types), types, values, NULL);
}

/* Nobody closes a window while this transaction adds to it. Up to where are they closed, and for good? */
static void
lock_closed(StoreRun *run)
{
	Oid types[] = {TEXTOID};
	Datum values[] = {CStringGetTextDatum(run->stream->name)};
	bool isnull;

	mls_ledger_execute("SELECT closed, final FROM ml_score.stream_window WHERE stream = $1 FOR SHARE", 1, types, values,
					   NULL);
	if (SPI_processed != 1)
		elog(ERROR, "stream \"%s\" has no windows", run->stream->name);
	run->closed = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	run->final = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
}

/* Windows that have time and were closed already, though not for good, are to be run over again. */
static void
mark_for_update(StoreRun *run, TimestampTz time)
{
	const MlsWindow *window = run->stream->window;
	Oid types[] = {TEXTOID, TIMESTAMPTZOID};
	Datum values[] = {CStringGetTextDatum(run->stream->name), 0};
	TimestampTz last = Min(run->closed, mls_window_last_end(window, time));

	for (TimestampTz end = mls_window_first_end(window, time); end <= last; end += window->hop)
	{
		if (end <= run->final)
			continue;
		values[1] = TimestampTzGetDatum(end);
		mls_ledger_execute("INSERT INTO ml_score.stream_window_update (stream, window_end) VALUES ($1, $2) "
						   "ON CONFLICT DO NOTHING",
						   2, types, values, NULL);
	}
}

/* Note that a partition has come as far as time. */
static void
move_watermark(const MlsStream *stream, int partition, TimestampTz time)
{
	Oid types[] = {TEXTOID, INT4OID, TIMESTAMPTZOID};
	Datum values[] = {CStringGetTextDatum(stream->name), Int32GetDatum(partition),
					  TimestampTzGetDatum(Min(time, GetCurrentTimestamp()))};

	mls_ledger_execute("INSERT INTO ml_score.stream_window_partition AS p (stream, partition, watermark) "
					   "VALUES ($1, $2, $3) ON CONFLICT (stream, partition) DO UPDATE "
					   "SET watermark = greatest(p.watermark, excluded.watermark)",
					   3, types, values, NULL);
}

/* The same, after the micro-batch. */
static void
note_partition(StoreRun *run, int partition, TimestampTz time)
{
	for (int i = 0; i < run->npartitions; i++)
	{
		if (run->partitions[i].partition != partition)
			continue;
		run->partitions[i].time = Max(run->partitions[i].time, time);
		return;
	}
	run->partitions[run->npartitions++] = (PartitionTime){partition, time};
}

void
mls_window_set_idle(const MlsStream *stream, int partition, bool idle)
{
	Oid types[] = {TEXTOID, INT4OID, TIMESTAMPTZOID};
	Datum values[] = {CStringGetTextDatum(stream->name), Int32GetDatum(partition),
					  TimestampTzGetDatum(GetCurrentTimestamp())};
	char nulls[] = {' ', ' ', idle ? ' ' : 'n'};

	SPI_connect();
	mls_ledger_execute("INSERT INTO ml_score.stream_window_partition (stream, partition, idle_at) VALUES ($1, $2, $3) "
					   "ON CONFLICT (stream, partition) DO UPDATE SET idle_at = excluded.idle_at",
					   3, types, values, nulls);
	SPI_finish();
}

/* Find the times of an event; false when it is none, with its fault noted. */
static bool
read_times(StoreRun *run, int i)
{
	MlsEventFault fault;

	run->times.count = 0;
	run->times.null_seen = false;
	switch (mls_row_maker_put(run->rows, &run->events[i], &run->times.sink, &run->result->row_counts[i], &fault))
	{
		case MLS_EVENT_OK:
			return true;
		case MLS_EVENT_BAD:
			set_fault(run->result, i, fault.sqlstate, MemoryContextStrdup(run->context, fault.reason));
			return false;
		case MLS_EVENT_WANTS_SCHEMA:
			break;
	}
	run->result->wants_schema = true;
	ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("a schema is to be fetched"));
}

/* Put an event to the waiting ones, if it may wait. */
static void
keep_event(StoreRun *run, int i)
{
	const MlsEvent *event = &run->events[i];
	const TimeSink *times = &run->times;
	MemoryContext old = MemoryContextSwitchTo(run->values);
	bool good = read_times(run, i);

	MemoryContextSwitchTo(run->context);
	good = good && is_in_time(run, i);
	MemoryContextSwitchTo(run->chunk);
	if (good)
	{
		add_waiting(&run->waiting, event, times);
		if (times->first != times->last)
		{
			insert_waiting(run->stream, &run->waiting);
			insert_times(run->stream, event, times);
		}
		for (int t = 0; t < times->count; t++)
			mark_for_update(run, DatumGetTimestampTz(times->times[t]));
		note_partition(run, event->partition, times->last);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(run->values);
}

static void
start_run(StoreRun *run, int n)
{
	run->times.sink.put = take_time;
	run->times.column = find_event_time(run->rows);
	run->times.room = 16;
	run->times.times = palloc(run->times.room * sizeof(Datum));
	for (int i = 0; i < lengthof(run->waiting.columns); i++)
	{
		run->waiting.columns[i] = palloc(EVENTS_AT_ONCE * sizeof(Datum));
		run->waiting.nulls[i] = palloc(EVENTS_AT_ONCE * sizeof(bool));
	}
	run->partitions = palloc(n * sizeof(PartitionTime));
	run->result->faults = palloc0(sizeof(MlsStoreFault) * n);
	run->result->row_counts = palloc0(sizeof(int64) * n);
	run->chunk = AllocSetContextCreate(run->context, "ml_score waiting events", ALLOCSET_DEFAULT_SIZES);
	run->values = AllocSetContextCreate(run->context, "ml_score event values", ALLOCSET_DEFAULT_SIZES);
}

void
mls_window_store(MlsRowMaker *rows, const MlsEvent *events, int n, MlsStoreResult *result)
{
	StoreRun run = {.rows = rows,
					.stream = mls_row_maker_stream(rows),
					.events = events,
					.result = result,
					.context = CurrentMemoryContext};

	memset(result, 0, sizeof(*result));
	start_run(&run, n);
	SPI_connect();
	lock_closed(&run);
	mls_row_maker_begin(rows);
	for (int i = 0; i < n; i++)
	{
		keep_event(&run, i);
		if (run.waiting.count < EVENTS_AT_ONCE && i < n - 1)
			continue;
		MemoryContextSwitchTo(run.chunk);
		insert_waiting(run.stream, &run.waiting);
		MemoryContextReset(run.chunk);
		CHECK_FOR_INTERRUPTS();
	}
	for (int i = 0; i < run.npartitions; i++)
		move_watermark(run.stream, run.partitions[i].partition, run.partitions[i].time);
	mls_row_maker_end(rows);
	SPI_finish();
	MemoryContextSwitchTo(run.context);
	MemoryContextDelete(run.chunk);
	MemoryContextDelete(run.values);
}

MlsWindow *
mls_window_load(const char *stream)
{
	MemoryContext context = CurrentMemoryContext;
	Oid types[] = {TEXTOID};
	Datum values[] = {CStringGetTextDatum(stream)};
	MlsWindow *window = NULL;
	bool isnull;
	int64 *times[4];

	SPI_connect();
	mls_ledger_execute(
		"SELECT size, hop, lateness, idle, event_time, late_events = 'update' FROM ml_score.stream_window "
		"WHERE stream = $1",
		1, types, values, NULL);
	if (SPI_processed == 1)
	{
		HeapTuple row = SPI_tuptable->vals[0];
		TupleDesc desc = SPI_tuptable->tupdesc;

		window = MemoryContextAllocZero(context, sizeof(MlsWindow));
		times[0] = &window->size;
		times[1] = &window->hop;
		times[2] = &window->lateness;
		times[3] = &window->idle;
		for (int i = 0; i < lengthof(times); i++)
			*times[i] = DatumGetIntervalP(SPI_getbinval(row, desc, i + 1, &isnull))->time;
		window->event_time = MemoryContextStrdup(context, SPI_getvalue(row, desc, 5));
		window->update = DatumGetBool(SPI_getbinval(row, desc, 6, &isnull));
	}
	SPI_finish();
	return window;
}

/* Hours and less, which have one length: read back as they are written. */
static Datum
interval_of(int64 time)
{
	Interval *interval = palloc0(sizeof(Interval));

	interval->time = time;
	return IntervalPGetDatum(interval);
}

void
mls_window_insert(const char *stream, const MlsWindow *window)
{
	Oid types[] = {TEXTOID, INTERVALOID, INTERVALOID, INTERVALOID, INTERVALOID, TEXTOID, TEXTOID};
	Datum values[] = {CStringGetTextDatum(stream),
					  interval_of(window->size),
					  interval_of(window->hop),
					  interval_of(window->lateness),
					  interval_of(window->idle),
					  CStringGetTextDatum(window->event_time),
					  CStringGetTextDatum(window->update ? "update" : "dead_letter")};

	SPI_connect();
	mls_ledger_execute(
		"INSERT INTO ml_score.stream_window (stream, size, hop, lateness, idle, event_time, late_events) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7)",
		lengthof(types), types, values, NULL);
	SPI_finish();
}

void
mls_window_update(const char *stream, const MlsWindow *window)
{
	Oid types[] = {TEXTOID, INTERVALOID, INTERVALOID};
	Datum values[] = {CStringGetTextDatum(stream), interval_of(window->lateness), interval_of(window->idle)};

	SPI_connect();
	mls_ledger_execute("UPDATE ml_score.stream_window SET lateness = $2, idle = $3 WHERE stream = $1", lengthof(types),
					   types, values, NULL);
	SPI_finish();
}

void
mls_window_forget(const char *stream)
{
	Oid types[] = {TEXTOID};
	Datum values[] = {CStringGetTextDatum(stream)};

	SPI_connect();
	mls_ledger_execute("WITH events AS (DELETE FROM ml_score.stream_window_event WHERE stream = $1), "
					   "partitions AS (DELETE FROM ml_score.stream_window_partition WHERE stream = $1), "
					   "updates AS (DELETE FROM ml_score.stream_window_update WHERE stream = $1) "
					   "UPDATE ml_score.stream_window SET closed = '-infinity', final = '-infinity' WHERE stream = $1",
					   1, types, values, NULL);
	SPI_finish();
}
