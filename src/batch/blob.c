/*
 * blob.c - see blob.h.
 */
#include "postgres.h"

#include "batch/blob.h"

#include <openssl/evp.h>

#include "auth/credential.h"
#include "batch/blob_sign.h"
#include "batch/delegation.h"
#include "batch/percent.h"
#include "catalog/reading.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* The service lists 5000 blobs on a page. */
#define MAX_LIST_PAGES 1000

struct MlsBlobStore
{
	MlsEndpoint *endpoint;
	const MlsServer *server;
	MlsLocation location;
	char *sas;				 /* a query, with auth 'sas'; else NULL */
	char *key;				 /* with auth 'shared_key'; else NULL */
	MlsDelegator *delegator; /* with auth 'entra'; else NULL */
};

/* The mapping's option, or an error that says how to give it. */
static MlsReference *
require_credential(const MlsServer *server, Oid userid, const char *option, const char *auth)
{
	MlsReference *reference = mls_credential_find(server, userid, option);

	if (reference == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
						errmsg("no credentials for role \"%s\" on server \"%s\"", GetUserNameFromId(userid, false),
							   server->name),
						errdetail("The server has auth '%s', and no user mapping for the role or for PUBLIC has the "
								  "option \"%s\".",
								  auth, option),
						errhint("%s", mls_credential_hint(server, userid, list_make1(unconstify(char *, option))))));
	return reference;
}

/* The value of a parameter ("name=") of a SAS, as it stands there, up to the SAS's end; NULL when it has none. */
static const char *
sas_parameter(const char *sas, const char *name)
{
	size_t len = strlen(name);

	while (strncmp(sas, name, len) != 0)
	{
		sas = strchr(sas, '&');
		if (sas == NULL)
			return NULL;
		sas++;
	}
	return sas + len;
}

const char *
mls_blob_sas_signature(const char *sas)
{
	const char *signature = sas_parameter(sas, "sig=");

	return signature == NULL ? sas : signature;
}

char *
mls_blob_sas_expiry(const char *sas)
{
	const char *expiry = sas_parameter(sas, "se=");

	return expiry == NULL ? NULL : mls_percent_decode(expiry, strcspn(expiry, "&"));
}

char *
mls_blob_time(pg_time_t time)
{
	char text[32];

	pg_strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", pg_gmtime(&time));
	return pstrdup(text);
}

static void
use_sas(MlsBlobStore *store, char *sas)
{
	store->sas = sas + (*sas == '?');
	for (const char *c = store->sas; *c != '\0'; c++)
	{
		if ((unsigned char) *c <= ' ' || *c == '#')
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("the sas_token of server \"%s\" is no query of a URL", store->server->name)));
	}
	mls_endpoint_hide(store->endpoint, mls_blob_sas_signature(store->sas));
}

static void
use_key(MlsBlobStore *store, char *key)
{
	char signature[MLS_SIGNATURE_SIZE];

	store->key = key;
	if (!mls_blob_sign(store->key, "", signature))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the account_key of server \"%s\" is no base64", store->server->name)));
	mls_endpoint_hide(store->endpoint, store->key);
}

/* What is in no Authorization header. Where no transaction is open, none is while a key vault is waited for. */
static void
read_credentials(MlsBlobStore *store, Oid userid)
{
	const MlsServer *server = store->server;
	MlsReference *sas = NULL;
	MlsReference *key = NULL;
	MlsReading reading;

	mls_reading_begin(&reading);
	if (server->auth == MLS_AUTH_SAS)
		sas = require_credential(server, userid, "sas_token", "sas");
	else if (server->auth == MLS_AUTH_SHARED_KEY)
		key = require_credential(server, userid, "account_key", "shared_key");
	else if (server->auth == MLS_AUTH_ENTRA)
		store->delegator = mls_delegator_open(server, userid, &store->location);
	mls_reading_end(&reading);
	if (sas != NULL)
		use_sas(store, mls_reference_open(sas));
	if (key != NULL)
		use_key(store, mls_reference_open(key));
}

MlsBlobStore *
mls_blob_open(const MlsServer *server, Oid userid)
{
	MlsBlobStore *store = palloc0(sizeof(MlsBlobStore));

	store->endpoint = mls_endpoint_open(server, userid);
	store->server = mls_endpoint_server(store->endpoint);
	if (!mls_location_parse(server->url, server->account, &store->location))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"url\" of server \"%s\" names no container", server->name)));
	read_credentials(store, userid);
	return store;
}

const MlsLocation *
mls_blob_location(const MlsBlobStore *store)
{
	return &store->location;
}

const MlsServer *
mls_blob_server(const MlsBlobStore *store)
{
	return store->server;
}

