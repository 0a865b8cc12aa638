/*
 * worker.c - a stream's worker: reads its share of the partitions, and stores micro-batches, each in one transaction with
 * the offsets.
 *
 * Exactly once: the offsets in ml_score.stream_offset are the only ones. A transaction moves them on from where they were,
 * and fails if they are elsewhere (another worker, a seek), so whatever is killed when, an event is stored with its
 * offset or not at all. Between transactions the worker waits for events; in one it never waits for the hub.
 *
 * When something other than an event is at fault, the micro-batch is kept and tried again with growing delays; the consumer
 * fetches no more than its bounded queue meanwhile.
 */
#include "stream/stream.h"

#include "access/xact.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/server.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "stream/consumer.h"
#include "stream/micro_batch.h"
#include "stream/rows.h"
#include "stream/status.h"
#include "stream/store.h"
#include "stream/window.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#define ASK_TIMEOUT_MS 1000
#define LONGEST_ASK_MS 4000
#define CHECK_INTERVAL_MS 20000
#define TROUBLE_INTERVAL_MS 2000
#define WINDOW_INTERVAL_MS 250
#define FIRST_BACKOFF_MS 500
#define LONGEST_BACKOFF_MS 15000

/* A partition that this worker reads. */
typedef struct Share
{
	int partition;
	int64 next_offset; /* as committed */
	int64 seen_offset; /* no event that we do not have comes before it */
	MlsStreamStatus *status;
	TimestampTz quiet_since; /* nothing more to read since; 0: there is */
	bool idle;				 /* and that has been told to the windows */
} Share;

typedef struct StreamWorker
{
	const MlsWorker *worker;
	MlsStream *stream;
	MemoryContext context; /* of the stream's definition */
	MemoryContext rows_context;
	MemoryContext batch_context;
	MlsConsumer *consumer;
	uint64 servers; /* mls_server_generation when the consumer was opened */
	int known_partitions;
	Share *shares;
	int nshares;
	MlsStreamStatus *no_share; /* the status entry while there is none */
	MlsRowMaker *rows;
	MlsMicroBatch *batch;
	bool immediate;
	TimestampTz windows_at; /* when windows were looked at */
	int64 trouble_seen;
	bool in_trouble;  /* the connection was, when librdkafka told last */
	int out_of_range; /* a partition that does not have what comes next, after the micro-batch; or -1 */
	TimestampTz checked_at;
	long backoff_ms;
	int ask_ms;
} StreamWorker;

static uint32 wait_for_events;
static uint32 wait_to_retry;

static void
set_state(StreamWorker *w, MlsStreamState state)
{
	mls_status_set_state(w->no_share, state);
	for (int i = 0; i < w->nshares; i++)
		mls_status_set_state(w->shares[i].status, state);
}

static void
set_error(StreamWorker *w, const char *message)
{
	mls_status_set_error(w->no_share, message);
	for (int i = 0; i < w->nshares; i++)
		mls_status_set_error(w->shares[i].status, message);
}

/* Show what librdkafka has told since. */
static void
show_trouble(StreamWorker *w)
{
	const MlsConsumerTrouble *trouble;

	if (w->consumer == NULL)
		return;
	trouble = mls_consumer_trouble(w->consumer);
	if (trouble->number == w->trouble_seen)
		return;
	w->trouble_seen = trouble->number;
	w->in_trouble = true;
	set_state(w, MLS_STREAM_WAITING);
	set_error(w, trouble->message);
}

static Share *
find_share(StreamWorker *w, int partition)
{
	for (int i = 0; i < w->nshares; i++)
		if (w->shares[i].partition == partition)
			return &w->shares[i];
	return NULL;
}

/* Is the stream's partition this worker's? The n-th of those it reads belongs to worker n modulo the workers. */
static bool
is_mine(const StreamWorker *w, int partition)
{
	const MlsStream *stream = w->stream;
	int position = partition;

	if (stream->partitions != NULL)
	{
		for (position = 0; position < stream->npartitions; position++)
			if (stream->partitions[position] == partition)
				break;
		if (position == stream->npartitions)
			return false;
	}
	return position % w->worker->count == w->worker->index;
}

