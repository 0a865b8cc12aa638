/*
 * reference.c - see reference.h.
 */
#include "postgres.h"

#include <time.h>

#include "auth/reference.h"

#include "auth/fetch.h"
#include "auth/token_reply.h"
#include "catalog/url.h"
#include "storage/fd.h"
#include "utils/timestamp.h"

#define ENV "env:"
#define FILE_PREFIX "file:"
#define VAULT "keyvault:"

#define MAX_FILE_BYTES (64 * 1024)
#define VAULT_API "api-version=7.4"

/* A vault's secret is asked for again after this time, and used for twice as long when that fails. */
#define VAULT_REFRESH_S 300

static bool
has_prefix(const char *value, const char *prefix)
{
	return strncmp(value, prefix, strlen(prefix)) == 0;
}

bool
mls_reference_is(const char *value)
{
	return has_prefix(value, ENV) || has_prefix(value, FILE_PREFIX) || has_prefix(value, VAULT);
}

bool
mls_reference_is_remote(const char *value)
{
	return has_prefix(value, VAULT);
}

/* Is url https://VAULT/secrets/NAME or .../NAME/VERSION? */
static bool
is_vault_url(const char *url)
{
	const char *path = has_prefix(url, "https://") ? strchr(url + 8, '/') : NULL;
	size_t len;

	if (path == NULL || path == url + 8 || !has_prefix(path, "/secrets/") || strpbrk(url, "?#@") != NULL)
		return false;
	path += strlen("/secrets/");
	for (int i = 0; i < 2; i++)
	{
		len = strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
		if (len == 0)
			return false;
		path += len;
		if (*path != '/')
			break;
		path++;
	}
	return *path == '\0';
}

char *
mls_reference_check(const char *value)
{
	if (has_prefix(value, ENV) && value[strlen(ENV)] == '\0')
		return "After \"env:\" must stand the name of an environment variable.";
	if (has_prefix(value, FILE_PREFIX) && value[strlen(FILE_PREFIX)] != '/')
		return "After \"file:\" must stand an absolute path on the database server.";
	if (has_prefix(value, VAULT) && !is_vault_url(value + strlen(VAULT)))
		return "After \"keyvault:\" must stand a URL like https://VAULT.vault.azure.net/secrets/NAME.";
	return NULL;
}

char *
mls_reference_read_file(const char *path)
{
	FILE *file = AllocateFile(path, "r");
	char *text;
	size_t len;

	if (file == NULL)
		return NULL;
	text = palloc(MAX_FILE_BYTES + 1);
	len = fread(text, 1, MAX_FILE_BYTES + 1, file);
	if (ferror(file) || len > MAX_FILE_BYTES)
		len = 0;
	FreeFile(file);
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r' || text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	if (len == 0 || memchr(text, '\0', len) != NULL)
	{
		explicit_bzero(text, MAX_FILE_BYTES + 1);
		pfree(text);
		return NULL;
	}
	text[len] = '\0';
	return text;
}

/* "https://vault.azure.net/.default" for a vault at NAME.vault.azure.net, and so in other clouds. */
static char *
vault_scope(const char *url)
{
	const char *host = url + strlen("https://");
	size_t len = strcspn(host, ":/");
	const char *dot = memchr(host, '.', len);

	if (dot == NULL || strspn(host, "0123456789.") == len)
		return psprintf("https://%.*s/.default", (int) len, host);
	return psprintf("https://%.*s/.default", (int) (host + len - dot - 1), dot + 1);
}

typedef struct VaultArg
{
	const MlsIdentity *identity;
	const char *url;
} VaultArg;

/* A time of the secret's attributes, or 0. */
static int64
attribute_time(const char *body, size_t len, const char *path)
{
	char *text = mls_token_reply_string(body, len, path);

	return text == NULL ? 0 : mls_token_reply_time(text);
}

