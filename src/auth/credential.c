/*
 * credential.c - what user mappings hold.
 */
#include "auth/credential.h"

#include "access/reloptions.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

/*
 * The options of userid's mapping for the server, else of PUBLIC's, and whose it is (InvalidOid: PUBLIC's). False when
 * there is neither.
 */
static bool
read_mapping(const MlsServer *server, Oid userid, List **options, Oid *owner)
{
	HeapTuple tuple;
	Datum value;
	bool isnull;

	*owner = userid;
	tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(userid), ObjectIdGetDatum(server->serverid));
	if (!HeapTupleIsValid(tuple))
	{
		*owner = InvalidOid;
		tuple =
			SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid), ObjectIdGetDatum(server->serverid));
	}
	if (!HeapTupleIsValid(tuple))
		return false;
	value = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple, Anum_pg_user_mapping_umoptions, &isnull);
	*options = isnull ? NIL : untransformRelOptions(value);
	ReleaseSysCache(tuple);
	return true;
}

List *
mls_credential_options(const MlsServer *server, Oid userid)
{
	List *options = NIL;
	Oid owner;

	(void) read_mapping(server, userid, &options, &owner);
	return options;
}

/* The option's value as it stands in the mapping; NULL when there is none. */
static char *
raw_option(const MlsServer *server, Oid userid, const char *option)
{
	List *options;
	Oid owner;
	ListCell *lc;

	if (!read_mapping(server, userid, &options, &owner))
		return NULL;
	foreach (lc, options)
	{
		DefElem *def = lfirst(lc);

		if (strcmp(def->defname, option) == 0)
			return defGetString(def);
	}
	return NULL;
}

MlsReference *
mls_credential_find(const MlsServer *server, Oid userid, const char *option)
{
	char *value = raw_option(server, userid, option);

	return value == NULL ? NULL : mls_reference_make(server, userid, option, value);
}

char *
mls_credential_option(const MlsServer *server, Oid userid, const char *option)
{
	MlsReference *reference = mls_credential_find(server, userid, option);

	return reference == NULL ? NULL : mls_reference_open(reference);
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
	Oid owner;

	return read_mapping(server, userid, &options, &owner);
}

/* Append "VERB option '...'" for each of the options that userid's mapping has, or has not. */
static void
append_options(StringInfo out, const MlsServer *server, Oid userid, List *options, const char *verb, bool has)
{
	bool first = true;
	ListCell *lc;

	foreach (lc, options)
	{
		if (mls_credential_has_option(server, userid, lfirst(lc)) != has)
			continue;
		appendStringInfo(out, "%s%s%s '...'", first ? "" : ", ", verb, (char *) lfirst(lc));
		first = false;
	}
}

char *
mls_credential_hint(const MlsServer *server, Oid userid, List *options)
{
	List *present = NIL;
	Oid owner = userid;
	bool mapped = read_mapping(server, userid, &present, &owner);
	StringInfoData wanted;

	if (!mapped)
		owner = userid;
	initStringInfo(&wanted);
	append_options(&wanted, server, userid, options, mapped ? "ADD " : "", false);
	if (wanted.len == 0)
		append_options(&wanted, server, userid, options, "SET ", true);
	return psprintf("%s USER MAPPING FOR %s SERVER %s OPTIONS (%s);", mapped ? "ALTER" : "CREATE",
					OidIsValid(owner) ? quote_identifier(GetUserNameFromId(owner, false)) : "PUBLIC",
					quote_identifier(server->name), wanted.data);
}
