/*
 * store.c - see store.h.
 *
 * A range of events is stored in a subtransaction. When that fails by an event's fault, its halves are, and so on down to
 * the event, which then is known. Events that cannot be decoded are left out at the first pass, without any of that.
 *
 * A model that refuses every event of several is taken for broken, not the events: an outage makes no dead letters.
 */
#include "stream/store.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "subtransaction.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define EVENTS_AT_ONCE 1000 /* after which memory is given back */

typedef struct StoreRun
{
	MlsRowMaker *rows;
	const MlsEvent *events;
	MlsStoreResult *result;
	bool immediate;
	MemoryContext context; /* of the result */
	MemoryContext values;  /* of decoded values */
	int stored;			   /* events */
	int refused;		   /* by a model */
	ErrorData *refusal;
} StoreRun;

/* A range on its way into a sink. */
typedef struct RangeSource
{
	StoreRun *run;
	MlsSink *sink;
	int next;
	int end;
} RangeSource;

bool
mls_store_is_fault(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case ERRCODE_CONNECTION_EXCEPTION:
		case ERRCODE_FEATURE_NOT_SUPPORTED:
		case ERRCODE_INVALID_TRANSACTION_STATE:
		case ERRCODE_INVALID_SQL_STATEMENT_NAME:
		case ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION:
		case ERRCODE_INVALID_CURSOR_NAME:
		case ERRCODE_INVALID_CATALOG_NAME:
		case ERRCODE_INVALID_SCHEMA_NAME:
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE:
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_SYSTEM_ERROR:
		case ERRCODE_CONFIG_FILE_ERROR:
		case ERRCODE_FDW_ERROR:
		case ERRCODE_INTERNAL_ERROR:
			return false;
		default:
			return true;
	}
}

static void
set_fault(StoreRun *run, int event, int sqlstate, const char *reason)
{
	MlsStoreFault *fault = &run->result->faults[event];

	fault->sqlstate = sqlstate;
	fault->reason = MemoryContextStrdup(run->context, reason);
	run->result->nfaults++;
}

/* Decode one event into the sink. */
static void
put_event(StoreRun *run, int i, MlsSink *sink)
{
	MlsEventFault fault;
	int64 count = 0;

	switch (mls_row_maker_put(run->rows, &run->events[i], sink, &count, &fault))
	{
		case MLS_EVENT_OK:
			run->result->row_counts[i] = count;
			break;
		case MLS_EVENT_BAD:
			if (count > 0)
				ereport(ERROR, errcode(fault.sqlstate), errmsg("%s", fault.reason));
			set_fault(run, i, fault.sqlstate, fault.reason);
			break;
		case MLS_EVENT_WANTS_SCHEMA:
			run->result->wants_schema = true;
			ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("a schema is to be fetched"));
	}
}

