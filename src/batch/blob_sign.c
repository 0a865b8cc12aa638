/*
 * blob_sign.c - see blob_sign.h.
 */
#include "postgres.h"

#include "batch/blob_sign.h"

#include <ctype.h>
#include <openssl/hmac.h>

#include "batch/percent.h"
#include "codec/base64.h"
#include "lib/stringinfo.h"

/* The value in headers, or "". */
static const char *
header_value(const char *const *headers, int n, const char *name)
{
	size_t len = strlen(name);

	for (int i = 0; i < n; i++)
	{
		if (pg_strncasecmp(headers[i], name, len) == 0 && headers[i][len] == ':')
			return headers[i] + len + 1 + strspn(headers[i] + len + 1, " ");
	}
	return "";
}

/* Lines "name:value" by name; what a colon ends is before what goes on. */
static int
compare_lines(const void *a, const void *b)
{
	const char *x = *(char *const *) a;
	const char *y = *(char *const *) b;

	while (*x == *y && *x != ':' && *x != '\0')
	{
		x++;
		y++;
	}
	if (*x == ':' || *y == ':')
		return (*y == ':') - (*x == ':');
	return (unsigned char) *x - (unsigned char) *y;
}

/* The x-ms- headers as "name:value\n", by name. */
static void
append_canonical_headers(StringInfo out, const char *const *headers, int n)
{
	char **lines = palloc(sizeof(char *) * (n + 1));
	int count = 0;

	for (int i = 0; i < n; i++)
	{
		const char *colon = strchr(headers[i], ':');
		char *line;

		if (colon == NULL || pg_strncasecmp(headers[i], "x-ms-", 5) != 0)
			continue;
		line = psprintf("%.*s:%s", (int) (colon - headers[i]), headers[i], colon + 1 + strspn(colon + 1, " "));
		for (char *c = line; *c != ':'; c++)
			*c = (char) tolower((unsigned char) *c);
		lines[count++] = line;
	}
	qsort(lines, count, sizeof(char *), compare_lines);
	for (int i = 0; i < count; i++)
	{
		appendStringInfo(out, "%s\n", lines[i]);
		pfree(lines[i]);
	}
	pfree(lines);
}

/* The query's parameters as "\nname:decoded value", by name. */
static void
append_canonical_query(StringInfo out, const char *query)
{
	int count = 0;
	char **lines = palloc(sizeof(char *) * (strlen(query) / 2 + 1));

	while (*query != '\0')
	{
		size_t len = strcspn(query, "&");
		size_t name = strcspn(query, "=&");
		char *value = name < len ? mls_percent_decode(query + name + 1, len - name - 1) : pstrdup("");
		char *line = psprintf("\n%.*s:%s", (int) name, query, value);

		for (char *c = line; *c != ':'; c++)
			*c = (char) tolower((unsigned char) *c);
		if (len > 0)
			lines[count++] = line;
		pfree(value);
		query += len + (query[len] == '&');
	}
	qsort(lines, count, sizeof(char *), compare_lines);
	for (int i = 0; i < count; i++)
	{
		appendStringInfoString(out, lines[i]);
		pfree(lines[i]);
	}
	pfree(lines);
}

char *
mls_blob_string_to_sign(const char *method, const char *account, const char *url, const char *const *headers, int n,
						size_t len)
{
	static const char *const standard[] = {"Content-Encoding", "Content-Language"};
	static const char *const rest[] = {"Content-MD5",	"Content-Type",		   "Date", "If-Modified-Since", "If-Match",
									   "If-None-Match", "If-Unmodified-Since", "Range"};
	const char *host = strstr(url, "://");
	const char *path = host == NULL ? NULL : strchr(host + 3, '/');
	size_t path_len = path == NULL ? 0 : strcspn(path, "?");
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, "%s\n", method);
	for (int i = 0; i < lengthof(standard); i++)
		appendStringInfo(&out, "%s\n", header_value(headers, n, standard[i]));
	if (len > 0)
		appendStringInfo(&out, "%zu", len);
	appendStringInfoChar(&out, '\n');
	for (int i = 0; i < lengthof(rest); i++)
		appendStringInfo(&out, "%s\n", header_value(headers, n, rest[i]));
	append_canonical_headers(&out, headers, n);
	appendStringInfo(&out, "/%s%.*s", account, path_len == 0 ? 1 : (int) path_len, path_len == 0 ? "/" : path);
	if (path != NULL && path[path_len] == '?')
		append_canonical_query(&out, path + path_len + 1);
	return out.data;
}

