/*
 * exchange.c - exchanges: from a body to a reply or a failure, through as many attempts as it takes.
 *
 * An exchange waits (for its backoff, the breaker, a slot of the limiter), is on the wire, then is done or waits again.
 * mls_exchange_pump moves all of this backend's exchanges along; retry.c decides what an attempt's outcome means,
 * limiter.c and breaker.c are asked under the shared entry's lock.
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "mb/pg_wchar.h"
#include "transport/endpoint.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* How often a waiting exchange asks again when nobody will wake it. */
#define BREAKER_POLL_US (50 * 1000)
#define SLOT_POLL_US (100 * 1000)

/* A request is sent with so many other credentials, after the first was not accepted. */
#define MAX_RENEWALS 2

#define UUID_SIZE 37
#define ID_HEADER "x-ms-client-request-id: "

static dlist_head waiting_exchanges = DLIST_STATIC_INIT(waiting_exchanges);
static int on_wire;
static int unreported_ends; /* exchanges that ended since mls_exchange_pump returned */

/* Does exchange carry the server's credential? */
static bool
has_credential(const MlsExchange *exchange)
{
	if (exchange->endpoint->authorization.header == NULL)
		return false;
	return exchange->kind == MLS_EXCHANGE_REQUEST ? exchange->send_credential : !exchange->elsewhere;
}

/* Unique is enough, so the backend's own generator does. */
static void
write_uuid(char *text, size_t size)
{
	uint64 a = pg_prng_uint64(&pg_global_prng_state);
	uint64 b = pg_prng_uint64(&pg_global_prng_state);

	snprintf(text, size, "%08x-%04x-4%03x-%04x-%012llx", (uint32) (a >> 32), (uint32) (a >> 16) & 0xffff,
			 (uint32) a & 0xfff, (uint32) (0x8000 | ((b >> 48) & 0x3fff)),
			 (unsigned long long) (b & UINT64CONST(0xffffffffffff)));
}

char *
mls_exchange_make_uuid(void)
{
	char *uuid = palloc(UUID_SIZE);

	write_uuid(uuid, UUID_SIZE);
	return uuid;
}

static void
make_request_id(char *line, size_t size)
{
	int len = snprintf(line, size, ID_HEADER);

	write_uuid(line + len, size - len);
}

static void
wait_again(MlsExchange *exchange)
{
	exchange->state = MLS_EXCHANGE_WAITING;
	dlist_push_tail(&waiting_exchanges, &exchange->waiting_node);
}

/* Give the slot back and tell the next in line, in whatever backend. */
static void
give_slot(MlsExchange *exchange)
{
	MlsEntry *entry = exchange->endpoint->entry;

	if (!exchange->holds_slot)
		return;
	exchange->holds_slot = false;
	exchange->endpoint->in_flight--;
	SpinLockAcquire(&entry->mutex);
	mls_limiter_give(&entry->limiter);
	SpinLockRelease(&entry->mutex);
	if (entry->shared && exchange->endpoint->server->max_concurrent_requests > 0)
		ConditionVariableSignal(&entry->slot_freed);
}

/* The context that exchange's failure lives in, made when there is one. */
static MemoryContext
failure_context(MlsExchange *exchange)
{
	if (exchange->failure_cxt == NULL)
		exchange->failure_cxt =
			AllocSetContextCreate(exchange->endpoint->cxt, "ml_score failure", ALLOCSET_SMALL_SIZES);
	return exchange->failure_cxt;
}

static void
end_exchange(MlsExchange *exchange)
{
	exchange->state = MLS_EXCHANGE_DONE;
	unreported_ends++;
}

/* End exchange with failure. news: it is worth showing as the server's last error. */
static void
end_with_failure(MlsExchange *exchange, MlsFailure *failure, bool news)
{
	MlsEntry *entry = exchange->endpoint->entry;
	TimestampTz now = GetCurrentTimestamp();
	char last_error[sizeof(entry->statistics.last_error)];

	/* Without the detail, which may show something of the rows to who watches. */
	if (failure->http_status != 0)
		snprintf(last_error, sizeof(last_error), "%s (HTTP status %d)", failure->message, failure->http_status);
	else
		strlcpy(last_error, failure->message, sizeof(last_error));
	last_error[pg_mbcliplen(last_error, (int) strlen(last_error), (int) sizeof(last_error) - 1)] = '\0';

	exchange->failure = failure;
	end_exchange(exchange);
	if (mls_exchange_is_scoring(exchange))
		exchange->endpoint->counters.failed++;
	SpinLockAcquire(&entry->mutex);
	if (mls_exchange_is_scoring(exchange))
		entry->statistics.failed++;
	if (news)
	{
		strlcpy(entry->statistics.last_error, last_error, sizeof(entry->statistics.last_error));
		entry->statistics.last_error_at = now;
	}
	SpinLockRelease(&entry->mutex);
}

