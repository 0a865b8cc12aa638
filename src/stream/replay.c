/*
 * replay.c - ml_score.replay_dead_letter: the stored bytes once more through what a stream does with events.
 *
 * In the caller's transaction, but in the name of the stream's owner, as the worker would.
 */
#include "stream/stream.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "stream/store.h"
#include "stream/window.h"
#include "subtransaction.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#define LETTERS_AT_ONCE 1000

typedef struct Letters
{
	MlsEvent *events;
	int64 *ids;
	int count;
} Letters;

static const char *
bytes_column(HeapTuple row, int column, size_t *len)
{
	bool isnull;
	Datum value = SPI_getbinval(row, SPI_tuptable->tupdesc, column, &isnull);
	bytea *bytes;

	*len = 0;
	if (isnull)
		return NULL;
	bytes = DatumGetByteaPCopy(value);
	*len = VARSIZE_ANY_EXHDR(bytes);
	return VARDATA_ANY(bytes);
}

static void
read_letter(HeapTuple row, MlsEvent *event, int64 *id)
{
	TupleDesc desc = SPI_tuptable->tupdesc;
	bool isnull;
	Datum value;

	memset(event, 0, sizeof(*event));
	*id = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
	event->partition = DatumGetInt32(SPI_getbinval(row, desc, 2, &isnull));
	event->offset = DatumGetInt64(SPI_getbinval(row, desc, 3, &isnull));
	value = SPI_getbinval(row, desc, 4, &isnull);
	event->time = isnull ? 0 : DatumGetTimestampTz(value);
	event->key = bytes_column(row, 5, &event->key_len);
	event->value = bytes_column(row, 6, &event->value_len);
	value = SPI_getbinval(row, desc, 7, &isnull);
	event->headers = isnull ? NULL : DatumGetJsonbPCopy(value);
}

/* The next letters after id, locked; their bytes in the current context of SPI, which the caller ends. */
static void
read_letters(const char *stream, ArrayType *ids, int64 after, Letters *letters)
{
	Oid types[] = {TEXTOID, INT8ARRAYOID, INT8OID};
	Datum values[] = {CStringGetTextDatum(stream), PointerGetDatum(ids), Int64GetDatum(after)};
	char nulls[] = {' ', ids == NULL ? 'n' : ' ', ' '};

	mls_ledger_execute("SELECT id, partition, \"offset\", event_time, key, raw, headers FROM ml_score.dead_letter "
					   "WHERE stream = $1 AND ($2 IS NULL OR id = ANY ($2)) AND id > $3 ORDER BY id "
					   "LIMIT " CppAsString2(LETTERS_AT_ONCE) " FOR UPDATE",
					   lengthof(types), types, values, nulls);
	letters->count = (int) SPI_processed;
	letters->events = palloc(sizeof(MlsEvent) * Max(letters->count, 1));
	letters->ids = palloc(sizeof(int64) * Max(letters->count, 1));
	for (int i = 0; i < letters->count; i++)
		read_letter(SPI_tuptable->vals[i], &letters->events[i], &letters->ids[i]);
}

static void
keep_letter(int64 id, const MlsStoreFault *fault)
{
	Oid types[] = {INT8OID, TEXTOID, TEXTOID};
	Datum values[] = {Int64GetDatum(id), CStringGetTextDatum(fault->reason),
					  CStringGetTextDatum(unpack_sql_state(fault->sqlstate))};

	mls_ledger_execute("UPDATE ml_score.dead_letter SET reason = $2, sqlstate = $3 WHERE id = $1", lengthof(types),
					   types, values, NULL);
}

/* Remove what was stored, note why the others were not; how many were. */
static int64
settle(const Letters *letters, const MlsStoreResult *result)
{
	Oid types[] = {INT8ARRAYOID};
	Datum *stored = palloc(sizeof(Datum) * Max(letters->count, 1));
	Datum values[1];
	int n = 0;

	for (int i = 0; i < letters->count; i++)
	{
		if (result->faults[i].reason == NULL)
			stored[n++] = Int64GetDatum(letters->ids[i]);
		else
			keep_letter(letters->ids[i], &result->faults[i]);
	}
	values[0] = PointerGetDatum(construct_array(stored, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	mls_ledger_execute("DELETE FROM ml_score.dead_letter WHERE id = ANY ($1)", 1, types, values, NULL);
	return n;
}

/* What is to be stored, and what became of it. */
typedef struct Storing
{
	MlsRowMaker *rows;
	const Letters *letters;
	MlsStoreResult result;
} Storing;

static void
store_once(void *arg)
{
	Storing *storing = arg;
	const Letters *letters = storing->letters;

	if (mls_row_maker_stream(storing->rows)->window != NULL)
		mls_window_store(storing->rows, letters->events, letters->count, &storing->result);
	else
		mls_store(storing->rows, letters->events, letters->count, true, &storing->result);
}

/* Store the letters, with each schema that they want fetched in between. */
static void
store_letters(Storing *storing)
{
	ErrorData *error;

	for (int tries = 0; (error = mls_try(store_once, storing)) != NULL; tries++)
	{
		if (!storing->result.wants_schema || tries > storing->letters->count)
			ReThrowError(error);
		mls_event_fetch_schema(mls_row_maker_decoder(storing->rows));
	}
}

static int64
replay(const MlsStream *stream, ArrayType *ids)
{
	Letters letters;
	Storing storing = {.rows = mls_row_maker_create(stream), .letters = &letters};
	int64 replayed = 0;
	int64 after = 0;

	do
	{
		CHECK_FOR_INTERRUPTS();
		SPI_connect();
		read_letters(stream->name, ids, after, &letters);
		if (letters.count > 0)
		{
			store_letters(&storing);
			replayed += settle(&letters, &storing.result);
			after = letters.ids[letters.count - 1];
		}
		SPI_finish();
	} while (letters.count == LETTERS_AT_ONCE);
	return replayed;
}

PG_FUNCTION_INFO_V1(mls_replay_dead_letter);

/* replay_dead_letter(stream text, ids bigint[]) */
PGDLLEXPORT Datum
mls_replay_dead_letter(PG_FUNCTION_ARGS)
{
	MlsStream *stream;
	int64 replayed;
	Oid userid;
	int context;
	int level;

	if (PG_ARGISNULL(0))
		ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument \"stream\" must not be null"));
	stream = mls_stream_load_own(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	level = NewGUCNestLevel();
	GetUserIdAndSecContext(&userid, &context);
	SetUserIdAndSecContext(stream->owner, context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	mls_guc_set_for_level("search_path", stream->search_path);
	/* Nothing may be left for the caller to do at commit, who may be a superuser. */
	SPI_connect();
	if (SPI_execute("SET CONSTRAINTS ALL IMMEDIATE", false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not set constraints immediate");
	SPI_finish();
	replayed = replay(stream, PG_ARGISNULL(1) ? NULL : PG_GETARG_ARRAYTYPE_P(1));
	AtEOXact_GUC(false, level);
	SetUserIdAndSecContext(userid, context);
	PG_RETURN_INT64(replayed);
}
