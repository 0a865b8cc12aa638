/*
 * schema_cache.c - endpoints' schemas: fetched when first needed, kept per backend.
 *
 * Whatever decides the answer is in the key or ends the entry: the server, the role that asks (its credential opens the
 * document), changes of servers and mappings, and time, because endpoints are deployed anew without telling us.
 */
#include "catalog/schema_cache.h"

#include "catalog/url.h"
#include "transport/exchange.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define KEEP_SCHEMA_MS (10 * 60 * 1000)
#define KEEP_REFUSAL_MS (60 * 1000)

typedef struct SchemaKey
{
	Oid serverid;
	Oid userid;
} SchemaKey;

typedef struct SchemaEntry
{
	SchemaKey key;
	MemoryContext cxt; /* NULL: nothing here yet */
	MlsSchema *schema; /* NULL: refused */
	MlsSchemaRefusal refusal;
	uint64 generation; /* of the catalogs it was made under */
	TimestampTz good_until;
} SchemaEntry;

static HTAB *entries;

static SchemaEntry *
find_entry(const MlsServer *server, Oid userid)
{
	HASHCTL ctl = {.keysize = sizeof(SchemaKey), .entrysize = sizeof(SchemaEntry)};
	SchemaKey key = {.serverid = server->serverid, .userid = userid};
	SchemaEntry *entry;
	bool found;

	if (entries == NULL)
		entries = hash_create("ml_score schemas", 16, &ctl, HASH_ELEM | HASH_BLOBS);
	entry = hash_search(entries, &key, HASH_ENTER, &found);
	if (!found)
		entry->cxt = NULL;
	return entry;
}

static bool
is_good(const SchemaEntry *entry)
{
	return entry->cxt != NULL && entry->generation == mls_server_generation() &&
		   GetCurrentTimestamp() < entry->good_until;
}

static MlsField *
copy_fields(const MlsField *fields, int n)
{
	MlsField *copy;

	if (n == 0)
		return NULL;
	copy = palloc(sizeof(MlsField) * n);
	for (int i = 0; i < n; i++)
	{
		copy[i] = fields[i];
		copy[i].name = fields[i].name == NULL ? NULL : pstrdup(fields[i].name);
		copy[i].format = fields[i].format == NULL ? NULL : pstrdup(fields[i].format);
	}
	return copy;
}

/* Callers keep a schema for as long as they like, while the entry may go at any invalidation. */
static MlsSchema *
copy_schema(const MlsSchema *schema)
{
	MlsSchema *copy = palloc(sizeof(MlsSchema));

	*copy = *schema;
	copy->inputs = copy_fields(schema->inputs, schema->ninputs);
	copy->outputs = copy_fields(schema->outputs, schema->noutputs);
	copy->reason = schema->reason == NULL ? NULL : pstrdup(schema->reason);
	copy->rows_open = schema->rows_open == NULL ? NULL : pstrdup(schema->rows_open);
	copy->rows_close = schema->rows_close == NULL ? NULL : pstrdup(schema->rows_close);
	copy->results_key = schema->results_key == NULL ? NULL : pstrdup(schema->results_key);
	return copy;
}

static bool
ends_with(const char *s, const char *suffix)
{
	size_t len = strlen(s);
	size_t suffix_len = strlen(suffix);

	return len >= suffix_len && strcmp(s + len - suffix_len, suffix) == 0;
}

/* MLflow's and Open Inference's servers publish no swagger. */
static bool
may_have_swagger(const MlsServer *server, const char *path)
{
	if (server->swagger_url_given)
		return true;
	switch (server->request_format)
	{
		case MLS_FORMAT_AUTO:
			return !ends_with(path, "/invocations") && !(ends_with(path, "/infer") && strstr(path, "/v2/") != NULL);
		case MLS_FORMAT_RECORDS:
		case MLS_FORMAT_NUMPY:
		case MLS_FORMAT_DESIGNER:
		case MLS_FORMAT_INPUT_DATA:
			return true;
		case MLS_FORMAT_DATAFRAME_SPLIT:
		case MLS_FORMAT_DATAFRAME_RECORDS:
		case MLS_FORMAT_INPUTS:
		case MLS_FORMAT_INSTANCES:
		case MLS_FORMAT_OPEN_INFERENCE:
			return false;
	}
	return true;
}

/* Does this failure mean that the endpoint is there and offers no such document? Others may pass, or would not score. */
static bool
is_refusal(const MlsFailure *failure)
{
	switch (failure->http_status)
	{
		case 0:
		case 408:
		case 429:
		case 502:
		case 503:
		case 504:
			return false;
		default:
			return true;
	}
}

