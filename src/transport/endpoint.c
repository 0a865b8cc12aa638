/*
 * endpoint.c - endpoint handles: a server and a credential to use it with.
 *
 * A handle lives in a memory context of its own below the caller's. Whatever ends that (the statement's end, an error,
 * a subtransaction's abort) runs the context's callback, which cuts transfers and gives shared slots back; a backend
 * that exits with handles open does the same on its way out.
 */
#include "postgres.h"

#include "auth/token_cache.h"
#include "catalog/reading.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "transport/endpoint.h"
#include "utils/memutils.h"

static dlist_head open_endpoints = DLIST_STATIC_INIT(open_endpoints);

/* Give back everything that outlives the handle's memory. Never raises; once is enough. */
static void
close_endpoint(MlsEndpoint *endpoint)
{
	dlist_mutable_iter iter;
	ListCell *lc;

	if (endpoint->entry == NULL)
		return;
	dlist_foreach_modify(iter, &endpoint->exchanges)
	{
		mls_exchange_abandon(dlist_container(MlsExchange, node, iter.cur));
	}
	if (endpoint->authorization.header != NULL)
		explicit_bzero(endpoint->authorization.header, strlen(endpoint->authorization.header));
	foreach (lc, endpoint->secrets)
		explicit_bzero(lfirst(lc), strlen(lfirst(lc)));
	dlist_delete(&endpoint->node);
	mls_entry_close(endpoint->entry);
	endpoint->entry = NULL;
}

static void
endpoint_context_reset(void *arg)
{
	close_endpoint(arg);
}

/* Shared memory must not keep what a handle held, even when the backend goes without resetting its contexts. */
static void
close_all_endpoints(int code, Datum arg)
{
	while (!dlist_is_empty(&open_endpoints))
		close_endpoint(dlist_head_element(MlsEndpoint, node, &open_endpoints));
}

/* Put a header in front of list. What could end the line and smuggle in another is refused, without showing it. */
static struct curl_slist *
add_header(struct curl_slist *list, const MlsServer *server, char *line)
{
	struct curl_slist *node = palloc(sizeof(struct curl_slist));

	for (const char *c = line; *c != '\0'; c++)
	{
		if ((unsigned char) *c < 0x20 || *c == 0x7f)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("credential or deployment of server \"%s\" contains a control character", server->name),
					 errhint("Set it again with ALTER USER MAPPING or ALTER SERVER, without line breaks.")));
	}
	node->data = line;
	node->next = list;
	return node;
}

/* A copy of the secret in "Authorization: SCHEME SECRET", without white space around it, which peers drop. */
static char *
credential_in(const char *authorization)
{
	const char *scheme = strchr(authorization, ' ');
	const char *secret = scheme == NULL ? NULL : strchr(scheme + 1, ' ');
	size_t len;

	if (secret == NULL)
		return NULL;
	secret += strspn(secret, " ");
	len = strlen(secret);
	while (len > 0 && secret[len - 1] == ' ')
		len--;
	return pnstrdup(secret, len);
}

static void
make_headers(MlsEndpoint *endpoint)
{
	char *authorization = endpoint->authorization.header;
	const MlsServer *server = endpoint->server;
	struct curl_slist *headers = NULL;

	headers = add_header(headers, server, pstrdup("User-Agent: ml_score/1.0 PostgreSQL/" PG_MAJORVERSION));
	endpoint->headers_anonymous = headers;
	if (authorization != NULL)
	{
		headers = add_header(headers, server, authorization);
		endpoint->secrets = lappend(endpoint->secrets, credential_in(authorization));
	}
	endpoint->headers_get = headers;
	if (server->deployment != NULL)
		headers = add_header(headers, server, psprintf("azureml-model-deployment: %s", server->deployment));
	headers = add_header(headers, server, pstrdup("Content-Type: application/json"));
	if (server->compression == MLS_COMPRESSION_GZIP)
		headers = add_header(headers, server, pstrdup("Content-Encoding: gzip"));

	/* libcurl would ask leave (100-continue) before it sends a long body: a round trip for nothing. */
	endpoint->headers_post = add_header(headers, server, pstrdup("Expect:"));
}

void
mls_endpoint_check_url(const MlsServer *server, const char *url)
{
	char *refusal = mls_url_refusal(url);

	if (refusal != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("requests to server \"%s\" are not allowed", server->name), errdetail_internal("%s", refusal),
				 errhint("Change the server's URL with ALTER SERVER, or have a superuser change "
						 "ml_score.allowed_hosts or ml_score.allow_http.")));
}

/* The tuner for what server leaves to it, NULL when that is nothing. */
static MlsTuner *
choose_tuner(MlsEntry *entry, const MlsServer *server)
{
	bool rows_auto = server->max_batch_rows == MLS_AUTO;
	bool parallel_auto = server->max_parallel_requests == MLS_AUTO;
	MlsTuner *tuner;

	if (!rows_auto && !parallel_auto)
		return NULL;
	tuner = &entry->tuners[!rows_auto		? MLS_TUNER_PARALLEL_ONLY
						   : !parallel_auto ? MLS_TUNER_ROWS_ONLY
											: MLS_TUNER_BOTH];
	SpinLockAcquire(&entry->mutex);
	mls_tuner_fix(tuner, server->max_batch_rows, server->max_parallel_requests);
	SpinLockRelease(&entry->mutex);
	return tuner;
}