/* The breaker is open: end exchange without a request. */
static void
refuse(MlsExchange *exchange, int64 open_for_us)
{
	MemoryContext old = MemoryContextSwitchTo(failure_context(exchange));
	MlsFailure *failure = mls_failure_of_breaker(exchange, open_for_us / 1000);

	MemoryContextSwitchTo(old);
	end_with_failure(exchange, failure, false);
}

/* The longest that an exchange can take, about. */
static int64
exchange_limit_us(const MlsExchange *exchange)
{
	return ((int64) exchange->timeout_ms + exchange->endpoint->server->retry_max_delay_ms) * exchange->max_attempts *
		   1000;
}

typedef enum Admission
{
	GO,
	ASK_AGAIN,	   /* at *ask_at */
	WAIT_FOR_SLOT, /* until one comes free */
	REFUSED		   /* until *ask_at */
} Admission;

/* May exchange's next attempt go out now? If so it holds a slot afterwards. */
static Admission
admit(MlsExchange *exchange, int64 now, int64 *ask_at)
{
	MlsEndpoint *endpoint = exchange->endpoint;
	const MlsServer *server = endpoint->server;
	MlsEntry *entry = endpoint->entry;
	Admission admission = GO;

	/* A number of requests that the tuner has lowered meanwhile holds for those that wait, too. */
	if (mls_exchange_is_scoring(exchange) && endpoint->in_flight > 0 && server->max_parallel_requests == MLS_AUTO &&
		endpoint->in_flight >= mls_endpoint_parallel(endpoint))
	{
		*ask_at = now + SLOT_POLL_US;
		return ASK_AGAIN;
	}

	/* Limits and breaker are the server's, not another host's. */
	if (exchange->elsewhere)
		return GO;

	SpinLockAcquire(&entry->mutex);
	if (!exchange->admitted)
	{
		switch (mls_breaker_ask(&entry->breaker, now, exchange_limit_us(exchange)))
		{
			case MLS_BREAKER_PROBE:
				exchange->probing = true;
				break;
			case MLS_BREAKER_WAIT:
				*ask_at = now + BREAKER_POLL_US;
				admission = ASK_AGAIN;
				break;
			case MLS_BREAKER_REFUSE:
				*ask_at = entry->breaker.open_until;
				admission = REFUSED;
				break;
			case MLS_BREAKER_PASS:
				break;
		}
		exchange->admitted = admission == GO;
	}
	if (admission == GO &&
		!mls_limiter_take(&entry->limiter, server->max_concurrent_requests, server->requests_per_second, now, ask_at))
		admission = *ask_at == 0 ? WAIT_FOR_SLOT : ASK_AGAIN;
	exchange->all_in_flight = entry->limiter.in_flight;
	if (endpoint->tuner != NULL)
		exchange->tuner_step = endpoint->tuner->step;
	entry->batch_rows = mls_endpoint_batch_rows(endpoint);
	entry->parallel_requests = mls_endpoint_parallel(endpoint);
	SpinLockRelease(&entry->mutex);

	if (admission == GO)
	{
		exchange->holds_slot = true;
		exchange->own_in_flight = ++endpoint->in_flight;
	}
	return admission;
}

static struct curl_slist *
attempt_headers(MlsExchange *exchange)
{
	switch (exchange->kind)
	{
		case MLS_EXCHANGE_SCORING:
			return exchange->endpoint->headers_post;
		case MLS_EXCHANGE_DOCUMENT:
			return exchange->elsewhere ? exchange->endpoint->headers_anonymous : exchange->endpoint->headers_get;
		case MLS_EXCHANGE_REQUEST:
			return mls_request_headers(exchange);
	}
	pg_unreachable();
}