char *
mls_blob_full_path(const MlsBlobStore *store, const char *path)
{
	if (*store->location.prefix == '\0')
		return pstrdup(path);
	return psprintf("%s/%s", store->location.prefix, path);
}

char *
mls_blob_url(const MlsBlobStore *store, const char *path)
{
	return psprintf("%s/%s/%s", store->location.service, store->location.container, mls_blob_full_path(store, path));
}

char *
mls_blob_path_of_url(const MlsBlobStore *store, const char *url)
{
	char *base = mls_blob_url(store, "");
	size_t len = strlen(base);

	if (strncmp(url, base, len) != 0)
		return NULL;
	return pnstrdup(url + len, strcspn(url + len, "?#"));
}

/* "Tue, 24 Nov 2026 23:00:00 GMT" */
static char *
http_date(pg_time_t now)
{
	char date[64];

	pg_strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", pg_gmtime(&now));
	return psprintf("x-ms-date: %s", date);
}

/* The headers of an attempt that depend on the time: the date, and with auth 'shared_key' the signature over all. */
static List *
sign_attempt(const MlsRequestSpec *spec, const char *id_header, void *arg)
{
	const MlsBlobStore *store = arg;
	char *date = http_date((pg_time_t) time(NULL));
	List *signed_headers = list_make1(date);
	const char **lines;
	char signature[MLS_SIGNATURE_SIZE];
	ListCell *lc;
	int n = 0;

	if (store->key == NULL)
		return signed_headers;
	lines = palloc(sizeof(char *) * (list_length(spec->headers) + 2));
	foreach (lc, spec->headers)
		lines[n++] = lfirst(lc);
	lines[n++] = date;
	lines[n++] = id_header;
	mls_blob_sign(store->key,
				  mls_blob_string_to_sign(spec->method, store->location.account, spec->url, lines, n, spec->len),
				  signature);
	return lappend(signed_headers, psprintf("Authorization: SharedKey %s:%s", store->location.account, signature));
}

/* Start a request for url, which may have a query already. Every one may be sent again. */
static MlsExchange *
request(MlsBlobStore *store, const char *method, const char *url, List *headers, const char *body, size_t len)
{
	MlsRequestSpec spec = {.method = method,
						   .url = url,
						   .body = body,
						   .len = len,
						   .headers = lcons("x-ms-version: " MLS_BLOB_VERSION, headers),
						   .sign = sign_attempt,
						   .sign_arg = store,
						   .send_credential = store->sas == NULL && store->key == NULL,
						   .idempotent = true};

	if (store->sas != NULL)
		spec.url = psprintf("%s%c%s", url, strchr(url, '?') == NULL ? '?' : '&', store->sas);
	return mls_exchange_request(store->endpoint, &spec);
}

void
mls_blob_md5(const char *data, size_t len, char md5[MLS_MD5_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	if (!EVP_Digest(data, len, digest, NULL, EVP_md5(), NULL))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("could not compute an MD5"),
						errdetail("OpenSSL may be in FIPS mode.")));
	EVP_EncodeBlock((unsigned char *) md5, digest, 16);
}

static List *
type_headers(const char *type)
{
	return list_make2(psprintf("x-ms-blob-content-type: %s", type), "If-None-Match: *");
}

MlsExchange *
mls_blob_put(MlsBlobStore *store, const char *path, const char *type, const char *body, size_t len)
{
	List *headers = lappend(type_headers(type), "x-ms-blob-type: BlockBlob");
	char md5[MLS_MD5_SIZE];

	mls_blob_md5(body, len, md5);
	headers = lappend(headers, psprintf("Content-MD5: %s", md5));
	return request(store, "PUT", mls_blob_url(store, path), headers, body, len);
}

MlsExchange *
mls_blob_put_block(MlsBlobStore *store, const char *path, int number, const char *body, size_t len)
{
	char md5[MLS_MD5_SIZE];
	char id[MLS_BLOCK_ID_SIZE];
	StringInfoData url;

	mls_blob_md5(body, len, md5);
	mls_blob_block_id(number, id);
	initStringInfo(&url);
	appendStringInfo(&url, "%s?comp=block&blockid=", mls_blob_url(store, path));
	mls_percent_encode(&url, id, "");
	return request(store, "PUT", url.data, list_make1(psprintf("Content-MD5: %s", md5)), body, len);
}

MlsExchange *
mls_blob_put_block_list(MlsBlobStore *store, const char *path, const char *type, const char *md5, StringInfo list)
{
	List *headers = lappend(type_headers(type), psprintf("x-ms-blob-content-md5: %s", md5));

	headers = lappend(headers, "Content-Type: application/xml; charset=UTF-8");
	return request(store, "PUT", psprintf("%s?comp=blocklist", mls_blob_url(store, path)), headers, list->data,
				   list->len);
}

