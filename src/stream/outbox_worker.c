/*
 * outbox_worker.c - sends what waits in ml_score.outbox_event, one worker for each server and sender.
 *
 * An event is deleted after the hub has confirmed it, so a crash in between sends it twice, and nothing is lost. Nothing
 * is sent in a transaction. Topics that do not take events wait, with growing delays, and do not hold up others. A worker
 * that has had nothing to do for a while ends; the next commit starts another.
 */
#include "stream/outbox.h"

#include "access/xact.h"
#include "auth/prefetch.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_type.h"
#include "catalog/server.h"
#include "executor/spi.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "stream/producer.h"
#include "stream/stream.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#define BATCH_BYTES (16 * 1024 * 1024)
#define IDLE_MS 10000
#define FIRST_DELAY_MS 500
#define LONGEST_DELAY_MS 60000

/* A topic that did not take events. */
typedef struct Blocked
{
	char *topic;
	TimestampTz until;
	long delay_ms;
} Blocked;

typedef struct OutboxWorker
{
	const MlsWorker *worker;
	Oid server;
	MlsProducer *producer;
	uint64 generation; /* of servers and mappings, when the producer was opened */
	List *blocked;	   /* of Blocked *, in TopMemoryContext */
	MemoryContext batch;
	uint32 wait_event_send;
	uint32 wait_event_idle;
} OutboxWorker;

/* Open the producer as the sender, who must still be allowed to use the server. */
static void
open_producer(OutboxWorker *w)
{
	MlsPrefetch *prefetch;
	MlsServer *server;
	MlsLogin *login;
	AclResult acl;

	if (w->producer && w->generation == mls_server_generation() && !mls_kafka_hosts_changed() &&
		!mls_producer_is_broken(w->producer))
		return;
	if (w->producer)
		mls_producer_close(w->producer);
	w->producer = NULL;
	mls_worker_begin();
	MemoryContextSwitchTo(w->batch);
	w->generation = mls_server_generation();
	server = mls_server_load(w->server);
	acl = object_aclcheck(ForeignServerRelationId, w->server, w->worker->owner, ACL_USAGE);
	if (acl != ACLCHECK_OK)
		aclcheck_error(acl, OBJECT_FOREIGN_SERVER, server->name);
	prefetch = mls_prefetch_plan(server, w->worker->owner);
	mls_worker_commit();
	mls_prefetch_run(prefetch);

	mls_worker_begin();
	login = mls_login_open(server, w->worker->owner);
	w->producer = mls_producer_open(mls_kafka_configure(server, w->worker->owner), login);
	mls_worker_commit();
}

static Blocked *
find_blocked(OutboxWorker *w, const char *topic)
{
	ListCell *lc;

	foreach (lc, w->blocked)
	{
		Blocked *blocked = lfirst(lc);

		if (strcmp(blocked->topic, topic) == 0)
			return blocked;
	}
	return NULL;
}

/* Leave the topic alone for a while, longer each time. */
static void
block(OutboxWorker *w, const char *topic, TimestampTz now)
{
	Blocked *blocked = find_blocked(w, topic);

	if (!blocked)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		blocked = palloc0(sizeof(Blocked));
		blocked->topic = pstrdup(topic);
		w->blocked = lappend(w->blocked, blocked);
		MemoryContextSwitchTo(old);
	}
	if (blocked->until > now)
		return;
	blocked->delay_ms = blocked->delay_ms == 0 ? FIRST_DELAY_MS : Min(blocked->delay_ms * 2, LONGEST_DELAY_MS);
	blocked->until = TimestampTzPlusMilliseconds(now, blocked->delay_ms);
}

/* The topic takes events (again). */
static void
unblock(OutboxWorker *w, const char *topic)
{
	Blocked *blocked = find_blocked(w, topic);

	if (!blocked)
		return;
	w->blocked = list_delete_ptr(w->blocked, blocked);
	pfree(blocked->topic);
	pfree(blocked);
}

