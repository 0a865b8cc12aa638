/*
 * function_server.c - which server a model function is bound to.
 *
 * The body names the server, as people write and pg_dump prints it; the binding is the dependency in pg_depend, which
 * knows the server by its oid. So DROP SERVER refuses or cascades, pg_dump writes the server first, and a renamed server
 * takes its functions along.
 */
#include "catalog/function_server.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/function.h"
#include "catalog/indexing.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_proc.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/syscache.h"

Oid
mls_function_server(Oid fnoid)
{
	Relation rel = table_open(DependRelationId, AccessShareLock);
	Oid serverid = InvalidOid;
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key[0], Anum_pg_depend_classid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(ProcedureRelationId));
	ScanKeyInit(&key[1], Anum_pg_depend_objid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(fnoid));
	scan = systable_beginscan(rel, DependDependerIndexId, true, NULL, 2, key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		if (form->refclassid == ForeignServerRelationId)
			serverid = form->refobjid;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return serverid;
}

void
mls_function_bind(Oid fnoid, Oid serverid)
{
	ObjectAddress function;
	ObjectAddress server;

	ObjectAddressSet(function, ProcedureRelationId, fnoid);
	ObjectAddressSet(server, ForeignServerRelationId, serverid);
	deleteDependencyRecordsForClass(ProcedureRelationId, fnoid, ForeignServerRelationId, DEPENDENCY_NORMAL);
	if (OidIsValid(serverid))
		recordDependencyOn(&function, &server, DEPENDENCY_NORMAL);
}

/* Have the body of fnoid say name, if it is a model function and says something else. */
static void
rewrite_body(Relation procs, Oid fnoid, const char *name)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(fnoid));
	Datum values[Natts_pg_proc] = {0};
	bool nulls[Natts_pg_proc] = {false};
	bool replaces[Natts_pg_proc] = {false};
	HeapTuple changed;

	if (!HeapTupleIsValid(tuple))
		return;
	if (mls_is_model_function(fnoid) && strcmp(mls_function_body(tuple), name) != 0)
	{
		values[Anum_pg_proc_prosrc - 1] = CStringGetTextDatum(name);
		replaces[Anum_pg_proc_prosrc - 1] = true;
		changed = heap_modify_tuple(tuple, RelationGetDescr(procs), values, nulls, replaces);
		CatalogTupleUpdate(procs, &changed->t_self, changed);
	}
	ReleaseSysCache(tuple);
}

void
mls_function_follow_server(Oid serverid, const char *name)
{
	Relation rel = table_open(DependRelationId, AccessShareLock);
	Relation procs = table_open(ProcedureRelationId, RowExclusiveLock);
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(ForeignServerRelationId));
	ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(serverid));
	scan = systable_beginscan(rel, DependReferenceIndexId, true, NULL, 2, key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		if (form->classid == ProcedureRelationId)
			rewrite_body(procs, form->objid, name);
	}
	systable_endscan(scan);
	table_close(procs, RowExclusiveLock);
	table_close(rel, AccessShareLock);
}
