/*
 * consumer.h - reading a topic's partitions with librdkafka.
 *
 * Partitions are assigned by us; offsets are ours alone and never committed to the hub. Every call returns within the time
 * it is given, and what librdkafka reports by callback is kept for mls_consumer_trouble. Nothing here needs a
 * transaction; what waits serves interrupts.
 */
#ifndef MLS_CONSUMER_H
#define MLS_CONSUMER_H

#include "stream/kafka.h"
#include "stream/stream.h"

typedef struct MlsConsumer MlsConsumer;

/* What went wrong last, and how often the hub held us back. */
typedef struct MlsConsumerTrouble
{
	char message[256]; /* "": nothing yet */
	int64 number;	   /* grows with each */
	int64 throttled;
} MlsConsumerTrouble;

/*
 * A client for server as userid, connected in the background. malloc'd; closed by mls_consumer_close, or as the process
 * exits. Messages must be freed before. Raises as mls_kafka_configure does.
 */
extern MlsConsumer *mls_consumer_open(const MlsServer *server, Oid userid, const char *topic, const char *group);
extern void mls_consumer_close(MlsConsumer *consumer);

/* How many partitions the topic has; -1 when that is not known in time. */
extern int mls_consumer_count_partitions(MlsConsumer *consumer, int timeout_ms);

/* Both ends of a partition. False when not known in time. */
extern bool mls_consumer_find_ends(MlsConsumer *consumer, int partition, int64 *low, int64 *high, int timeout_ms);

/* The ends of the partitions assigned, in their order. */
extern bool mls_consumer_find_all_ends(MlsConsumer *consumer, int64 *ends, int timeout_ms);

/* The first event of partition at or after time, the partition's end if there is none. */
extern bool mls_consumer_find_time(MlsConsumer *consumer, int partition, TimestampTz time, int64 *offset,
								   int timeout_ms);

/* Read these partitions from these positions on, and no others. False when librdkafka refuses: see the trouble. */
extern bool mls_consumer_assign(MlsConsumer *consumer, const MlsStreamPosition *positions, int count);

/*
 * What has come, up to max; how many. Free each by rd_kafka_message_destroy. Those with an err are news of a partition, not
 * events.
 */
extern int mls_consumer_take(MlsConsumer *consumer, rd_kafka_message_t **messages, int max);

/* Wait until something has come, the latch is set, or ms have passed. */
extern void mls_consumer_wait(MlsConsumer *consumer, long ms, uint32 wait_event);

/* The last known end of a partition, or -1; asks nobody. */
extern int64 mls_consumer_known_end(MlsConsumer *consumer, int partition);

extern const MlsConsumerTrouble *mls_consumer_trouble(MlsConsumer *consumer);

#endif
