/*
 * admission.c - when an exchange's next attempt may go out: limiter.c and breaker.c are asked under the shared entry's lock.
 */
#include "postgres.h"

#include "transport/endpoint.h"

/* How often a waiting exchange asks again when nobody will wake it. */
#define BREAKER_POLL_US (50 * 1000)

void
mls_exchange_give_slot(MlsExchange *exchange)
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

/* The longest that an exchange can take, about. */
static int64
exchange_limit_us(const MlsExchange *exchange)
{
	return ((int64) exchange->timeout_ms + exchange->endpoint->server->retry_max_delay_ms) * exchange->max_attempts *
		   1000;
}

/* Does the breaker let exchange begin? Under the entry's lock. */
static MlsAdmission
ask_breaker(MlsExchange *exchange, int64 now, int64 *ask_at)
{
	MlsBreaker *breaker = &exchange->endpoint->entry->breaker;

	switch (mls_breaker_ask(breaker, now, exchange_limit_us(exchange)))
	{
		case MLS_BREAKER_PROBE:
			exchange->probing = true;
			return MLS_ADMISSION_GO;
		case MLS_BREAKER_WAIT:
			*ask_at = now + BREAKER_POLL_US;
			return MLS_ADMISSION_ASK_AGAIN;
		case MLS_BREAKER_REFUSE:
			*ask_at = breaker->open_until;
			return MLS_ADMISSION_REFUSED;
		case MLS_BREAKER_PASS:
			return MLS_ADMISSION_GO;
	}
	pg_unreachable();
}

/* Does the server let the attempt go out? If so it has been counted. Under the entry's lock. */
static MlsAdmission
ask_entry(MlsExchange *exchange, int64 now, int64 *ask_at)
{
	MlsEndpoint *endpoint = exchange->endpoint;
	MlsEntry *entry = endpoint->entry;
	MlsAdmission admission = MLS_ADMISSION_GO;

	if (!exchange->admitted)
	{
		admission = ask_breaker(exchange, now, ask_at);
		exchange->admitted = admission == MLS_ADMISSION_GO;
	}
	if (admission == MLS_ADMISSION_GO && !mls_limiter_take(&entry->limiter, endpoint->server->max_concurrent_requests,
														   endpoint->server->requests_per_second, now, ask_at))
		admission = *ask_at == 0 ? MLS_ADMISSION_WAIT_FOR_SLOT : MLS_ADMISSION_ASK_AGAIN;
	exchange->all_in_flight = entry->limiter.in_flight;
	if (endpoint->tuner != NULL)
		exchange->tuner_step = endpoint->tuner->step;
	entry->batch_rows = mls_endpoint_batch_rows(endpoint);
	entry->parallel_requests = mls_endpoint_parallel(endpoint);
	return admission;
}

MlsAdmission
mls_exchange_admit(MlsExchange *exchange, int64 now, int64 *ask_at)
{
	MlsEndpoint *endpoint = exchange->endpoint;
	MlsAdmission admission;

	/* A number of requests that the tuner has lowered meanwhile holds for those that wait, too. */
	if (mls_exchange_is_scoring(exchange) && endpoint->in_flight > 0 &&
		endpoint->server->max_parallel_requests == MLS_AUTO && endpoint->in_flight >= mls_endpoint_parallel(endpoint))
	{
		*ask_at = now + MLS_SLOT_POLL_US;
		return MLS_ADMISSION_ASK_AGAIN;
	}

	/* Limits and breaker are the server's, not another host's. */
	if (exchange->elsewhere)
		return MLS_ADMISSION_GO;

	SpinLockAcquire(&endpoint->entry->mutex);
	admission = ask_entry(exchange, now, ask_at);
	SpinLockRelease(&endpoint->entry->mutex);

	if (admission == MLS_ADMISSION_GO)
	{
		exchange->holds_slot = true;
		exchange->own_in_flight = ++endpoint->in_flight;
	}
	return admission;
}