/* Put the next attempt on the wire. */
static void
start_attempt(MlsExchange *exchange)
{
	MlsEndpoint *endpoint = exchange->endpoint;
	MlsHttpRequest request = {.server = endpoint->server,
							  .url = exchange->url,
							  .method = exchange->method,
							  .body = exchange->body,
							  .len = exchange->len,
							  .headers = &exchange->id_header,
							  .timeout_ms = exchange->timeout_ms,
							  .keep_headers = exchange->kind == MLS_EXCHANGE_REQUEST,
							  .of_this_machine = exchange->spec != NULL && exchange->spec->of_this_machine,
							  .thumbprint = exchange->spec == NULL ? NULL : exchange->spec->thumbprint,

							  /* On a kept one, a cut may have come before or after the request. */
							  .fresh_connection = exchange->fresh_connection || !exchange->idempotent};

	exchange->attempt++;
	exchange->auth_serial = endpoint->auth_serial;
	make_request_id(exchange->id_line, sizeof(exchange->id_line));
	exchange->id_header.data = exchange->id_line;
	exchange->id_header.next = attempt_headers(exchange);
	if (mls_exchange_is_scoring(exchange))
		endpoint->counters.max_in_flight = Max(endpoint->counters.max_in_flight, endpoint->in_flight);
	exchange->transfer = mls_http_start(&request, exchange);
	exchange->state = MLS_EXCHANGE_ON_WIRE;
	on_wire++;
}

/* Has exchange to wait for a new credential before its next attempt? */
static bool
needs_credential(MlsExchange *exchange)
{
	const MlsAuthorization *authorization = &exchange->endpoint->authorization;

	if (!exchange->awaits_credential && authorization->renew_at != DT_NOEND && has_credential(exchange) &&
		authorization->renew_at <= GetCurrentTimestamp())
		exchange->awaits_credential = true;
	return exchange->awaits_credential;
}

/*
 * Start what may start of the waiting. Returns when to look again at the latest (us), PG_INT64_MAX for no need;
 * *slot_entry, if not NULL, is an entry whose slots some exchange waits for.
 */
static int64
start_waiting(MlsEntry **slot_entry)
{
	int64 look_at = PG_INT64_MAX;
	int64 now;
	dlist_mutable_iter iter;

	*slot_entry = NULL;
	if (dlist_is_empty(&waiting_exchanges))
		return look_at;

	now = mls_http_now();
	dlist_foreach_modify(iter, &waiting_exchanges)
	{
		MlsExchange *exchange = dlist_container(MlsExchange, waiting_node, iter.cur);
		int64 ask_at = exchange->not_before;
		Admission admission;

		if (needs_credential(exchange))
			continue; /* mls_exchange_pump sees to that */
		admission = ask_at > now ? ASK_AGAIN : admit(exchange, now, &ask_at);

		switch (admission)
		{
			case GO:
				dlist_delete(&exchange->waiting_node);
				start_attempt(exchange);
				break;
			case REFUSED:
				dlist_delete(&exchange->waiting_node);
				refuse(exchange, ask_at - now);
				break;
			case WAIT_FOR_SLOT:
				*slot_entry = exchange->endpoint->entry;
				look_at = Min(look_at, now + SLOT_POLL_US);
				break;
			case ASK_AGAIN:
				look_at = Min(look_at, ask_at);
				break;
		}
	}
	return look_at;
}

/*
 * Did the attempt fail for a reason that says nothing about the endpoint: a kept connection that the peer had closed
 * meanwhile, or a time-out that passed while this backend was busy or idle elsewhere?
 */
static bool
failed_by_circumstance(const MlsExchange *exchange)
{
	const MlsHttpReply *reply = &exchange->transfer->reply;

	if (reply->stalled)
		return true;
	return reply->wire == MLS_WIRE_CUT && reply->reused_connection && reply->header_bytes == 0 &&
		   !exchange->fresh_connection;
}

/* Have the next attempt made when its time comes. */
static void
schedule_retry(MlsExchange *exchange, const MlsDecision *decision)
{
	MlsEndpoint *endpoint = exchange->endpoint;
	const MlsServer *server = endpoint->server;
	int64 asked_ms = exchange->transfer->reply.retry_after_ms;
	int delay_ms = mls_retry_delay_ms(exchange->attempt, server->retry_base_delay_ms, server->retry_max_delay_ms,
									  asked_ms, pg_prng_double(&pg_global_prng_state));

	exchange->not_before = mls_http_now() + (int64) delay_ms * 1000;
	if (asked_ms > 0 && !exchange->elsewhere)
	{
		/* It holds for every request, not for this one alone. */
		SpinLockAcquire(&endpoint->entry->mutex);
		mls_limiter_hold(&endpoint->entry->limiter, exchange->not_before);
		SpinLockRelease(&endpoint->entry->mutex);
	}
	mls_http_release(exchange->transfer);
	exchange->transfer = NULL;
	wait_again(exchange);
}

