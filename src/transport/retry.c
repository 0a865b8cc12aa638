/*
 * retry.c - what an attempt's outcome means, and how long to wait before the next.
 */
#include "postgres.h"

#include <curl/curl.h>
#include <math.h>

#include "transport/retry.h"

static MlsDecision
ok(void)
{
	return (MlsDecision){.verdict = MLS_VERDICT_OK};
}

static MlsDecision
fail(MlsFailureKind kind, int sqlstate)
{
	return (MlsDecision){.verdict = MLS_VERDICT_FAIL, .kind = kind, .sqlstate = sqlstate};
}

/* Another attempt while there are any left, counting up to `limit` of them; then fail as given. */
static MlsDecision
retry_up_to(const MlsAttempt *attempt, int limit, MlsFailureKind kind, int sqlstate)
{
	if (attempt->number < Min(limit, attempt->max_attempts))
		return (MlsDecision){.verdict = MLS_VERDICT_RETRY, .kind = kind, .sqlstate = sqlstate};
	return fail(kind, sqlstate);
}

static MlsDecision
retry(const MlsAttempt *attempt, MlsFailureKind kind, int sqlstate)
{
	return retry_up_to(attempt, attempt->max_attempts, kind, sqlstate);
}

static MlsDecision
retry_throttled(const MlsAttempt *attempt)
{
	MlsDecision decision = retry(attempt, MLS_FAILURE_UNREACHABLE, ERRCODE_CONNECTION_FAILURE);

	decision.throttled = true;
	return decision;
}

static MlsDecision
decide_without_reply(const MlsAttempt *attempt)
{
	switch (attempt->wire)
	{
		case MLS_WIRE_UNTRUSTED:
		case MLS_WIRE_FORBIDDEN:
			return fail(MLS_FAILURE_UNREACHABLE, ERRCODE_CONNECTION_FAILURE);
		case MLS_WIRE_TIMEOUT:
			/* The same batch would most likely take as long: a smaller one is the better second attempt. */
			return retry_up_to(attempt, attempt->rows > 1 ? 1 : 2, MLS_FAILURE_TIMEOUT, ERRCODE_CONNECTION_FAILURE);
		case MLS_WIRE_REPLY_TOO_LARGE:
			return fail(MLS_FAILURE_TOO_LARGE, ERRCODE_PROGRAM_LIMIT_EXCEEDED);
		case MLS_WIRE_MALFORMED:
			return retry(attempt, MLS_FAILURE_UNREACHABLE, ERRCODE_PROTOCOL_VIOLATION);
		case MLS_WIRE_LOCAL:
			return fail(MLS_FAILURE_CONFIGURATION, ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION);
		default:
			return retry(attempt, MLS_FAILURE_UNREACHABLE, ERRCODE_CONNECTION_FAILURE);
	}
}

/* May it be sent again? Without a connection nothing was carried out; what is refused as too much was not either. */
static bool
may_repeat(const MlsAttempt *attempt)
{
	if (attempt->idempotent)
		return true;
	if (attempt->wire == MLS_WIRE_REPLY)
		return attempt->status == 429 || attempt->status == 503;
	return attempt->wire == MLS_WIRE_UNRESOLVED || attempt->wire == MLS_WIRE_UNREACHABLE ||
		   attempt->wire == MLS_WIRE_TLS;
}

/* What a status means of a request that no model answers. */
static MlsDecision
decide_request(const MlsAttempt *attempt)
{
	switch (attempt->status)
	{
		case 401:
		case 403:
		case 407:
			return fail(MLS_FAILURE_CONFIGURATION, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION);
		case 404:
			return fail(MLS_FAILURE_CONFIGURATION, ERRCODE_UNDEFINED_OBJECT);
		case 408:
			return retry(attempt, MLS_FAILURE_TIMEOUT, ERRCODE_CONNECTION_FAILURE);
		case 409:
		case 412:
			return fail(MLS_FAILURE_CONFIGURATION, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE);
		case 413:
			return fail(MLS_FAILURE_TOO_LARGE, ERRCODE_PROGRAM_LIMIT_EXCEEDED);
		case 429:
			return retry_throttled(attempt);
		case 501:
		case 505:
			return fail(MLS_FAILURE_CONFIGURATION, ERRCODE_PROTOCOL_VIOLATION);
	}
	if (attempt->status >= 500)
		return retry(attempt, MLS_FAILURE_UNREACHABLE, ERRCODE_CONNECTION_FAILURE);
	return fail(MLS_FAILURE_REJECTED, ERRCODE_EXTERNAL_ROUTINE_EXCEPTION);
}

