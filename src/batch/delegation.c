/*
 * delegation.c - see delegation.h.
 *
 * The service gives a key for at most seven days. It is kept for one, among the tokens, so whatever it signs is good for
 * the six days that are left.
 */
#include "postgres.h"

#include "batch/delegation.h"

#include <time.h>

#include "auth/fetch.h"
#include "pgtime.h"
#include "utils/timestamp.h"

#define DAY_S (24 * 60 * 60)

/* So much may this machine's clock be wrong; more than that the service refuses anyway. */
#define SKEW_S (15 * 60)
#define KEY_S (7 * DAY_S - SKEW_S)

#define MAX_FIELD 512

struct MlsDelegator
{
	MlsCacheKey key;
	MlsCacheLabel label;
};

typedef struct FetchArg
{
	MlsBlobStore *store;
	const MlsServer *server;
} FetchArg;

/* The elements of the service's reply, in the order of MlsDelegationKey. */
static const char *const elements[] = {"SignedOid",		"SignedTid",	 "SignedStart", "SignedExpiry",
									   "SignedService", "SignedVersion", "Value"};

MlsDelegator *
mls_delegator_open(const MlsServer *server, Oid userid, const MlsLocation *location)
{
	MlsDelegator *delegator = palloc(sizeof(MlsDelegator));
	MlsIdentity *identity = mls_identity_load(server, userid);

	delegator->key = mls_identity_key(identity, "delegation key", location->service);
	delegator->label = (MlsCacheLabel){.kind = "delegation key",
									   .authority = identity->authority,
									   .identity = pstrdup(mls_identity_principal(identity)),
									   .scope = location->service};
	mls_identity_wipe(identity);
	return delegator;
}

static void
append_time(StringInfo out, const char *element, pg_time_t at)
{
	appendStringInfo(out, "<%s>%s</%s>", element, mls_blob_time(at), element);
}

/* The reply's fields as lines; NULL when it lacks one, or one is nothing that could be signed. */
static char *
read_key(const char *body, size_t len)
{
	StringInfoData lines;

	initStringInfo(&lines);
	for (int i = 0; i < lengthof(elements); i++)
	{
		char *text = mls_blob_xml_text(body, len, elements[i]);

		if (text == NULL || *text == '\0' || strlen(text) > MAX_FIELD || strchr(text, '\n') != NULL)
			return NULL;
		appendStringInfo(&lines, "%s%s", i > 0 ? "\n" : "", text);
		mls_secret_wipe(text);
	}
	return lines.data;
}

static void
fetch_failed(MlsExchange *exchange, MlsFetch *fetch)
{
	mls_fetch_fail(exchange, fetch);
	if (mls_exchange_status(exchange) == 403)
		fetch->hint =
			"The identity needs the role \"Storage Blob Delegator\" on the storage account, or \"Storage Blob Data "
			"Contributor\" on the account: on a container alone it does not do.";
}

/* The MlsFetcher of keys. */
static void
fetch_key(void *arg, MlsFetch *fetch)
{
	const FetchArg *what = arg;
	pg_time_t now = (pg_time_t) time(NULL);
	StringInfoData xml;
	MlsExchange *exchange;
	const char *body;
	size_t len;

	initStringInfo(&xml);
	appendStringInfoString(&xml, "<?xml version=\"1.0\" encoding=\"utf-8\"?><KeyInfo>");
	append_time(&xml, "Start", now - SKEW_S);
	append_time(&xml, "Expiry", now - SKEW_S + KEY_S);
	appendStringInfoString(&xml, "</KeyInfo>");
	exchange = mls_blob_post_key_info(what->store, xml.data, xml.len);
	mls_exchange_wait(exchange);
	if (mls_exchange_failure(exchange) != NULL)
		fetch_failed(exchange, fetch);
	else
	{
		memset(fetch, 0, sizeof(*fetch));
		body = mls_exchange_body(exchange, &len);
		fetch->value = read_key(body, len);
		fetch->fetched_at = time_t_to_timestamptz(now);
		fetch->refresh_at = time_t_to_timestamptz(now + DAY_S / 2);
		fetch->expires_at = time_t_to_timestamptz(now + DAY_S - SKEW_S);
		if (fetch->value == NULL)
		{
			fetch->outcome = MLS_FETCH_FAILED;
			fetch->sqlstate = ERRCODE_PROTOCOL_VIOLATION;
			fetch->detail = psprintf("The reply of server \"%s\" is no user delegation key.", what->server->name);
		}
	}
	fetch->source = "blob service";
	mls_exchange_free(exchange);
}

MlsDelegationKey *
mls_delegation_key_get(MlsBlobStore *store, const MlsDelegator *delegator)
{
	FetchArg arg = {.store = store, .server = mls_blob_server(store)};
	const char *fields[lengthof(elements)];
	MlsDelegationKey *key = palloc(sizeof(MlsDelegationKey));
	MlsFetch fetch;
	char *rest;

	mls_cache_get(&delegator->key, &delegator->label, fetch_key, &arg, &fetch);
	if (fetch.outcome != MLS_FETCH_OK)
		mls_fetch_raise(arg.server, "a user delegation key", &fetch);
	rest = fetch.value;
	for (int i = 0; i < lengthof(elements); i++)
	{
		size_t len = strcspn(rest, "\n");

		fields[i] = pnstrdup(rest, len);
		rest += len + (rest[len] == '\n');
	}
	mls_secret_wipe(fetch.value);
	*key = (MlsDelegationKey){.oid = fields[0],
							  .tid = fields[1],
							  .start = fields[2],
							  .expiry = fields[3],
							  .service = fields[4],
							  .version = fields[5],
							  .value = fields[6]};
	return key;
}
