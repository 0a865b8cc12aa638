/*
 * auth.c - the Authorization header of a request.
 *
 * Credentials stand in user mappings. The value exists in the header only, which nobody prints.
 */
#include "auth/auth.h"

#include "access/reloptions.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

/* The options of userid's mapping for the server, else of PUBLIC's. False when there is neither. */
static bool
read_mapping(const MlsServer *server, Oid userid, List **options)
{
	HeapTuple tuple;
	Datum value;
	bool isnull;

	tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(userid), ObjectIdGetDatum(server->serverid));
	if (!HeapTupleIsValid(tuple))
		tuple =
			SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid), ObjectIdGetDatum(server->serverid));
	if (!HeapTupleIsValid(tuple))
		return false;
	value = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple, Anum_pg_user_mapping_umoptions, &isnull);
	*options = isnull ? NIL : untransformRelOptions(value);
	ReleaseSysCache(tuple);
	return true;
}

/* The bearer key or ready token among options; NULL when there is none. */
static char *
find_bearer(List *options)
{
	ListCell *lc;

	foreach (lc, options)
	{
		DefElem *def = lfirst(lc);

		if (strcmp(def->defname, "key") == 0 || strcmp(def->defname, "token") == 0)
			return defGetString(def);
	}
	return NULL;
}

static char *
key_header(const MlsServer *server, Oid userid)
{
	char *user = GetUserNameFromId(userid, false);
	List *options;
	char *bearer;

	if (!read_mapping(server, userid, &options))
		ereport(ERROR, errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				errmsg("no credentials for role \"%s\" on server \"%s\"", user, server->name),
				errdetail("The server has auth 'key', and there is no user mapping for the role or for PUBLIC."),
				errhint("CREATE USER MAPPING FOR %s SERVER %s OPTIONS (key '...');", quote_identifier(user),
						quote_identifier(server->name)));
	bearer = find_bearer(options);
	if (bearer == NULL)
		ereport(
			ERROR, errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			errmsg("no credentials for role \"%s\" on server \"%s\"", user, server->name),
			errdetail("The server has auth 'key', and the user mapping has neither the option \"key\" nor \"token\"."),
			errhint("ALTER USER MAPPING ... SERVER %s OPTIONS (ADD key '...');", quote_identifier(server->name)));
	return psprintf("Authorization: Bearer %s", bearer);
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
	}
	pg_unreachable();
}
