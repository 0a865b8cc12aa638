/*
 * micro_batch.h - the events that are stored together, and the offsets that move with them.
 */
#ifndef MLS_MICRO_BATCH_H
#define MLS_MICRO_BATCH_H

#include "stream/rows.h"
#include "stream/store.h"

typedef struct MlsMicroBatch
{
	rd_kafka_message_t **messages;
	MlsEvent *events; /* of the messages */
	int count;
	int capacity;
	int64 bytes;
	TimestampTz begun_at; /* when its first event came */
	bool wants_schema;
	bool committing;
} MlsMicroBatch;

/* What a micro-batch does to a partition's offset and counts. */
typedef struct MlsOffsetMove
{
	int partition;
	int64 from;
	int64 to;
	int64 events;
	int64 rows;
	int64 bytes;
	int64 dead_letters;
	TimestampTz event_time; /* the last event's; 0: none */
} MlsOffsetMove;

extern MlsMicroBatch *mls_micro_batch_create(MemoryContext context);

/* When the message was made (or appended); 0: not known. */
extern TimestampTz mls_micro_batch_time(const rd_kafka_message_t *message);

/* Takes the message over. */
extern void mls_micro_batch_add(MlsMicroBatch *batch, rd_kafka_message_t *message);

/* Frees the messages. */
extern void mls_micro_batch_clear(MlsMicroBatch *batch);

/* Add the micro-batch's events to the moves of their partitions. */
extern void mls_micro_batch_sum(const MlsMicroBatch *batch, const MlsStoreResult *result, MlsOffsetMove *moves,
								int count);

/*
 * Move the stream's offsets; in the transaction that stores the events. Raises T_R_SERIALIZATION_FAILURE when one is not
 * where the move begins.
 */
extern void mls_stream_move_offsets(const char *name, const MlsOffsetMove *moves, int count);

/* The same for one partition, without events. */
extern void mls_stream_move_position(const char *name, int partition, int64 from, int64 to);

#endif