/* The document cannot be had now: no row is sent, and so none can fail by itself. */
pg_noreturn static void
raise_unread(const MlsServer *server, const MlsFailure *failure)
{
	MlsFailure explained = *failure;

	explained.hint = psprintf("%s%sThe server was asked for its swagger, which says how rows are sent. No row was, so "
							  "that on_error does not apply.",
							  failure->hint == NULL ? "" : failure->hint, failure->hint == NULL ? "" : " ");
	mls_failure_raise(server, &explained);
}

/* GET url and parse it. NULL and *refusal when the endpoint refuses; raises when it cannot be reached. */
static MlsSchema *
fetch_document(MlsEndpoint *endpoint, const char *url, const char *path, MlsSchemaRefusal *refusal)
{
	MlsExchange *exchange = mls_exchange_get(endpoint, url);
	const MlsFailure *failure;
	MlsSchema *schema = NULL;
	const char *body;
	size_t len;

	while (!mls_exchange_done(exchange))
		mls_exchange_pump(true);
	failure = mls_exchange_failure(exchange);
	if (failure != NULL && !is_refusal(failure))
		raise_unread(mls_endpoint_server(endpoint), failure);
	refusal->denied = failure != NULL && (failure->http_status == 401 || failure->http_status == 403);
	if (refusal->denied)
		refusal->reason =
			psprintf("The endpoint answers HTTP %d for %s: %s.", failure->http_status, url, failure->message);
	else if (failure != NULL)
		refusal->reason = psprintf("The endpoint answers HTTP %d for %s.", failure->http_status, url);
	else
	{
		body = mls_exchange_body(exchange, &len);
		schema = mls_swagger_parse(body, len, path);
	}
	mls_exchange_free(exchange);
	return schema;
}

/*
 * Try the document as it is, then its version 3: what the inference server makes of input_data cannot be said in
 * swagger 2.0, and then there is no such document, or it knows nothing of the scoring path.
 */
static MlsSchema *
fetch_schema(const MlsServer *server, Oid userid, const char *path, MlsSchemaRefusal *refusal)
{
	MlsEndpoint *endpoint = mls_endpoint_open(server, userid);
	MlsSchema *first = fetch_document(endpoint, server->swagger_url, path, refusal);
	MlsSchema *third;
	MlsSchemaRefusal ignored;

	if (server->swagger_url_given || (first != NULL && first->inputs_known))
		return first;
	third = fetch_document(endpoint, mls_url_add_query(server->swagger_url, "version=3"), path, &ignored);
	return third != NULL && (first == NULL || third->inputs_known) ? third : first;
}

/* Fill in entry. All that the fetch makes goes with scratch, the exchange too if an error cuts it. */
static void
renew_entry(SchemaEntry *entry, const MlsServer *server, Oid userid)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(caller, "ml_score schema fetch", ALLOCSET_SMALL_SIZES);
	uint64 started = mls_server_generation();
	char *path;
	MlsSchemaRefusal refusal = {0};
	MlsSchema *schema = NULL;

	if (entry->cxt != NULL)
		MemoryContextDelete(entry->cxt);
	entry->cxt = NULL;
	MemoryContextSwitchTo(scratch);
	path = mls_url_path(server->url);
	if (path == NULL)
		path = pstrdup("/");
	if (may_have_swagger(server, path))
		schema = fetch_schema(server, userid, path, &refusal);
	else
		refusal.reason =
			"Servers of this request format publish no swagger, and the option \"swagger_url\" is not given.";
	entry->cxt = AllocSetContextCreate(TopMemoryContext, "ml_score schema", ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(entry->cxt);
	entry->schema = schema == NULL ? NULL : copy_schema(schema);
	entry->refusal.denied = refusal.denied;
	entry->refusal.reason =
		pstrdup(refusal.reason != NULL ? refusal.reason : "The endpoint's document is not a swagger.");
	entry->generation = started;
	entry->good_until =
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(), schema == NULL ? KEEP_REFUSAL_MS : KEEP_SCHEMA_MS);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
}

const MlsSchema *
mls_schema_get_reason(const MlsServer *server, Oid userid, MlsSchemaRefusal *refusal)
{
	SchemaEntry *entry = find_entry(server, userid);

	if (!is_good(entry))
		renew_entry(entry, server, userid);
	*refusal = (MlsSchemaRefusal){0};
	if (entry->schema != NULL)
		return copy_schema(entry->schema);
	*refusal = entry->refusal;
	refusal->reason = pstrdup(refusal->reason);
	return NULL;
}

const MlsSchema *
mls_schema_get(const MlsServer *server, Oid userid)
{
	MlsSchemaRefusal refusal;

	return mls_schema_get_reason(server, userid, &refusal);
}
