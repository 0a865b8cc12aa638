/*
 * catalog.c - the tables of streams, read and written whoever is asking: who may is decided by the callers.
 */
#include "stream/stream.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "stream/window.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* Columns of the running SPI's first row. */
static char *
text_column(int n)
{
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, n);
}

static int64
int64_column(int n)
{
	bool isnull;

	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, n, &isnull));
}

static int
int32_column(int n)
{
	bool isnull;

	return DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, n, &isnull));
}

static void
read_partitions(MlsStream *stream, int n)
{
	bool isnull;
	Datum value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, n, &isnull);
	Datum *elements;

	if (isnull)
		return;
	deconstruct_array(DatumGetArrayTypeP(value), INT4OID, sizeof(int32), true, TYPALIGN_INT, &elements, NULL,
					  &stream->npartitions);
	stream->partitions = palloc(sizeof(int) * Max(stream->npartitions, 1));
	for (int i = 0; i < stream->npartitions; i++)
		stream->partitions[i] = DatumGetInt32(elements[i]);
}

MlsOutOfRange
mls_stream_parse_out_of_range(const char *word)
{
	if (strcmp(word, "earliest") == 0)
		return MLS_OUT_OF_RANGE_EARLIEST;
	return strcmp(word, "latest") == 0 ? MLS_OUT_OF_RANGE_LATEST : MLS_OUT_OF_RANGE_STOP;
}

static void
read_stream(MlsStream *stream)
{
	bool isnull;
	Datum options;

	stream->name = text_column(1);
	stream->id = int64_column(2);
	stream->owner = (Oid) int64_column(3);
	stream->server = text_column(4);
	stream->topic = text_column(5);
	stream->target = text_column(6);
	stream->columns = text_column(7);
	stream->query = text_column(8);
	stream->format = text_column(9);
	options = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 10, &isnull);
	stream->format_options = isnull ? NULL : DatumGetJsonbPCopy(options);
	stream->consumer_group = text_column(11);
	stream->start = text_column(12);
	read_partitions(stream, 13);
	stream->workers = int32_column(14);
	stream->max_batch_rows = int32_column(15);
	stream->max_batch_delay_ms = int32_column(16);
	stream->max_batch_bytes = int32_column(17);
	stream->dead_letters = strcmp(text_column(18), "dead_letter") == 0;
	stream->out_of_range = mls_stream_parse_out_of_range(text_column(19));
	stream->search_path = text_column(20);
	stream->state = text_column(21);
	stream->version = int64_column(22);
	stream->elsewhere = strcmp(text_column(23), "t") == 0;
}

/* Everything that read_stream palloc'd, in the caller's context. */
static MlsStream *
copy_stream(const MlsStream *from, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	MlsStream *stream = palloc(sizeof(MlsStream));
	char **texts[] = {&stream->name,	&stream->server,	  &stream->topic,  &stream->target,
					  &stream->columns, &stream->query,		  &stream->format, &stream->consumer_group,
					  &stream->start,	&stream->search_path, &stream->state};

	*stream = *from;
	for (int i = 0; i < lengthof(texts); i++)
		if (*texts[i] != NULL)
			*texts[i] = pstrdup(*texts[i]);
	if (from->format_options != NULL)
		stream->format_options = (Jsonb *) PG_DETOAST_DATUM_COPY(JsonbPGetDatum(from->format_options));
	if (from->partitions != NULL)
	{
		stream->partitions = palloc(sizeof(int) * Max(from->npartitions, 1));
		memcpy(stream->partitions, from->partitions, sizeof(int) * from->npartitions);
	}
	MemoryContextSwitchTo(old);
	return stream;
}

char *
mls_stream_registry(const MlsStream *stream)
{
	JsonbValue buffer;
	JsonbValue *name = NULL;

	if (stream->format_options != NULL && JB_ROOT_IS_OBJECT(stream->format_options))
		name = getKeyJsonValueFromContainer(&stream->format_options->root, "registry", strlen("registry"), &buffer);
	if (name == NULL || name->type != jbvString)
		return NULL;
	return pnstrdup(name->val.string.val, name->val.string.len);
}

MlsStream *
mls_stream_load(const char *name, bool missing_ok)
{
	MemoryContext context = CurrentMemoryContext;
	Oid types[] = {TEXTOID};
	Datum values[] = {CStringGetTextDatum(name)};
	MlsStream *result = NULL;
	MlsStream stream = {0};

	SPI_connect();
	mls_ledger_execute("SELECT name, id, owner::oid::bigint, server, topic, target, columns, query, format, "
					   "format_options, consumer_group, start, partitions, workers, max_batch_rows, max_batch_delay, "
					   "max_batch_bytes, on_error, on_offset_out_of_range, search_path, state, version, "
					   "home <> ml_score.home() "
					   "FROM ml_score.stream WHERE name = $1",
					   1, types, values, NULL);
	if (SPI_processed == 1)
	{
		read_stream(&stream);
		result = copy_stream(&stream, context);
	}
	SPI_finish();
	if (result != NULL)
		result->window = mls_window_load(result->name);
	if (result == NULL && !missing_ok)
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("stream \"%s\" does not exist", name),
				errhint("SELECT name FROM ml_score.stream shows your streams."));
	return result;
}

