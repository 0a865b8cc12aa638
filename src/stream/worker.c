/*
 * worker.c - a stream's worker: reads its share of the partitions, and stores micro-batches; see work.h.
 *
 * When something other than an event is at fault, the micro-batch is kept and tried again with growing delays; the consumer
 * fetches no more than its bounded queue meanwhile.
 */
#include "stream/work.h"

#include "auth/prefetch.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/server.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "stream/ask.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#define CHECK_INTERVAL_MS 20000
#define TROUBLE_INTERVAL_MS 2000
#define FIRST_BACKOFF_MS 500
#define LONGEST_BACKOFF_MS 15000

static uint32 wait_for_events;
static uint32 wait_to_retry;

/* The stream as it is now; ends the process when it is not ours any more. */
static void
load_stream(MlsStreamWork *w)
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

/* The client waits for ever for messages that somebody still holds. */
static void
free_messages_at_exit(int code, Datum arg)
{
	mls_micro_batch_clear((MlsMicroBatch *) DatumGetPointer(arg));
}

static void
open_consumer(MlsStreamWork *w)
{
	static bool exit_registered;
	MlsPrefetch *prefetch;
	MlsServer *server;
	Oid serverid;

	mls_worker_begin();
	MemoryContextSwitchTo(w->batch_context);
	w->servers = mls_server_generation();
	serverid = mls_server_oid_for(w->stream->server, MLS_SERVER_EVENTHUBS);
	server = mls_server_load(serverid);
	mls_server_require(server, MLS_SERVER_EVENTHUBS);
	if (object_aclcheck(ForeignServerRelationId, serverid, w->stream->owner, ACL_USAGE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_SERVER, server->name);
	prefetch = mls_prefetch_plan(server, w->stream->owner);
	mls_worker_commit();
	mls_prefetch_run(prefetch);

	mls_worker_begin();
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
close_consumer(MlsStreamWork *w)
{
	mls_micro_batch_clear(w->batch);
	if (w->consumer != NULL)
		mls_consumer_close(w->consumer);
	w->consumer = NULL;
	w->known_partitions = 0;
}

/* News of a partition, in the place of an event. */
static void
take_news(MlsStreamWork *w, const rd_kafka_message_t *message)
{
	MlsShare *share = mls_work_find_share(w, message->partition);
	char *text;

	switch (message->err)
	{
		case RD_KAFKA_RESP_ERR__PARTITION_EOF:
			if (share != NULL && message->offset < share->next_offset)
				w->out_of_range = share->partition;
			else if (share != NULL)
				share->seen_offset = Max(share->seen_offset, message->offset);
			break;
		case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
		case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
			if (share != NULL)
				w->out_of_range = share->partition;
			break;
		case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
		case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
			w->known_partitions = 0; /* when it is back, see whether it is the same */
									 /* fall through */
		default:
			text = psprintf("%s: %s", rd_kafka_err2name(message->err), rd_kafka_message_errstr(message));
			mls_work_show_error(w, text);
			pfree(text);
	}
}

/* Take what has come into the micro-batch. False: nothing. */
static bool
fetch(MlsStreamWork *w)
{
	rd_kafka_message_t *messages[1000];
	int room = Min(w->stream->max_batch_rows - w->batch->count, lengthof(messages));
	int count = mls_consumer_take(w->consumer, messages, room);

	for (int i = 0; i < count; i++)
	{
		MlsShare *share = mls_work_find_share(w, messages[i]->partition);

		if (messages[i]->err != RD_KAFKA_RESP_ERR_NO_ERROR)
			take_news(w, messages[i]);
		else if (share != NULL && messages[i]->offset >= share->seen_offset && !share->made_anew)
		{
			share->seen_offset = messages[i]->offset + 1;
			share->quiet_since = 0;
			mls_micro_batch_add(w->batch, messages[i]);
			continue;
		}
		else if (share != NULL && mls_work_is_another(share, messages[i]))
		{
			share->made_anew = true;
			w->out_of_range = share->partition;
		}
		rd_kafka_message_destroy(messages[i]);
	}
	return count > 0;
}

static bool
is_full(const MlsStreamWork *w)
{
	return w->batch->count >= w->stream->max_batch_rows || w->batch->bytes >= w->stream->max_batch_bytes;
}

/* Is the micro-batch the rest of a backlog, all of which has come? What has waited at the hub waits no longer. */
static bool
ends_backlog(const MlsStreamWork *w)
{
	if (!w->behind)
		return false;
	for (int i = 0; i < w->nshares; i++)
		if (w->shares[i].seen_offset < mls_consumer_known_end(w->consumer, w->shares[i].partition))
			return false;
	return true;
}

/* Milliseconds until the micro-batch is to be stored; 0: now. */
static long
time_left(const MlsStreamWork *w)
{
	const MlsMicroBatch *batch = w->batch;

	if (batch->count == 0)
		return CHECK_INTERVAL_MS;
	if (is_full(w) || w->out_of_range >= 0)
		return 0;
	return TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
										   TimestampTzPlusMilliseconds(batch->begun_at, w->stream->max_batch_delay_ms));
}

/* Now and then: were partitions added, was the server, the credential or where brokers may be changed? */
static void
check_hub(MlsStreamWork *w)
{
	TimestampTz now = GetCurrentTimestamp();
	int interval_ms = w->in_trouble ? TROUBLE_INTERVAL_MS : CHECK_INTERVAL_MS;

	bool hosts_changed = mls_kafka_hosts_changed();

	if (w->known_partitions > 0 && w->checked_at != 0 && !hosts_changed &&
		!TimestampDifferenceExceeds(w->checked_at, now, interval_ms))
		return;
	w->checked_at = now;
	mls_worker_begin(); /* hears of changes */
	mls_worker_commit();
	if (w->servers != mls_server_generation() || hosts_changed)
	{
		close_consumer(w);
		open_consumer(w);
	}
	if (!mls_work_find_partitions(w) && w->known_partitions == 0)
		mls_work_show_state(w, MLS_STREAM_WAITING);
	mls_work_show_trouble(w);
}

/* How long to wait for events at most, because of other things to do. */
static long
longest_wait(const MlsStreamWork *w)
{
	if (w->stream->window != NULL)
		return MLS_WINDOW_INTERVAL_MS;
	return w->in_trouble ? TROUBLE_INTERVAL_MS : CHECK_INTERVAL_MS;
}

/* One round: fetch, store what is due, wait for more. */
static void
work(void *arg)
{
	MlsStreamWork *w = arg;
	bool fetched;

	mls_worker_reload();
	if (w->stream == NULL)
	{
		load_stream(w);
		mls_work_load_shares(w);
	}
	if (w->consumer == NULL)
		open_consumer(w);
	check_hub(w);
	if (w->known_partitions == 0)
	{
		(void) fetch(w); /* what librdkafka tells comes this way too */
		mls_work_show_trouble(w);
		mls_consumer_wait(w->consumer, FIRST_BACKOFF_MS, wait_to_retry);
		return;
	}
	mls_work_answer_questions(w);
	fetched = fetch(w);
	mls_work_show_trouble(w);
	if (w->batch->count > 0 && (time_left(w) == 0 || (!fetched && ends_backlog(w))))
	{
		w->behind = is_full(w);
		mls_work_store(w);
		mls_work_show_ends(w);
	}
	else if (!fetched)
	{
		mls_work_show_ends(w);
		mls_consumer_wait(w->consumer, Min(time_left(w), longest_wait(w)), wait_for_events);
	}
	mls_work_close_windows(w);
	if (w->out_of_range >= 0 && w->batch->count == 0)
	{
		MlsShare *share = mls_work_find_share(w, w->out_of_range);

		w->out_of_range = -1;
		if (share != NULL)
			mls_work_leave_range(w, share);
	}
}

/* Have the schema fetched that the decoder wants, now that no transaction is open. */
static void
fetch_schema(void *arg)
{
	MlsStreamWork *w = arg;

	mls_event_fetch_schema(mls_row_maker_decoder(w->rows));
}

/* Something raised: show it, and decide what to do before the next try. */
static void
recover(MlsStreamWork *w, ErrorData *error)
{
	bool committing = w->batch->committing;

	w->batch->committing = false;
	if (w->batch->wants_schema)
	{
		w->batch->wants_schema = false;
		error = mls_worker_try(fetch_schema, w, w->batch_context);
		if (error == NULL)
			return;
	}
	/* A deferred constraint: next time it is checked while it can be told which event it is. */
	if (committing && mls_store_is_fault(error->sqlerrcode) && !w->immediate)
	{
		w->immediate = true;
		return;
	}
	mls_work_show_state(w, MLS_STREAM_WAITING);
	mls_work_show_error(w, error->message);
	ereport(LOG, errmsg("ml_score stream \"%s\" waits: %s", w->worker->name, error->message));
	if (error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE || w->batch->count == 0)
		close_consumer(w); /* begin anew from what is committed */
	w->rows = NULL;
	w->backoff_ms = w->backoff_ms == 0 ? FIRST_BACKOFF_MS : Min(w->backoff_ms * 2, LONGEST_BACKOFF_MS);
	mls_worker_sleep(w->backoff_ms, wait_to_retry);
}

/* work(), with errors caught. What a try that failed has left is given back even if its events are kept for the next. */
static void
work_guarded(MlsStreamWork *w)
{
	ErrorData *error = mls_worker_try(work, w, w->batch_context);

	if (error != NULL)
		recover(w, error);
	if (error != NULL || w->batch->count == 0)
		MemoryContextReset(w->batch_context);
}

/*
 * The hub may take a minute to answer a question, or not to: show meanwhile what is wrong. Without partitions nothing but
 * that is to be fetched; with them it is shown between the rounds.
 */
static void
look_while_asking(void *arg)
{
	MlsStreamWork *w = arg;

	if (w->consumer == NULL || w->known_partitions > 0)
		return;
	(void) fetch(w);
	mls_work_show_trouble(w);
}

static void
run(const MlsWorker *worker)
{
	MlsStreamWork *w;
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "ml_score stream", ALLOCSET_DEFAULT_SIZES);

	wait_for_events = WaitEventExtensionNew("MlScoreStreamEvents");
	wait_to_retry = WaitEventExtensionNew("MlScoreStreamRetry");
	w = MemoryContextAllocZero(context, sizeof(MlsStreamWork));
	w->worker = worker;
	w->context = context;
	w->rows_context = AllocSetContextCreate(context, "ml_score stream rows", ALLOCSET_DEFAULT_SIZES);
	w->batch_context = AllocSetContextCreate(context, "ml_score stream batch", ALLOCSET_DEFAULT_SIZES);
	w->ask_ms = MLS_FIRST_ASK_MS;
	w->out_of_range = -1;
	w->batch = mls_micro_batch_create(context);
	mls_ask_look(look_while_asking, w);
	MemoryContextSwitchTo(w->batch_context);
	for (;;)
		work_guarded(w);
}

const MlsWorkerKind mls_stream_kind = {
	.name = "stream",
	.wanted = "SELECT id, name, owner, workers, version FROM ml_score.stream_wanted WHERE allowed",
	.main = run,
};

void
mls_stream_init(void)
{
	mls_status_init();
	mls_batch_relation_init();
	mls_worker_register(&mls_stream_kind);
}