MlsExchange *
mls_blob_get(MlsBlobStore *store, const char *path, int64 offset, int64 len)
{
	List *headers = list_make1(psprintf("x-ms-range: bytes=" INT64_FORMAT "-" INT64_FORMAT, offset, offset + len - 1));

	/* The service computes it for so much, not for more. */
	if (len <= 4 * 1024 * 1024)
		headers = lappend(headers, "x-ms-range-get-content-md5: true");
	return request(store, "GET", mls_blob_url(store, path), headers, NULL, 0);
}

/* Does the blob hold what has this MD5? */
static bool
holds(MlsBlobStore *store, const char *path, const char *md5)
{
	MlsExchange *head = request(store, "HEAD", mls_blob_url(store, path), NIL, NULL, 0);
	char *found = NULL;

	mls_exchange_wait(head);
	if (mls_exchange_failure(head) == NULL)
		found = mls_exchange_header(head, "Content-MD5");
	mls_exchange_free(head);
	return found != NULL && strcmp(found, md5) == 0;
}

void
mls_blob_finish_put(MlsBlobStore *store, MlsExchange *put, const char *path, const char *md5)
{
	mls_exchange_wait(put);
	if (mls_exchange_failure(put) == NULL)
		return;
	if ((mls_exchange_status(put) == 409 || mls_exchange_status(put) == 412) && md5 != NULL && holds(store, path, md5))
		return;
	mls_blob_raise(store, put, "write", path);
}

const char *
mls_blob_finish_get(MlsBlobStore *store, MlsExchange *get, const char *path, int64 len)
{
	const char *body;
	char *expected;
	char md5[MLS_MD5_SIZE];
	size_t received;

	mls_exchange_wait(get);
	if (mls_exchange_failure(get) != NULL)
		mls_blob_raise(store, get, "read", path);
	body = mls_exchange_body(get, &received);
	if (received != len)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("could not read blob \"%s\" of server \"%s\"", path, store->server->name),
				 errdetail("Of " INT64_FORMAT " bytes %zu have come: it was changed meanwhile.", len, received)));
	expected = mls_exchange_status(get) == 206 ? mls_exchange_header(get, "Content-MD5") : NULL;
	if (expected == NULL || len > 4 * 1024 * 1024)
		return body;
	mls_blob_md5(body, received, md5);
	if (strcmp(expected, md5) != 0)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("could not read blob \"%s\" of server \"%s\"", path, store->server->name),
						errdetail("What has come does not have the MD5 that the service says.")));
	return body;
}

/* A name of a listing as a path of ours: below the prefix, encoded. */
static char *
path_of_name(const MlsBlobStore *store, const char *name)
{
	char *prefix = mls_percent_decode(store->location.prefix, strlen(store->location.prefix));
	size_t len = strlen(prefix);
	StringInfoData path;

	if (len > 0 && strncmp(name, prefix, len) == 0 && name[len] == '/')
		name += len + 1;
	initStringInfo(&path);
	mls_percent_encode(&path, name, "/");
	return path.data;
}

/* Ask for a page of the blobs whose paths begin with plain (not encoded), and add it to listing. */
static void
list_page(MlsBlobStore *store, const char *prefix, const char *plain, MlsBlobListing *listing)
{
	MlsExchange *get;
	StringInfoData url;
	const char *body;
	size_t len;

	initStringInfo(&url);
	appendStringInfo(&url, "%s/%s?restype=container&comp=list&prefix=", store->location.service,
					 store->location.container);
	mls_percent_encode(&url, plain, "");
	if (listing->next_marker != NULL)
	{
		appendStringInfoString(&url, "&marker=");
		mls_percent_encode(&url, listing->next_marker, "");
	}
	get = request(store, "GET", url.data, NIL, NULL, 0);
	mls_exchange_wait(get);
	if (mls_exchange_failure(get) != NULL)
		mls_blob_raise(store, get, "list", prefix);
	body = mls_exchange_body(get, &len);
	if (!mls_blob_xml_listing(body, len, listing))
		ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
						errmsg("server \"%s\" sent no listing of its blobs", store->server->name),
						errhint("Check that the server's option url is a container of Blob Storage.")));
	mls_exchange_free(get);
}

void
mls_blob_list(MlsBlobStore *store, const char *prefix, MlsBlobListing *listing)
{
	char *full = mls_blob_full_path(store, prefix);
	char *plain = mls_percent_decode(full, strlen(full));
	int pages = 0;

	memset(listing, 0, sizeof(*listing));
	do
	{
		if (++pages > MAX_LIST_PAGES)
			ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
							errmsg("server \"%s\" lists its blobs on more than %d pages", store->server->name,
								   MAX_LIST_PAGES)));
		list_page(store, prefix, plain, listing);
	} while (listing->next_marker != NULL);
	for (int i = 0; i < listing->n; i++)
		listing->items[i].name = path_of_name(store, listing->items[i].name);
}