/* Azure's gateway wraps whatever the container answered, unless it was 200, into 424. */
static MlsDecision
decide_wrapped(const MlsAttempt *attempt)
{
	if (attempt->inner_status == 429)
		return retry_throttled(attempt);
	if (attempt->inner_status == 503)
		return retry(attempt, MLS_FAILURE_UNREACHABLE, ERRCODE_CONNECTION_FAILURE);
	return fail(MLS_FAILURE_REJECTED, ERRCODE_EXTERNAL_ROUTINE_EXCEPTION);
}

/* What a model's status means. */
static MlsDecision
decide_scoring(const MlsAttempt *attempt)
{
	int status = attempt->status;

	switch (status)
	{
		case 400:
		case 422:
			return fail(MLS_FAILURE_REJECTED, ERRCODE_EXTERNAL_ROUTINE_EXCEPTION);
		case 401:
		case 403:
		case 407:
			return fail(MLS_FAILURE_CONFIGURATION, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION);
		case 404:
			return fail(MLS_FAILURE_CONFIGURATION, ERRCODE_UNDEFINED_OBJECT);
		case 408:
			return retry_up_to(attempt, 2, MLS_FAILURE_TIMEOUT, ERRCODE_CONNECTION_FAILURE);
		case 409:
			return fail(MLS_FAILURE_CONFIGURATION, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE);
		case 413:
			return fail(MLS_FAILURE_TOO_LARGE, ERRCODE_PROGRAM_LIMIT_EXCEEDED);
		case 424:
			return decide_wrapped(attempt);
		case 429:
			return retry_throttled(attempt);
		case 500:
			/* Without the header it may be the platform, with it it was the model's code. */
			if (attempt->run_function_failed)
				return fail(MLS_FAILURE_REJECTED, ERRCODE_EXTERNAL_ROUTINE_EXCEPTION);
			return retry(attempt, MLS_FAILURE_REJECTED, ERRCODE_EXTERNAL_ROUTINE_EXCEPTION);
		case 501:
		case 505:
			return fail(MLS_FAILURE_CONFIGURATION, ERRCODE_PROTOCOL_VIOLATION);
	}
	if (status >= 500)
		return retry(attempt, MLS_FAILURE_UNREACHABLE, ERRCODE_CONNECTION_FAILURE);
	return fail(MLS_FAILURE_CONFIGURATION, ERRCODE_PROTOCOL_VIOLATION);
}

MlsDecision
mls_retry_decide(const MlsAttempt *attempt)
{
	MlsDecision decision;

	if (attempt->wire != MLS_WIRE_REPLY)
		decision = decide_without_reply(attempt);
	else if (attempt->status >= 200 && attempt->status < 300)
		return ok();
	else
		decision = attempt->scoring ? decide_scoring(attempt) : decide_request(attempt);
	if (decision.verdict == MLS_VERDICT_RETRY && !may_repeat(attempt))
		decision.verdict = MLS_VERDICT_FAIL;
	return decision;
}

int
mls_retry_delay_ms(int number, int base_ms, int max_ms, int64 retry_after_ms, double random)
{
	double ceiling;

	if (retry_after_ms >= 0)
		return (int) Min(retry_after_ms, MLS_RETRY_AFTER_MAX_MS);
	ceiling = Min((double) max_ms, ldexp((double) base_ms, Min(number - 1, 30)));
	return (int) (random * ceiling);
}

/* A whole or decimal number with nothing after it, times scale; -1 when it is not one. Negative numbers are 0. */
static int64
parse_number(const char *value, double scale)
{
	char *end;
	double number = strtod(value, &end);

	if (end == value || *end != '\0' || isnan(number))
		return -1;
	if (number < 0)
		return 0;
	return (int64) Min(number * scale, 1e15);
}

int64
mls_retry_after_ms_parse(const char *value)
{
	return parse_number(value, 1);
}

int64
mls_retry_after_parse(const char *value, int64 now)
{
	int64 delay = parse_number(value, 1000);
	time_t when;

	if (delay >= 0)
		return delay;
	when = curl_getdate(value, NULL);
	if (when == (time_t) -1)
		return -1;
	return when <= now ? 0 : ((int64) when - now) * 1000;
}
