/*
 * identity.c - see identity.h.
 */
#include "postgres.h"

#include "auth/identity.h"

#include "auth/credential.h"
#include "auth/fetch.h"
#include "auth/scope.h"
#include "miscadmin.h"
#include "ml_score.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define PUBLIC_AUTHORITY "https://login.microsoftonline.com"

/* What requests to Azure's own services use of server. */
static MlsServer *
copy_server(const MlsServer *server)
{
	MlsServer *copy = mls_server_copy(server);

	copy->url = copy->swagger_url = copy->deployment = NULL;
	copy->compression = MLS_COMPRESSION_NONE;
	copy->ca_file = copy->authority_ca_file;
	return copy;
}

/* The authority as the server's option says, or for the process's own identity its environment; without a last slash. */
static char *
choose_authority(const MlsServer *server)
{
	const char *environment = mls_fetch_env("AZURE_AUTHORITY_HOST");
	const char *chosen = PUBLIC_AUTHORITY;
	size_t len;

	if (server->authority_host != NULL)
		chosen = server->authority_host;
	else if (server->credential >= MLS_CREDENTIAL_ENVIRONMENT && environment != NULL)
		chosen = strstr(environment, "://") != NULL ? environment : psprintf("https://%s", environment);
	len = strlen(chosen);
	while (len > 0 && chosen[len - 1] == '/')
		len--;
	return pnstrdup(chosen, len);
}

/* The mapping's option, without which the credential cannot be used. */
static char *
require_option(const MlsServer *server, Oid userid, const char *option, const char *credential)
{
	char *value = mls_credential_option(server, userid, option);

	if (value == NULL)
		ereport(
			ERROR, errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			errmsg("no credentials for role \"%s\" on server \"%s\"", GetUserNameFromId(userid, false), server->name),
			errdetail("The server has credential '%s', and no user mapping for the role or for PUBLIC has the option "
					  "\"%s\".",
					  credential, option),
			errhint("%s", mls_credential_hint(server, userid,
											  list_make3("tenant_id", "client_id", unconstify(char *, credential)))));
	return value;
}

MlsIdentity *
mls_identity_load(const MlsServer *server, Oid userid)
{
	MlsIdentity *identity = palloc0(sizeof(MlsIdentity));
	const char *secret = server->credential == MLS_CREDENTIAL_CLIENT_SECRET ? "client_secret" : "client_certificate";

	if (server->credential == MLS_CREDENTIAL_NONE)
		ereport(ERROR, errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				errmsg("server \"%s\" has no credential for tokens", server->name),
				errhint("ALTER SERVER %s OPTIONS (ADD credential '...');", quote_identifier(server->name)));
	identity->server = copy_server(server);
	identity->credential = server->credential;
	identity->authority = choose_authority(server);
	if (strncmp(identity->authority, "https://", 8) != 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				errmsg("the authority of server \"%s\" must be an https:// URL", server->name));
	if (server->credential >= MLS_CREDENTIAL_ENVIRONMENT)
		return identity;
	identity->tenant_id = require_option(server, userid, "tenant_id", secret);
	identity->client_id = require_option(server, userid, "client_id", secret);
	identity->secret = require_option(server, userid, secret, secret);
	identity->password = mls_credential_option(server, userid, "client_certificate_password");
	return identity;
}

void
mls_identity_wipe(MlsIdentity *identity)
{
	mls_secret_wipe(identity->secret);
	mls_secret_wipe(identity->password);
	identity->secret = identity->password = NULL;
}

char *
mls_identity_scope(const MlsServer *server)
{
	if (server->scope != NULL)
		return pstrdup(server->scope);
	switch (server->type)
	{
		case MLS_SERVER_BLOB:
			return pstrdup("https://storage.azure.com/.default");
		case MLS_SERVER_EVENTHUBS:
			/* The namespace is the resource: the first broker's host. */
			return psprintf("https://%.*s/.default", (int) strcspn(server->bootstrap_servers, ":,"),
							server->bootstrap_servers);
		case MLS_SERVER_APPINSIGHTS:
			return pstrdup("https://monitor.azure.com/.default");
		default:
			return pstrdup("https://ml.azure.com/.default");
	}
}

MlsCacheKey
mls_identity_key(const MlsIdentity *identity, const char *kind, const char *what)
{
	char credential[16];
	const char *parts[] = {kind,
						   credential,
						   what,
						   identity->authority,
						   identity->tenant_id,
						   identity->client_id,
						   identity->secret,
						   identity->password,
						   identity->server->identity_client_id,
						   identity->server->identity_object_id,
						   identity->server->identity_resource_id,
						   identity->server->ca_file,
						   identity->server->proxy};

	/* What was got or refused under one value of the setting says nothing about the other. */
	snprintf(credential, sizeof(credential), "%d%s", identity->credential,
			 identity->credential >= MLS_CREDENTIAL_AZURE_CLI && mls_allow_azure_cli ? "+" : "");
	return mls_cache_key_make(parts, lengthof(parts));
}

