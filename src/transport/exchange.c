/*
 * exchange.c - exchanges as their callers have them: made, begun, read, given back.
 *
 * What goes on in between: pump.c moves all of a backend's exchanges along, admission.c says when an attempt may go out,
 * attempt.c makes it and sees to its end.
 */
#include "postgres.h"

#include "transport/endpoint.h"
#include "utils/memutils.h"

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

void
mls_exchange_wipe_body(MlsExchange *exchange)
{
	MlsHttpReply *reply = exchange->transfer == NULL ? NULL : &exchange->transfer->reply;

	if (reply != NULL && reply->len > 0)
		explicit_bzero(reply->body, reply->len);
}

const char *
mls_exchange_request_id(const MlsExchange *exchange)
{
	if (exchange->transfer == NULL || exchange->transfer->reply.request_id[0] == '\0')
		return NULL;
	return exchange->transfer->reply.request_id;
}

int64
mls_exchange_latency_us(const MlsExchange *exchange)
{
	return exchange->transfer == NULL ? 0 : exchange->transfer->reply.latency_us;
}

void
mls_exchange_abandon(MlsExchange *exchange)
{
	mls_exchange_enter(exchange, MLS_EXCHANGE_DONE);
	mls_exchange_give_slot(exchange);
	if (exchange->probing)
	{
		SpinLockAcquire(&exchange->endpoint->entry->mutex);
		mls_breaker_probe_lost(&exchange->endpoint->entry->breaker);
		SpinLockRelease(&exchange->endpoint->entry->mutex);
		exchange->probing = false;
	}
	mls_exchange_drop_transfer(exchange);
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
