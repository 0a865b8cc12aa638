/*
 * call.c - one call of a model function, at run time. See call.h.
 *
 * A batch goes: open (gathers tuples) -> closed (its segments wait, are sent, come back) -> done (results are read) ->
 * free (used again). Closed and done batches stand in one list in the order of their rows, so giving back is popping
 * from its head. What an exchange's failure means for its rows is decided here: a batch that was too large, too slow or
 * rejected is cut in halves and sent again, until what fails is a single row.
 */
#include "scoring/call.h"

#include "auth/control_plane.h"

#include "catalog/pg_proc.h"
#include "codec/decode.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "scoring/batch.h"
#include "utils/memutils.h"

static const char repeats_credential[] = "the reply repeats the request's credential";

struct MlsCall
{
	MemoryContext context;
	MlsFunction *fn;
	MlsServer *server;
	MlsEndpoint *endpoint;
	MlsEndpoint *canary; /* or NULL */
	MlsCapture *capture; /* or NULL */
	MlsEncoder *encoder;
	MlsDecoder *decoder;
	bool unbatched;
	bool dedup;
	int max_rows_bytes; /* of a batch's encoded tuples */
	MlsBatch *open;
	dlist_head closed; /* in row order, done ones first to go */
	dlist_head free;
	int in_flight; /* segments sent */
	int waiting;   /* segments to be sent */
	MlsCallStats stats;
	char *first_reason;	   /* of the rows that failed and gave NULL */
	MlsRequestTimer timer; /* or NULL */
	void *timer_arg;
};

/* The server as one of its deployments is talked to, at the pace that the endpoint of the others has found. */
static MlsEndpoint *
open_canary(const MlsCall *call, Oid userid)
{
	MlsServer server = *call->server;

	server.deployment = server.canary_deployment;
	server.max_batch_rows = mls_endpoint_batch_rows(call->endpoint);
	server.max_parallel_requests = mls_endpoint_parallel(call->endpoint);
	return mls_endpoint_open(&server, userid);
}

/* at: to this one deployment, which is the server's own when it has no name. */
static MlsCall *
open_call(Oid fnoid, Oid userid, bool at, const char *deployment)
{
	MlsCall *call = palloc0(sizeof(MlsCall));
	const MlsSchema *schema;

	call->context = CurrentMemoryContext;
	call->fn = mls_function_load(fnoid);
	if (call->fn->security_definer)
		userid = call->fn->owner;
	call->server = mls_server_load_online(call->fn->serverid);
	if (deployment != NULL)
		call->server->deployment = pstrdup(deployment);
	mls_control_plane_complete(call->server, userid);
	call->endpoint = mls_endpoint_open(call->server, userid);
	if (!at && call->server->canary_percent > 0)
		call->canary = open_canary(call, userid);
	schema = mls_schema_get(call->server, userid);
	call->encoder = mls_encoder_create(call->fn, call->server, schema);
	call->decoder = mls_decoder_create(call->fn, call->server, schema);
	if (!at)
		call->capture = mls_capture_open(call->fn, call->server, userid, call->endpoint, call->encoder);
	call->dedup = call->fn->volatility != PROVOLATILE_VOLATILE;
	call->max_rows_bytes = Max(call->server->max_batch_bytes - mls_encode_overhead(call->encoder), 1);
	dlist_init(&call->closed);
	dlist_init(&call->free);
	return call;
}

MlsCall *
mls_call_open(Oid fnoid, Oid userid)
{
	return open_call(fnoid, userid, false, NULL);
}

MlsCall *
mls_call_open_at(Oid fnoid, Oid userid, const char *deployment)
{
	return open_call(fnoid, userid, true, deployment);
}

const MlsFunction *
mls_call_function(const MlsCall *call)
{
	return call->fn;
}

void
mls_call_set_unbatched(MlsCall *call)
{
	call->unbatched = true;
	call->dedup = false;
}