/* Base64 with the standard alphabet, as the service has it. */
static void
encode_signature(const unsigned char *digest, char signature[MLS_SIGNATURE_SIZE])
{
	EVP_EncodeBlock((unsigned char *) signature, digest, 32);
}

bool
mls_blob_sign(const char *key, const char *text, char signature[MLS_SIGNATURE_SIZE])
{
	unsigned char *secret = palloc(strlen(key) + 1);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int size = 0;
	int len = mls_base64_decode(key, (int) strlen(key), secret);
	bool signed_it =
		len > 0 && HMAC(EVP_sha256(), secret, len, (const unsigned char *) text, strlen(text), digest, &size) != NULL;

	if (signed_it)
		encode_signature(digest, signature);
	explicit_bzero(secret, strlen(key));
	pfree(secret);
	return signed_it;
}

/* Add name=value to a query, unless value is empty. */
static void
append_parameter(StringInfo query, const char *name, const char *value)
{
	if (*value == '\0')
		return;
	appendStringInfo(query, "%s%s=", query->len > 0 ? "&" : "", name);
	mls_percent_encode(query, value, "/");
}

static void
append_delegation(StringInfo text, StringInfo query, const MlsDelegationKey *key)
{
	appendStringInfo(text, "%s\n%s\n%s\n%s\n%s\n%s\n", key->oid, key->tid, key->start, key->expiry, key->service,
					 key->version);
	appendStringInfoString(text, "\n\n\n"); /* authorized and unauthorized agent, correlation id */
	append_parameter(query, "skoid", key->oid);
	append_parameter(query, "sktid", key->tid);
	append_parameter(query, "skt", key->start);
	append_parameter(query, "ske", key->expiry);
	append_parameter(query, "sks", key->service);
	append_parameter(query, "skv", key->version);
}

char *
mls_blob_sas(const char *account, const char *container, const char *permissions, const char *start, const char *expiry,
			 bool https_only, const char *account_key, const MlsDelegationKey *delegation)
{
	const char *protocol = https_only ? "https" : "";
	char signature[MLS_SIGNATURE_SIZE];
	StringInfoData text;
	StringInfoData query;
	bool signed_it;

	initStringInfo(&text);
	initStringInfo(&query);
	append_parameter(&query, "st", start);
	append_parameter(&query, "se", expiry);
	append_parameter(&query, "sp", permissions);
	append_parameter(&query, "spr", protocol);
	append_parameter(&query, "sv", MLS_BLOB_VERSION);
	append_parameter(&query, "sr", "c");

	appendStringInfo(&text, "%s\n%s\n%s\n/blob/%s/%s\n", permissions, start, expiry, account, container);
	if (delegation != NULL)
		append_delegation(&text, &query, delegation);
	else
		appendStringInfoChar(&text, '\n'); /* stored access policy */
	/* address range, protocol, version, resource, snapshot, encryption scope, five reply headers */
	appendStringInfo(&text, "\n%s\n" MLS_BLOB_VERSION "\nc\n\n\n\n\n\n\n", protocol);

	signed_it = mls_blob_sign(delegation != NULL ? delegation->value : account_key, text.data, signature);
	pfree(text.data);
	if (!signed_it)
	{
		pfree(query.data);
		return NULL;
	}
	append_parameter(&query, "sig", signature);
	return query.data;
}
