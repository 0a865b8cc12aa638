/*
 * table_map.c - what score_table does with which columns. See table_map.h.
 */
#include "scoring/table_map.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "catalog/pg_am.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "parser/parse_coerce.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "compat.h"

static char *
quoted(const char *name)
{
	return pstrdup(quote_identifier(name));
}

static char *
relation_name(Relation rel)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)), RelationGetRelationName(rel));
}

char *
mls_table_type_sql(Oid type)
{
	/* "Given", because "character" without a length would be character(1). */
	return format_type_extended(type, -1, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

/* The live column of that name, or NULL. */
static Form_pg_attribute
find_column(TupleDesc desc, const char *name)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && strcmp(NameStr(att->attname), name) == 0)
			return att;
	}
	return NULL;
}

static void
check_kinds(Relation source, Relation target)
{
	char source_kind = source->rd_rel->relkind;
	char target_kind = target->rd_rel->relkind;

	if (source_kind != RELKIND_RELATION && source_kind != RELKIND_PARTITIONED_TABLE && source_kind != RELKIND_VIEW &&
		source_kind != RELKIND_MATVIEW && source_kind != RELKIND_FOREIGN_TABLE)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" has no rows to score", RelationGetRelationName(source)),
						errhint("The source may be a table, view, materialized view or foreign table.")));
	if (target_kind != RELKIND_RELATION && target_kind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("\"%s\" is not a table", RelationGetRelationName(target)),
				 errhint("The target is a table with a primary key and a column for the score.")));
	if (RelationGetRelid(source) == RelationGetRelid(target))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("source and target are the same table \"%s\"", RelationGetRelationName(source)),
						errhint("Rows without a score in the same table are scored with UPDATE ... SET score = f(...) "
								"WHERE score IS NULL.")));
}

static void
check_key_type(Relation source, Relation target, Form_pg_attribute from, Form_pg_attribute to)
{
	Oid type = from->atttypid;

	if (can_coerce_type(1, &type, &to->atttypid, COERCION_ASSIGNMENT))
		return;
	ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
					errmsg("key column \"%s\" is of type %s in \"%s\" but of type %s in \"%s\"", NameStr(to->attname),
						   format_type_be(type), RelationGetRelationName(source), format_type_be(to->atttypid),
						   RelationGetRelationName(target)),
					errhint("Give both the same type.")));
}

static void
map_key(MlsTableKey *key, Relation source, Relation target, Relation index, int position)
{
	Form_pg_attribute to = TupleDescAttr(RelationGetDescr(target), index->rd_index->indkey.values[position] - 1);
	Form_pg_attribute from = find_column(RelationGetDescr(source), NameStr(to->attname));

	if (from == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("\"%s\" has no column \"%s\"", RelationGetRelationName(source), NameStr(to->attname)),
						errdetail("It belongs to the primary key of \"%s\".", RelationGetRelationName(target)),
						errhint("The source needs every column of the target's primary key, by the same name; a view "
								"over it can rename columns.")));
	check_key_type(source, target, from, to);
	key->name = quoted(NameStr(to->attname));
	key->source_attno = from->attnum;
	key->source_type = from->atttypid;
	key->source_collation = from->attcollation;
	key->source_not_null = from->attnotnull;
	key->target_type = to->atttypid;
	key->target_collation = to->attcollation;
	key->opfamily = index->rd_opfamily[position];
	key->opintype = index->rd_opcintype[position];
	key->equal = get_opfamily_member(key->opfamily, key->opintype, key->opintype, BTEqualStrategyNumber);
	if (!OidIsValid(key->equal))
		elog(ERROR, "missing equality operator in operator family %u", key->opfamily);
}