static void
set_constraints_immediate(void)
{
	if (SPI_execute("SET CONSTRAINTS ALL IMMEDIATE", false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not set constraints immediate");
}

/* Put the range's next events into its sink. False: there were none left. */
static bool
put_events(void *arg)
{
	RangeSource *range = arg;
	StoreRun *run = range->run;
	int end = Min(range->end, range->next + EVENTS_AT_ONCE);
	MemoryContext old;

	if (range->next == range->end)
		return false;
	CHECK_FOR_INTERRUPTS();
	old = MemoryContextSwitchTo(run->values);
	for (; range->next < end; range->next++)
		if (run->result->faults[range->next].reason == NULL)
			put_event(run, range->next, range->sink);
	range->sink->flush(range->sink);
	MemoryContextSwitchTo(old);
	MemoryContextReset(run->values);
	return true;
}

/* Write the events of a range; in a subtransaction. */
static void
write_range(void *arg)
{
	RangeSource *range = arg;
	StoreRun *run = range->run;

	SPI_connect();
	mls_row_maker_begin(run->rows);
	range->sink = mls_insert_sink(run->rows);
	if (range->sink == NULL)
		range->sink = mls_batch_sink(run->rows, put_events, range, range->end - range->next);
	else
		while (put_events(range))
			;
	range->sink->finish(range->sink);
	mls_row_maker_end(run->rows);
	if (run->immediate)
		set_constraints_immediate();
	SPI_finish();
}

/* Write the events from lo up to hi. NULL, or the error that is an event's fault and has undone it. Other errors go on. */
static ErrorData *
try_range(StoreRun *run, int lo, int hi)
{
	RangeSource range = {.run = run, .next = lo, .end = hi};
	ErrorData *error = mls_try(write_range, &range);

	if (error != NULL && !mls_store_is_fault(error->sqlerrcode))
		ReThrowError(error);
	MemoryContextReset(run->values);
	return error;
}

static int
count_good(const StoreRun *run, int lo, int hi)
{
	int good = 0;

	for (int i = lo; i < hi; i++)
		good += run->result->faults[i].reason == NULL;
	return good;
}

static void
store_range(StoreRun *run, int lo, int hi)
{
	int middle = lo + (hi - lo) / 2;
	ErrorData *error;

	if (lo == hi || count_good(run, lo, hi) == 0)
		return;
	error = try_range(run, lo, hi);
	if (error == NULL)
		run->stored += count_good(run, lo, hi);
	else if (hi - lo == 1)
	{
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_EXTERNAL_ROUTINE_EXCEPTION)
		{
			run->refused++;
			run->refusal = error;
		}
		set_fault(run, lo, error->sqlerrcode, error->message);
	}
	else
	{
		FreeErrorData(error);
		store_range(run, lo, middle);
		store_range(run, middle, hi);
	}
}

void
mls_store(MlsRowMaker *rows, const MlsEvent *events, int n, bool immediate, MlsStoreResult *result)
{
	StoreRun run = {
		.rows = rows, .events = events, .result = result, .immediate = immediate, .context = CurrentMemoryContext};

	memset(result, 0, sizeof(*result));
	result->faults = palloc0(sizeof(MlsStoreFault) * n);
	result->row_counts = palloc0(sizeof(int64) * n);
	run.values = AllocSetContextCreate(CurrentMemoryContext, "ml_score stream values", 0, 1024 * 1024, 8 * 1024 * 1024);
	store_range(&run, 0, n);
	MemoryContextDelete(run.values);
	if (run.stored == 0 && run.refused > 1)
		ReThrowError(run.refusal);
}

/* Arrays of what the dead letters' columns get. */
typedef struct Letters
{
	Datum values[9];
	char nulls[10];
} Letters;

static Datum
bytes_datum(const char *bytes, size_t len)
{
	return bytes == NULL ? (Datum) 0 : PointerGetDatum(cstring_to_text_with_len(bytes, (int) len));
}

static void
fill_letter(Letters *letter, const MlsStream *stream, const MlsEvent *event, const MlsStoreFault *fault)
{
	Jsonb *headers = mls_event_headers(event);

	memset(letter->nulls, ' ', sizeof(letter->nulls));
	letter->values[0] = CStringGetTextDatum(stream->name);
	letter->values[1] = Int32GetDatum(event->partition);
	letter->values[2] = Int64GetDatum(event->offset);
	letter->values[3] = TimestampTzGetDatum(event->time);
	letter->nulls[3] = event->time == 0 ? 'n' : ' ';
	letter->values[4] = bytes_datum(event->key, event->key_len);
	letter->nulls[4] = event->key == NULL ? 'n' : ' ';
	letter->values[5] = bytes_datum(event->value, event->value_len);
	letter->nulls[5] = event->value == NULL ? 'n' : ' ';
	letter->values[6] = CStringGetTextDatum(fault->reason);
	letter->values[7] = CStringGetTextDatum(unpack_sql_state(fault->sqlstate));
	letter->values[8] = JsonbPGetDatum(headers);
	letter->nulls[8] = headers == NULL ? 'n' : ' ';
}

void
mls_store_dead_letters(const MlsStream *stream, const MlsEvent *events, int n, const MlsStoreResult *result)
{
	static Oid types[] = {TEXTOID, INT4OID, INT8OID, TIMESTAMPTZOID, BYTEAOID, BYTEAOID, TEXTOID, TEXTOID, JSONBOID};
	Letters letter;

	if (result->nfaults == 0)
		return;
	SPI_connect();
	for (int i = 0; i < n; i++)
	{
		if (result->faults[i].reason == NULL)
			continue;
		fill_letter(&letter, stream, &events[i], &result->faults[i]);
		mls_ledger_execute(
			"INSERT INTO ml_score.dead_letter (stream, partition, \"offset\", event_time, key, raw, reason, "
			"sqlstate, headers) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
			lengthof(types), types, letter.values, letter.nulls);
	}
	SPI_finish();
}