static bool
is_read(const MlsStream *stream, int partition)
{
	if (stream->partitions == NULL)
		return true;
	for (int i = 0; i < stream->npartitions; i++)
		if (stream->partitions[i] == partition)
			return true;
	return false;
}

/* The stream as it is now; ends the process when it is not ours any more. */
static void
load_stream(StreamWorker *w)
{
	MemoryContext old;
	MlsStream *stream;

	mls_worker_begin();
	old = MemoryContextSwitchTo(w->context);
	stream = mls_stream_load(w->worker->name, true);
	MemoryContextSwitchTo(old);
	mls_worker_commit();
	if (stream == NULL || stream->id != w->worker->key || stream->version != w->worker->version)
		proc_exit(0);
	w->stream = stream;
	SetConfigOption("search_path", stream->search_path, PGC_USERSET, PGC_S_OVERRIDE);
}

/* Read the positions of this worker's partitions, and show them. */
static void
load_shares(StreamWorker *w)
{
	MlsStreamPosition *positions;
	MemoryContext old;
	int count;

	mls_worker_begin();
	old = MemoryContextSwitchTo(w->context);
	positions = mls_stream_positions(w->stream->name, &count);
	if (w->shares != NULL)
		pfree(w->shares);
	w->shares = palloc0(sizeof(Share) * Max(count, 1));
	w->nshares = 0;
	mls_status_close_all();
	for (int i = 0; i < count; i++)
	{
		Share *share;

		if (!is_mine(w, positions[i].partition) || positions[i].next_offset < 0)
			continue;
		share = &w->shares[w->nshares++];
		share->partition = positions[i].partition;
		share->next_offset = share->seen_offset = positions[i].next_offset;
		share->status = mls_status_open(w->stream, share->partition, w->worker->index);
		if (w->stream->window != NULL)
			mls_window_set_idle(w->stream, share->partition, false); /* there may be a backlog */
	}
	pfree(positions);
	w->no_share = w->nshares > 0 ? NULL : mls_status_open(w->stream, MLS_STATUS_NO_PARTITION, w->worker->index);
	MemoryContextSwitchTo(old);
	mls_worker_commit();
}

/* The client waits for ever for messages that somebody still holds. */
static void
free_messages_at_exit(int code, Datum arg)
{
	mls_micro_batch_clear((MlsMicroBatch *) DatumGetPointer(arg));
}

