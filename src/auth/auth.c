/*
 * auth.c - the Authorization header of a request, for every way of a server's auth option.
 */
#include "auth/auth.h"

#include "auth/challenge.h"
#include "auth/control_plane.h"
#include "auth/credential.h"
#include "auth/identity.h"
#include "codec/json_write.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* A key that an endpoint refused is not the first choice for so long. */
#define KEY_REFUSED_FOR_S 600

/* A token whose renewal fails is not asked for anew at every request. */
#define RENEW_AGAIN_MS (10 * 1000)

#define BEARER "Authorization: Bearer "

/* Nothing more to be had than this key. */
static MlsAuthorization
authorization_of(const char *bearer)
{
	return (MlsAuthorization){.header = psprintf(BEARER "%s", bearer), .renew_at = DT_NOEND};
}

static MlsAuthorization
authorization_of_token(MlsToken *token)
{
	MlsAuthorization result = authorization_of(token->bearer);

	result.renew_at = Max(token->refresh_at, GetCurrentTimestamp() + RENEW_AGAIN_MS * INT64CONST(1000));
	mls_secret_wipe(token->bearer);
	return result;
}

/* The bearer that was refused, or NULL. */
static const char *
refused_bearer(const MlsAuthRefusal *refusal)
{
	return refusal == NULL ? NULL : refusal->header + strlen(BEARER);
}

static MlsCacheKey
refusal_key(const MlsServer *server, const char *bearer)
{
	char serverid[32];
	const char *parts[] = {"refused", serverid, bearer};

	snprintf(serverid, sizeof(serverid), "%u/%u", MyDatabaseId, server->serverid);
	return mls_cache_key_make(parts, lengthof(parts));
}

/* Of an endpoint's two keys the first, unless the endpoint refused it and did not refuse the second. */
static MlsAuthorization
choose_key(const MlsServer *server, const char *first, const char *second)
{
	MlsCacheKey first_key = refusal_key(server, first);
	MlsCacheKey second_key;

	if (second == NULL || !mls_cache_is_marked(&first_key))
		return authorization_of(first);
	second_key = refusal_key(server, second);
	return authorization_of(mls_cache_is_marked(&second_key) ? first : second);
}

static void
note_refused_key(const MlsServer *server, const MlsAuthRefusal *refusal)
{
	MlsCacheKey key;

	if (refusal == NULL)
		return;
	key = refusal_key(server, refused_bearer(refusal));
	mls_cache_mark(&key, KEY_REFUSED_FOR_S);
}

/* The keys that the control plane has; when none of the known ones is accepted, they may have been made anew. */
static MlsAuthorization
looked_up_key(const MlsServer *server, Oid userid, const MlsAuthRefusal *refusal)
{
	char *primary;
	char *secondary;
	MlsAuthorization result;

	note_refused_key(server, refusal);
	mls_control_plane_keys(server, userid, false, &primary, &secondary);
	result = choose_key(server, primary, secondary);
	if (refusal != NULL && strcmp(result.header, refusal->header) == 0)
	{
		mls_control_plane_keys(server, userid, true, &primary, &secondary);
		result = choose_key(server, primary, secondary);
	}
	mls_secret_wipe(primary);
	mls_secret_wipe(secondary);
	return result;
}

/* The key or ready token in the mapping. One from a key vault is read anew after a refusal. */
static MlsAuthorization
mapped_key(const MlsServer *server, Oid userid, const MlsAuthRefusal *refusal)
{
	char *first;
	char *second;
	MlsAuthorization result;

	if (refusal != NULL)
	{
		mls_credential_rejected(server, userid, "key", refused_bearer(refusal));
		mls_credential_rejected(server, userid, "secondary_key", refused_bearer(refusal));
		mls_credential_rejected(server, userid, "token", refused_bearer(refusal));
	}
	note_refused_key(server, refusal);
	first = mls_credential_option(server, userid, "key");
	if (first == NULL)
		first = mls_credential_option(server, userid, "token");
	second = mls_credential_option(server, userid, "secondary_key");
	result = choose_key(server, first, second);
	mls_secret_wipe(first);
	mls_secret_wipe(second);
	return result;
}

