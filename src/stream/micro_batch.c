/*
 * micro_batch.c - see micro_batch.h.
 */
#include "stream/micro_batch.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define FIRST_CAPACITY 1024

MlsMicroBatch *
mls_micro_batch_create(MemoryContext context)
{
	MlsMicroBatch *batch = MemoryContextAllocZero(context, sizeof(MlsMicroBatch));

	batch->capacity = FIRST_CAPACITY;
	batch->messages = MemoryContextAlloc(context, sizeof(*batch->messages) * batch->capacity);
	batch->events = MemoryContextAlloc(context, sizeof(*batch->events) * batch->capacity);
	return batch;
}

TimestampTz
mls_micro_batch_time(const rd_kafka_message_t *message)
{
	rd_kafka_timestamp_type_t type;
	int64 ms = rd_kafka_message_timestamp(message, &type);

	if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || ms < 0)
		return 0;
	return ms * 1000 - ((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY);
}

void
mls_micro_batch_add(MlsMicroBatch *batch, rd_kafka_message_t *message)
{
	MlsEvent *event;

	if (batch->count == batch->capacity)
	{
		batch->capacity *= 2;
		batch->messages = repalloc(batch->messages, sizeof(*batch->messages) * batch->capacity);
		batch->events = repalloc(batch->events, sizeof(*batch->events) * batch->capacity);
	}
	if (batch->count == 0)
		batch->begun_at = GetCurrentTimestamp();
	batch->messages[batch->count] = message;
	event = &batch->events[batch->count++];
	*event = (MlsEvent){.partition = message->partition,
						.offset = message->offset,
						.time = mls_micro_batch_time(message),
						.key = message->key,
						.key_len = message->key_len,
						.value = message->payload,
						.value_len = message->len,
						.message = message};
	batch->bytes += message->len + message->key_len;
}

void
mls_micro_batch_clear(MlsMicroBatch *batch)
{
	for (int i = 0; i < batch->count; i++)
		rd_kafka_message_destroy(batch->messages[i]);
	batch->count = 0;
	batch->bytes = 0;
}

/* The partition's move. hint: where the last one was, which it mostly is again. */
static MlsOffsetMove *
find_move(MlsOffsetMove *moves, int count, int partition, MlsOffsetMove *hint)
{
	if (hint->partition == partition)
		return hint;
	for (int i = 0; i < count; i++)
		if (moves[i].partition == partition)
			return &moves[i];
	elog(ERROR, "partition %d is not among those of the micro-batch", partition);
}

void
mls_micro_batch_sum(const MlsMicroBatch *batch, const MlsStoreResult *result, MlsOffsetMove *moves, int count)
{
	MlsOffsetMove *move = moves;

	for (int i = 0; i < batch->count; i++)
	{
		const MlsEvent *event = &batch->events[i];

		move = find_move(moves, count, event->partition, move);
		move->to = event->offset + 1;
		move->events++;
		move->bytes += event->value_len;
		move->event_time = event->time;
		if (result->faults[i].reason != NULL)
			move->dead_letters++;
		else
			move->rows += result->row_counts[i];
	}
}

static Datum
int64_array(Datum *elements, int count)
{
	return PointerGetDatum(construct_array(elements, count, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

void
mls_stream_move_offsets(const char *name, const MlsOffsetMove *moves, int count)
{
	Oid types[] = {TEXTOID,		 INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID,		 INT8ARRAYOID,
				   INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID};
	Datum *columns[7];
	Datum *times = palloc(sizeof(Datum) * Max(count, 1));
	Datum values[9];

	for (int i = 0; i < lengthof(columns); i++)
		columns[i] = palloc(sizeof(Datum) * Max(count, 1));
	for (int i = 0; i < count; i++)
	{
		const MlsOffsetMove *move = &moves[i];

		columns[0][i] = Int64GetDatum((int64) move->partition);
		columns[1][i] = Int64GetDatum(move->from);
		columns[2][i] = Int64GetDatum(move->to);
		columns[3][i] = Int64GetDatum(move->events);
		columns[4][i] = Int64GetDatum(move->rows);
		columns[5][i] = Int64GetDatum(move->bytes);
		columns[6][i] = Int64GetDatum(move->dead_letters);
		times[i] = TimestampTzGetDatum(move->event_time != 0 ? move->event_time : DT_NOBEGIN);
	}
	values[0] = CStringGetTextDatum(name);
	for (int i = 0; i < lengthof(columns); i++)
		values[i + 1] = int64_array(columns[i], count);
	values[8] = PointerGetDatum(
		construct_array(times, count, TIMESTAMPTZOID, sizeof(TimestampTz), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	SPI_connect();
	mls_ledger_execute(
		"UPDATE ml_score.stream_offset o SET next_offset = m.\"to\", events = o.events + m.events, rows = o.rows + "
		"m.rows, "
		"bytes = o.bytes + m.bytes, dead_letters = o.dead_letters + m.letters, batches = o.batches + 1, "
		"event_time = nullif(m.\"time\", '-infinity'), updated_at = now() "
		"FROM unnest($2, $3, $4, $5, $6, $7, $8, $9) AS m (partition, \"from\", \"to\", events, rows, bytes, letters, "
		"\"time\") "
		"WHERE o.stream = $1 AND o.partition = m.partition AND o.next_offset = m.\"from\"",
		lengthof(types), types, values, NULL);
	if (SPI_processed != count)
		ereport(ERROR, errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				errmsg("the position of stream \"%s\" was changed meanwhile", name));
	SPI_finish();
}

void
mls_stream_move_position(const char *name, int partition, int64 from, int64 to)
{
	Oid types[] = {TEXTOID, INT4OID, INT8OID, INT8OID};
	Datum values[] = {CStringGetTextDatum(name), Int32GetDatum(partition), Int64GetDatum(from), Int64GetDatum(to)};

	SPI_connect();
	mls_ledger_execute("UPDATE ml_score.stream_offset SET next_offset = $4, event_time = NULL, updated_at = now() "
					   "WHERE stream = $1 AND partition = $2 AND next_offset = $3",
					   lengthof(types), types, values, NULL);
	SPI_finish();
}