void
mls_call_measure(MlsCall *call, MlsRequestTimer timer, void *arg)
{
	call->dedup = false;
	call->timer = timer;
	call->timer_arg = arg;
}

static int64
now_us(void)
{
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MICROSEC(now);
}

int
mls_call_batch_rows(MlsCall *call)
{
	return call->unbatched ? 1 : mls_endpoint_batch_rows(call->endpoint);
}

static MlsBatch *
take_batch(MlsCall *call)
{
	MlsBatch *batch;

	if (dlist_is_empty(&call->free))
		batch = mls_batch_create(call->context);
	else
		batch = dlist_container(MlsBatch, node, dlist_pop_head_node(&call->free));
	mls_batch_reset(batch, mls_call_batch_rows(call));
	return batch;
}

void
mls_call_flush(MlsCall *call)
{
	MlsBatch *batch = call->open;
	int64 rows;

	if (batch == NULL)
		return;
	call->open = NULL;
	mls_batch_close(batch);
	dlist_push_tail(&call->closed, &batch->node);
	call->waiting++;

	rows = batch->total_model_rows;
	call->stats.batch_rows_min = call->stats.batches == 0 ? rows : Min(call->stats.batch_rows_min, rows);
	call->stats.batch_rows_max = Max(call->stats.batch_rows_max, rows);
	call->stats.batches++;
}

/* The tuple behind start made the open batch too large: close it without that tuple, which starts the next. */
static void
move_to_next_batch(MlsCall *call, int start)
{
	MlsBatch *full = call->open;
	MlsBatch *next = take_batch(call);

	appendBinaryStringInfo(&next->rows, full->rows.data + start, full->rows.len - start);
	full->rows.len = start;
	full->rows.data[start] = '\0';
	mls_call_flush(call);
	call->open = next;
}

static bool
any_null(const bool *nulls, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			return true;
	}
	return false;
}

MlsTicket
mls_call_add(MlsCall *call, const Datum *values, const bool *nulls, int64 row)
{
	MlsTicket ticket = {NULL, -1};
	int start;
	int model_rows;
	bool repeated;

	if (call->fn->strict && any_null(nulls, call->fn->nargs))
		return ticket;
	if (call->open == NULL)
		call->open = take_batch(call);

	start = call->open->rows.len;
	model_rows = mls_encode_row(call->encoder, values, nulls, &call->open->rows);
	if (call->open->ntuples > 0 && call->open->rows.len > call->max_rows_bytes)
	{
		move_to_next_batch(call, start);
		start = 0;
	}
	ticket.batch = call->open;
	ticket.index = mls_batch_keep(call->open, start, model_rows, call->dedup, &repeated);
	call->open->last_row = row;
	if (repeated)
		call->stats.deduplicated++;
	else if (call->open->total_model_rows >= mls_call_batch_rows(call) || call->open->ntuples >= call->open->max_tuples)
		mls_call_flush(call);
	return ticket;
}

bool
mls_call_wants_rows(const MlsCall *call)
{
	int parallel = call->unbatched ? 1 : mls_endpoint_parallel(call->endpoint);

	return call->in_flight + call->waiting < 2 * parallel;
}

/* A copy of failure that lives as long as the batch's results; reason replaces its text when given. */
static MlsFailure *
keep_failure(MlsBatch *batch, const MlsFailure *failure)
{
	MemoryContext old = MemoryContextSwitchTo(batch->context);
	MlsFailure *copy = palloc(sizeof(MlsFailure));

	*copy = *failure;
	copy->message = failure->message ? pstrdup(failure->message) : NULL;
	copy->detail = failure->detail ? pstrdup(failure->detail) : NULL;
	copy->hint = failure->hint ? pstrdup(failure->hint) : NULL;
	copy->request_id = failure->request_id ? pstrdup(failure->request_id) : NULL;
	MemoryContextSwitchTo(old);
	return copy;
}

