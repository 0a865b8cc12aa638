/*
 * auth.c - the Authorization header of a request.
 *
 * Credentials stand in user mappings. The value exists in the header only, which nobody prints.
 */
#include "auth/auth.h"

#include "auth/credential.h"
#include "codec/json_write.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

static char *
key_header(const MlsServer *server, Oid userid)
{
	char *user = GetUserNameFromId(userid, false);
	char *bearer;

	if (!mls_credential_has_mapping(server, userid))
		ereport(ERROR, errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				errmsg("no credentials for role \"%s\" on server \"%s\"", user, server->name),
				errdetail("The server has auth 'key', and there is no user mapping for the role or for PUBLIC."),
				errhint("CREATE USER MAPPING FOR %s SERVER %s OPTIONS (key '...');", quote_identifier(user),
						quote_identifier(server->name)));
	bearer = mls_credential_option(server, userid, "key");
	if (bearer == NULL)
		bearer = mls_credential_option(server, userid, "token");
	if (bearer == NULL)
		ereport(
			ERROR, errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			errmsg("no credentials for role \"%s\" on server \"%s\"", user, server->name),
			errdetail("The server has auth 'key', and the user mapping has neither the option \"key\" nor \"token\"."),
			errhint("ALTER USER MAPPING ... SERVER %s OPTIONS (ADD key '...');", quote_identifier(server->name)));
	return psprintf("Authorization: Bearer %s", bearer);
}

/* HTTP's Basic: name and password, base64. */
static char *
basic_header(const MlsServer *server, Oid userid)
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
			errhint("CREATE USER MAPPING FOR %s SERVER %s OPTIONS (username '...', password '...');",
					quote_identifier(GetUserNameFromId(userid, false)), quote_identifier(server->name)));
	pair = psprintf("%s:%s", name, password);
	initStringInfo(&out);
	mls_json_write_base64(&out, (unsigned char *) pair, strlen(pair));
	return psprintf("Authorization: Basic %.*s", out.len - 2, out.data + 1);
}

char *
mls_auth_header(const MlsServer *server, Oid userid)
{
	switch (server->auth)
	{
		case MLS_AUTH_NONE:
			return NULL;
		case MLS_AUTH_KEY:
			return key_header(server, userid);
		case MLS_AUTH_BASIC:
			return basic_header(server, userid);
		case MLS_AUTH_SAS: /* these are not in a header that outlives an attempt: batch/blob.c, stream/kafka.c */
		case MLS_AUTH_SHARED_KEY:
		case MLS_AUTH_CONNECTION_STRING:
			return NULL;
	}
	pg_unreachable();
}
