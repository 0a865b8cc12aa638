/*
 * named_server.c - see named_server.h. It runs in the object access hook, within the command that writes the server.
 */
#include "catalog/named_server.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/option.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_foreign_server.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

/* The option that names servers of a type. */
static const struct
{
	const char *option;
	MlsServerType type;
} naming[] = {{"storage", MLS_SERVER_BLOB}, {"workspace", MLS_SERVER_WORKSPACE}};

/* NULL: none does. */
static const char *
naming_option(MlsServerType type)
{
	for (int i = 0; i < lengthof(naming); i++)
		if (naming[i].type == type)
			return naming[i].option;
	return NULL;
}

static DefElem *
find_option(List *options, const char *name)
{
	ListCell *lc;

	foreach (lc, options)
		if (strcmp(((DefElem *) lfirst(lc))->defname, name) == 0)
			return lfirst(lc);
	return NULL;
}

static void
depend(Oid serverid, Oid named)
{
	ObjectAddress dependent;
	ObjectAddress referenced;

	ObjectAddressSet(dependent, ForeignServerRelationId, serverid);
	ObjectAddressSet(referenced, ForeignServerRelationId, named);
	recordDependencyOn(&dependent, &referenced, DEPENDENCY_NORMAL);
}

static bool
depends(Oid serverid, Oid named)
{
	Relation rel = table_open(DependRelationId, AccessShareLock);
	bool found = false;
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key[0], Anum_pg_depend_classid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(ForeignServerRelationId));
	ScanKeyInit(&key[1], Anum_pg_depend_objid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(serverid));
	scan = systable_beginscan(rel, DependDependerIndexId, true, NULL, 2, key);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		found = form->refclassid == ForeignServerRelationId && form->refobjid == named;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

void
mls_named_server_bind(Oid serverid, List *options)
{
	deleteDependencyRecordsForClass(ForeignServerRelationId, serverid, ForeignServerRelationId, DEPENDENCY_NORMAL);
	for (int i = 0; i < lengthof(naming); i++)
	{
		DefElem *option = find_option(options, naming[i].option);
		ForeignServer *named = option == NULL ? NULL : GetForeignServerByName(defGetString(option), true);
		MlsServerType type;

		if (named != NULL && mls_server_type_parse(named->servertype, &type) && type == naming[i].type)
			depend(serverid, named->serverid);
	}
}

/* Have the option of the server in tuple, which has these options, say name. */
static void
rewrite_option(Relation rel, HeapTuple tuple, Datum options, const char *option, const char *name)
{
	DefElem *change = makeDefElemExtended(NULL, pstrdup(option), (Node *) makeString(pstrdup(name)), DEFELEM_SET, -1);
	Datum values[Natts_pg_foreign_server] = {0};
	bool nulls[Natts_pg_foreign_server] = {false};
	bool replaces[Natts_pg_foreign_server] = {false};
	HeapTuple copy;

	values[Anum_pg_foreign_server_srvoptions - 1] =
		transformGenericOptions(ForeignServerRelationId, options, list_make1(change), InvalidOid);
	replaces[Anum_pg_foreign_server_srvoptions - 1] = true;
	copy = heap_modify_tuple(tuple, RelationGetDescr(rel), values, nulls, replaces);
	CatalogTupleUpdate(rel, &copy->t_self, copy);
}

/* What another server, in tuple, is to do about the one called name now. */
static void
follow(Relation rel, HeapTuple tuple, const char *option_name, Oid named, const char *name)
{
	Oid serverid = ((Form_pg_foreign_server) GETSTRUCT(tuple))->oid;
	bool isnull;
	Datum text = heap_getattr(tuple, Anum_pg_foreign_server_srvoptions, RelationGetDescr(rel), &isnull);
	DefElem *option = isnull ? NULL : find_option(untransformRelOptions(text), option_name);
	bool same = option != NULL && strcmp(defGetString(option), name) == 0;

	if (option == NULL || serverid == named || same == depends(serverid, named))
		return;
	if (same)
		depend(serverid, named);
	else
		rewrite_option(rel, tuple, text, option_name, name);
}

void
mls_named_server_follow(Oid serverid, MlsServerType type, const char *name)
{
	const char *option = naming_option(type);
	ForeignDataWrapper *wrapper = GetForeignDataWrapperByName(MLS_WRAPPER, true);
	Relation rel;
	SysScanDesc scan;
	HeapTuple tuple;

	if (option == NULL || wrapper == NULL)
		return;
	rel = table_open(ForeignServerRelationId, RowExclusiveLock);
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		if (((Form_pg_foreign_server) GETSTRUCT(tuple))->srvfdw == wrapper->fdwid)
			follow(rel, tuple, option, serverid, name);
	systable_endscan(scan);
	table_close(rel, RowExclusiveLock);
}
