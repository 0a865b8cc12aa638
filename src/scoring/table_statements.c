/*
 * table_statements.c - the two statements of a chunk of score_table. See table_statements.h.
 *
 * They run with the caller's search_path, so every name in them is qualified, operators too.
 */
#include "scoring/table_statements.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "catalog/pg_operator.h"
#include "lib/stringinfo.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "compat.h"

/* An order over source's key columns that an index of source has. */
typedef struct Walk
{
	int *keys;		  /* the key columns, in the index's order */
	char **less;	  /* for each, the operator to sort by, as SQL */
	char *greater;	  /* for all, the operator for "after", as SQL */
	bool fits_target; /* target's keys compare by the same operators */
} Walk;

/* OPERATOR(schema.name); *schema is its schema. */
static char *
operator_sql(Oid oid, Oid *schema)
{
	HeapTuple tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(oid));
	Form_pg_operator form;
	char *sql;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", oid);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	*schema = form->oprnamespace;
	sql = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)), NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return sql;
}

static int
key_of_column(const MlsTableMap *map, AttrNumber attno)
{
	for (int i = 0; i < map->nkeys; i++)
	{
		if (map->keys[i].source_attno == attno)
			return i;
	}
	return -1;
}

/* Is index one over all of source that begins with the key columns, in any order of them? */
static bool
covers_key(const MlsTableMap *map, Relation index)
{
	Form_pg_index form = index->rd_index;
	uint64 seen = 0;

	if (index->rd_rel->relam != BTREE_AM_OID || !form->indisvalid || form->indnkeyatts < map->nkeys ||
		!heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL))
		return false;
	for (int i = 0; i < map->nkeys; i++)
	{
		int key = key_of_column(map, form->indkey.values[i]);

		if (key < 0 || seen & (UINT64CONST(1) << key) || index->rd_indcollation[i] != map->keys[key].source_collation ||
			index->rd_indoption[i] != index->rd_indoption[0])
			return false;
		seen |= UINT64CONST(1) << key;
	}
	return true;
}

/* Fill walk from index; false if its operators cannot be said in one row comparison. */
static bool
walk_along(Walk *walk, const MlsTableMap *map, Relation index)
{
	Oid first_schema = InvalidOid;

	walk->keys = palloc(sizeof(int) * map->nkeys);
	walk->less = palloc(sizeof(char *) * map->nkeys);
	walk->fits_target = true;
	for (int i = 0; i < map->nkeys; i++)
	{
		Oid family = index->rd_opfamily[i];
		Oid type = index->rd_opcintype[i];
		const MlsTableKey *key = &map->keys[key_of_column(map, index->rd_index->indkey.values[i])];
		Oid schema;
		char *greater;

		walk->keys[i] = (int) (key - map->keys);
		walk->less[i] = operator_sql(get_opfamily_member(family, type, type, BTLessStrategyNumber), &schema);
		greater = operator_sql(get_opfamily_member(family, type, type, BTGreaterStrategyNumber), &schema);
		if (i > 0 && (schema != first_schema || strcmp(greater, walk->greater) != 0))
			return false;
		first_schema = schema;
		walk->greater = greater;
		if (key->source_type != key->target_type || key->source_collation != key->target_collation ||
			key->opfamily != family)
			walk->fits_target = false;
	}
	return true;
}

static bool
choose_walk(Walk *walk, const MlsTableMap *map, Relation source)
{
	List *indexes = RelationGetIndexList(source);
	ListCell *lc;
	bool found = false;

	foreach (lc, indexes)
	{
		Relation index = index_open(lfirst_oid(lc), AccessShareLock);

		found = covers_key(map, index) && walk_along(walk, map, index);
		index_close(index, AccessShareLock);
		if (found)
			break;
	}
	list_free(indexes);
	return found;
}

/* ROW(alias.k, ...) > ROW($1, ...) */
static void
append_after_key(StringInfo sql, const char *alias, const MlsTableMap *map, const Walk *walk)
{
	appendStringInfoString(sql, " AND ROW(");
	for (int i = 0; i < map->nkeys; i++)
		appendStringInfo(sql, "%s%s.%s", i > 0 ? ", " : "", alias, map->keys[walk->keys[i]].name);
	appendStringInfo(sql, ") %s ROW(", walk->greater);
	for (int i = 0; i < map->nkeys; i++)
		appendStringInfo(sql, "%s$%d", i > 0 ? ", " : "", i + 1);
	appendStringInfoChar(sql, ')');
}

/* t.k = s.k, in the sense of the target's primary key */
static void
append_key_match(StringInfo sql, const MlsTableKey *key)
{
	char *ours = psprintf("t.%s", key->name);
	char *theirs = psprintf("s.%s", key->name);

	if (key->source_type != key->target_type)
		theirs = psprintf("(%s::%s)", theirs, mls_table_type_sql(key->target_type));
	generate_operator_clause(sql, ours, key->target_type, key->equal, theirs, key->target_type);
}

/*
 * SELECT key and argument columns of the rows that have no score; walk not NULL: of those after the key in the
 * parameters. Rows whose key has a NULL cannot be stored, so they are left out.
 */
