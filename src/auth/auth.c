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

struct MlsAuthPlan
{
	const MlsServer *server;
	char *refused;		   /* what was shown behind "Bearer", or NULL */
	char *claims;		   /* that a new token must have, or NULL */
	MlsReference *first;   /* the mapping's key, or user name */
	MlsReference *second;  /* its second key, or password; or NULL */
	MlsIdentity *identity; /* for whom a token, or the endpoint's keys, are to be had */
	char *scope;
};

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

/* The keys that the control plane has; when none of the known ones is accepted, they may have been made anew. */
static MlsAuthorization
take_looked_up_key(const MlsAuthPlan *plan)
{
	char *primary;
	char *secondary;
	MlsAuthorization result;

	mls_control_plane_keys(plan->server, plan->identity, false, &primary, &secondary);
	result = choose_key(plan->server, primary, secondary);
	if (plan->refused != NULL && strcmp(result.header + strlen(BEARER), plan->refused) == 0)
	{
		mls_secret_wipe(result.header);
		mls_secret_wipe(primary);
		mls_secret_wipe(secondary);
		mls_control_plane_keys(plan->server, plan->identity, true, &primary, &secondary);
		result = choose_key(plan->server, primary, secondary);
	}
	mls_secret_wipe(primary);
	mls_secret_wipe(secondary);
	return result;
}

/* The key or ready token in the mapping. */
static MlsAuthorization
take_mapped_key(const MlsAuthPlan *plan)
{
	char *first = mls_reference_open(plan->first);
	char *second = plan->second == NULL ? NULL : mls_reference_open(plan->second);
	MlsAuthorization result = choose_key(plan->server, first, second);

	mls_secret_wipe(first);
	mls_secret_wipe(second);
	return result;
}

/* HTTP's Basic: name and password, base64. */
static MlsAuthorization
take_basic(const MlsAuthPlan *plan)
{
	char *name = mls_reference_open(plan->first);
	char *password = mls_reference_open(plan->second);
	char *pair = psprintf("%s:%s", name, password);
	MlsAuthorization result = {.renew_at = DT_NOEND};
	StringInfoData out;

	initStringInfo(&out);
	mls_json_write_base64(&out, (unsigned char *) pair, strlen(pair));
	out.data[out.len] = '\0'; /* the JSON writers leave that out */
	mls_secret_wipe(pair);
	mls_secret_wipe(password);
	result.header = psprintf("Authorization: Basic %.*s", out.len - 2, out.data + 1);
	mls_secret_wipe(out.data);
	return result;
}

static MlsAuthorization
take_entra(const MlsAuthPlan *plan)
{
	MlsTokenRefusal refusal = {.bearer = plan->refused, .claims = plan->claims};
	MlsToken token = mls_identity_token(plan->identity, plan->scope, plan->refused == NULL ? NULL : &refusal);

	return authorization_of_token(&token);
}

static MlsAuthorization
take_endpoint_token(const MlsAuthPlan *plan)
{
	MlsToken token = mls_control_plane_token(plan->server, plan->identity, plan->refused);

	return authorization_of_token(&token);
}

static MlsAuthorization
take(const MlsAuthPlan *plan)
{
	switch (plan->server->auth)
	{
		case MLS_AUTH_NONE:
		case MLS_AUTH_SAS: /* these are not in a header that outlives an attempt: batch/blob.c, stream/kafka.c */
		case MLS_AUTH_SHARED_KEY:
		case MLS_AUTH_CONNECTION_STRING:
			return (MlsAuthorization){.renew_at = DT_NOEND};
		case MLS_AUTH_KEY:
			return plan->first != NULL ? take_mapped_key(plan) : take_looked_up_key(plan);
		case MLS_AUTH_BASIC:
			return take_basic(plan);
		case MLS_AUTH_AML_TOKEN:
			return take_endpoint_token(plan);
		case MLS_AUTH_ENTRA:
			return take_entra(plan);
	}
	pg_unreachable();
}

MlsAuthorization
mls_auth_take(MlsAuthPlan *plan)
{
	MlsAuthorization result = take(plan);

	if (plan->identity != NULL)
		mls_identity_wipe(plan->identity);
	mls_secret_wipe(plan->refused);
	plan->refused = NULL;
	return result;
}

/* The mapping's key, and what it has beside it; else, where the server says which endpoint it is, who may ask for its keys. */
static void
plan_key(MlsAuthPlan *plan, Oid userid)
{
	const MlsServer *server = plan->server;

	plan->first = mls_credential_find(server, userid, "key");
	if (plan->first == NULL)
		plan->first = mls_credential_find(server, userid, "token");
	if (plan->first != NULL)
		plan->second = mls_credential_find(server, userid, "secondary_key");
	else if (server->endpoint_id != NULL)
		plan->identity = mls_identity_load(server, userid);
	else
		ereport(
			ERROR, errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			errmsg("no credentials for role \"%s\" on server \"%s\"", GetUserNameFromId(userid, false), server->name),
			mls_credential_has_mapping(server, userid)
				? errdetail("The server has auth 'key', and the user mapping has neither the option \"key\" nor "
							"\"token\".")
				: errdetail("The server has auth 'key', and there is no user mapping for the role or for PUBLIC."),
			errhint("%s", mls_credential_hint(server, userid, list_make1("key"))));
}

static void
plan_basic(MlsAuthPlan *plan, Oid userid)
{
	const MlsServer *server = plan->server;

	plan->first = mls_credential_find(server, userid, "username");
	plan->second = mls_credential_find(server, userid, "password");
	if (plan->first == NULL || plan->second == NULL)
		ereport(
			ERROR, errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			errmsg("no credentials for role \"%s\" on server \"%s\"", GetUserNameFromId(userid, false), server->name),
			errdetail("The server has auth 'basic', and no user mapping for the role or for PUBLIC has the options "
					  "\"username\" and \"password\"."),
			errhint("%s", mls_credential_hint(server, userid, list_make2("username", "password"))));
}

/*
 * The header of refusal is not to be shown again soon. What a key vault gave for it is read anew. For a name and its password
 * there is nothing else to be had.
 */
static void
plan_after_refusal(MlsAuthPlan *plan, const MlsAuthRefusal *refusal)
{
	MlsCacheKey key;

	if (plan->server->auth == MLS_AUTH_BASIC)
		return;
	plan->refused = pstrdup(refusal->header + strlen(BEARER));
	plan->claims = mls_challenge_claims(refusal->challenge);
	if (plan->server->auth != MLS_AUTH_KEY)
		return;
	key = refusal_key(plan->server, plan->refused);
	mls_cache_mark(&key, KEY_REFUSED_FOR_S);
	if (plan->first != NULL)
		mls_reference_reject(plan->first, plan->refused);
	if (plan->second != NULL)
		mls_reference_reject(plan->second, plan->refused);
}

MlsAuthPlan *
mls_auth_plan(const MlsServer *server, Oid userid, const MlsAuthRefusal *refusal)
{
	MlsAuthPlan *plan = palloc0(sizeof(MlsAuthPlan));

	plan->server = server;
	if (server->auth == MLS_AUTH_KEY)
		plan_key(plan, userid);
	else if (server->auth == MLS_AUTH_BASIC)
		plan_basic(plan, userid);
	else if (server->auth == MLS_AUTH_ENTRA || server->auth == MLS_AUTH_AML_TOKEN)
	{
		plan->identity = mls_identity_load(server, userid);
		plan->scope = mls_identity_scope(server);
	}
	if (refusal != NULL)
		plan_after_refusal(plan, refusal);
	return plan;
}