/* A handle without a credential yet; the caller is in its context afterwards. */
static MlsEndpoint *
make_endpoint(const MlsServer *server)
{
	static bool exit_registered = false;
	MemoryContext cxt;
	MlsEndpoint *endpoint;

	if (!exit_registered)
	{
		on_shmem_exit(close_all_endpoints, (Datum) 0);
		exit_registered = true;
	}

	cxt = AllocSetContextCreate(CurrentMemoryContext, "ml_score endpoint", ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(cxt);
	endpoint = palloc0(sizeof(MlsEndpoint));
	endpoint->cxt = cxt;
	endpoint->server = mls_server_copy(server);
	dlist_init(&endpoint->exchanges);
	return endpoint;
}

/* Have everything that outlives the handle's memory given back with it. */
static void
register_endpoint(MlsEndpoint *endpoint)
{
	endpoint->entry = mls_entry_open(endpoint->server);
	dlist_push_tail(&open_endpoints, &endpoint->node);
	endpoint->callback.func = endpoint_context_reset;
	endpoint->callback.arg = endpoint;
	MemoryContextRegisterResetCallback(endpoint->cxt, &endpoint->callback);
}

/* What authorizes now, in the current context. Where no transaction is open, none is while the network is waited for. */
static MlsAuthorization
authorize(const MlsEndpoint *endpoint, const MlsAuthRefusal *refusal)
{
	MlsReading reading;
	MlsAuthPlan *plan;

	mls_reading_begin(&reading);
	plan = mls_auth_plan(endpoint->server, endpoint->userid, refusal);
	mls_reading_end(&reading);
	return mls_auth_take(plan);
}

MlsEndpoint *
mls_endpoint_open(const MlsServer *server, Oid userid)
{
	MemoryContext old = CurrentMemoryContext;
	MlsEndpoint *endpoint;

	if (server->url != NULL)
		mls_endpoint_check_url(server, server->url);
	endpoint = make_endpoint(server);
	endpoint->userid = userid;
	endpoint->authorization = authorize(endpoint, NULL);
	make_headers(endpoint);
	register_endpoint(endpoint);
	endpoint->tuner = choose_tuner(endpoint->entry, server);
	MemoryContextSwitchTo(old);
	return endpoint;
}

MlsEndpoint *
mls_endpoint_open_plain(const MlsServer *server, List *secrets)
{
	MemoryContext old = CurrentMemoryContext;
	MlsEndpoint *endpoint = make_endpoint(server);
	ListCell *lc;

	endpoint->server->url = NULL;
	foreach (lc, secrets)
		endpoint->secrets = lappend(endpoint->secrets, pstrdup(lfirst(lc)));
	endpoint->authorization.renew_at = DT_NOEND;
	make_headers(endpoint);
	register_endpoint(endpoint);
	MemoryContextSwitchTo(old);
	return endpoint;
}

bool
mls_endpoint_renew(MlsEndpoint *endpoint, bool was_refused, const char *challenge)
{
	MlsAuthRefusal refusal = {.header = endpoint->authorization.header, .challenge = challenge};
	MemoryContext old = MemoryContextSwitchTo(endpoint->cxt);
	MlsAuthorization authorization;
	bool changed;

	authorization = authorize(endpoint, was_refused ? &refusal : NULL);
	changed = strcmp(authorization.header, endpoint->authorization.header) != 0;

	/* The old header may still be on its way, so it stays until the handle is closed. */
	if (changed)
	{
		endpoint->secrets = lappend(endpoint->secrets, endpoint->authorization.header);
		endpoint->authorization = authorization;
		endpoint->auth_serial++;
		make_headers(endpoint);
	}
	else
		endpoint->authorization.renew_at = authorization.renew_at;
	MemoryContextSwitchTo(old);
	return changed;
}

const MlsServer *
mls_endpoint_server(const MlsEndpoint *endpoint)
{
	return endpoint->server;
}

void
mls_endpoint_hide(MlsEndpoint *endpoint, const char *secret)
{
	MemoryContext old = MemoryContextSwitchTo(endpoint->cxt);

	endpoint->secrets = lappend(endpoint->secrets, pstrdup(secret));
	MemoryContextSwitchTo(old);
}

MlsCounters *
mls_endpoint_counters(MlsEndpoint *endpoint)
{
	return &endpoint->counters;
}

bool
mls_endpoint_takes(MlsEndpoint *endpoint, int count, double share)
{
	return mls_share_takes(pg_atomic_fetch_add_u64(&endpoint->entry->turns[count], 1), share);
}

/* One int of shared memory: a read without the lock is as good as a moment earlier or later. */
int
mls_endpoint_batch_rows(MlsEndpoint *endpoint)
{
	if (endpoint->server->max_batch_rows != MLS_AUTO)
		return endpoint->server->max_batch_rows;
	return *(volatile int *) &endpoint->tuner->batch_rows;
}

int
mls_endpoint_parallel(MlsEndpoint *endpoint)
{
	if (endpoint->server->max_parallel_requests != MLS_AUTO)
		return endpoint->server->max_parallel_requests;
	return *(volatile int *) &endpoint->tuner->parallel;
}
