/*
 * worker.c - see worker.h.
 *
 * Turn by turn: write what is to be logged, a transaction for all records of a server; send copies, and see to their
 * answers; now and then, drop partitions that are old enough. Between turns it sleeps on its latch, outside of any
 * transaction. What cannot be written is dropped, counted and told of in ml_score.stat_endpoint.
 */
#include "ml_score.h"

#include "inference/worker.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "inference/log_table.h"
#include "inference/queue.h"
#include "inference/shadow.h"
#include "miscadmin.h"
#include "stream/store.h"
#include "transport/exchange.h"
#include "transport/shmem.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/worker.h"

#define BATCH_RECORDS 1000
#define BATCH_SHARE 8 /* of the queue: the rest is for what comes meanwhile */
#define PAUSE_MS 10	  /* while answers are awaited */
#define IDLE_MS 60000
#define EXPIRE_MS 600000
#define TELL_INTERVAL_MS 60000

/* What one turn writes: records of one server. */
typedef struct Batch
{
	Oid serverid;
	List *records;
} Batch;

/* The batch for a server among batches, made if need be. */
static Batch *
batch_of(List **batches, Oid serverid)
{
	ListCell *lc;
	Batch *batch;

	foreach (lc, *batches)
		if (((Batch *) lfirst(lc))->serverid == serverid)
			return lfirst(lc);
	batch = palloc0(sizeof(Batch));
	batch->serverid = serverid;
	*batches = lappend(*batches, batch);
	return batch;
}

/* Take what is to be logged, up to some bytes: it stays in the queue, too, until it is written. */
static List *
take_records(void)
{
	List *batches = NIL;
	Size limit = (Size) mls_inference_queue_size * 1024 / BATCH_SHARE;
	Size bytes = 0;
	MlsRecord *record;

	for (int n = 0; n < BATCH_RECORDS && bytes < limit && (record = mls_queue_pop(MLS_RECORD_LOG)) != NULL; n++)
	{
		Batch *batch = batch_of(&batches, record->serverid);

		batch->records = lappend(batch->records, record);
		bytes += record->size;
	}
	return batches;
}

/* Write a batch's records, if the server still has a log; in a transaction of its own. */
static void
write_records(void *arg)
{
	const Batch *batch = arg;
	MemoryContext cxt = CurrentMemoryContext;
	TimestampTz first = DT_NOEND;
	TimestampTz last = DT_NOBEGIN;
	MlsServer *server;
	ListCell *lc;

	foreach (lc, batch->records)
	{
		first = Min(first, ((MlsRecord *) lfirst(lc))->time);
		last = Max(last, ((MlsRecord *) lfirst(lc))->time);
	}
	mls_worker_begin();
	MemoryContextSwitchTo(cxt);
	server = mls_server_load_online(batch->serverid);
	if (server->log_table != NULL)
	{
		mls_log_table_prepare(server, first, last);
		(void) mls_log_table_insert(server, batch->records);
	}
	mls_worker_commit();
}

/* A record that is not written, and why. */
typedef struct Unwritten
{
	const MlsRecord *record;
	const ErrorData *reason;
} Unwritten;

/* Write down where users look that a record of a deployment was not written. */
static void
note_unwritten(void *arg)
{
	const Unwritten *unwritten = arg;
	const MlsRecord *record = unwritten->record;
	MemoryContext cxt = CurrentMemoryContext;
	MlsServer *server;

	mls_worker_begin();
	MemoryContextSwitchTo(cxt);
	server = mls_server_load_online(record->serverid);
	server->deployment = record->deployment[0] == '\0' ? NULL : unconstify(char *, &record->deployment[0]);
	server->is_shadow = record->traffic == MLS_TRAFFIC_SHADOW;
	mls_entry_note_unlogged(server, unwritten->reason->message);
	mls_worker_commit();
}

/* Once a minute at most: requests keep coming, and stat_endpoint has the last error. */
static void
tell(const ErrorData *error)
{
	static TimestampTz told_at;
	TimestampTz now = GetCurrentTimestamp();

	if (!TimestampDifferenceExceeds(told_at, now, TELL_INTERVAL_MS))
		return;
	told_at = now;
	ereport(LOG, errcode(error->sqlerrcode), errmsg("could not write an inference log: %s", error->message));
}

/*
 * One bad record must not take the others along: when they cannot be written together, each is tried by itself. But not
 * when that is the table's fault: each would wait as long for a lock, say.
 */
static void
write_batch(Batch *batch, MemoryContext cxt)
{
	ErrorData *error = mls_worker_try(write_records, batch, cxt);
	bool one_by_one = list_length(batch->records) > 1 && error != NULL && mls_store_is_fault(error->sqlerrcode);
	ListCell *lc;

	if (error == NULL)
		return;
	foreach (lc, batch->records)
	{
		Batch one = {batch->serverid, list_make1(lfirst(lc))};

		if (one_by_one)
			error = mls_worker_try(write_records, &one, cxt);
		if (error == NULL)
			continue;
		(void) mls_worker_try(note_unwritten, &(Unwritten){lfirst(lc), error}, cxt); /* fails if the server is gone */
		tell(error);
	}
}