static MlsAuthorization
key_authorization(const MlsServer *server, Oid userid, const MlsAuthRefusal *refusal)
{
	bool has_mapping = mls_credential_has_mapping(server, userid);

	if (mls_credential_has_option(server, userid, "key") || mls_credential_has_option(server, userid, "token"))
		return mapped_key(server, userid, refusal);
	if (server->endpoint_id != NULL)
		return looked_up_key(server, userid, refusal);
	ereport(ERROR, errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			errmsg("no credentials for role \"%s\" on server \"%s\"", GetUserNameFromId(userid, false), server->name),
			has_mapping
				? errdetail("The server has auth 'key', and the user mapping has neither the option \"key\" nor "
							"\"token\".")
				: errdetail("The server has auth 'key', and there is no user mapping for the role or for PUBLIC."),
			errhint("%s", mls_credential_hint(server, userid, list_make1("key"))));
}

/* HTTP's Basic: name and password, base64. */
static MlsAuthorization
basic_authorization(const MlsServer *server, Oid userid)
{
	char *name = mls_credential_option(server, userid, "username");
	char *password = mls_credential_option(server, userid, "password");
	StringInfoData out;
	char *pair;

	if (name == NULL || password == NULL)
		ereport(
			ERROR, errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			errmsg("no credentials for role \"%s\" on server \"%s\"", GetUserNameFromId(userid, false), server->name),
			errdetail("The server has auth 'basic', and no user mapping for the role or for PUBLIC has the options "
					  "\"username\" and \"password\"."),
			errhint("%s", mls_credential_hint(server, userid, list_make2("username", "password"))));
	pair = psprintf("%s:%s", name, password);
	initStringInfo(&out);
	mls_json_write_base64(&out, (unsigned char *) pair, strlen(pair));
	mls_secret_wipe(pair);
	mls_secret_wipe(password);
	return (MlsAuthorization){.header = psprintf("Authorization: Basic %.*s", out.len - 2, out.data + 1),
							  .renew_at = DT_NOEND};
}

static MlsAuthorization
entra_authorization(const MlsServer *server, Oid userid, const MlsAuthRefusal *refusal)
{
	MlsIdentity *identity = mls_identity_load(server, userid);
	MlsTokenRefusal token_refusal = {.bearer = refused_bearer(refusal)};
	MlsToken token;

	if (refusal != NULL)
		token_refusal.claims = mls_challenge_claims(refusal->challenge);
	token = mls_identity_token(identity, mls_identity_scope(server), refusal == NULL ? NULL : &token_refusal);
	mls_identity_wipe(identity);
	return authorization_of_token(&token);
}

MlsAuthorization
mls_auth_get(const MlsServer *server, Oid userid, const MlsAuthRefusal *refusal)
{
	MlsToken token;

	switch (server->auth)
	{
		case MLS_AUTH_NONE:
		case MLS_AUTH_SAS: /* these are not in a header that outlives an attempt: batch/blob.c, stream/kafka.c */
		case MLS_AUTH_SHARED_KEY:
		case MLS_AUTH_CONNECTION_STRING:
			return (MlsAuthorization){.renew_at = DT_NOEND};
		case MLS_AUTH_KEY:
			return key_authorization(server, userid, refusal);
		case MLS_AUTH_BASIC:
			return basic_authorization(server, userid);
		case MLS_AUTH_AML_TOKEN:
			token = mls_control_plane_token(server, userid, refused_bearer(refusal));
			return authorization_of_token(&token);
		case MLS_AUTH_ENTRA:
			return entra_authorization(server, userid, refusal);
	}
	pg_unreachable();
}