static void
map_keys(MlsTableMap *map, Relation source, Relation target)
{
	Oid constraint;
	Relation index;

	if (get_primary_key_attnos(RelationGetRelid(target), false, &constraint) == NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("\"%s\" has no primary key", RelationGetRelationName(target)),
						errdetail("Rows are told apart by the target's primary key, which must not be deferrable."),
						errhint("Add one over the columns that identify a row of \"%s\": ALTER TABLE ... ADD PRIMARY "
								"KEY (...).",
								RelationGetRelationName(source))));
	index = index_open(get_constraint_index(constraint), AccessShareLock);
	map->nkeys = index->rd_index->indnkeyatts;
	map->keys = palloc0(sizeof(MlsTableKey) * map->nkeys);
	for (int i = 0; i < map->nkeys; i++)
		map_key(&map->keys[i], source, target, index, i);
	index_close(index, AccessShareLock);
}

static bool
is_key(const MlsTableMap *map, const char *column)
{
	const char *name = quote_identifier(column);

	for (int i = 0; i < map->nkeys; i++)
	{
		if (strcmp(map->keys[i].name, name) == 0)
			return true;
	}
	return false;
}

static void
map_arg(MlsTableMap *map, MlsTableArg *arg, Relation source, const char *name, Oid type)
{
	Form_pg_attribute att = name && *name ? find_column(RelationGetDescr(source), name) : NULL;

	arg->type = mls_table_type_sql(type);
	if (att == NULL && type == source->rd_rel->reltype)
		return; /* f(d) FROM diamonds d */
	if (name == NULL || *name == '\0')
		ereport(ERROR, (errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
						errmsg("function %s has an argument without a name", map->function_name),
						errhint("Arguments are taken from the source's columns by name.")));
	if (att == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("\"%s\" has no column \"%s\"", RelationGetRelationName(source), name),
						errdetail("It is an argument of function %s.", map->function_name),
						errhint("Arguments are taken from the source's columns by name; a view over it can rename "
								"columns.")));
	if (!can_coerce_type(1, &att->atttypid, &type, COERCION_IMPLICIT))
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("column \"%s\" of \"%s\" is of type %s, but the argument of function %s is of type %s",
							   name, RelationGetRelationName(source), format_type_be(att->atttypid), map->function_name,
							   format_type_be(type)),
						errhint("A view over the source can cast the column.")));
	arg->column = quoted(name);
}

static void
map_args(MlsTableMap *map, Relation source, HeapTuple proc)
{
	Oid *types;
	char **names;
	char *modes;
	int nall = get_func_arg_info(proc, &types, &names, &modes);

	map->args = palloc0(sizeof(MlsTableArg) * Max(nall, 1));
	for (int i = 0; i < nall; i++)
	{
		char mode = modes ? modes[i] : PROARGMODE_IN;

		if (mode == PROARGMODE_IN || mode == PROARGMODE_INOUT)
			map_arg(map, &map->args[map->nargs++], source, names ? names[i] : NULL, types[i]);
	}
}

/* Can a score go there, as far as the column itself is concerned? */
static bool
takes_values(const MlsTableMap *map, Form_pg_attribute att)
{
	return !att->attisdropped && att->attgenerated == '\0' && !is_key(map, NameStr(att->attname));
}

/* The target's only column beside the key; with several, the only one without a default; NULL if there is no such. */
static Form_pg_attribute
only_column(const MlsTableMap *map, TupleDesc desc)
{
	Form_pg_attribute any = NULL;
	Form_pg_attribute plain = NULL;
	int nany = 0;
	int nplain = 0;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!takes_values(map, att))
			continue;
		any = att;
		nany++;
		if (att->atthasdef || att->attidentity != '\0')
			continue;
		plain = att;
		nplain++;
	}
	return nany == 1 ? any : nplain == 1 ? plain : NULL;
}