static MlsAttempt
describe_attempt(const MlsExchange *exchange)
{
	const MlsHttpReply *reply = &exchange->transfer->reply;

	return (MlsAttempt){.wire = reply->wire,
						.status = reply->status,
						.inner_status = reply->inner_status,
						.run_function_failed = reply->run_function_failed,
						.rows = exchange->rows,
						.number = exchange->attempt,
						.max_attempts = exchange->max_attempts,
						.scoring = exchange->kind != MLS_EXCHANGE_REQUEST,
						.idempotent = exchange->idempotent};
}

/* Was an attempt refused for a credential that another may take the place of? */
static bool
may_renew(const MlsExchange *exchange, const MlsDecision *decision)
{
	return decision->verdict == MLS_VERDICT_FAIL && exchange->transfer->reply.status == 401 &&
		   has_credential(exchange) && exchange->renewals < MAX_RENEWALS;
}

/* Have the next attempt made with another credential: the one there is meanwhile, or one to be fetched. */
static void
schedule_renewal(MlsExchange *exchange)
{
	exchange->renewals++;
	if (exchange->auth_serial == exchange->endpoint->auth_serial)
		exchange->awaits_credential = true; /* the transfer stays for what it says, if there is no other */
	else
	{
		mls_http_release(exchange->transfer);
		exchange->transfer = NULL;
	}
	wait_again(exchange);
}

/* The attempt's end is its exchange's. */
static void
end_with_decision(MlsExchange *exchange, const MlsDecision *decision)
{
	MemoryContext old;
	MlsFailure *failure;

	if (decision->verdict == MLS_VERDICT_OK)
	{
		end_exchange(exchange);
		return;
	}
	old = MemoryContextSwitchTo(failure_context(exchange));
	failure = mls_failure_of_reply(exchange, decision);
	MemoryContextSwitchTo(old);
	end_with_failure(exchange, failure, !exchange->elsewhere);
}

/* An attempt came off the wire: the end of its exchange, or not yet. */
static void
end_attempt(MlsExchange *exchange)
{
	MlsAttempt attempt;
	MlsDecision decision;
	bool renewal;

	on_wire--;
	give_slot(exchange);
	if (failed_by_circumstance(exchange))
	{
		exchange->attempt--;
		exchange->fresh_connection = true;
		mls_http_release(exchange->transfer);
		exchange->transfer = NULL;
		wait_again(exchange);
		return;
	}

	exchange->fresh_connection = false;
	mls_secret_mask_headers(exchange);
	attempt = describe_attempt(exchange);
	decision = mls_retry_decide(&attempt);
	renewal = may_renew(exchange, &decision);
	if (renewal)
		decision.verdict = MLS_VERDICT_RETRY;
	if (mls_exchange_is_scoring(exchange))
		mls_account_attempt(exchange, &decision);
	mls_account_tuner(exchange, &decision);
	mls_log_attempt(exchange, &decision);
	if (decision.verdict == MLS_VERDICT_RETRY && !renewal)
	{
		schedule_retry(exchange, &decision);
		return;
	}

	mls_account_breaker(exchange, &decision);
	if (renewal)
		schedule_renewal(exchange);
	else
		end_with_decision(exchange, &decision);
}

/* There is no other credential: exchange ends as it was refused. */
static void
end_refused(MlsExchange *exchange)
{
	MlsAttempt attempt = describe_attempt(exchange);
	MlsDecision decision = mls_retry_decide(&attempt);

	dlist_delete(&exchange->waiting_node);
	end_with_decision(exchange, &decision);
}

/* Let the exchanges of endpoint that wait for a credential go on, changed telling whether there is another. */
static void
resume_exchanges(MlsEndpoint *endpoint, bool changed)
{
	dlist_iter iter;

	dlist_foreach(iter, &endpoint->exchanges)
	{
		MlsExchange *exchange = dlist_container(MlsExchange, node, iter.cur);

		if (!exchange->awaits_credential)
			continue;
		exchange->awaits_credential = false;
		if (exchange->transfer != NULL && !changed)
			end_refused(exchange);
		else if (exchange->transfer != NULL)
		{
			mls_http_release(exchange->transfer);
			exchange->transfer = NULL;
		}
	}
}