/* The topics that are to be left alone now, as text[]; *wait_ms: until the first may be tried. */
static Datum
blocked_topics(OutboxWorker *w, long *wait_ms)
{
	TimestampTz now = GetCurrentTimestamp();
	Datum *topics = palloc((list_length(w->blocked) + 1) * sizeof(Datum));
	ListCell *lc;
	int n = 0;

	*wait_ms = IDLE_MS;
	foreach (lc, w->blocked)
	{
		Blocked *blocked = lfirst(lc);

		if (blocked->until <= now)
			continue;
		topics[n++] = CStringGetTextDatum(blocked->topic);
		*wait_ms = Min(*wait_ms, TimestampDifferenceMilliseconds(now, blocked->until) + 1);
	}
	return PointerGetDatum(construct_array(topics, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* An event's headers as librdkafka has them: texts as they are, null without a value, all else as JSON. */
static rd_kafka_headers_t *
make_headers(Jsonb *headers)
{
	JsonbIterator *iterator = JsonbIteratorInit(&headers->root);
	rd_kafka_headers_t *result = rd_kafka_headers_new(8);
	JsonbIteratorToken token;
	JsonbValue key;
	JsonbValue value;

	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		char *text = NULL;
		int len = 0;

		if (token != WJB_KEY)
			continue;
		JsonbIteratorNext(&iterator, &value, true);
		if (value.type == jbvString)
		{
			text = value.val.string.val;
			len = value.val.string.len;
		}
		else if (value.type != jbvNull)
		{
			Jsonb *part = JsonbValueToJsonb(&value);

			text = JsonbToCString(NULL, &part->root, VARSIZE(part));
			len = strlen(text);
		}
		rd_kafka_header_add(result, key.val.string.val, key.val.string.len, text, len);
	}
	return result;
}

static const char *
bytes_of(HeapTuple row, TupleDesc desc, int column, size_t *len)
{
	bool isnull;
	Datum value = SPI_getbinval(row, desc, column, &isnull);
	bytea *bytes;

	*len = 0;
	if (isnull)
		return NULL;
	bytes = DatumGetByteaPCopy(value);
	*len = VARSIZE_ANY_EXHDR(bytes);
	return VARDATA_ANY(bytes);
}

/* The next events that may be sent, in w->batch; *wait_ms when there are none. */
static MlsOutEvent *
read_batch(OutboxWorker *w, int *n, long *wait_ms)
{
	Oid types[] = {OIDOID, OIDOID, TEXTARRAYOID};
	Datum values[3];
	MlsOutEvent *events;
	MemoryContext old;
	size_t bytes = 0;

	mls_worker_begin();
	SPI_connect();
	values[0] = ObjectIdGetDatum(w->server);
	values[1] = ObjectIdGetDatum(w->worker->owner);
	values[2] = blocked_topics(w, wait_ms);
	mls_ledger_execute("SELECT id, topic, key, value, headers FROM ml_score.outbox_event "
					   "WHERE server = $1 AND sender = $2 AND failed_at IS NULL AND home = (SELECT ml_score.home()) "
					   "AND topic <> ALL ($3) ORDER BY id LIMIT 1000",
					   lengthof(types), types, values, NULL);
	old = MemoryContextSwitchTo(w->batch);
	events = palloc0((SPI_processed + 1) * sizeof(MlsOutEvent));
	for (*n = 0; *n < SPI_processed && bytes < BATCH_BYTES; (*n)++)
	{
		HeapTuple row = SPI_tuptable->vals[*n];
		TupleDesc desc = SPI_tuptable->tupdesc;
		MlsOutEvent *event = &events[*n];
		bool isnull;
		Datum headers;

		event->id = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
		event->topic = TextDatumGetCString(SPI_getbinval(row, desc, 2, &isnull));
		event->key = bytes_of(row, desc, 3, &event->key_len);
		event->value = bytes_of(row, desc, 4, &event->value_len);
		headers = SPI_getbinval(row, desc, 5, &isnull);
		if (!isnull)
			event->headers = make_headers(DatumGetJsonbP(headers));
		bytes += event->key_len + event->value_len;
	}
	MemoryContextSwitchTo(old);
	SPI_finish();
	mls_worker_commit();
	return events;
}

/* The numbers of the events with this delivery, as bigint[]. */
static Datum
numbers_of(const MlsOutEvent *events, int n, MlsDelivery delivery, int *count)
{
	Datum *ids = palloc((n + 1) * sizeof(Datum));

	*count = 0;
	for (int i = 0; i < n; i++)
	{
		if (events[i].delivery == delivery)
			ids[(*count)++] = Int64GetDatum(events[i].id);
	}
	return PointerGetDatum(construct_array(ids, *count, INT8OID, sizeof(int64), true, TYPALIGN_DOUBLE));
}

static const char *
first_error(OutboxWorker *w, const MlsOutEvent *events, int n, MlsDelivery delivery)
{
	for (int i = 0; i < n; i++)
	{
		if (events[i].delivery != delivery)
			continue;
		if (events[i].error == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT && *mls_producer_trouble(w->producer) != '\0')
			return mls_producer_trouble(w->producer);
		return rd_kafka_err2str(events[i].error);
	}
	return "";
}

/* Write down what became of the events. */
static void
settle(OutboxWorker *w, const MlsOutEvent *events, int n)
{
	Oid types[] = {INT8ARRAYOID, TEXTOID};
	Datum values[2];
	int count;

	mls_worker_begin();
	SPI_connect();
	values[0] = numbers_of(events, n, MLS_DELIVERED, &count);
	if (count > 0)
		mls_ledger_execute("DELETE FROM ml_score.outbox_event WHERE id = ANY ($1)", 1, types, values, NULL);
	values[0] = numbers_of(events, n, MLS_DELIVERY_FAILED, &count);
	values[1] = CStringGetTextDatum(first_error(w, events, n, MLS_DELIVERY_FAILED));
	if (count > 0)
		mls_ledger_execute("UPDATE ml_score.outbox_event SET attempts = attempts + 1, last_error = $2 "
						   "WHERE id = ANY ($1)",
						   2, types, values, NULL);
	values[0] = numbers_of(events, n, MLS_DELIVERY_REFUSED, &count);
	values[1] = CStringGetTextDatum(first_error(w, events, n, MLS_DELIVERY_REFUSED));
	if (count > 0)
		mls_ledger_execute("UPDATE ml_score.outbox_event SET attempts = attempts + 1, last_error = $2, "
						   "failed_at = clock_timestamp() WHERE id = ANY ($1)",
						   2, types, values, NULL);
	SPI_finish();
	mls_worker_commit();
}

/* Which topics are to wait after this. */
static void
look_at_topics(OutboxWorker *w, const MlsOutEvent *events, int n)
{
	TimestampTz now = GetCurrentTimestamp();

	for (int i = 0; i < n; i++)
	{
		if (events[i].delivery == MLS_DELIVERED)
			unblock(w, events[i].topic);
	}
	for (int i = 0; i < n; i++)
	{
		if (events[i].delivery == MLS_DELIVERY_FAILED)
			block(w, events[i].topic, now);
	}
}

/* Send what there is; false when there was nothing, and none to be expected before *wait_ms. */
static bool
send_batch(OutboxWorker *w, long *wait_ms)
{
	int n;
	MlsOutEvent *events;

	MemoryContextReset(w->batch);
	events = read_batch(w, &n, wait_ms);
	if (n == 0)
		return false;
	open_producer(w);
	pgstat_report_activity(STATE_RUNNING, "sending events");
	mls_producer_send(w->producer, events, n, w->wait_event_send);
	pgstat_report_activity(STATE_IDLE, NULL);
	settle(w, events, n);
	look_at_topics(w, events, n);
	return true;
}

/* Show what keeps the sender's events from being sent at the first of them; then the supervisor is to try again. */
static void
show_error(OutboxWorker *w, const char *message)
{
	Oid types[] = {OIDOID, OIDOID, TEXTOID};
	Datum values[] = {ObjectIdGetDatum(w->server), ObjectIdGetDatum(w->worker->owner), CStringGetTextDatum(message)};

	mls_worker_begin();
	SPI_connect();
	mls_ledger_execute("UPDATE ml_score.outbox_event SET attempts = attempts + 1, last_error = $3 WHERE id = "
					   "(SELECT min(id) FROM ml_score.outbox_event WHERE server = $1 AND sender = $2 "
					   "AND failed_at IS NULL AND home = (SELECT ml_score.home()))",
					   lengthof(types), types, values, NULL);
	SPI_finish();
	mls_worker_commit();
}

static void
run(OutboxWorker *w)
{
	long wait_ms;

	do
	{
		while (send_batch(w, &wait_ms))
			CHECK_FOR_INTERRUPTS();
	} while (mls_worker_sleep(wait_ms, w->wait_event_idle) || w->blocked != NIL);
}

static void
outbox_main(const MlsWorker *worker)
{
	OutboxWorker w = {.worker = worker, .server = (Oid) ((uint64) worker->key >> 32)};
	MemoryContext outer = CurrentMemoryContext;

	w.batch = AllocSetContextCreate(TopMemoryContext, "ml_score outgoing", ALLOCSET_DEFAULT_SIZES);
	w.wait_event_send = WaitEventExtensionNew("MlScoreOutboxSend");
	w.wait_event_idle = WaitEventExtensionNew("MlScoreOutboxMain");
	PG_TRY();
	{
		run(&w);
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(outer);
		error = CopyErrorData();
		EmitErrorReport();
		FlushErrorState();
		mls_worker_abort();
		show_error(&w, error->message);
	}
	PG_END_TRY();
	if (w.producer)
		mls_producer_close(w.producer);
}

const MlsWorkerKind mls_outbox_kind = {
	.name = "outbox",
	.wanted = "SELECT (o.server::int8 << 32) | o.sender::int8, s.srvname::text, o.sender, 1, 0::int8 "
			  "FROM (SELECT DISTINCT server, sender FROM ml_score.outbox_event "
			  "WHERE failed_at IS NULL AND home = (SELECT ml_score.home())) o "
			  "JOIN pg_foreign_server s ON s.oid = o.server JOIN pg_authid r ON r.oid = o.sender",
	.main = outbox_main};
