/*
 * work.h - a stream's worker, as its rooms share it: worker.c (the rounds), worker_share.c (which partitions, from where),
 * worker_store.c (a micro-batch into the database), worker_windows.c, worker_show.c (stat_stream).
 *
 * Exactly once: the offsets in ml_score.stream_offset are the only ones. A transaction moves them on from where they were,
 * and fails if they are elsewhere (another worker, a seek), so whatever is killed when, an event is stored with its
 * offset or not at all. Between transactions the worker waits for events; in one it never waits for the hub.
 */
#ifndef MLS_WORK_H
#define MLS_WORK_H

#include "stream/consumer.h"
#include "stream/micro_batch.h"
#include "stream/rows.h"
#include "stream/status.h"
#include "stream/stream.h"

#define MLS_FIRST_ASK_MS 1000
#define MLS_LONGEST_ASK_MS 4000
#define MLS_WINDOW_INTERVAL_MS 250 /* between looks at windows */

/* A partition that this worker reads. */
typedef struct MlsShare
{
	int partition;
	int64 next_offset; /* as committed */
	int64 seen_offset; /* no event that we do not have comes before it */
	TimestampTz
		last_time;	/* of the event before next_offset, which is read once more to see that it is the same; 0: is not */
	bool made_anew; /* it is another one: nothing of the partition is taken until its position has been moved */
	MlsStreamStatus *status;
	TimestampTz quiet_since; /* nothing more to read since; 0: there is */
	bool idle;				 /* and that has been told to the windows */
} MlsShare;

typedef struct MlsStreamWork
{
	const MlsWorker *worker;
	MlsStream *stream;
	MemoryContext context; /* of the stream's definition */
	MemoryContext rows_context;
	MemoryContext batch_context;
	MlsConsumer *consumer;
	uint64 servers; /* mls_server_generation when the consumer was opened */
	int known_partitions;
	MlsShare *shares;
	int nshares;
	int found_share;		   /* the last that was looked for */
	MlsStreamStatus *no_share; /* the status entry while there is none */
	MlsRowMaker *rows;
	MlsMicroBatch *batch;
	bool behind; /* the last micro-batch was full */
	bool immediate;
	TimestampTz windows_at; /* when windows were looked at */
	int64 trouble_seen;
	bool in_trouble;  /* the connection was, when librdkafka told last */
	int out_of_range; /* a partition that does not have what comes next, after the micro-batch; or -1 */
	TimestampTz checked_at;
	long backoff_ms;
	int ask_ms; /* how long the hub's next answer is waited for */
} MlsStreamWork;

/* Of all this worker's partitions; and what librdkafka has told since. */
extern void mls_work_show_state(MlsStreamWork *w, MlsStreamState state);
extern void mls_work_show_error(MlsStreamWork *w, const char *message);
extern void mls_work_show_trouble(MlsStreamWork *w);
extern void mls_work_show_ends(MlsStreamWork *w);

/* Answer those who wait for the stream: where do its partitions end now? */
extern void mls_work_answer_questions(MlsStreamWork *w);

/* NULL: not this worker's. */
extern MlsShare *mls_work_find_share(MlsStreamWork *w, int partition);

/* Read the positions of this worker's partitions, and show them. */
extern void mls_work_load_shares(MlsStreamWork *w);

/*
 * See how many partitions there are, and read those that are ours. False when the hub does not answer in time; then its
 * next answer is waited for longer.
 */
extern bool mls_work_find_partitions(MlsStreamWork *w);

/* An event from before the partition's position: is it another one than was stored, since the topic was made anew? */
extern bool mls_work_is_another(const MlsShare *share, const rd_kafka_message_t *message);

/* The hub no longer has (or not yet) what comes next in a partition: do what the stream is told to. */
extern void mls_work_leave_range(MlsStreamWork *w, MlsShare *share);

/*
 * Begin a transaction in which w->rows fit the target as it is, in w->batch_context. What a schema registry's credential
 * needs of the network is fetched before.
 */
extern void mls_work_begin_with_rows(MlsStreamWork *w);

/* Store the micro-batch in one transaction: rows, dead letters, offsets. Then it is empty. */
extern void mls_work_store(MlsStreamWork *w);

/* In the transaction that stores, when all is: end the process if the stream is not this worker's any more. */
extern void mls_work_end_if_changed(MlsStreamWork *w);

/* As mls_store, of a stream with windows. */
extern void mls_work_store_for_windows(MlsStreamWork *w, MlsStoreResult *result);

/* Run the query over the windows that are due: the first worker does. Nothing for other streams. */
extern void mls_work_close_windows(MlsStreamWork *w);

#endif