static void
open_consumer(StreamWorker *w)
{
	static bool exit_registered;
	MlsServer *server;
	Oid serverid;

	mls_worker_begin();
	w->servers = mls_server_generation();
	serverid = mls_server_oid(w->stream->server, false);
	server = mls_server_load(serverid);
	mls_server_require(server, MLS_SERVER_EVENTHUBS);
	if (object_aclcheck(ForeignServerRelationId, serverid, w->stream->owner, ACL_USAGE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_SERVER, server->name);
	w->consumer = mls_consumer_open(server, w->stream->owner, w->stream->topic, w->stream->consumer_group);
	mls_worker_commit();
	/* After the consumer's own, so that it is called before. */
	if (!exit_registered)
		before_shmem_exit(free_messages_at_exit, PointerGetDatum(w->batch));
	exit_registered = true;
	w->trouble_seen = 0;
	w->known_partitions = 0;
}

static void
close_consumer(StreamWorker *w)
{
	mls_micro_batch_clear(w->batch);
	if (w->consumer != NULL)
		mls_consumer_close(w->consumer);
	w->consumer = NULL;
	w->known_partitions = 0;
}

/* Where a partition begins as start says; false when the hub does not answer in time. */
static bool
find_start(StreamWorker *w, int partition, const char *start, TimestampTz time, int64 *offset)
{
	int64 low;
	int64 high;

	if (strcmp(start, "earliest") != 0 && strcmp(start, "latest") != 0)
		return mls_consumer_find_time(w->consumer, partition, time, offset, w->ask_ms);
	if (!mls_consumer_find_ends(w->consumer, partition, &low, &high, w->ask_ms))
		return false;
	*offset = strcmp(start, "earliest") == 0 ? low : high;
	return true;
}

static TimestampTz
start_time(const char *start)
{
	if (strcmp(start, "earliest") == 0 || strcmp(start, "latest") == 0)
		return 0;
	return DatumGetTimestampTz(
		DirectFunctionCall3(timestamptz_in, CStringGetDatum(start), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

/*
 * Find and note first positions: of all the stream's partitions when none is known, else of new ones, which begin at
 * their beginning, whatever the stream's start, because nobody has seen them. False when the hub does not answer in time.
 */
static bool
find_positions(StreamWorker *w, int partitions)
{
	MlsStreamPosition *known;
	MlsStreamPosition *found = palloc(sizeof(MlsStreamPosition) * partitions);
	bool growing = false;
	int nknown;
	int n = 0;

	mls_worker_begin();
	MemoryContextSwitchTo(w->batch_context); /* outlives the transaction */
	known = mls_stream_positions(w->stream->name, &nknown);
	mls_worker_commit();
	for (int i = 0; i < nknown; i++)
		growing |= known[i].next_offset >= 0;
	for (int partition = 0; partition < partitions; partition++)
	{
		bool is_known = !is_read(w->stream, partition);

		for (int i = 0; i < nknown; i++)
			is_known |= known[i].partition == partition && known[i].next_offset >= 0;
		if (is_known)
			continue;
		found[n].partition = partition;
		CHECK_FOR_INTERRUPTS();
		if (!find_start(w, partition, growing ? "earliest" : w->stream->start,
						growing ? 0 : start_time(w->stream->start), &found[n++].next_offset))
			return false;
	}
	if (n == 0)
		return true;
	mls_worker_begin();
	mls_stream_add_positions(w->stream->name, found, n, growing);
	mls_worker_commit();
	return true;
}

static void
assign(StreamWorker *w)
{
	MlsStreamPosition *positions = palloc(sizeof(MlsStreamPosition) * Max(w->nshares, 1));

	for (int i = 0; i < w->nshares; i++)
		positions[i] = (MlsStreamPosition){w->shares[i].partition, w->shares[i].next_offset};
	if (!mls_consumer_assign(w->consumer, positions, w->nshares))
		ereport(ERROR, errcode(ERRCODE_FDW_ERROR),
				errmsg("could not read the partitions of topic \"%s\"", w->stream->topic),
				errdetail("librdkafka says: %s", mls_consumer_trouble(w->consumer)->message));
	pfree(positions);
}

/*
 * See how many partitions there are, and read those that are ours. False when the hub does not answer in time; then its
 * next answer is waited for longer.
 */
static bool
find_partitions(StreamWorker *w)
{
	int partitions = mls_consumer_count_partitions(w->consumer, w->ask_ms);
	bool found = partitions > 0;

	CHECK_FOR_INTERRUPTS();
	if (found && w->in_trouble && w->known_partitions > 0)
		set_state(w, MLS_STREAM_RUNNING);
	w->in_trouble &= !found;
	if (found && partitions == w->known_partitions)
		return true;
	if (found)
		found = find_positions(w, partitions);
	w->ask_ms = found ? ASK_TIMEOUT_MS : Min(w->ask_ms * 2, LONGEST_ASK_MS);
	if (!found)
		return false;
	mls_micro_batch_clear(w->batch);
	w->out_of_range = -1;
	load_shares(w);
	assign(w);
	w->known_partitions = partitions;
	set_state(w, MLS_STREAM_RUNNING);
	return true;
}

/* The hub no longer has (or not yet) what comes next in a partition: do what the stream is told to. */
static void
leave_range(StreamWorker *w, Share *share)
{
	MlsStreamPosition position = {share->partition, -1};
	int64 low = -1;
	int64 high = -1;
	char *reason;

	if (!mls_consumer_find_ends(w->consumer, share->partition, &low, &high, LONGEST_ASK_MS))
		ereport(ERROR, errcode(ERRCODE_CONNECTION_FAILURE),
				errmsg("could not find the range of partition %d of topic \"%s\"", share->partition, w->stream->topic));
	reason = psprintf("partition %d of topic \"%s\" has no offset " INT64_FORMAT " (any more): it has " INT64_FORMAT
					  " to " INT64_FORMAT,
					  share->partition, w->stream->topic, share->next_offset, low, high);
	mls_worker_begin();
	if (w->stream->out_of_range == MLS_OUT_OF_RANGE_STOP)
		mls_stream_stop(w->stream->name, reason);
	else
	{
		position.next_offset = w->stream->out_of_range == MLS_OUT_OF_RANGE_EARLIEST ? low : high;
		mls_stream_move_position(w->stream->name, share->partition, share->next_offset, position.next_offset);
	}
	mls_worker_commit();
	set_error(w, reason);
	ereport(LOG, errmsg("ml_score stream \"%s\": %s", w->stream->name, reason));
	if (w->stream->out_of_range == MLS_OUT_OF_RANGE_STOP)
		proc_exit(0);
	w->known_partitions = 0; /* read the positions again */
}

/* News of a partition, in the place of an event. */
static void
take_news(StreamWorker *w, const rd_kafka_message_t *message)
{
	Share *share = find_share(w, message->partition);
	char *text;

	switch (message->err)
	{
		case RD_KAFKA_RESP_ERR__PARTITION_EOF:
			if (share != NULL)
				share->seen_offset = Max(share->seen_offset, message->offset);
			break;
		case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
		case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
			if (share != NULL)
				w->out_of_range = share->partition;
			break;
		default:
			text = psprintf("%s: %s", rd_kafka_err2name(message->err), rd_kafka_message_errstr(message));
			set_error(w, text);
			pfree(text);
	}
}

/* Take what has come into the micro-batch. False: nothing. */
static bool
fetch(StreamWorker *w)
{
	rd_kafka_message_t *messages[1000];
	int room = Min(w->stream->max_batch_rows - w->batch->count, lengthof(messages));
	int count = mls_consumer_take(w->consumer, messages, room);

	for (int i = 0; i < count; i++)
	{
		Share *share = find_share(w, messages[i]->partition);

		if (messages[i]->err != RD_KAFKA_RESP_ERR_NO_ERROR)
			take_news(w, messages[i]);
		else if (share != NULL && messages[i]->offset >= share->seen_offset)
		{
			share->seen_offset = messages[i]->offset + 1;
			share->quiet_since = 0;
			mls_micro_batch_add(w->batch, messages[i]);
			continue;
		}
		rd_kafka_message_destroy(messages[i]);
	}
	return count > 0;
}

/* Milliseconds until the micro-batch is to be stored; 0: now. */
static long
time_left(const StreamWorker *w)
{
	const MlsMicroBatch *batch = w->batch;

	if (batch->count == 0)
		return CHECK_INTERVAL_MS;
	if (batch->count >= w->stream->max_batch_rows || batch->bytes >= w->stream->max_batch_bytes || w->out_of_range >= 0)
		return 0;
	return TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
										   TimestampTzPlusMilliseconds(batch->begun_at, w->stream->max_batch_delay_ms));
}

/* Move the offsets of the partitions that the micro-batch has events of; in the transaction that stores them. */
static void
move_offsets(StreamWorker *w, const MlsStoreResult *result)
{
	MlsOffsetMove *moves = palloc0(sizeof(MlsOffsetMove) * w->nshares);
	int n = 0;

	for (int i = 0; i < w->nshares; i++)
	{
		const Share *share = &w->shares[i];

		moves[n] = (MlsOffsetMove){.partition = share->partition, .from = share->next_offset, .to = share->next_offset};
		mls_micro_batch_sum(w->batch, result, &moves[n]);
		if (moves[n].to != moves[n].from)
			n++;
	}
	mls_stream_move_offsets(w->stream->name, moves, n);
}

/* on_error 'fail': an event that cannot be stored stops the stream before it. */
static void
stop_at_fault(StreamWorker *w, const MlsStoreResult *result)
{
	for (int i = 0; i < w->batch->count; i++)
	{
		const MlsEvent *event = &w->batch->events[i];
		char *reason;

		if (result->faults[i].reason == NULL)
			continue;
		reason = psprintf("partition %d, offset " INT64_FORMAT ": %s", event->partition, event->offset,
						  result->faults[i].reason);
		mls_worker_abort();
		mls_worker_begin();
		mls_stream_stop(w->stream->name, reason);
		mls_worker_commit();
		ereport(LOG, errmsg("ml_score stream \"%s\" stopped: %s", w->stream->name, reason));
		proc_exit(0);
	}
}

static void
prepare_rows(StreamWorker *w)
{
	MemoryContext old;

	if (w->rows != NULL && !mls_row_maker_outdated(w->rows))
		return;
	w->rows = NULL;
	MemoryContextReset(w->rows_context);
	old = MemoryContextSwitchTo(w->rows_context);
	w->rows = mls_row_maker_create(w->stream);
	MemoryContextSwitchTo(old);
}

/* Partitions that have something again hold the watermark from now on. */
static void
store_for_windows(StreamWorker *w, MlsStoreResult *result)
{
	for (int i = 0; i < w->nshares; i++)
		if (w->shares[i].idle && w->shares[i].quiet_since == 0)
			mls_window_set_idle(w->stream, w->shares[i].partition, false);
	mls_window_store(w->rows, w->batch->events, w->batch->count, result);
}

/* One transaction: rows, dead letters, offsets. */
static bool
store_in_transaction(StreamWorker *w)
{
	MlsStoreResult result = {0};

	mls_worker_begin();
	MemoryContextSwitchTo(w->batch_context);
	pgstat_report_activity(STATE_RUNNING, psprintf("storing %d events", w->batch->count));
	prepare_rows(w);
	PG_TRY();
	{
		if (w->stream->window != NULL)
			store_for_windows(w, &result);
		else
			mls_store(w->rows, w->batch->events, w->batch->count, w->immediate, &result);
	}
	PG_CATCH();
	{
		w->batch->wants_schema = result.wants_schema;
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (result.nfaults > 0 && !w->stream->dead_letters)
		stop_at_fault(w, &result);
	mls_store_dead_letters(w->stream, w->batch->events, w->batch->count, &result);
	move_offsets(w, &result);
	w->batch->committing = true;
	mls_worker_commit();
	w->batch->committing = false;
	return true;
}

/* The micro-batch is committed. */
static void
note_stored(StreamWorker *w)
{
	for (int i = 0; i < w->nshares; i++)
	{
		Share *share = &w->shares[i];
		MlsOffsetMove move = {.partition = share->partition, .from = share->next_offset, .to = share->next_offset};

		mls_micro_batch_sum(w->batch, NULL, &move);
		share->next_offset = move.to;
		if (move.events > 0)
		{
			mls_status_count(share->status, move.events, move.bytes);
			share->idle = false;
		}
	}
	mls_micro_batch_clear(w->batch);
	w->immediate = false;
	w->backoff_ms = 0;
	set_state(w, MLS_STREAM_RUNNING);
}

/* Partitions from which nothing has come for a while must not hold the watermark. */
static void
look_for_idle(StreamWorker *w, TimestampTz now)
{
	for (int i = 0; i < w->nshares; i++)
	{
		Share *share = &w->shares[i];
		int64 end = mls_consumer_known_end(w->consumer, share->partition);

		if (end < 0 || share->seen_offset < end || w->batch->count > 0)
			share->quiet_since = 0;
		else if (share->quiet_since == 0)
			share->quiet_since = now;
		else if (!share->idle && now - share->quiet_since >= w->stream->window->idle)
		{
			mls_worker_begin();
			mls_window_set_idle(w->stream, share->partition, true);
			mls_worker_commit();
			share->idle = true;
		}
	}
}

/* Run the query over the windows that are due: the first worker does. */
static void
close_windows(StreamWorker *w)
{
	TimestampTz now = GetCurrentTimestamp();
	MlsWindowResult result;

	if (w->stream->window == NULL || !TimestampDifferenceExceeds(w->windows_at, now, WINDOW_INTERVAL_MS))
		return;
	w->windows_at = now;
	look_for_idle(w, now);
	if (w->worker->index != 0)
		return;
	do
	{
		mls_worker_begin();
		MemoryContextSwitchTo(w->batch_context);
		prepare_rows(w);
		result = mls_window_close_next(w->rows, &w->batch->wants_schema);
		mls_worker_commit();
		if (result == MLS_WINDOW_STOPPED)
			proc_exit(0);
		CHECK_FOR_INTERRUPTS();
	} while (result == MLS_WINDOW_CLOSED);
}

static void
show_ends(StreamWorker *w)
{
	int64 throttled = mls_consumer_trouble(w->consumer)->throttled;

	for (int i = 0; i < w->nshares; i++)
	{
		Share *share = &w->shares[i];
		int64 end = mls_consumer_known_end(w->consumer, share->partition);

		mls_status_set_ends(share->status, w->batch->count == 0 ? share->seen_offset : share->next_offset, end,
							throttled);
	}
}

/* Answer those who wait for the stream: where do its partitions end now? */
static void
answer_questions(StreamWorker *w)
{
	uint64 question = 0;
	int64 *ends;

	for (int i = 0; i < w->nshares; i++)
		question = Max(question, mls_status_question(w->shares[i].status));
	if (question == 0)
		return;
	ends = palloc(sizeof(int64) * w->nshares);
	if (mls_consumer_find_all_ends(w->consumer, ends, w->ask_ms))
		for (int i = 0; i < w->nshares; i++)
			mls_status_answer(w->shares[i].status, question, ends[i]);
	pfree(ends);
	CHECK_FOR_INTERRUPTS();
}

/* Now and then: were partitions added, was the server or the credential changed? */
static void
check_hub(StreamWorker *w)
{
	TimestampTz now = GetCurrentTimestamp();
	int interval_ms = w->in_trouble ? TROUBLE_INTERVAL_MS : CHECK_INTERVAL_MS;

	if (w->known_partitions > 0 && w->checked_at != 0 && !TimestampDifferenceExceeds(w->checked_at, now, interval_ms))
		return;
	w->checked_at = now;
	mls_worker_begin(); /* hears of changes */
	mls_worker_commit();
	if (w->servers != mls_server_generation())
	{
		close_consumer(w);
		open_consumer(w);
	}
	if (!find_partitions(w) && w->known_partitions == 0)
		set_state(w, MLS_STREAM_WAITING);
	show_trouble(w);
}

/* How long to wait for events at most, because of other things to do. */
static long
longest_wait(const StreamWorker *w)
{
	if (w->stream->window != NULL)
		return WINDOW_INTERVAL_MS;
	return w->in_trouble ? TROUBLE_INTERVAL_MS : CHECK_INTERVAL_MS;
}

/* One round: fetch, store what is due, wait for more. */
static void
work(StreamWorker *w)
{
	bool fetched;

	if (w->consumer == NULL)
		open_consumer(w);
	check_hub(w);
	if (w->known_partitions == 0)
	{
		(void) fetch(w); /* what librdkafka tells comes this way too */
		show_trouble(w);
		mls_consumer_wait(w->consumer, FIRST_BACKOFF_MS, wait_to_retry);
		return;
	}
	answer_questions(w);
	fetched = fetch(w);
	show_trouble(w);
	if (w->batch->count > 0 && time_left(w) == 0)
	{
		if (store_in_transaction(w))
			note_stored(w);
		show_ends(w);
	}
	else if (!fetched)
	{
		show_ends(w);
		mls_consumer_wait(w->consumer, Min(time_left(w), longest_wait(w)), wait_for_events);
	}
	close_windows(w);
	if (w->out_of_range >= 0 && w->batch->count == 0)
	{
		Share *share = find_share(w, w->out_of_range);

		w->out_of_range = -1;
		if (share != NULL)
			leave_range(w, share);
	}
}

/* Have the schema fetched that the decoder wants, now that no transaction is open. NULL, or what went wrong. */
static ErrorData *
fetch_schema(StreamWorker *w)
{
	ErrorData *volatile error = NULL;

	w->batch->wants_schema = false;
	PG_TRY();
	{
		mls_event_fetch_schema(mls_row_maker_decoder(w->rows));
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(w->batch_context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	return error;
}

/* Something raised: show it, and decide what to do before the next try. */
static void
recover(StreamWorker *w, ErrorData *error)
{
	bool committing = w->batch->committing;

	w->batch->committing = false;
	if (w->batch->wants_schema)
	{
		error = fetch_schema(w);
		if (error == NULL)
			return;
	}
	/* A deferred constraint: next time it is checked while it can be told which event it is. */
	if (committing && mls_store_is_fault(error->sqlerrcode) && !w->immediate)
	{
		w->immediate = true;
		return;
	}
	set_state(w, MLS_STREAM_WAITING);
	set_error(w, error->message);
	ereport(LOG, errmsg("ml_score stream \"%s\" waits: %s", w->stream->name, error->message));
	if (error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE || w->batch->count == 0)
		close_consumer(w); /* begin anew from what is committed */
	w->rows = NULL;
	w->backoff_ms = w->backoff_ms == 0 ? FIRST_BACKOFF_MS : Min(w->backoff_ms * 2, LONGEST_BACKOFF_MS);
	mls_worker_sleep(w->backoff_ms, wait_to_retry);
}

/* work(), with errors caught. */
static void
work_guarded(StreamWorker *w)
{
	ErrorData *volatile error = NULL;

	PG_TRY();
	{
		if (w->stream == NULL)
		{
			load_stream(w);
			load_shares(w);
		}
		work(w);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(w->batch_context);
		error = CopyErrorData();
		FlushErrorState();
		mls_worker_abort();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(w->batch_context);
	if (error != NULL)
		recover(w, error);
	if (w->batch->count == 0)
		MemoryContextReset(w->batch_context);
}

static void
run(const MlsWorker *worker)
{
	StreamWorker *w;
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "ml_score stream", ALLOCSET_DEFAULT_SIZES);

	wait_for_events = WaitEventExtensionNew("MlScoreStreamEvents");
	wait_to_retry = WaitEventExtensionNew("MlScoreStreamRetry");
	w = MemoryContextAllocZero(context, sizeof(StreamWorker));
	w->worker = worker;
	w->context = context;
	w->rows_context = AllocSetContextCreate(context, "ml_score stream rows", ALLOCSET_DEFAULT_SIZES);
	w->batch_context = AllocSetContextCreate(context, "ml_score stream batch", ALLOCSET_DEFAULT_SIZES);
	w->ask_ms = ASK_TIMEOUT_MS;
	w->out_of_range = -1;
	w->batch = mls_micro_batch_create(context);
	MemoryContextSwitchTo(w->batch_context);
	for (;;)
		work_guarded(w);
}

const MlsWorkerKind mls_stream_kind = {
	.name = "stream",
	.wanted = "SELECT id, name, owner::oid, workers, version FROM ml_score.stream "
			  "WHERE state = 'running' AND home = ml_score.stream_home()",
	.main = run,
};

void
mls_stream_init(void)
{
	mls_status_init();
	mls_worker_register(&mls_stream_kind);
}