/* The secret in a vault's reply. */
static void
read_vault_reply(MlsExchange *exchange, MlsFetch *fetch)
{
	int64 now = (int64) time(NULL);
	size_t len;
	const char *body;
	int64 begin;
	int64 end;

	if (mls_exchange_failure(exchange) != NULL)
	{
		mls_fetch_fail(exchange, fetch);
		return;
	}
	memset(fetch, 0, sizeof(*fetch));
	body = mls_exchange_body(exchange, &len);
	fetch->value = mls_token_reply_string(body, len, "value");
	begin = attribute_time(body, len, "attributes.nbf");
	end = attribute_time(body, len, "attributes.exp");
	if (fetch->value == NULL || *fetch->value == '\0')
		mls_fetch_refuse(fetch, pstrdup("The key vault's reply has no value."), NULL);
	else if (begin > now || (end > 0 && end <= now))
		mls_fetch_refuse(fetch,
						 pstrdup(begin > now ? "The secret in the key vault is not valid yet."
											 : "The secret in the key vault has expired."),
						 NULL);
	else
	{
		fetch->source = "key vault";
		fetch->fetched_at = time_t_to_timestamptz((pg_time_t) now);
		fetch->refresh_at = time_t_to_timestamptz((pg_time_t) now + VAULT_REFRESH_S);
		fetch->expires_at = time_t_to_timestamptz((pg_time_t) now + 2 * VAULT_REFRESH_S);
	}
}

/* The MlsFetcher of vaults' secrets. */
static void
fetch_secret(void *arg, MlsFetch *fetch)
{
	const VaultArg *what = arg;
	MlsRequestSpec spec = {.method = "GET", .url = mls_url_add_query(what->url, VAULT_API), .idempotent = true};
	MlsExchange *exchange = mls_fetch_as(what->identity, vault_scope(what->url), &spec, "the key vault", fetch);

	if (exchange == NULL)
		return;
	read_vault_reply(exchange, fetch);
	mls_exchange_wipe_body(exchange);
}

/* The identity that opens a vault. Its own secrets cannot be in one. */
static MlsIdentity *
vault_identity(const MlsServer *server, Oid userid, const char *option)
{
	if (strncmp(option, "client_", strlen("client_")) == 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				errmsg("option \"%s\" for server \"%s\" cannot be in a key vault", option, server->name),
				errdetail("It is needed to open the vault."), errhint("Use file: or env: for it."));
	return mls_identity_load(server, userid);
}

struct MlsReference
{
	const MlsServer *server;
	const char *option;
	char *value;
	MlsIdentity *identity; /* that opens the vault; NULL: it is in none */
};

MlsReference *
mls_reference_make(const MlsServer *server, Oid userid, const char *option, const char *value)
{
	MlsReference *reference = palloc0(sizeof(MlsReference));

	reference->server = server;
	reference->option = option;
	reference->value = pstrdup(value);
	if (mls_reference_is_remote(value))
		reference->identity = vault_identity(server, userid, option);
	return reference;
}

static MlsCacheKey
vault_key(const MlsReference *reference)
{
	return mls_identity_key(reference->identity, "secret", reference->value + strlen(VAULT));
}

static char *
open_vault(MlsReference *reference)
{
	MlsIdentity *identity = reference->identity;
	MlsCacheKey key = vault_key(reference);
	VaultArg arg = {.identity = identity, .url = reference->value + strlen(VAULT)};
	MlsCacheLabel label = {.kind = "secret",
						   .authority = identity->authority,
						   .identity = mls_identity_principal(identity),
						   .scope = arg.url};
	MlsFetch fetch;

	mls_cache_get(&key, &label, fetch_secret, &arg, &fetch);
	mls_identity_wipe(identity);
	if (fetch.outcome != MLS_FETCH_OK)
		mls_fetch_raise(reference->server, "a secret of a key vault", &fetch);
	return fetch.value;
}

static char *
open_here(const MlsReference *reference)
{
	const char *value = reference->value;
	bool is_env = has_prefix(value, ENV);
	const char *found = is_env ? mls_fetch_env(value + strlen(ENV)) : NULL;
	char *secret = found != NULL ? pstrdup(found) : NULL;

	if (!is_env)
		secret = mls_reference_read_file(value + strlen(FILE_PREFIX));
	if (secret == NULL)
		ereport(ERROR, errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				errmsg("could not read option \"%s\" for server \"%s\" from where the user mapping says",
					   reference->option, reference->server->name),
				errdetail("%s", is_env ? "The environment of the database server does not have the variable."
									   : "The file cannot be read, is empty or is longer than 64 kB."));
	return secret;
}

char *
mls_reference_open(MlsReference *reference)
{
	if (!mls_reference_is(reference->value))
		return reference->value;
	return reference->identity != NULL ? open_vault(reference) : open_here(reference);
}

void
mls_reference_reject(const MlsReference *reference, const char *secret)
{
	MlsCacheKey key;

	if (reference->identity == NULL)
		return; /* these are read each time */
	key = vault_key(reference);
	mls_cache_drop(&key, secret);
}
