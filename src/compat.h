/*
 * compat.h - the only place that looks at PG_VERSION_NUM.
 *
 * Code elsewhere is written against the newest supported release; what an older one spells differently gets the new
 * name here.
 */
#ifndef MLS_COMPAT_H
#define MLS_COMPAT_H

#include "access/transam.h"
#include "fmgr.h"
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#endif
#include "storage/latch.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#include "storage/waiteventset.h"
#endif
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/wait_event.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* PostgreSQL 18: stands in front of the declaration. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

/* PostgreSQL 17: a WaitEventSet belongs to a resource owner, no longer to a memory context. */
#if PG_VERSION_NUM < 170000
#define MlsCreateWaitEventSet(nevents) CreateWaitEventSet(TopMemoryContext, nevents)
#else
#define MlsCreateWaitEventSet(nevents) CreateWaitEventSet(NULL, nevents)
#endif

/* PostgreSQL 17: extensions may name their wait events; before, all of them show as "Extension". */
#if PG_VERSION_NUM < 170000
#define WaitEventExtensionNew(name) PG_WAIT_EXTENSION
#endif

/* PostgreSQL 16: one function checks the privileges on any kind of object. */
#if PG_VERSION_NUM < 160000
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
static inline AclResult
object_aclcheck(Oid class_id, Oid object_id, Oid role, AclMode mode)
{
	if (class_id == ProcedureRelationId)
		return pg_proc_aclcheck(object_id, role, mode);
	if (class_id == NamespaceRelationId)
		return pg_namespace_aclcheck(object_id, role, mode);
	Assert(class_id == ForeignServerRelationId);
	return pg_foreign_server_aclcheck(object_id, role, mode);
}

#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
static inline bool
object_ownercheck(Oid class_id, Oid object_id, Oid role)
{
	if (class_id == DatabaseRelationId)
		return pg_database_ownercheck(object_id, role);
	Assert(class_id == ExtensionRelationId);
	return pg_extension_ownercheck(object_id, role);
}
#endif

/* PostgreSQL 16: to be a member of a role is not yet to be allowed to SET ROLE to it. */
#if PG_VERSION_NUM < 160000
#define check_can_set_role(member, role) check_is_member_of_role(member, role)
#endif

/* PostgreSQL 17: a background worker may connect as a role that has no LOGIN. */
#if PG_VERSION_NUM < 170000
#define MLS_BYPASS_ROLE_LOGIN_CHECK 0
#else
#include "postmaster/bgworker.h"
#define MLS_BYPASS_ROLE_LOGIN_CHECK BGWORKER_BYPASS_ROLELOGINCHECK
#endif

/* PostgreSQL 17: intervals may be infinite. */
#if PG_VERSION_NUM < 170000
#define INTERVAL_NOT_FINITE(interval) ((void) (interval), false)
#endif

/*
 * PostgreSQL 16: input functions can say what is wrong without raising. NULL, or the message. Before, what the built-in
 * ones raise about the data is caught: they hold nothing then. Others may, so theirs goes on.
 */
static inline char *
MlsInputCall(FmgrInfo *flinfo, char *text, Oid typioparam, int32 typmod, Datum *result)
{
#if PG_VERSION_NUM >= 160000
	ErrorSaveContext soft = {T_ErrorSaveContext, .details_wanted = true};

	if (!InputFunctionCallSafe(flinfo, text, typioparam, typmod, (Node *) &soft, result))
		return soft.error_data->message;
	return NULL;
#else
	MemoryContext context = CurrentMemoryContext;
	char *volatile message = NULL;

	PG_TRY();
	{
		*result = InputFunctionCall(flinfo, text, typioparam, typmod);
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (flinfo->fn_oid >= FirstGenbkiObjectId || ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		FlushErrorState();
		message = error->message;
	}
	PG_END_TRY();
	return message;
#endif
}

/* PostgreSQL 18: domains, likewise. */
static inline char *
MlsDomainCheck(Datum value, bool isnull, Oid domain, void **extra, MemoryContext mcxt)
{
#if PG_VERSION_NUM >= 180000
	ErrorSaveContext soft = {T_ErrorSaveContext, .details_wanted = true};

	if (!domain_check_safe(value, isnull, domain, extra, mcxt, (Node *) &soft))
		return soft.error_data->message;
#else
	domain_check(value, isnull, domain, extra, mcxt);
#endif
	return NULL;
}

/* PostgreSQL 18: RETURNING can name the old and the new row. */
#if PG_VERSION_NUM < 180000
#define MlsVarReturningType(var) 0
#else
#define MlsVarReturningType(var) ((var)->varreturningtype)
#endif

/* PostgreSQL 17: MERGE has a third kind of action. */
#if PG_VERSION_NUM < 170000
#define MlsMergeMatched(action) ((action)->matched)
#define MlsMergeBySource(action) ((void) (action), false)
#else
#define MlsMergeMatched(action) ((action)->matchKind == MERGE_WHEN_MATCHED)
#define MlsMergeBySource(action) ((action)->matchKind == MERGE_WHEN_NOT_MATCHED_BY_SOURCE)
#endif

/* PostgreSQL 16: index entries may be summaries only. */
#if PG_VERSION_NUM < 160000
#define MlsInsertIndexTuples(result, slot, estate) ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL)
#else
#define MlsInsertIndexTuples(result, slot, estate)                                                                     \
	ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL, false)
#endif

/* PostgreSQL 16: another name for a backend's status entry. */
#if PG_VERSION_NUM < 160000
#define pgstat_get_local_beentry_by_index(index) pgstat_fetch_stat_local_beentry(index)
#endif

#endif
