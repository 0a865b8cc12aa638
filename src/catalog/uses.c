/*
 * uses.c - see uses.h.
 */
#include "catalog/uses.h"

#include "ml_score.h"

#include "catalog/objectaccess.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "stream/stream.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

static object_access_hook_type next_object_access_hook;
static ProcessUtility_hook_type next_utility_hook;
static bool extension_goes; /* the running statement drops what uses servers as well */

/*
 * Names of what a statement finds, one of our tables' users a row; NULL when there are none. palloc'd. Whatever the
 * transaction's isolation, it sees what was committed before the lock that is held on the server or role was had.
 */
static char *
find_uses(const char *sql, Oid *types, Datum *values, int nargs)
{
	MemoryContext context = CurrentMemoryContext;
	MlsLedger ledger;
	char *uses;

	sql = psprintf("SELECT string_agg(used_by, ', ') FROM (%s) AS u (used_by)", sql);
	PushActiveSnapshot(GetLatestSnapshot());
	mls_ledger_open(&ledger);
	if (SPI_execute_with_args(sql, nargs, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run \"%s\"", sql);
	uses = mls_ledger_text(0, 1);
	if (uses != NULL)
		uses = MemoryContextStrdup(context, uses);
	mls_ledger_close(&ledger);
	PopActiveSnapshot();
	return uses;
}

static void
check_server(Oid serverid)
{
	const char *name = GetForeignServer(serverid)->servername;
	Oid types[] = {TEXTOID, OIDOID};
	Datum values[] = {CStringGetTextDatum(name), ObjectIdGetDatum(serverid)};
	char *uses = find_uses("(SELECT 'stream ' || quote_ident(name) FROM ml_score.stream "
						   "WHERE server = $1 OR format_options ->> 'registry' = $1 ORDER BY name) "
						   "UNION ALL (SELECT 'batch job ' || id FROM ml_score.batch_job WHERE server = $1 "
						   "AND state NOT IN ('completed', 'failed', 'cancelled') ORDER BY id) "
						   "UNION ALL (SELECT 'action ' || quote_ident(name) || ' of monitor ' || quote_ident(monitor) "
						   "FROM ml_score.monitor_action WHERE webhook = $1 OR batch ->> 'server' = $1 ORDER BY id) "
						   "UNION ALL SELECT 'forwarding of runs' FROM ml_score.run_destination WHERE server = $1 "
						   "UNION ALL SELECT 'events in ml_score.outbox' WHERE EXISTS "
						   "(SELECT FROM ml_score.outbox_event WHERE server = $2 AND failed_at IS NULL)",
						   types, values, lengthof(values));

	if (uses != NULL)
		ereport(
			ERROR, errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			errmsg("cannot drop server \"%s\" because ml_score uses it", name), errdetail("Used by: %s.", uses),
			errhint("End them first: see ml_score.drop_stream, cancel_batch, drop_monitor_action, stop_forward_runs "
					"and purge_outbox with waiting => true."));
}

static void
check_role(Oid role)
{
	Oid types[] = {OIDOID};
	Datum values[] = {ObjectIdGetDatum(role)};
	char *uses = find_uses("(SELECT 'stream ' || quote_ident(name) FROM ml_score.stream WHERE owner = $1::regrole "
						   "ORDER BY name) "
						   "UNION ALL (SELECT 'batch job ' || id FROM ml_score.batch_job WHERE owner = $1::regrole "
						   "AND state NOT IN ('completed', 'failed', 'cancelled') ORDER BY id) "
						   "UNION ALL (SELECT 'monitor ' || quote_ident(name) FROM ml_score.monitor "
						   "WHERE owner = $1::regrole ORDER BY name) "
						   "UNION ALL (SELECT 'forwarding of runs to ' || quote_ident(server) "
						   "FROM ml_score.run_destination WHERE owner = $1::regrole ORDER BY server) "
						   "UNION ALL SELECT 'events in ml_score.outbox' WHERE EXISTS "
						   "(SELECT FROM ml_score.outbox_event WHERE sender = $1 AND failed_at IS NULL)",
						   types, values, lengthof(values));

	if (uses != NULL)
		ereport(
			ERROR, errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			errmsg("role \"%s\" cannot be dropped because ml_score works in its name", GetUserNameFromId(role, false)),
			errdetail("In this database: %s.", uses),
			errhint("ml_score.alter_stream gives a stream to another role; drop_stream, cancel_batch, drop_monitor, "
					"stop_forward_runs, and purge_outbox with waiting => true, end what there is."));
}

static void
on_object_access(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *arg)
{
	if (next_object_access_hook != NULL)
		next_object_access_hook(access, class_id, object_id, sub_id, arg);
	if (access != OAT_DROP || extension_goes || !OidIsValid(MyDatabaseId) ||
		(class_id != ForeignServerRelationId && class_id != AuthIdRelationId) ||
		!OidIsValid(get_extension_oid(MLS_SCHEMA, true)))
		return;
	if (class_id == ForeignServerRelationId)
		check_server(object_id);
	else
		check_role(object_id);
}

static bool
owns_extension(List *roles)
{
	Oid extension = get_extension_oid(MLS_SCHEMA, true);
	ListCell *lc;

	foreach (lc, roles)
		if (OidIsValid(extension) &&
			object_ownercheck(ExtensionRelationId, extension, get_rolespec_oid(lfirst(lc), false)))
			return true;
	return false;
}

bool
mls_uses_names_extension(const DropStmt *statement)
{
	ListCell *lc;

	if (statement->removeType != OBJECT_EXTENSION && statement->removeType != OBJECT_SCHEMA)
		return false;
	foreach (lc, statement->objects)
		if (strcmp(strVal(lfirst(lc)), MLS_SCHEMA) == 0)
			return true;
	return false;
}

/* Does the statement drop the extension, or its schema, and our tables with it? */
static bool
drops_extension(Node *statement)
{
	if (IsA(statement, DropOwnedStmt))
		return owns_extension(((DropOwnedStmt *) statement)->roles);
	return IsA(statement, DropStmt) && mls_uses_names_extension((DropStmt *) statement);
}

/* A server has another name now. */
static void
rename_server(const char *from, const char *to)
{
	static const char *const statements[] = {
		"UPDATE ml_score.stream SET server = $2, version = version + 1 WHERE server = $1",
		("UPDATE ml_score.stream SET format_options['registry'] = to_jsonb($2), version = version + 1 "
		 "WHERE format_options ->> 'registry' = $1"),
		"UPDATE ml_score.batch_job SET server = $2 WHERE server = $1",
		"UPDATE ml_score.monitor_action SET webhook = $2 WHERE webhook = $1",
		"UPDATE ml_score.monitor_action SET batch['server'] = to_jsonb($2) WHERE batch ->> 'server' = $1",
		"UPDATE ml_score.run_destination SET server = $2 WHERE server = $1"};
	Oid types[] = {TEXTOID, TEXTOID};
	Datum values[] = {CStringGetTextDatum(from), CStringGetTextDatum(to)};

	if (!OidIsValid(get_extension_oid(MLS_SCHEMA, true)))
		return;
	SPI_connect();
	for (int i = 0; i < lengthof(statements); i++)
		mls_ledger_execute(statements[i], lengthof(types), types, values, NULL);
	SPI_finish();
	mls_worker_wake_at_commit();
}

static void
on_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree, ProcessUtilityContext context,
		   ParamListInfo params, QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	bool outer = extension_goes;

	extension_goes |= drops_extension(pstmt->utilityStmt);
	PG_TRY();
	{
		(next_utility_hook != NULL ? next_utility_hook : standard_ProcessUtility)(
			pstmt, query, read_only_tree, context, params, environment, dest, completion);
	}
	PG_FINALLY();
	{
		extension_goes = outer;
	}
	PG_END_TRY();
	if (IsA(pstmt->utilityStmt, RenameStmt) && ((RenameStmt *) pstmt->utilityStmt)->renameType == OBJECT_FOREIGN_SERVER)
		rename_server(strVal(((RenameStmt *) pstmt->utilityStmt)->object),
					  ((RenameStmt *) pstmt->utilityStmt)->newname);
}

void
mls_uses_init(void)
{
	next_object_access_hook = object_access_hook;
	object_access_hook = on_object_access;
	next_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = on_utility;
}