/* Which deployment segment goes, or went, to. */
static MlsEndpoint *
endpoint_of(const MlsCall *call, const MlsSegment *segment)
{
	return segment->deal.canary ? call->canary : call->endpoint;
}

/* segment made its end: log it and have it copied, if that is asked for. results as mls_decode_reply gives them. */
static void
capture(MlsCall *call, MlsBatch *batch, MlsSegment *segment, const MlsSpan *results, const char *error)
{
	MlsRowSlice *tuples;

	if (call->capture == NULL)
		return;
	tuples = mls_batch_slices(batch, segment);
	mls_capture_take(call->capture, &(MlsCaptured){.endpoint = endpoint_of(call, segment),
												   .exchange = segment->exchange,
												   .canary = segment->deal.canary,
												   .sampled = segment->deal.sampled,
												   .ntuples = segment->count,
												   .tuples = tuples,
												   .results = results,
												   .error = error,
												   .body = segment->body.data,
												   .len = segment->body.len});
	pfree(tuples);
}

/* The failure, whose detail names an input that the model may have missed. */
static MlsFailure
explain_failure(const MlsCall *call, const MlsFailure *failure)
{
	const char *missing = mls_encoder_missing(call->encoder);
	MlsFailure explained = *failure;

	if (missing != NULL && failure->kind == MLS_FAILURE_REJECTED && failure->http_status != 200)
		explained.detail = psprintf("%s%sThe endpoint declares the input \"%s\", which the function does not send.",
									failure->detail ? failure->detail : "", failure->detail ? "\n" : "", missing);
	return explained;
}

/* A failure as one text, for where there is no room for more. */
static char *
reason_of(const MlsCall *call, const MlsFailure *failure)
{
	MlsFailure explained = explain_failure(call, failure);

	return explained.detail ? psprintf("%s: %s", explained.message, explained.detail) : explained.message;
}

/* The endpoint could not take this segment. Cut it where that may help, else its rows have failed. */
static void
segment_failed(MlsCall *call, MlsBatch *batch, MlsSegment *segment, const MlsFailure *failure)
{
	bool smaller_may_pass = failure->kind == MLS_FAILURE_REJECTED || failure->kind == MLS_FAILURE_TIMEOUT ||
							failure->kind == MLS_FAILURE_TOO_LARGE;

	if (smaller_may_pass && segment->count > 1)
	{
		mls_batch_halve(batch, segment);
		call->waiting += 2;
	}
	else
	{
		capture(call, batch, segment, NULL, reason_of(call, failure));
		mls_batch_fail(batch, segment, keep_failure(batch, failure));
	}
}

/* The reply cannot be read as results. With bad_row known the others may be fine, and get their own requests. */
static void
segment_unreadable(MlsCall *call, MlsBatch *batch, MlsSegment *segment, char *reason, int bad_row)
{
	MlsFailure failure = {0};

	failure.kind = bad_row >= 0 ? MLS_FAILURE_REJECTED : MLS_FAILURE_CONFIGURATION;
	failure.sqlstate = ERRCODE_PROTOCOL_VIOLATION;
	failure.http_status = 200;
	failure.message = psprintf("could not use the reply of server \"%s\" as results of function %s", call->server->name,
							   call->fn->name);
	failure.detail = reason;
	failure.hint = mls_encoder_guessed(call->encoder)
					   ? "The endpoint declares no signature: check that the function's result type is what the model "
						 "gives, that the server's option url is the scoring URL, and that its option request_format "
						 "is the layout that the model takes."
					   : "Compare the function's result type with what ml_score.describe() shows of the endpoint.";
	failure.request_id = (char *) mls_exchange_request_id(segment->exchange);
	if (bad_row >= 0 && segment->count > 1 && call->server->on_error == MLS_ON_ERROR_FAIL && call->fn->error_column < 0)
		failure.kind = MLS_FAILURE_CONFIGURATION;
	segment_failed(call, batch, segment, &failure);
}