static void
add_result(MlsTableMap *map, Relation target, Form_pg_attribute to, const char *field, Oid type)
{
	MlsTableResult *result = &map->results[map->nresults++];

	if (!can_coerce_type(1, &type, &to->atttypid, COERCION_ASSIGNMENT))
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("column \"%s\" of \"%s\" is of type %s, but function %s gives %s", NameStr(to->attname),
							   RelationGetRelationName(target), format_type_be(to->atttypid), map->function_name,
							   format_type_be(type)),
						errhint("Give the column the type of the result.")));
	result->column = quoted(NameStr(to->attname));
	result->field = field ? quoted(field) : NULL;
}

/* One result: the column named as it (or as the function), else the only one there is. */
static void
map_scalar(MlsTableMap *map, Relation target, const char *function, Oid type)
{
	TupleDesc desc = RelationGetDescr(target);
	char *name = get_func_result_name(map->function);
	Form_pg_attribute to = name ? find_column(desc, name) : NULL;

	if (to == NULL || !takes_values(map, to))
		to = find_column(desc, function);
	if (to == NULL || !takes_values(map, to))
		to = only_column(map, desc);
	if (to == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("cannot tell which column of \"%s\" takes the result of function %s",
							   RelationGetRelationName(target), map->function_name),
						errhint("Name it \"%s\", or let it be the only column without a default beside the key.",
								name ? name : function)));
	map->results = palloc0(sizeof(MlsTableResult));
	add_result(map, target, to, NULL, type);
}

/* Several results: each goes into the column of its name; "error" may be left out. */
static void
map_composite(MlsTableMap *map, Relation target, TupleDesc result)
{
	map->results = palloc0(sizeof(MlsTableResult) * Max(result->natts, 1));
	for (int i = 0; i < result->natts; i++)
	{
		Form_pg_attribute from = TupleDescAttr(result, i);
		char *name = NameStr(from->attname);
		Form_pg_attribute to;

		if (from->attisdropped || is_key(map, name))
			continue;
		to = find_column(RelationGetDescr(target), name);
		if (to == NULL && strcmp(name, "error") == 0)
			continue;
		if (to == NULL || !takes_values(map, to))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("\"%s\" has no column \"%s\" to store into", RelationGetRelationName(target), name),
					 errdetail("It is a result of function %s.", map->function_name),
					 errhint("The target needs a column for every result, by the same name; \"error\" may be left "
							 "out.")));
		add_result(map, target, to, name, from->atttypid);
	}
	if (map->nresults == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("\"%s\" has no column for a result of function %s", RelationGetRelationName(target),
							   map->function_name),
						errhint("The target needs a column for every result, by the same name.")));
}

static void
check_function(Form_pg_proc proc)
{
	if (proc->prokind != PROKIND_FUNCTION || proc->proretset || OidIsValid(proc->provariadic))
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("%s cannot score rows", format_procedure(proc->oid)),
						errhint("It takes a plain function that gives one result for each row, such as a model "
								"function.")));
}

static void
map_function(MlsTableMap *map, Relation source, Relation target)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(map->function));
	Form_pg_proc proc;
	TupleDesc result;
	Oid type;
	TypeFuncClass class;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION), errmsg("function with OID %u does not exist", map->function)));
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	check_function(proc);
	map->function_name = quote_qualified_identifier(get_namespace_name(proc->pronamespace), NameStr(proc->proname));
	map_args(map, source, tuple);
	class = get_func_result_type(map->function, &type, &result);
	if (class == TYPEFUNC_COMPOSITE || class == TYPEFUNC_COMPOSITE_DOMAIN)
		map_composite(map, target, result);
	else
		map_scalar(map, target, NameStr(proc->proname), type);
	ReleaseSysCache(tuple);
}

MlsTableMap *
mls_table_map(Relation source, Relation target, Oid function)
{
	MlsTableMap *map = palloc0(sizeof(MlsTableMap));

	check_kinds(source, target);
	map->source = RelationGetRelid(source);
	map->target = RelationGetRelid(target);
	map->function = function;
	map->source_name = relation_name(source);
	map->target_name = relation_name(target);
	map_keys(map, source, target);
	map_function(map, source, target);
	return map;
}
