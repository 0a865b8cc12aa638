/*
 * credential.c - what user mappings hold.
 */
#include "auth/credential.h"

#include "access/reloptions.h"
#include "auth/reference.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
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

/* The option's value as it stands in the mapping; NULL when there is none. */
static char *
raw_option(const MlsServer *server, Oid userid, const char *option)
{
	List *options;
	ListCell *lc;

	if (!read_mapping(server, userid, &options))
		return NULL;
	foreach (lc, options)
	{
		DefElem *def = lfirst(lc);

		if (strcmp(def->defname, option) == 0)
			return defGetString(def);
	}
	return NULL;
}

char *
mls_credential_option(const MlsServer *server, Oid userid, const char *option)
{
	char *value = raw_option(server, userid, option);

	if (value == NULL)
		return NULL;
	if (!mls_reference_is(value))
		return pstrdup(value);
	return mls_reference_resolve(server, userid, option, value);
}

void
mls_credential_rejected(const MlsServer *server, Oid userid, const char *option, const char *secret)
{
	char *value = raw_option(server, userid, option);

	if (value != NULL && mls_reference_is(value))
		mls_reference_rejected(server, userid, value, secret);
}

bool
mls_credential_has_option(const MlsServer *server, Oid userid, const char *option)
{
	return raw_option(server, userid, option) != NULL;
}

bool
mls_credential_has_mapping(const MlsServer *server, Oid userid)
{
	List *options;

	return read_mapping(server, userid, &options);
}
