/*
 * mapping_ddl.c - what CREATE and ALTER USER MAPPING should not leave unsaid: options that the server has no use for.
 *
 * The wrapper's validator is told neither the server nor the role. The object access hook sees a mapping that was made;
 * for one that is changed there is none, so that ALTER USER MAPPING is looked at as a utility statement.
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
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

static ProcessUtility_hook_type next_utility_hook;

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

/* Warn of each option of a mapping that nothing will be done with. */
static void
warn_of_idle_options(Oid serverid, List *options)
{
	MlsServer *server = read_server(serverid);
	ListCell *lc;

	if (server == NULL)
		return;
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

/* The mapping in tuple. */
static void
check_tuple(Relation rel, HeapTuple tuple)
{
	bool isnull;
	Datum options = heap_getattr(tuple, Anum_pg_user_mapping_umoptions, RelationGetDescr(rel), &isnull);

	if (!isnull)
		warn_of_idle_options(((Form_pg_user_mapping) GETSTRUCT(tuple))->umserver, untransformRelOptions(options));
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
	if (next_utility_hook != NULL)
		next_utility_hook(pstmt, query, read_only_tree, context, params, environment, dest, completion);
	else
		standard_ProcessUtility(pstmt, query, read_only_tree, context, params, environment, dest, completion);
	if (IsA(pstmt->utilityStmt, AlterUserMappingStmt))
		check_altered((AlterUserMappingStmt *) pstmt->utilityStmt);
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
