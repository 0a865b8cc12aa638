/*
 * fetch.c - what the ways to come by a token have in common.
 */
#include "postgres.h"

#include "auth/fetch.h"

#include <time.h>

#include "auth/token_reply.h"
#include "utils/timestamp.h"

/* Token services answer fast or not at all; what waits for them is a statement. */
#define MAX_TIMEOUT_MS (30 * 1000)
#define MAX_ATTEMPTS 3

#define REFUSED_HINT                                                                                                   \
	"The detail has what it said. It is asked again in a minute at the earliest, at once after a change of the "       \
	"credential."

MlsExchange *
mls_fetch_send(const MlsIdentity *identity, const MlsRequestSpec *spec, List *secrets)
{
	MlsRequestSpec bounded = *spec;
	MlsEndpoint *endpoint = mls_endpoint_open_plain(identity->server, secrets);
	MlsExchange *exchange;

	if (bounded.timeout_ms == 0)
		bounded.timeout_ms = Min(identity->server->timeout_ms, MAX_TIMEOUT_MS);
	if (bounded.max_attempts == 0)
		bounded.max_attempts = Min(identity->server->max_attempts, MAX_ATTEMPTS);
	exchange = mls_exchange_request(endpoint, &bounded);
	mls_exchange_wait(exchange);
	return exchange;
}

MlsExchange *
mls_fetch_as(const MlsIdentity *identity, const char *scope, const MlsRequestSpec *spec, const char *what,
			 MlsFetch *fetch)
{
	MlsExchange *exchange = NULL;
	char *refused = NULL;

	for (int attempt = 0; attempt < 2; attempt++)
	{
		MlsTokenRefusal refusal = {.bearer = refused};
		MlsRequestSpec with_token = *spec;
		char *header;

		mls_identity_fetch(identity, scope, refused == NULL ? NULL : &refusal, fetch);
		mls_secret_wipe(refused);
		if (fetch->outcome != MLS_FETCH_OK)
		{
			fetch->detail = psprintf("No token for %s: %s", what, fetch->detail);
			return NULL;
		}
		header = psprintf("Authorization: Bearer %s", fetch->value);
		with_token.headers = lcons(header, list_copy(spec->headers));
		exchange = mls_fetch_send(identity, &with_token, list_make1(fetch->value));
		mls_secret_wipe(header);
		refused = fetch->value;
		if (mls_exchange_status(exchange) != 401)
			break;
	}
	mls_secret_wipe(refused);
	fetch->value = NULL;
	return exchange;
}

static TimestampTz
timestamp_of(int64 seconds)
{
	return time_t_to_timestamptz((pg_time_t) seconds);
}

/* Is a status the service's last word on our credential or configuration? */
static bool
is_refusal(const MlsExchange *exchange)
{
	int status = mls_exchange_status(exchange);

	return status >= 400 && status < 500 && status != 404 && status != 408 && status != 410 && status != 429;
}

void
mls_fetch_fail(const MlsExchange *exchange, MlsFetch *fetch)
{
	const MlsFailure *failure = mls_exchange_failure(exchange);

	memset(fetch, 0, sizeof(*fetch));
	fetch->outcome = is_refusal(exchange) ? MLS_FETCH_REFUSED : MLS_FETCH_FAILED;
	fetch->sqlstate =
		fetch->outcome == MLS_FETCH_REFUSED ? ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION : failure->sqlstate;
	fetch->detail = pstrdup(failure->detail != NULL ? failure->detail : failure->message);
	if (fetch->outcome == MLS_FETCH_REFUSED)
	{
		char *clock = mls_exchange_clock_hint(exchange);

		fetch->hint = clock != NULL ? clock : REFUSED_HINT;
	}
	else if (failure->hint != NULL)
		fetch->hint = "Check that this machine reaches the service, and the server's options authority_host, "
					  "authority_ca_file and proxy.";
}

void
mls_fetch_unavailable(MlsFetch *fetch, char *detail)
{
	memset(fetch, 0, sizeof(*fetch));
	fetch->outcome = MLS_FETCH_UNAVAILABLE;
	fetch->sqlstate = ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION;
	fetch->detail = detail;
}

void
mls_fetch_refuse(MlsFetch *fetch, char *detail, const char *hint)
{
	memset(fetch, 0, sizeof(*fetch));
	fetch->outcome = MLS_FETCH_REFUSED;
	fetch->sqlstate = ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION;
	fetch->detail = detail;
	fetch->hint = unconstify(char *, hint);
}

void
mls_fetch_read(MlsExchange *exchange, const char *source, MlsFetch *fetch)
{
	int64 now = (int64) time(NULL);
	MlsTokenReply reply;
	const char *problem;
	const char *body;
	size_t len;

	if (mls_exchange_failure(exchange) != NULL)
	{
		mls_fetch_fail(exchange, fetch);
		fetch->source = source;
		return;
	}
	body = mls_exchange_body(exchange, &len);
	problem = mls_token_reply_read(body, len, now, &reply);
	mls_exchange_wipe_body(exchange);
	memset(fetch, 0, sizeof(*fetch));
	fetch->source = source;
	if (problem != NULL)
	{
		fetch->outcome = MLS_FETCH_FAILED;
		fetch->sqlstate = ERRCODE_PROTOCOL_VIOLATION;
		fetch->detail = psprintf("The reply of the token service (%s) cannot be used. %s", source, problem);
		return;
	}
	fetch->value = reply.token;
	fetch->fetched_at = timestamp_of(now);
	fetch->expires_at = timestamp_of(reply.expires_at);
	fetch->refresh_at = timestamp_of(
		mls_token_reply_refresh_at(&reply, now, strncmp(source, "managed identity", strlen("managed identity")) == 0));
}

const char *
mls_fetch_env(const char *name)
{
	const char *value = getenv(name);

	return value == NULL || *value == '\0' ? NULL : value;
}
