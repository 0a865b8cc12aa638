/*
 * account.c - who hears how an attempt ended: the counters, the tuner, the breaker.
 */
#include "postgres.h"

#include "transport/endpoint.h"

void
mls_counters_add(MlsCounters *into, const MlsCounters *from)
{
	if (from->requests > 0)
		into->latency_us_min =
			into->requests > 0 ? Min(into->latency_us_min, from->latency_us_min) : from->latency_us_min;
	into->latency_us_max = Max(into->latency_us_max, from->latency_us_max);
	into->latency_us_sum += from->latency_us_sum;
	into->requests += from->requests;
	into->retries += from->retries;
	into->throttled += from->throttled;
	into->failed += from->failed;
	into->rows += from->rows;
	into->bytes_sent += from->bytes_sent;
	into->bytes_received += from->bytes_received;
	into->max_in_flight = Max(into->max_in_flight, from->max_in_flight);
}

void
mls_endpoint_note(MlsEndpoint *endpoint, MlsSideNote note)
{
	MlsStatistics *statistics = &endpoint->entry->statistics;

	SpinLockAcquire(&endpoint->entry->mutex);
	statistics->logged += note == MLS_NOTE_LOGGED;
	statistics->log_dropped += note == MLS_NOTE_LOG_DROPPED;
	statistics->shadow_dropped += note == MLS_NOTE_SHADOW_DROPPED;
	SpinLockRelease(&endpoint->entry->mutex);
}

void
mls_account_attempt(MlsExchange *exchange, const MlsDecision *decision)
{
	MlsEndpoint *endpoint = exchange->endpoint;
	const MlsHttpReply *reply = &exchange->transfer->reply;
	MlsCounters *counters = &endpoint->counters;
	MlsStatistics *statistics = &endpoint->entry->statistics;
	bool retried = decision->verdict == MLS_VERDICT_RETRY;
	int rows = exchange->attempt == 1 ? exchange->rows : 0;

	counters->requests++;
	counters->retries += retried;
	counters->throttled += decision->throttled;
	counters->rows += rows;
	counters->bytes_sent += reply->bytes_sent;
	counters->bytes_received += reply->bytes_received;
	counters->latency_us_sum += reply->latency_us;
	counters->latency_us_min =
		counters->requests == 1 ? reply->latency_us : Min(counters->latency_us_min, reply->latency_us);
	counters->latency_us_max = Max(counters->latency_us_max, reply->latency_us);

	SpinLockAcquire(&endpoint->entry->mutex);
	statistics->requests++;
	statistics->retries += retried;
	statistics->throttled += decision->throttled;
	statistics->rows += rows;
	statistics->bytes_sent += reply->bytes_sent;
	statistics->bytes_received += reply->bytes_received;
	mls_statistics_add_latency(statistics, reply->latency_us);
	SpinLockRelease(&endpoint->entry->mutex);
}

void
mls_account_tuner(MlsExchange *exchange, const MlsDecision *decision)
{
	MlsEndpoint *endpoint = exchange->endpoint;
	const MlsHttpReply *reply = &exchange->transfer->reply;
	MlsObservation seen = {.step = exchange->tuner_step,
						   .rows = exchange->rows,
						   .own_in_flight = exchange->own_in_flight,
						   .all_in_flight = exchange->all_in_flight,
						   .ended_at = mls_http_now(),
						   .latency_us = reply->service_us,
						   .timeout_us = (int64) exchange->timeout_ms * 1000};

	if (decision->verdict == MLS_VERDICT_OK)
		seen.observed = MLS_OBSERVED_REPLY;
	else if (decision->throttled)
		seen.observed = MLS_OBSERVED_THROTTLED;
	else if (decision->kind == MLS_FAILURE_TIMEOUT)
		seen.observed = MLS_OBSERVED_TIMEOUT;
	else if (decision->kind == MLS_FAILURE_TOO_LARGE)
		seen.observed = MLS_OBSERVED_TOO_LARGE;
	else
		return;
	if (endpoint->tuner == NULL || !mls_exchange_is_scoring(exchange))
		return;
	SpinLockAcquire(&endpoint->entry->mutex);
	mls_tuner_observe(endpoint->tuner, &seen);
	SpinLockRelease(&endpoint->entry->mutex);
}

void
mls_account_breaker(MlsExchange *exchange, const MlsDecision *decision)
{
	MlsEntry *entry = exchange->endpoint->entry;
	bool gone = decision->verdict == MLS_VERDICT_FAIL && decision->kind == MLS_FAILURE_UNREACHABLE &&
				!decision->throttled && decision->sqlstate == ERRCODE_CONNECTION_FAILURE;

	if (exchange->elsewhere)
		return;
	SpinLockAcquire(&entry->mutex);
	if (gone)
		mls_breaker_failed(&entry->breaker, mls_http_now(), exchange->probing);
	else
		mls_breaker_succeeded(&entry->breaker);
	SpinLockRelease(&entry->mutex);
	exchange->probing = false;
}
