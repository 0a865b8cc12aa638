/*
 * hold.c - statements that need a database, or the extension, to themselves find no worker in their way.
 *
 * DROP DATABASE and its like refuse when anybody is connected, and DROP EXTENSION waits for who uses its tables, but they
 * mean people, not us: before such a statement our processes in that database are told to end, and come back when its
 * transaction has ended. Only who may run the statement can send them away.
 */
#include "worker/shared.h"

#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "catalog/uses.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/acl.h"

static ProcessUtility_hook_type next_process_utility;

static void
hold_database(const char *name)
{
	Oid dboid = get_database_oid(name, true);

	if (OidIsValid(dboid) && dboid != MyDatabaseId && object_ownercheck(DatabaseRelationId, dboid, GetUserId()))
		mls_worker_shared_hold(dboid);
}

/* CREATE DATABASE ... TEMPLATE name */
static void
hold_template(const CreatedbStmt *statement)
{
	ListCell *lc;

	foreach (lc, statement->options)
	{
		DefElem *def = lfirst(lc);

		if (strcmp(def->defname, "template") == 0 && def->arg != NULL)
			hold_database(defGetString(def));
	}
}

static void
hold_extension(void)
{
	Oid extension = get_extension_oid(MLS_SCHEMA, true);

	if (OidIsValid(extension) && object_ownercheck(ExtensionRelationId, extension, GetUserId()))
		mls_worker_shared_hold(MyDatabaseId);
}

/* Send our processes away from where the statement needs to be alone. */
static void
make_room(Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_DropdbStmt:
			hold_database(((DropdbStmt *) statement)->dbname);
			break;
		case T_CreatedbStmt:
			hold_template((CreatedbStmt *) statement);
			break;
		case T_AlterDatabaseStmt:
			hold_database(((AlterDatabaseStmt *) statement)->dbname);
			break;
		case T_RenameStmt:
			if (((RenameStmt *) statement)->renameType == OBJECT_DATABASE)
				hold_database(((RenameStmt *) statement)->subname);
			break;
		case T_DropStmt:
			if (mls_uses_names_extension((DropStmt *) statement))
				hold_extension();
			break;
		case T_DropOwnedStmt:
			hold_extension();
			break;
		case T_AlterExtensionStmt:
			if (strcmp(((AlterExtensionStmt *) statement)->extname, MLS_SCHEMA) == 0)
				hold_extension();
			break;
		default:
			break;
	}
}

static bool
is_commit_prepared(Node *statement)
{
	return IsA(statement, TransactionStmt) && ((TransactionStmt *) statement)->kind == TRANS_STMT_COMMIT_PREPARED;
}

static void
process_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree, ProcessUtilityContext context,
				ParamListInfo params, QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	NodeTag tag = nodeTag(pstmt->utilityStmt);
	bool commit_prepared = is_commit_prepared(pstmt->utilityStmt);

	make_room(pstmt->utilityStmt);
	(next_process_utility ? next_process_utility : standard_ProcessUtility)(pstmt, query, read_only_tree, context,
																			params, environment, dest, completion);
	if (commit_prepared && mls_worker_shared_was_prepared())
		mls_worker_shared_wake(MyDatabaseId);
	if (tag == T_CreateExtensionStmt || tag == T_AlterDatabaseStmt)
		mls_worker_wake_at_commit();
	if (tag == T_CreatedbStmt || tag == T_AlterDatabaseStmt)
		mls_worker_list_at_commit();
}

void
mls_worker_hold_init(void)
{
	next_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}