/* An exchange that waits for a credential, if possible one that was refused; NULL when none does. */
static MlsExchange *
find_awaiting(void)
{
	MlsExchange *found = NULL;
	dlist_iter iter;

	dlist_foreach(iter, &waiting_exchanges)
	{
		MlsExchange *exchange = dlist_container(MlsExchange, waiting_node, iter.cur);

		if (exchange->awaits_credential && (found == NULL || exchange->transfer != NULL))
			found = exchange;
	}
	return found;
}

/*
 * Fetch the credentials that exchanges wait for. That takes exchanges of its own, which come through here again and
 * need nothing of the kind.
 */
static void
renew_credentials(void)
{
	static bool renewing = false;
	MlsExchange *exchange;

	if (renewing)
		return;
	renewing = true;
	PG_TRY();
	{
		while ((exchange = find_awaiting()) != NULL)
		{
			bool refused = exchange->transfer != NULL;
			bool changed =
				mls_endpoint_renew(exchange->endpoint, refused, refused ? exchange->transfer->reply.challenge : "");

			resume_exchanges(exchange->endpoint, changed);
		}
	}
	PG_FINALLY();
	{
		renewing = false;
	}
	PG_END_TRY();
}

/*
 * One round without waiting. Returns when to look again at the latest (us), PG_INT64_MAX for no need; *slot_entry as
 * start_waiting has it.
 */
static int64
turn(MlsEntry **slot_entry)
{
	int64 look_at;

	mls_http_drive();
	do
	{
		MlsTransfer *transfer;

		while ((transfer = mls_http_next_finished()) != NULL)
			end_attempt(transfer->owner);
		look_at = start_waiting(slot_entry);
	} while (mls_http_has_finished()); /* an attempt may fail as it begins */
	return look_at;
}

/* Wait for the network, the latch (another backend gave a slot back), or until look_at, if that is a time. */
static void
wait_until(int64 look_at)
{
	if (look_at == PG_INT64_MAX)
		mls_http_wait(-1);
	else
		mls_http_wait((long) Max((look_at - mls_http_now() + 999) / 1000, 0)); /* rounded up: too early would spin */
}

/* Make headway, and with wait until some exchange ended. */
static void
advance(bool wait)
{
	MlsEntry *slot_entry;
	int64 look_at;

	if (on_wire == 0 && dlist_is_empty(&waiting_exchanges))
		return;

	look_at = turn(&slot_entry);
	while (wait && unreported_ends == 0 && (on_wire > 0 || !dlist_is_empty(&waiting_exchanges)))
	{
		if (find_awaiting() != NULL)
		{
			renew_credentials();
			look_at = turn(&slot_entry);
			continue;
		}
		bool queued = slot_entry != NULL && slot_entry->shared;

		if (queued)
		{
			/* A slot that came free before we stood in line wakes nobody: look once more. */
			ConditionVariablePrepareToSleep(&slot_entry->slot_freed);
			look_at = turn(&slot_entry);
		}
		if (unreported_ends == 0)
		{
			wait_until(look_at);
			look_at = turn(&slot_entry);
		}
		if (queued)
			ConditionVariableCancelSleep();
	}
}

void
mls_exchange_pump(bool wait)
{
	advance(wait);
	unreported_ends = 0;
}

void
mls_exchange_drive(void)
{
	advance(false);
}

/* Others' ends stay to be reported to whoever pumps. */
void
mls_exchange_wait(const MlsExchange *exchange)
{
	int ends = unreported_ends;

	while (!mls_exchange_done(exchange))
	{
		unreported_ends = 0;
		advance(true);
		ends += unreported_ends;
	}
	unreported_ends = ends;
}

void
mls_exchange_sleep(int ms)
{
	int64 until = mls_http_now() + (int64) ms * 1000;
	MlsEntry *slot_entry;

	for (int64 now = mls_http_now(); now < until; now = mls_http_now())
		wait_until(Min(until, turn(&slot_entry)));
}