static void
append_find(StringInfo sql, const MlsTableMap *map, const Walk *walk)
{
	appendStringInfoString(sql, "SELECT ");
	for (int i = 0; i < map->nkeys; i++)
		appendStringInfo(sql, "%ss.%s AS k%d", i > 0 ? ", " : "", map->keys[i].name, i + 1);
	for (int i = 0; i < map->nargs; i++)
	{
		const char *column = map->args[i].column;

		if (column)
			appendStringInfo(sql, ", s.%s AS a%d", column, i + 1);
		else
			appendStringInfo(sql, ", (s.*)::%s AS a%d", map->args[i].type, i + 1);
	}
	appendStringInfo(sql, " FROM %s AS s WHERE true", map->source_name);
	for (int i = 0; i < map->nkeys; i++)
	{
		if (!map->keys[i].source_not_null)
			appendStringInfo(sql, " AND s.%s IS NOT NULL", map->keys[i].name);
	}
	if (walk)
		append_after_key(sql, "s", map, walk);
	appendStringInfo(sql, " AND NOT EXISTS (SELECT FROM %s AS t WHERE ", map->target_name);
	for (int i = 0; i < map->nkeys; i++)
	{
		appendStringInfoString(sql, i > 0 ? " AND " : "");
		append_key_match(sql, &map->keys[i]);
	}
	/* Without it, a merge join would begin each chunk at target's first row. */
	if (walk && walk->fits_target)
		append_after_key(sql, "t", map, walk);
	appendStringInfoChar(sql, ')');
}

static void
append_order(StringInfo sql, const MlsTableMap *map, const Walk *walk, int chunk_rows)
{
	appendStringInfoString(sql, " ORDER BY ");
	for (int i = 0; i < map->nkeys; i++)
		appendStringInfo(sql, "%ss.%s USING %s", i > 0 ? ", " : "", map->keys[walk->keys[i]].name, walk->less[i]);
	appendStringInfo(sql, " LIMIT %d", chunk_rows);
}

/* The call, over the chunk's columns; casts make the overload certain. */
static void
append_call(StringInfo sql, const MlsTableMap *map)
{
	appendStringInfo(sql, "%s(", map->function_name);
	for (int i = 0; i < map->nargs; i++)
		appendStringInfo(sql, "%sc.a%d::%s", i > 0 ? ", " : "", i + 1, map->args[i].type);
	appendStringInfoChar(sql, ')');
}

static void
append_key_names(StringInfo sql, const MlsTableMap *map)
{
	for (int i = 0; i < map->nkeys; i++)
		appendStringInfo(sql, "%s%s", i > 0 ? ", " : "", map->keys[i].name);
}

static void
append_store(StringInfo sql, const MlsTableMap *map)
{
	bool composite = map->results[0].field != NULL;

	appendStringInfo(sql, "INSERT INTO %s (", map->target_name);
	append_key_names(sql, map);
	for (int i = 0; i < map->nresults; i++)
		appendStringInfo(sql, ", %s", map->results[i].column);
	appendStringInfoString(sql, ") OVERRIDING SYSTEM VALUE SELECT ");
	for (int i = 0; i < map->nkeys; i++)
		appendStringInfo(sql, "%sc.k%d", i > 0 ? ", " : "", i + 1);
	if (composite)
	{
		for (int i = 0; i < map->nresults; i++)
			appendStringInfo(sql, ", (c.result).%s", map->results[i].field);
		/* OFFSET keeps the subquery, so that a row is scored once however many results it has. */
		appendStringInfoString(sql, " FROM (SELECT c.*, ");
		append_call(sql, map);
		appendStringInfoString(sql, " AS result FROM " MLS_TABLE_CHUNK " AS c OFFSET 0) AS c");
	}
	else
	{
		appendStringInfoString(sql, ", ");
		append_call(sql, map);
		appendStringInfoString(sql, " FROM " MLS_TABLE_CHUNK " AS c");
	}
	appendStringInfoString(sql, " ON CONFLICT (");
	append_key_names(sql, map);
	appendStringInfoString(sql, ") DO NOTHING");
}

MlsTableStatements *
mls_table_statements(const MlsTableMap *map, Relation source, int chunk_rows)
{
	MlsTableStatements *statements = palloc0(sizeof(MlsTableStatements));
	StringInfoData sql;
	Walk walk;

	initStringInfo(&sql);
	append_find(&sql, map, NULL);
	statements->find = sql.data;
	if (choose_walk(&walk, map, source))
	{
		initStringInfo(&sql);
		append_find(&sql, map, NULL);
		append_order(&sql, map, &walk, chunk_rows);
		statements->find_first = sql.data;
		initStringInfo(&sql);
		append_find(&sql, map, &walk);
		append_order(&sql, map, &walk, chunk_rows);
		statements->find_next = sql.data;
		statements->walk = walk.keys;
	}
	initStringInfo(&sql);
	append_store(&sql, map);
	statements->store = sql.data;
	return statements;
}
