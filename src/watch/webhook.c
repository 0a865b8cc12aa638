/*
 * webhook.c - alerts as HTTP requests: JSON, signed as Standard Webhooks has it, each attempt with its own time.
 */
#include "watch/alert.h"

#include <time.h>

#include "auth/credential.h"
#include "codec/encoding.h"
#include "miscadmin.h"
#include "transport/retry.h"
#include "utils/builtins.h"
#include "watch/action.h"
#include "watch/webhook_sign.h"
#include "worker/worker.h"

#define HTTP_GONE 410

/* The headers that depend on the time of the attempt. */
static List *
sign(const MlsRequestSpec *spec, const char *id_header, void *arg)
{
	const MlsAlert *alert = arg;
	int64 now = (int64) time(NULL);

	return list_make3(psprintf("webhook-id: %s", alert->event_id), psprintf("webhook-timestamp: " INT64_FORMAT, now),
					  psprintf("webhook-signature: %s",
							   mls_webhook_signature(alert->secret, alert->event_id, now, spec->body, spec->len)));
}

/* In a transaction: what the alert is signed with; raises when there is nothing. */
static MlsReference *
find_secret(const MlsServer *server, Oid userid)
{
	MlsReference *secret = mls_credential_find(server, userid, "secret");

	if (secret == NULL)
		ereport(ERROR, errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				errmsg("no secret for role \"%s\" on server \"%s\"", GetUserNameFromId(userid, false), server->name),
				errhint("%s", mls_credential_hint(server, userid, list_make1("secret"))));
	return secret;
}

/* May wait for a key vault and for a token. */
static MlsEndpoint *
open_endpoint(MlsAlert *alert, const MlsServer *server, MlsReference *secret)
{
	MlsEndpoint *endpoint;
	const char *problem;

	alert->secret = mls_reference_open(secret);
	problem = mls_webhook_secret_problem(alert->secret);
	if (problem != NULL)
		ereport(ERROR, errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				errmsg("the secret in the user mapping of server \"%s\" cannot sign", server->name),
				errdetail("%s", problem));
	endpoint = mls_endpoint_open(server, alert->owner);
	mls_endpoint_hide(endpoint, alert->secret);
	return endpoint;
}

void
mls_alert_send(MlsAlert *alert)
{
	MemoryContext cxt = CurrentMemoryContext;
	MlsRequestSpec spec = {
		.method = "POST", .sign = sign, .sign_arg = alert, .send_credential = true, .idempotent = true};
	MlsReference *secret;
	MlsEndpoint *endpoint;
	MlsServer *server;
	int len;

	mls_worker_begin();
	MemoryContextSwitchTo(cxt);
	server = mls_action_webhook(alert->webhook, alert->owner);
	secret = find_secret(server, alert->owner);
	mls_worker_commit();
	MemoryContextSwitchTo(cxt);
	endpoint = open_endpoint(alert, server, secret);
	alert->body = JsonbToCString(NULL, &alert->payload->root, VARSIZE(alert->payload));
	len = (int) strlen(alert->body);
	spec.url = server->url;
	spec.body = mls_to_utf8(alert->body, &len);
	spec.len = len;
	spec.headers = list_make1("Content-Type: application/json");
	alert->exchange = mls_exchange_request(endpoint, &spec);
}

void
mls_alert_wait(MlsAlert *alert)
{
	const MlsFailure *failure;
	char *wait;

	mls_exchange_wait(alert->exchange);
	failure = mls_exchange_failure(alert->exchange);
	alert->delivered = failure == NULL;
	if (failure != NULL)
	{
		alert->error = pstrdup(failure->message);
		alert->for_good = mls_exchange_status(alert->exchange) == HTTP_GONE;
		wait = mls_exchange_header(alert->exchange, "Retry-After");
		alert->retry_after_ms = wait == NULL ? -1 : mls_retry_after_parse(wait, (int64) time(NULL));
	}
	mls_exchange_free(alert->exchange);
	alert->exchange = NULL;
}