MlsExchange *
mls_exchange_make(MlsEndpoint *endpoint, MlsExchangeKind kind, const char *url)
{
	MlsExchange *exchange = MemoryContextAllocZero(endpoint->cxt, sizeof(MlsExchange));

	exchange->endpoint = endpoint;
	exchange->kind = kind;
	exchange->method = kind == MLS_EXCHANGE_SCORING ? "POST" : "GET";
	exchange->url = MemoryContextStrdup(endpoint->cxt, url);
	exchange->idempotent = true;
	exchange->timeout_ms = endpoint->server->timeout_ms;
	exchange->max_attempts = endpoint->server->max_attempts;
	exchange->elsewhere = kind != MLS_EXCHANGE_SCORING &&
						  (endpoint->server->url == NULL || !mls_http_same_origin(url, endpoint->server->url));
	exchange->admitted = exchange->elsewhere; /* the breaker is not that host's */
	exchange->state = MLS_EXCHANGE_DONE;
	dlist_push_tail(&endpoint->exchanges, &exchange->node);
	return exchange;
}

void
mls_exchange_begin(MlsExchange *exchange)
{
	MlsEntry *slot_entry;

	wait_again(exchange);
	(void) turn(&slot_entry);
}

MlsExchange *
mls_exchange_post(MlsEndpoint *endpoint, const char *body, size_t len, int rows)
{
	MlsExchange *exchange = mls_exchange_make(endpoint, MLS_EXCHANGE_SCORING, endpoint->server->url);

	exchange->body = body;
	exchange->len = len;
	exchange->rows = rows;
	if (endpoint->server->compression == MLS_COMPRESSION_GZIP)
		mls_exchange_compress(exchange);
	mls_exchange_begin(exchange);
	return exchange;
}

MlsExchange *
mls_exchange_get(MlsEndpoint *endpoint, const char *url)
{
	MlsExchange *exchange;

	mls_endpoint_check_url(endpoint->server, url);
	exchange = mls_exchange_make(endpoint, MLS_EXCHANGE_DOCUMENT, url);
	mls_exchange_begin(exchange);
	return exchange;
}

bool
mls_exchange_done(const MlsExchange *exchange)
{
	return exchange->state == MLS_EXCHANGE_DONE;
}

const MlsFailure *
mls_exchange_failure(const MlsExchange *exchange)
{
	return exchange->failure;
}

const char *
mls_exchange_body(const MlsExchange *exchange, size_t *len)
{
	const MlsHttpReply *reply = exchange->transfer == NULL ? NULL : &exchange->transfer->reply;

	if (reply == NULL || reply->len == 0)
	{
		*len = 0;
		return "";
	}
	*len = reply->len;
	return reply->body;
}

bool
mls_exchange_mask_body(MlsExchange *exchange)
{
	MlsHttpReply *reply = &exchange->transfer->reply;

	return reply->len > 0 && mls_secret_mask(exchange->endpoint, reply->body, reply->len);
}

const char *
mls_exchange_request_id(const MlsExchange *exchange)
{
	if (exchange->transfer == NULL || exchange->transfer->reply.request_id[0] == '\0')
		return NULL;
	return exchange->transfer->reply.request_id;
}

const char *
mls_exchange_client_id(const MlsExchange *exchange)
{
	return exchange->attempt == 0 ? "" : exchange->id_line + strlen(ID_HEADER);
}

int64
mls_exchange_latency_us(const MlsExchange *exchange)
{
	return exchange->transfer == NULL ? 0 : exchange->transfer->reply.latency_us;
}

void
mls_exchange_abandon(MlsExchange *exchange)
{
	if (exchange->state == MLS_EXCHANGE_WAITING)
		dlist_delete(&exchange->waiting_node);
	if (exchange->state == MLS_EXCHANGE_ON_WIRE)
		on_wire--;
	exchange->state = MLS_EXCHANGE_DONE;
	give_slot(exchange);
	if (exchange->probing)
	{
		SpinLockAcquire(&exchange->endpoint->entry->mutex);
		mls_breaker_probe_lost(&exchange->endpoint->entry->breaker);
		SpinLockRelease(&exchange->endpoint->entry->mutex);
		exchange->probing = false;
	}
	if (exchange->transfer != NULL)
		mls_http_release(exchange->transfer);
	exchange->transfer = NULL;
}

void
mls_exchange_free(MlsExchange *exchange)
{
	mls_exchange_abandon(exchange);
	dlist_delete(&exchange->node);
	if (exchange->failure_cxt != NULL)
		MemoryContextDelete(exchange->failure_cxt);
	if (exchange->compressed != NULL)
		pfree(exchange->compressed);
	if (exchange->cxt != NULL)
		MemoryContextDelete(exchange->cxt);
	pfree(exchange->url);
	pfree(exchange);
}

void
mls_transport_init(void)
{
	mls_shmem_init();
}