/* True when there was something. */
static bool
write_logs(MemoryContext cxt)
{
	List *batches = take_records();
	ListCell *lc;

	foreach (lc, batches)
	{
		Batch *batch = lfirst(lc);

		write_batch(batch, cxt);
		mls_queue_done(batch->serverid);
	}
	return batches != NIL;
}

/* True when there was something: by the time all is answered, more may wait that there was no room for. */
static bool
send_copies(void)
{
	bool busy = mls_shadow_is_busy();
	MlsRecord *record;

	while (mls_shadow_has_room() && (record = mls_queue_pop(MLS_RECORD_SHADOW)) != NULL)
	{
		mls_shadow_send(record);
		pfree(record);
		busy = true;
	}
	mls_shadow_advance();
	return busy;
}

/* The owner's servers that have a log, as oids. In a transaction. */
static List *
logged_servers(MemoryContext cxt)
{
	static const char sql[] =
		"SELECT s.oid FROM pg_catalog.pg_foreign_server s "
		"JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid OPERATOR(pg_catalog.=) s.srvfdw "
		"WHERE w.fdwname OPERATOR(pg_catalog.=) 'ml_score' AND s.srvowner OPERATOR(pg_catalog.=) $1 AND EXISTS "
		"(SELECT FROM pg_catalog.unnest(s.srvoptions) AS o WHERE pg_catalog.starts_with(o, 'log_table='))";
	Oid types[] = {OIDOID};
	Datum values[] = {ObjectIdGetDatum(GetUserId())};
	List *servers = NIL;
	MemoryContext old;

	if (SPI_connect() != SPI_OK_CONNECT || SPI_execute_with_args(sql, 1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not list the servers with an inference log");
	old = MemoryContextSwitchTo(cxt);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool isnull;

		servers = lappend_oid(
			servers, DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull)));
	}
	MemoryContextSwitchTo(old);
	SPI_finish();
	return servers;
}

static void
expire_partitions(void *arg)
{
	MemoryContext cxt = CurrentMemoryContext;
	MlsServer *server;
	int n;

	mls_worker_begin();
	MemoryContextSwitchTo(cxt);
	server = mls_server_load_online(*(Oid *) arg);
	n = server->log_table == NULL ? 0 : mls_log_table_expire(server);
	mls_worker_commit();
	if (n > 0)
		ereport(DEBUG1, errmsg_internal("dropped %d partitions of the log of server \"%s\"", n, server->name));
}

/* Drop what is old enough, if it is time for that. */
static void
expire(TimestampTz *expired_at, MemoryContext cxt)
{
	TimestampTz now = GetCurrentTimestamp();
	List *servers;
	ListCell *lc;

	if (!TimestampDifferenceExceeds(*expired_at, now, EXPIRE_MS))
		return;
	*expired_at = now;
	mls_worker_begin();
	servers = logged_servers(cxt);
	mls_worker_commit();
	MemoryContextSwitchTo(cxt);
	foreach (lc, servers)
	{
		ErrorData *error = mls_worker_try(expire_partitions, &lfirst_oid(lc), cxt);

		if (error != NULL)
			ereport(LOG, errcode(error->sqlerrcode),
					errmsg("could not drop old partitions of an inference log: %s", error->message));
	}
}

static void
inference_main(const MlsWorker *worker)
{
	MemoryContext cxt = AllocSetContextCreate(TopMemoryContext, "ml_score inference log", ALLOCSET_DEFAULT_SIZES);
	uint32 wait_event = WaitEventExtensionNew("MlScoreInferenceLog");
	TimestampTz expired_at = 0;

	if (!mls_queue_attach(worker->owner))
		ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
						errmsg("there is no room for another owner of inference logs")));
	for (;;)
	{
		bool worked;

		MemoryContextReset(cxt);
		MemoryContextSwitchTo(cxt);
		worked = write_logs(cxt);
		worked |= send_copies();
		expire(&expired_at, cxt);
		if (mls_shadow_is_busy())
			mls_exchange_sleep(PAUSE_MS);
		else
			(void) mls_worker_sleep(worked ? 0 : IDLE_MS, wait_event);
		CHECK_FOR_INTERRUPTS();
	}
}

static const MlsWorkerKind kind = {
	.name = "inference log",
	.wanted =
		"SELECT DISTINCT s.srvowner::bigint, 'inference log'::text, s.srvowner, 1, 0::bigint FROM pg_foreign_server s "
		"JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw, unnest(s.srvoptions) AS o "
		"WHERE w.fdwname = 'ml_score' AND (starts_with(o, 'log_table=') OR starts_with(o, 'shadow_deployment='))",
	.main = inference_main};

void
mls_inference_init(void)
{
	mls_queue_init();
	mls_worker_register(&kind);
}