bool
mls_blob_delete(MlsBlobStore *store, const char *path)
{
	MlsExchange *exchange = request(store, "DELETE", mls_blob_url(store, path), NIL, NULL, 0);
	bool deleted;

	mls_exchange_wait(exchange);
	deleted = mls_exchange_failure(exchange) == NULL;
	if (!deleted && mls_exchange_status(exchange) != 404)
		mls_blob_raise(store, exchange, "delete", path);
	mls_exchange_free(exchange);
	return deleted;
}

MlsExchange *
mls_blob_post_key_info(MlsBlobStore *store, const char *body, size_t len)
{
	char *url = psprintf("%s/?restype=service&comp=userdelegationkey", store->location.service);

	return request(store, "POST", url, list_make1("Content-Type: application/xml; charset=UTF-8"), body, len);
}

char *
mls_blob_sas_query(MlsBlobStore *store, bool may_write, int64 seconds)
{
	const char *expiry;
	MlsDelegationKey *delegation = NULL;
	char *query;

	if (store->sas != NULL)
		return pstrdup(store->sas);
	if (store->key == NULL && store->delegator == NULL)
		return NULL;
	expiry = mls_blob_time((pg_time_t) time(NULL) + seconds);
	if (store->delegator != NULL)
	{
		delegation = mls_delegation_key_get(store, store->delegator);
		if (strcmp(delegation->expiry, expiry) < 0)
			expiry = delegation->expiry;
	}
	query = mls_blob_sas(store->location.account, store->location.container, may_write ? "racwl" : "rl", "", expiry,
						 pg_strncasecmp(store->location.service, "https:", 6) == 0, store->key, delegation);
	if (delegation != NULL)
		mls_secret_wipe(unconstify(char *, delegation->value));
	if (query == NULL)
		ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
						errmsg("the user delegation key that server \"%s\" gave is no base64", store->server->name)));
	return query;
}

/* What to do about an error of the service; NULL: nothing is known of it. */
static const char *
hint_of_code(const MlsBlobStore *store, const char *code)
{
	static const struct
	{
		const char *code;
		const char *hint;
	} hints[] = {
		{"AuthorizationPermissionMismatch",
		 "The identity needs the role \"Storage Blob Data Contributor\" on the container or the storage account (to "
		 "read only, \"Storage Blob Data Reader\"); Owner or Contributor of the account is not enough. A SAS needs the "
		 "permissions racwdl."},
		{"AuthorizationFailure",
		 "The storage account's firewall must let this machine in, or the role \"Storage Blob Data Contributor\" is "
		 "missing."},
		{"AuthenticationFailed",
		 "Check the credential in the user mapping: a SAS may have expired, a key may have been rotated. Check this "
		 "machine's clock: it may be wrong by 15 minutes at the most."},
		{"InvalidAuthenticationInfo", "The token must be for the audience https://storage.azure.com/."},
		{"NoAuthenticationInformation", "Set the server's option auth, and the credential in a user mapping."},
		{"KeyBasedAuthenticationNotPermitted",
		 "The storage account allows no account keys: use auth 'entra', or a user delegation SAS."},
		{"ContainerNotFound", "Create the container, or correct the server's option url."},
		{"ResourceNotFound", "Create the container, or correct the server's option url."},
		{"BlobAlreadyExists", "Something else writes into the job's folder."},
		{"InvalidResourceName", "Correct the container's name in the server's option url."},
	};

	for (int i = 0; code != NULL && i < lengthof(hints); i++)
	{
		if (strcmp(code, hints[i].code) == 0)
			return hints[i].hint;
	}
	return NULL;
}

void
mls_blob_raise(MlsBlobStore *store, MlsExchange *exchange, const char *doing, const char *path)
{
	MlsFailure failure = *mls_exchange_failure(exchange);
	char *code = mls_exchange_header(exchange, "x-ms-error-code");
	const char *hint;
	char *clock = NULL;

	if (code == NULL && mls_exchange_status(exchange) != 0)
	{
		size_t len;
		const char *body = mls_exchange_body(exchange, &len);

		code = mls_blob_xml_text(body, len, "Code");
	}
	hint = hint_of_code(store, code);
	if (mls_exchange_status(exchange) == 403)
		clock = mls_exchange_clock_hint(exchange);
	if (clock != NULL)
		failure.hint = clock;
	else if (hint != NULL)
		failure.hint = pstrdup(hint);
	if (mls_exchange_status(exchange) != 0)
		failure.message = psprintf("could not %s blob \"%s\" of server \"%s\"", doing, path, store->server->name);
	mls_failure_raise(store->server, &failure);
}