/* Read the reply into the segment's results. NULL, or why that cannot be, as mls_decode_reply has it. */
static char *
decode_segment(MlsCall *call, MlsBatch *batch, MlsSegment *segment, MlsSpan *items, int *bad_row)
{
	const char *body;
	size_t len;

	*bad_row = -1;
	body = mls_exchange_body(segment->exchange, &len);
	return mls_decode_reply(call->decoder, body, len, segment->count,
							batch->unusual_rows ? batch->model_rows + segment->first : NULL, batch->context,
							batch->values + segment->first, batch->nulls + segment->first, items, bad_row);
}

/* The segment's results are read: log them, unless they repeat the credential. */
static void
capture_results(MlsCall *call, MlsBatch *batch, MlsSegment *segment, const MlsSpan *items)
{
	if (segment->deal.sampled && mls_exchange_mask_body(segment->exchange))
		capture(call, batch, segment, NULL, repeats_credential);
	else
		capture(call, batch, segment, items, NULL);
}

/* An exchange made its end: results, or what to do without. */
static void
collect_segment(MlsCall *call, MlsBatch *batch, MlsSegment *segment)
{
	const MlsFailure *failure = mls_exchange_failure(segment->exchange);
	MlsSpan *items = NULL;
	char *reason;
	int bad_row;

	if (call->timer)
		call->timer(call->timer_arg, now_us() - segment->sent_at);
	if (failure)
	{
		segment_failed(call, batch, segment, failure);
		return;
	}
	if (segment->deal.sampled)
		items = MemoryContextAllocHuge(batch->context, sizeof(MlsSpan) * segment->count);
	reason = decode_segment(call, batch, segment, items, &bad_row);
	if (reason && mls_exchange_mask_body(segment->exchange))
	{
		/* The reason quotes the reply, and that repeats the credential: say the same without. */
		reason = decode_segment(call, batch, segment, items, &bad_row);
		if (reason == NULL)
			reason = pstrdup(repeats_credential);
	}
	if (reason)
	{
		segment_unreadable(call, batch, segment, reason, bad_row);
		return;
	}
	capture_results(call, batch, segment, items);
	mls_batch_finish(batch, segment);
}

/* Only empty data frames: the model would refuse a request without rows, and there is nothing to ask it. */
static void
answer_empty_segment(MlsCall *call, MlsBatch *batch, MlsSegment *segment)
{
	int bad_row;
	char *reason =
		mls_decode_reply(call->decoder, "[]", 2, segment->count, batch->model_rows + segment->first, batch->context,
						 batch->values + segment->first, batch->nulls + segment->first, NULL, &bad_row);

	if (reason)
		elog(ERROR, "could not make the result of an empty data frame: %s", reason);
	call->waiting--;
	mls_batch_finish(batch, segment);
}

/* Decide, once, where segment goes and whether it is logged. */
static void
deal(MlsCall *call, MlsSegment *segment)
{
	if (segment->deal.dealt)
		return;
	segment->deal.dealt = true;
	segment->deal.canary = call->canary != NULL &&
						   mls_endpoint_takes(call->endpoint, MLS_SHARE_CANARY, call->server->canary_percent / 100);
	segment->deal.sampled = call->capture != NULL && mls_capture_samples(call->capture);
}

static void
send_segment(MlsCall *call, MlsBatch *batch, MlsSegment *segment)
{
	int rows = 0;

	for (int i = 0; i < segment->count; i++)
		rows += batch->model_rows[segment->first + i];
	if (rows == 0)
	{
		answer_empty_segment(call, batch, segment);
		return;
	}
	deal(call, segment);
	mls_batch_assemble(batch, call->encoder, segment);
	if (call->timer)
		segment->sent_at = now_us();
	segment->exchange = mls_exchange_post(endpoint_of(call, segment), segment->body.data, segment->body.len, rows);
	dlist_delete(&segment->node);
	dlist_push_tail(&batch->sent, &segment->node);
	call->waiting--;
	call->in_flight++;
}