const char *
mls_identity_principal(const MlsIdentity *identity)
{
	if (identity->client_id != NULL)
		return identity->client_id;
	if (identity->server->identity_client_id != NULL)
		return identity->server->identity_client_id;
	if (identity->server->identity_object_id != NULL)
		return identity->server->identity_object_id;
	if (identity->server->identity_resource_id != NULL)
		return identity->server->identity_resource_id;
	if (identity->credential == MLS_CREDENTIAL_ENVIRONMENT || identity->credential == MLS_CREDENTIAL_WORKLOAD_IDENTITY)
		return mls_fetch_env("AZURE_CLIENT_ID") != NULL ? mls_fetch_env("AZURE_CLIENT_ID") : "";
	return "the database server's";
}

typedef struct FetchArg
{
	const MlsIdentity *identity;
	const char *scope;
	const char *claims;
} FetchArg;

/* The MlsFetcher of tokens. What it makes on the way goes; the result stays. */
static void
fetch_token(void *arg, MlsFetch *fetch)
{
	const FetchArg *what = arg;

	switch (what->identity->credential)
	{
		case MLS_CREDENTIAL_NONE:
			pg_unreachable();
		case MLS_CREDENTIAL_CLIENT_SECRET:
		case MLS_CREDENTIAL_CLIENT_CERTIFICATE:
		case MLS_CREDENTIAL_ENVIRONMENT:
		case MLS_CREDENTIAL_WORKLOAD_IDENTITY:
			mls_entra_fetch(what->identity, what->scope, what->claims, fetch);
			break;
		case MLS_CREDENTIAL_MANAGED_IDENTITY:
			mls_managed_identity_fetch(what->identity, what->scope, false, fetch);
			break;
		case MLS_CREDENTIAL_AZURE_CLI:
			mls_azure_cli_fetch(what->identity, what->scope, fetch);
			break;
		case MLS_CREDENTIAL_DEFAULT:
			mls_credential_chain_fetch(what->identity, what->scope, fetch);
			break;
	}
}

void
mls_identity_fetch(const MlsIdentity *identity, const char *scope, const MlsTokenRefusal *refusal, MlsFetch *fetch)
{
	MlsCacheKey key = mls_identity_key(identity, "token", scope);
	MlsCacheLabel label = {.kind = "token",
						   .authority = identity->authority,
						   .identity = mls_identity_principal(identity),
						   .scope = scope};
	FetchArg arg = {.identity = identity, .scope = scope};

	if (identity->credential == MLS_CREDENTIAL_AZURE_CLI && !mls_azure_cli_allowed(fetch))
		return;
	if (refusal != NULL)
	{
		mls_cache_drop(&key, refusal->bearer);
		arg.claims = refusal->claims;
	}
	mls_cache_get(&key, &label, fetch_token, &arg, fetch);
}

void
mls_fetch_raise(const MlsServer *server, const char *what, const MlsFetch *fetch)
{
	ereport(ERROR, errcode(fetch->sqlstate), errmsg("could not get %s for server \"%s\"", what, server->name),
			errdetail_internal("%s", fetch->detail), fetch->hint == NULL ? 0 : errhint("%s", fetch->hint));
}

MlsToken
mls_identity_token(const MlsIdentity *identity, const char *scope, const MlsTokenRefusal *refusal)
{
	MlsFetch fetch;

	mls_identity_fetch(identity, scope, refusal, &fetch);
	if (fetch.outcome != MLS_FETCH_OK)
		mls_fetch_raise(identity->server, "a token", &fetch);
	return (MlsToken){.bearer = fetch.value,
					  .expires_at = fetch.expires_at,
					  .refresh_at = fetch.refresh_at,
					  .principal = pstrdup(mls_identity_principal(identity))};
}

MlsToken
mls_token_get(const MlsServer *server, Oid userid, const char *scope)
{
	MlsIdentity *identity = mls_identity_load(server, userid);
	MlsToken token = mls_identity_token(identity, scope != NULL ? scope : mls_identity_scope(server), NULL);

	mls_identity_wipe(identity);
	return token;
}

void
mls_token_rejected(const MlsServer *server, Oid userid, const char *scope, const char *bearer)
{
	MlsIdentity *identity = mls_identity_load(server, userid);
	MlsCacheKey key = mls_identity_key(identity, "token", scope != NULL ? scope : mls_identity_scope(server));

	mls_cache_drop(&key, bearer);
	mls_identity_wipe(identity);
}
