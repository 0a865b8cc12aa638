/*
 * mapping_ddl.c - what CREATE and ALTER USER MAPPING should not leave unsaid: options that the server has no use for, and
 * those that it needs beside others.
 *
 * The wrapper's validator is told neither the server nor the role. The object access hook sees a mapping that was made;
 * for one that is changed there is none, so that ALTER USER MAPPING is looked at as a utility statement. The one that
 * loads this library, where it is not preloaded, is under way by then: of it the validator tells.
 */
#include "catalog/mapping_ddl.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "access/xact.h"
#include "auth/reference.h"
#include "catalog/option.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "catalog/server.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"
#include "tcop/pquery.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/portal.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

static ProcessUtility_hook_type next_utility_hook;
static bool hook_was_called;

/* What the options of one of our wrapper's servers say, wherever they point to; NULL for others'. */
static MlsServer *
read_server(Oid serverid)
{
	ForeignServer *foreign = GetForeignServerExtended(serverid, FSV_MISSING_OK);
	ForeignDataWrapper *wrapper = GetForeignDataWrapperByName(MLS_WRAPPER, true);
	MlsServer *server = palloc0(sizeof(MlsServer));

	if (foreign == NULL || wrapper == NULL || foreign->fdwid != wrapper->fdwid ||
		!mls_server_type_parse(foreign->servertype, &server->type))
		return NULL;
	server->serverid = serverid;
	server->name = foreign->servername;
	mls_option_read(server, foreign->options);
	return server;
}

/* Warn of each option that nothing will be done with. */
static void
warn_of_idle_options(const MlsServer *server, List *options)
{
	ListCell *lc;

	foreach (lc, options)
	{
		DefElem *def = lfirst(lc);

		if (!mls_option_is_idle(server, def->defname))
			continue;
		ereport(WARNING, errcode(ERRCODE_WARNING),
				errmsg("option \"%s\" of the user mapping is not used by server \"%s\"", def->defname, server->name),
				errdetail("%s", mls_option_auth_words(server)),
				errhint("Change the server's option auth or credential, or drop the option from the mapping."));
	}
}

static bool
has_option(List *options, const char *name)
{
	ListCell *lc;

	foreach (lc, options)
	{
		DefElem *def = lfirst(lc);

		if (strcmp(def->defname, name) == 0)
			return true;
	}
	return false;
}

/* Warn when the server's credential consists of several options, and the mapping has some of them only. */
static void
warn_of_missing_options(const MlsServer *server, List *options)
{
	bool is_secret = server->credential == MLS_CREDENTIAL_CLIENT_SECRET;
	const char *const needed[] = {"tenant_id", "client_id", is_secret ? "client_secret" : "client_certificate"};
	StringInfoData missing;
	int present = 0;

	if (!is_secret && server->credential != MLS_CREDENTIAL_CLIENT_CERTIFICATE)
		return;
	initStringInfo(&missing);
	for (int i = 0; i < lengthof(needed); i++)
	{
		if (has_option(options, needed[i]))
			present++;
		else
			appendStringInfo(&missing, "%sADD %s '...'", missing.len > 0 ? ", " : "", needed[i]);
	}
	if (present > 0 && missing.len > 0)
		ereport(WARNING, errcode(ERRCODE_WARNING),
				errmsg("the user mapping has not all that server \"%s\" needs", server->name),
				errdetail("%s", mls_option_auth_words(server)),
				errhint("ALTER USER MAPPING ... OPTIONS (%s);", missing.data));
}

static void
check_options(Oid serverid, List *options)
{
	MlsServer *server = read_server(serverid);

	if (server == NULL)
		return;
	warn_of_idle_options(server, options);
	warn_of_missing_options(server, options);
}

/* The mapping in tuple. */
static void
check_tuple(Relation rel, HeapTuple tuple)
{
	bool isnull;
	Datum options = heap_getattr(tuple, Anum_pg_user_mapping_umoptions, RelationGetDescr(rel), &isnull);

	if (!isnull)
		check_options(((Form_pg_user_mapping) GETSTRUCT(tuple))->umserver, untransformRelOptions(options));
}

/* Only SnapshotSelf sees what the running command wrote. */
void
mls_mapping_check(Oid mapping)
{
	Relation rel = table_open(UserMappingRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key, Anum_pg_user_mapping_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(mapping));
	scan = systable_beginscan(rel, UserMappingOidIndexId, true, SnapshotSelf, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		check_tuple(rel, tuple);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/* Look at the mapping that stmt changed. */
static void
check_altered(AlterUserMappingStmt *stmt)
{
	ForeignServer *server = GetForeignServerByName(stmt->servername, true);
	Oid userid = stmt->user->roletype == ROLESPEC_PUBLIC ? InvalidOid : get_rolespec_oid(stmt->user, true);
	Oid mapping;

	if (server == NULL)
		return;
	CommandCounterIncrement();
	mapping = GetSysCacheOid2(USERMAPPINGUSERSERVER, Anum_pg_user_mapping_oid, ObjectIdGetDatum(userid),
							  ObjectIdGetDatum(server->serverid));
	if (OidIsValid(mapping))
		mls_mapping_check(mapping);
}

static void
on_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree, ProcessUtilityContext context,
		   ParamListInfo params, QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	hook_was_called = true;
	if (next_utility_hook != NULL)
		next_utility_hook(pstmt, query, read_only_tree, context, params, environment, dest, completion);
	else
		standard_ProcessUtility(pstmt, query, read_only_tree, context, params, environment, dest, completion);
	if (IsA(pstmt->utilityStmt, AlterUserMappingStmt))
		check_altered((AlterUserMappingStmt *) pstmt->utilityStmt);
}

void
mls_mapping_check_first(List *options)
{
	Node *statement = NULL;
	ForeignServer *server;

	if (hook_was_called || ActivePortal == NULL || list_length(ActivePortal->stmts) != 1)
		return;
	statement = linitial_node(PlannedStmt, ActivePortal->stmts)->utilityStmt;
	if (statement == NULL || !IsA(statement, AlterUserMappingStmt))
		return;
	server = GetForeignServerByName(((AlterUserMappingStmt *) statement)->servername, true);
	if (server != NULL)
		check_options(server->serverid, options);
}

bool
mls_mapping_has_references(Oid serverid)
{
	Relation rel = table_open(UserMappingRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	bool found = false;
	HeapTuple tuple;

	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool isnull;
		Datum options = heap_getattr(tuple, Anum_pg_user_mapping_umoptions, RelationGetDescr(rel), &isnull);
		ListCell *lc;

		if (((Form_pg_user_mapping) GETSTRUCT(tuple))->umserver != serverid || isnull)
			continue;
		foreach (lc, untransformRelOptions(options))
			found |= mls_reference_is(defGetString(lfirst(lc)));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

void
mls_mapping_ddl_init(void)
{
	next_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = on_utility;
}
