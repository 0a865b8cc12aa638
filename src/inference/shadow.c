/*
 * shadow.c - see shadow.h.
 *
 * A copy is sent once, with the credential of who sent the request; whatever becomes of it concerns nobody but the log and
 * the shadow's own statistics. No transaction is open while an answer is awaited.
 */
#include "inference/shadow.h"

#include "auth/control_plane.h"
#include "codec/decode.h"
#include "inference/queue.h"
#include "lib/ilist.h"
#include "transport/exchange.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/worker.h"

#define MAX_UNDER_WAY 8

/* A copy on its way. All of it is in its own memory context. */
typedef struct Copy
{
	MemoryContext context;
	const MlsRecord *record;
	MlsServer *server;
	MlsEndpoint *endpoint;
	MlsExchange *exchange;
	dlist_node node;
} Copy;

static dlist_head under_way = DLIST_STATIC_INIT(under_way);
static int count;

bool
mls_shadow_has_room(void)
{
	return count < MAX_UNDER_WAY;
}

bool
mls_shadow_is_busy(void)
{
	return count > 0;
}

/* Do a copy's work in its context; an error goes into the server log. */
static void
try_with(void (*work)(void *arg), Copy *copy)
{
	ErrorData *error = mls_worker_try(work, copy, copy->context);

	if (error != NULL)
		ereport(LOG, errcode(error->sqlerrcode), errmsg("could not send a copy of a request: %s", error->message));
}

/* The server with its shadow deployment in front. False: it has none any more. */
static bool
open_copy(Copy *copy)
{
	mls_worker_begin();
	MemoryContextSwitchTo(copy->context);
	copy->server = mls_server_load_online(copy->record->serverid);
	if (copy->server->shadow_deployment != NULL)
	{
		copy->server->deployment = copy->server->shadow_deployment;
		copy->server->is_shadow = true;
		copy->server->max_attempts = 1;
		copy->server->max_batch_rows = Max(copy->record->model_rows, 1);
		copy->server->max_parallel_requests = MAX_UNDER_WAY;
		mls_control_plane_complete(copy->server, copy->record->userid);
		copy->endpoint = mls_endpoint_open(copy->server, copy->record->userid);
	}
	mls_worker_commit();
	MemoryContextSwitchTo(copy->context);
	return copy->endpoint != NULL;
}

static void
send_copy(void *arg)
{
	Copy *copy = arg;
	const MlsRecord *record = copy->record;

	if (!open_copy(copy))
		return;
	copy->exchange = mls_exchange_post(copy->endpoint, record->data, record->body_len, record->model_rows);
	dlist_push_tail(&under_way, &copy->node);
	count++;
}

void
mls_shadow_send(const MlsRecord *record)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "ml_score shadow", ALLOCSET_DEFAULT_SIZES);
	Copy *copy = MemoryContextAllocZero(context, sizeof(Copy));

	copy->context = context;
	copy->record = memcpy(MemoryContextAllocHuge(context, record->size), record, record->size);
	try_with(send_copy, copy);
	MemoryContextSwitchTo(old);
	if (copy->exchange == NULL)
		MemoryContextDelete(context);
}

/* The results in the answer; NULL and why there are none. In a transaction. */
static MlsSpan *
read_results(Copy *copy, const char **error)
{
	const MlsRecord *record = copy->record;
	const MlsFunction *fn = mls_function_load(record->fnoid);
	const MlsSchema *schema = mls_schema_get(copy->server, record->userid);
	MlsDecoder *decoder = mls_decoder_create(fn, copy->server, schema);
	int *model_rows = palloc(sizeof(int) * record->ntuples);
	Datum *values = palloc(sizeof(Datum) * record->ntuples);
	bool *nulls = palloc(sizeof(bool) * record->ntuples);
	MlsSpan *items = palloc(sizeof(MlsSpan) * record->ntuples);
	MlsRecordReader reader;
	const char *body;
	const char *unused;
	size_t len;
	int bad_row;

	(void) mls_exchange_mask_body(copy->exchange);
	mls_record_start(&reader, record);
	for (int i = 0; i < record->ntuples; i++)
		mls_record_read(&reader, &model_rows[i], &unused, &unused);
	body = mls_exchange_body(copy->exchange, &len);
	*error = mls_decode_reply(decoder, body, len, record->ntuples, model_rows, CurrentMemoryContext, values, nulls,
							  items, &bad_row);
	return *error == NULL ? items : NULL;
}

/* The answer as a record of the log, at the end of the same queue. In a transaction. */
static void
log_answer(Copy *copy)
{
	const MlsFailure *failure = mls_exchange_failure(copy->exchange);
	const char *error = NULL;
	MlsSpan *items = NULL;
	MlsRecord header = *copy->record;
	MlsRecordReader reader;
	StringInfoData record;
	bool taken;

	if (failure == NULL)
		items = read_results(copy, &error);
	else
		error = failure->detail == NULL ? failure->message : psprintf("%s: %s", failure->message, failure->detail);
	header.kind = MLS_RECORD_LOG;
	header.traffic = MLS_TRAFFIC_SHADOW;
	header.time = GetCurrentTimestamp();
	header.latency_us = mls_exchange_latency_us(copy->exchange);
	mls_record_set_text(header.azure_id, sizeof(header.azure_id), mls_exchange_request_id(copy->exchange));
	mls_record_set_text(header.deployment, sizeof(header.deployment), copy->server->deployment);
	initStringInfo(&record);
	mls_record_begin(&record, &header, "", 0);
	mls_record_start(&reader, copy->record);
	for (int i = 0; i < header.ntuples; i++)
	{
		const char *inputs;
		const char *outputs;
		int model_rows;

		mls_record_read(&reader, &model_rows, &inputs, &outputs);
		mls_record_add_result(&record, model_rows, inputs, (int) strlen(inputs), items == NULL ? NULL : &items[i]);
	}
	taken = mls_queue_push(copy->server->owner, mls_record_end(&record, error));
	mls_endpoint_note(copy->endpoint, taken ? MLS_NOTE_LOGGED : MLS_NOTE_LOG_DROPPED);
}

static void
log_copy(void *arg)
{
	Copy *copy = arg;

	mls_worker_begin();
	MemoryContextSwitchTo(copy->context);
	log_answer(copy);
	mls_worker_commit();
}

static void
finish_copy(Copy *copy)
{
	if (copy->record->logged)
		try_with(log_copy, copy);
	dlist_delete(&copy->node);
	count--;
}

void
mls_shadow_advance(void)
{
	MemoryContext old = CurrentMemoryContext;
	dlist_mutable_iter iter;

	mls_exchange_drive();
	dlist_foreach_modify(iter, &under_way)
	{
		Copy *copy = dlist_container(Copy, node, iter.cur);

		if (!mls_exchange_done(copy->exchange))
			continue;
		finish_copy(copy);
		MemoryContextSwitchTo(old);
		MemoryContextDelete(copy->context);
	}
}