/*
 * Take what came off the wire out of the way. True if a failure is among it: what that says of the endpoint or of the
 * rows comes before further requests.
 */
static bool
set_arrived_apart(MlsCall *call, MlsBatch *batch)
{
	bool failed = false;
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &batch->sent)
	{
		MlsSegment *segment = dlist_container(MlsSegment, node, iter.cur);

		if (!mls_exchange_done(segment->exchange))
			continue;
		failed |= mls_exchange_failure(segment->exchange) != NULL;
		dlist_delete(&segment->node);
		dlist_push_tail(&batch->arrived, &segment->node);
		call->in_flight--;
	}
	return failed;
}

/* Put on the wire what there is room for, the oldest batch's first. */
static void
send_waiting(MlsCall *call)
{
	int parallel = call->unbatched ? 1 : mls_endpoint_parallel(call->endpoint);
	dlist_iter iter;

	dlist_foreach(iter, &call->closed)
	{
		MlsBatch *batch = dlist_container(MlsBatch, node, iter.cur);

		while (call->in_flight < parallel && !dlist_is_empty(&batch->waiting))
			send_segment(call, batch, dlist_head_element(MlsSegment, node, &batch->waiting));
	}
}

/* The endpoint gets its next requests before the replies to the last are read, so that it does not wait for that. */
void
mls_call_advance(MlsCall *call)
{
	bool failed = false;
	dlist_iter iter;

	if (call->in_flight + call->waiting == 0)
		return;
	dlist_foreach(iter, &call->closed)
	{
		failed |= set_arrived_apart(call, dlist_container(MlsBatch, node, iter.cur));
	}
	if (!failed)
		send_waiting(call);
	dlist_foreach(iter, &call->closed)
	{
		MlsBatch *batch = dlist_container(MlsBatch, node, iter.cur);

		while (!dlist_is_empty(&batch->arrived))
			collect_segment(call, batch, dlist_head_element(MlsSegment, node, &batch->arrived));
	}
	send_waiting(call);
}

bool
mls_ticket_ready(MlsTicket ticket)
{
	return ticket.batch == NULL || (ticket.batch->closed && ticket.batch->unfinished == 0);
}

bool
mls_ticket_failed(MlsTicket ticket)
{
	return ticket.batch != NULL && ticket.batch->failures[ticket.index] != NULL;
}

bool
mls_ticket_is_open(MlsTicket ticket)
{
	return ticket.batch != NULL && !ticket.batch->closed;
}

static void
function_context(void *arg)
{
	errcontext("model function %s", ((MlsCall *) arg)->fn->name);
}

static void
raise_failure(MlsCall *call, const MlsFailure *failure)
{
	ErrorContextCallback context = {error_context_stack, function_context, call};
	MlsFailure explained = explain_failure(call, failure);

	error_context_stack = &context;
	mls_failure_raise(call->server, &explained);
}

/* A row failed: an error, or what the function's owner asked for instead. */
static Datum
failed_result(MlsCall *call, MlsBatch *batch, const MlsFailure *failure, bool *isnull)
{
	if (call->fn->error_column < 0 && call->server->on_error == MLS_ON_ERROR_FAIL)
		raise_failure(call, failure);
	call->stats.failed_rows++;
	if (call->fn->error_column >= 0)
		return mls_decode_failed_row(call->decoder, reason_of(call, failure), batch->context, isnull);
	if (call->first_reason == NULL)
		call->first_reason = MemoryContextStrdup(call->context, reason_of(call, failure));
	*isnull = true;
	return (Datum) 0;
}