MlsStream *
mls_stream_load_own(const char *name)
{
	MlsStream *stream = mls_stream_load(name, false);

	if (!has_privs_of_role(GetUserId(), stream->owner))
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("must be owner of stream \"%s\"", name));
	return stream;
}

MlsStream *
mls_stream_lock_own(const char *name)
{
	Oid types[] = {TEXTOID};
	Datum values[] = {CStringGetTextDatum(name)};

	mls_stream_load_own(name);
	SPI_connect();
	mls_ledger_execute("SELECT FROM ml_score.stream WHERE name = $1 FOR NO KEY UPDATE", 1, types, values, NULL);
	SPI_finish();
	return mls_stream_load_own(name);
}

MlsStreamPosition *
mls_stream_positions(const char *name, int *count)
{
	MemoryContext context = CurrentMemoryContext;
	Oid types[] = {TEXTOID};
	Datum values[] = {CStringGetTextDatum(name)};
	MlsStreamPosition *positions;

	SPI_connect();
	mls_ledger_execute(
		"SELECT partition, coalesce(next_offset, -1), event_time FROM ml_score.stream_offset WHERE stream = $1", 1,
		types, values, NULL);
	*count = (int) SPI_processed;
	positions = MemoryContextAlloc(context, sizeof(MlsStreamPosition) * Max(*count, 1));
	for (int i = 0; i < *count; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		bool isnull;

		positions[i].partition = DatumGetInt32(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull));
		positions[i].next_offset = DatumGetInt64(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull));
		positions[i].last_time = DatumGetTimestampTz(SPI_getbinval(row, SPI_tuptable->tupdesc, 3, &isnull));
		if (isnull)
			positions[i].last_time = 0;
	}
	SPI_finish();
	return positions;
}

void
mls_stream_add_positions(const char *name, const MlsStreamPosition *positions, int count, bool growing)
{
	Oid types[] = {TEXTOID, INT4ARRAYOID, INT8ARRAYOID, BOOLOID};
	Datum *partitions = palloc(sizeof(Datum) * Max(count, 1));
	Datum *offsets = palloc(sizeof(Datum) * Max(count, 1));
	Datum values[4];

	for (int i = 0; i < count; i++)
	{
		partitions[i] = Int32GetDatum(positions[i].partition);
		offsets[i] = Int64GetDatum(positions[i].next_offset);
	}
	values[0] = CStringGetTextDatum(name);
	values[1] = PointerGetDatum(construct_array(partitions, count, INT4OID, sizeof(int32), true, TYPALIGN_INT));
	values[2] =
		PointerGetDatum(construct_array(offsets, count, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	values[3] = BoolGetDatum(growing);
	SPI_connect();
	/* The stream's row is locked first, so that the first worker is first for all partitions. */
	mls_ledger_execute("SELECT FROM ml_score.stream WHERE name = $1 FOR NO KEY UPDATE", 1, types, values, NULL);
	mls_ledger_execute(
		"INSERT INTO ml_score.stream_offset AS o (stream, partition, next_offset) "
		"SELECT $1, n.partition, n.next_offset FROM unnest($2, $3) AS n (partition, next_offset) "
		"WHERE $4 OR NOT EXISTS (SELECT FROM ml_score.stream_offset p WHERE p.stream = $1 AND p.next_offset IS NOT "
		"NULL) "
		"ON CONFLICT (stream, partition) DO UPDATE SET next_offset = excluded.next_offset, updated_at = now() "
		"WHERE o.next_offset IS NULL",
		4, types, values, NULL);
	SPI_finish();
}

bool
mls_stream_keep(const MlsStream *stream)
{
	Oid types[] = {TEXTOID, INT8OID};
	Datum values[] = {CStringGetTextDatum(stream->name), Int64GetDatum(stream->id)};
	bool kept = false;

	SPI_connect();
	mls_ledger_execute("SELECT version, xmin FROM ml_score.stream WHERE name = $1 AND id = $2 FOR SHARE",
					   lengthof(types), types, values, NULL);
	if (SPI_processed == 1)
	{
		bool isnull;
		Datum xmin = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull);

		kept = int64_column(1) == stream->version || TransactionIdIsCurrentTransactionId(DatumGetTransactionId(xmin));
	}
	SPI_finish();
	return kept;
}

void
mls_stream_stop(const MlsStream *stream, const char *reason)
{
	Oid types[] = {TEXTOID, TEXTOID, INT8OID, INT8OID};
	Datum values[] = {CStringGetTextDatum(stream->name), CStringGetTextDatum(reason), Int64GetDatum(stream->id),
					  Int64GetDatum(stream->version)};

	SPI_connect();
	mls_ledger_execute("UPDATE ml_score.stream SET state = 'stopped', stop_reason = $2, version = version + 1 "
					   "WHERE name = $1 AND state = 'running' AND id = $3 AND version = $4",
					   lengthof(types), types, values, NULL);
	SPI_finish();
	mls_worker_wake_at_commit();
}
