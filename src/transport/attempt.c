/*
 * attempt.c - an attempt of an exchange: put on the wire, and what its outcome means: retry.c decides whether it is the
 * exchange's end, or there is to be another.
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "mb/pg_wchar.h"
#include "transport/endpoint.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* A request is sent with so many other credentials, after the first was not accepted. */
#define MAX_RENEWALS 2

#define UUID_SIZE 37
#define ID_HEADER "x-ms-client-request-id: "

/* Does exchange carry the server's credential? */
static bool
has_credential(const MlsExchange *exchange)
{
	if (exchange->endpoint->authorization.header == NULL)
		return false;
	return exchange->kind == MLS_EXCHANGE_REQUEST ? exchange->send_credential : !exchange->elsewhere;
}

/* A copy for a shadow is sent once: its worker does not wait for a credential, on which others would wait. */
bool
mls_exchange_may_renew(const MlsExchange *exchange)
{
	return has_credential(exchange) && !exchange->endpoint->server->is_shadow;
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

const char *
mls_exchange_client_id(const MlsExchange *exchange)
{
	return exchange->attempt == 0 ? "" : exchange->id_line + strlen(ID_HEADER);
}

void
mls_exchange_drop_transfer(MlsExchange *exchange)
{
	if (exchange->transfer != NULL)
		mls_http_release(exchange->transfer);
	exchange->transfer = NULL;
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
	mls_exchange_end(exchange);
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

void
mls_exchange_refuse(MlsExchange *exchange, int64 open_for_us)
{
	MemoryContext old = MemoryContextSwitchTo(failure_context(exchange));
	MlsFailure *failure = mls_failure_of_breaker(exchange, open_for_us / 1000);

	MemoryContextSwitchTo(old);
	end_with_failure(exchange, failure, false);
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

void
mls_exchange_start_attempt(MlsExchange *exchange)
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
	mls_exchange_enter(exchange, MLS_EXCHANGE_ON_WIRE);
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
	mls_exchange_drop_transfer(exchange);
	mls_exchange_enter(exchange, MLS_EXCHANGE_WAITING);
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
was_refused(const MlsExchange *exchange, const MlsDecision *decision)
{
	return decision->verdict == MLS_VERDICT_FAIL && exchange->transfer->reply.status == 401 &&
		   mls_exchange_may_renew(exchange) && exchange->renewals < MAX_RENEWALS;
}

/* Have the next attempt made with another credential: the one there is meanwhile, or one to be fetched. */
static void
schedule_renewal(MlsExchange *exchange)
{
	exchange->renewals++;
	if (exchange->auth_serial == exchange->endpoint->auth_serial)
		exchange->awaits_credential = true; /* the transfer stays for what it says, if there is no other */
	else
		mls_exchange_drop_transfer(exchange);
	mls_exchange_enter(exchange, MLS_EXCHANGE_WAITING);
}

/* The attempt's end is its exchange's. */
static void
end_with_decision(MlsExchange *exchange, const MlsDecision *decision)
{
	MemoryContext old;
	MlsFailure *failure;

	if (decision->verdict == MLS_VERDICT_OK)
	{
		mls_exchange_end(exchange);
		return;
	}
	old = MemoryContextSwitchTo(failure_context(exchange));
	failure = mls_failure_of_reply(exchange, decision);
	MemoryContextSwitchTo(old);
	end_with_failure(exchange, failure, !exchange->elsewhere);
}

void
mls_exchange_end_attempt(MlsExchange *exchange)
{
	MlsAttempt attempt;
	MlsDecision decision;
	bool renewal;

	mls_exchange_give_slot(exchange);
	if (failed_by_circumstance(exchange))
	{
		exchange->attempt--;
		exchange->fresh_connection = true;
		mls_exchange_drop_transfer(exchange);
		mls_exchange_enter(exchange, MLS_EXCHANGE_WAITING);
		return;
	}

	exchange->fresh_connection = false;
	mls_secret_mask_headers(exchange);
	attempt = describe_attempt(exchange);
	decision = mls_retry_decide(&attempt);
	renewal = was_refused(exchange, &decision);
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

void
mls_exchange_end_refused(MlsExchange *exchange)
{
	MlsAttempt attempt = describe_attempt(exchange);
	MlsDecision decision = mls_retry_decide(&attempt);

	end_with_decision(exchange, &decision);
}