Datum
mls_ticket_result(MlsCall *call, MlsTicket ticket, bool *isnull)
{
	MlsBatch *batch = ticket.batch;

	if (batch == NULL)
	{
		*isnull = true;
		return (Datum) 0;
	}
	if (unlikely(batch->failures[ticket.index] != NULL))
		return failed_result(call, batch, batch->failures[ticket.index], isnull);
	*isnull = batch->nulls[ticket.index];
	return batch->values[ticket.index];
}

void
mls_call_release(MlsCall *call, int64 row)
{
	while (!dlist_is_empty(&call->closed))
	{
		MlsBatch *batch = dlist_head_element(MlsBatch, node, &call->closed);

		if (batch->unfinished > 0 || batch->last_row >= row)
			break;
		dlist_delete(&batch->node);
		MemoryContextReset(batch->context);
		dlist_push_head(&call->free, &batch->node);
	}
}

void
mls_call_reset(MlsCall *call)
{
	if (call->open)
		dlist_push_tail(&call->closed, &call->open->node);
	call->open = NULL;
	while (!dlist_is_empty(&call->closed))
	{
		MlsBatch *batch = dlist_container(MlsBatch, node, dlist_pop_head_node(&call->closed));

		mls_batch_cut(batch);
		MemoryContextReset(batch->context);
		dlist_push_head(&call->free, &batch->node);
	}
	call->in_flight = 0;
	call->waiting = 0;
}

Size
mls_call_memory(MlsCall *call)
{
	Size size = call->open ? mls_batch_memory(call->open) : 0;
	dlist_iter iter;

	dlist_foreach(iter, &call->closed)
	{
		size += mls_batch_memory(dlist_container(MlsBatch, node, iter.cur));
	}
	return size;
}

void
mls_call_stats(const MlsCall *call, MlsCallStats *stats)
{
	*stats = call->stats;
	stats->wire = *mls_endpoint_counters(call->endpoint);
	if (call->capture != NULL)
		stats->capture = *mls_capture_stats(call->capture);
	if (call->canary != NULL)
	{
		stats->canary = *mls_endpoint_counters(call->canary);
		mls_counters_add(&stats->wire, &stats->canary);
	}
}

void
mls_call_stats_add(MlsCallStats *into, const MlsCallStats *from)
{
	if (from->batches > 0)
		into->batch_rows_min =
			into->batches > 0 ? Min(into->batch_rows_min, from->batch_rows_min) : from->batch_rows_min;
	into->batch_rows_max = Max(into->batch_rows_max, from->batch_rows_max);
	into->batches += from->batches;
	into->deduplicated += from->deduplicated;
	into->failed_rows += from->failed_rows;

	mls_counters_add(&into->wire, &from->wire);
	mls_counters_add(&into->canary, &from->canary);
	into->capture.logged += from->capture.logged;
	into->capture.log_dropped += from->capture.log_dropped;
	into->capture.copied += from->capture.copied;
	into->capture.copies_dropped += from->capture.copies_dropped;
}

const char *
mls_call_first_reason(const MlsCall *call)
{
	return call->first_reason;
}

bool
mls_call_warn_failed(const MlsCall *call, bool at_end)
{
	const char *reason = call->first_reason;

	if (reason == NULL)
		return false;
	ereport(WARNING, (errcode(ERRCODE_WARNING),
					  !at_end ? errmsg("function %s gave NULL for a row that could not be scored", call->fn->name)
							  : errmsg_plural("function %s gave NULL for %lld row that could not be scored",
											  "function %s gave NULL for %lld rows that could not be scored",
											  (unsigned long) call->stats.failed_rows, call->fn->name,
											  (long long) call->stats.failed_rows),
					  errdetail("%s: %s%s", at_end ? "First reason" : "Reason", reason,
								reason[strlen(reason) - 1] == '.' ? "" : "."),
					  errhint("on_error is null, by the option of server \"%s\" or by ml_score.on_error; with fail the "
							  "statement stops instead.",
							  call->server->name)));
	return true;
}
