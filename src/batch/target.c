/*
 * target.c - see target.h.
 *
 * Tables are filled by COPY's own machinery, which reads from memory here: multi-inserts, partition routing, defaults,
 * constraints and triggers are its. What COPY does not do (views, foreign tables, row security, ON CONFLICT) goes
 * through an INSERT of a tuplestore. A number of lines is tried in a subtransaction; when one of them is refused, halves
 * are, until the line is found.
 */
#include "ml_score.h"

#include "batch/target.h"

#include "access/relation.h"
#include "access/table.h"
#include "batch/copy_text.h"
#include "batch/progress.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "commands/copy.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_node.h"
#include "parser/parse_relation.h"
#include "subtransaction.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#define LINES_NAME "ml_score_lines"

struct MlsTarget
{
	Oid relid;
	List *columns; /* String nodes */
	int ncolumns;
	TupleDesc desc;	 /* of the lines */
	char *statement; /* NULL: COPY */
	MemoryContext cxt;
};

/* What COPY reads now; its callback has no argument. */
static struct
{
	const char *at;
	const char *end;
} source;

static int
read_source(void *out, int min, int max)
{
	int len = (int) Min(source.end - source.at, max);

	memcpy(out, source.at, len);
	source.at += len;
	return len;
}

static char *
qualified_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid));
}

/* The target, locked; it may have been dropped since the job was submitted. */
static Relation
open_relation(Oid relid, LOCKMODE lock)
{
	Relation rel = try_relation_open(relid, lock);

	if (rel == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("the target of the job does not exist any more"),
						errhint("Create it again and give it with ml_score.retry_batch.")));
	return rel;
}

List *
mls_target_columns(Oid relid, char *const *except, int nexcept)
{
	Relation rel = open_relation(relid, AccessShareLock);
	List *columns = NIL;

	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), i);
		bool excepted = att->attisdropped || att->attgenerated != '\0' || att->attidentity != '\0';

		for (int k = 0; k < nexcept; k++)
			excepted |= strcmp(except[k], NameStr(att->attname)) == 0;
		if (!excepted)
			columns = lappend(columns, pstrdup(NameStr(att->attname)));
	}
	relation_close(rel, AccessShareLock);
	return columns;
}

/* May the current user insert these columns? */
static void
check_permission(const MlsTarget *target)
{
	Oid user = GetUserId();
	bool allowed = pg_class_aclcheck(target->relid, user, ACL_INSERT) == ACLCHECK_OK;
	ListCell *lc;

	if (!allowed)
	{
		allowed = true;
		foreach (lc, target->columns)
			allowed &= pg_attribute_aclcheck(target->relid, get_attnum(target->relid, strVal(lfirst(lc))), user,
											 ACL_INSERT) == ACLCHECK_OK;
	}
	if (!allowed)
		aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(get_rel_relkind(target->relid)),
					   get_rel_name(target->relid));
}

/* The types of the columns, in their order. */
static TupleDesc
lines_desc(const MlsTarget *target, Relation rel)
{
	TupleDesc desc = CreateTemplateTupleDesc(target->ncolumns);
	ListCell *lc;
	int i = 0;

	foreach (lc, target->columns)
	{
		AttrNumber attnum = get_attnum(target->relid, strVal(lfirst(lc)));
		Form_pg_attribute att;

		if (attnum <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN), errmsg("column \"%s\" of the target %s does not exist",
															   strVal(lfirst(lc)), qualified_name(target->relid))));
		att = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
		TupleDescInitEntry(desc, ++i, NameStr(att->attname), att->atttypid, att->atttypmod, 0);
	}
	return desc;
}

static void
append_columns(StringInfo out, const List *columns)
{
	ListCell *lc;

	foreach (lc, columns)
		appendStringInfo(out, "%s%s", lc == list_head(columns) ? "" : ", ", quote_identifier(strVal(lfirst(lc))));
}

static bool
is_in(const char *name, char *const *names, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static char *
insert_statement(const MlsTarget *target, const char *on_conflict, char *const *conflict, int nconflict)
{
	StringInfoData out;
	ListCell *lc;
	bool first = true;

	initStringInfo(&out);
	appendStringInfo(&out, "INSERT INTO %s (", qualified_name(target->relid));
	append_columns(&out, target->columns);
	appendStringInfoString(&out, ") SELECT ");
	append_columns(&out, target->columns);
	appendStringInfoString(&out, " FROM " LINES_NAME);
	if (on_conflict == NULL)
		return out.data;
	appendStringInfoString(&out, " ON CONFLICT (");
	for (int i = 0; i < nconflict; i++)
		appendStringInfo(&out, "%s%s", i > 0 ? ", " : "", quote_identifier(conflict[i]));
	appendStringInfoString(&out, ") DO ");
	if (strcmp(on_conflict, "nothing") == 0)
	{
		appendStringInfoString(&out, "NOTHING");
		return out.data;
	}
	appendStringInfoString(&out, "UPDATE SET ");
	foreach (lc, target->columns)
	{
		const char *name = quote_identifier(strVal(lfirst(lc)));

		if (is_in(strVal(lfirst(lc)), conflict, nconflict))
			continue;
		appendStringInfo(&out, "%s%s = EXCLUDED.%s", first ? "" : ", ", name, name);
		first = false;
	}
	return out.data;
}

MlsTarget *
mls_target_open(Oid relid, char *const *columns, int ncolumns, const char *on_conflict, char *const *conflict,
				int nconflict)
{
	MlsTarget *target = palloc0(sizeof(MlsTarget));
	Relation rel = open_relation(relid, RowExclusiveLock);
	char relkind;

	target->relid = relid;
	target->cxt = CurrentMemoryContext;
	for (int i = 0; i < ncolumns; i++)
		target->columns = lappend(target->columns, makeString(columns[i]));
	target->ncolumns = ncolumns;
	target->desc = lines_desc(target, rel);
	relkind = rel->rd_rel->relkind;
	if (on_conflict != NULL || (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE) ||
		check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		target->statement = insert_statement(target, on_conflict, conflict, nconflict);
	else
		check_permission(target);
	relation_close(rel, NoLock);
	return target;
}

/* Lines from start to end, by COPY. */
static int64
copy_lines(MlsTarget *target, const char *start, const char *end)
{
	Relation rel = table_open(target->relid, RowExclusiveLock);
	ParseState *pstate = make_parsestate(NULL);
	CopyFromState copy;
	int64 stored;

	source.at = start;
	source.end = end;
	(void) addRangeTableEntryForRelation(pstate, rel, RowExclusiveLock, NULL, false, false);
	copy = BeginCopyFrom(pstate, rel, NULL, NULL, false, read_source, target->columns,
						 list_make1(makeDefElem("encoding", (Node *) makeString("UTF8"), -1)));
	mls_batch_progress_again();
	stored = (int64) CopyFrom(copy);
	EndCopyFrom(copy);
	free_parsestate(pstate);
	table_close(rel, NoLock);
	CommandCounterIncrement();
	return stored;
}

/* The same by the statement. */
static int64
insert_lines(MlsTarget *target, const char *start, const char *end)
{
	Tuplestorestate *store = tuplestore_begin_heap(false, false, work_mem);
	AttInMetadata *input = TupleDescGetAttInMetadata(target->desc);
	char **values = palloc(sizeof(char *) * target->ncolumns);
	EphemeralNamedRelationData relation = {
		.md = {.name = LINES_NAME, .tupdesc = target->desc, .enrtype = ENR_NAMED_TUPLESTORE}, .reldata = store};
	int64 stored;
	int result;

	for (const char *line = start; line < end;)
	{
		const char *stop = memchr(line, '\n', end - line);
		char *copy = pg_any_to_server(pnstrdup(line, stop - line), (int) (stop - line), PG_UTF8);

		mls_copy_split(copy, values, target->ncolumns);
		tuplestore_puttuple(store, BuildTupleFromCStrings(input, values));
		relation.md.enrtuples++;
		line = stop + 1;
	}
	if (SPI_connect() != SPI_OK_CONNECT || SPI_register_relation(&relation) != SPI_OK_REL_REGISTER)
		elog(ERROR, "could not register the lines of a result");
	result = SPI_execute(target->statement, false, 0);
	if (result < 0)
		elog(ERROR, "could not store predictions: %s", SPI_result_code_string(result));
	stored = (int64) SPI_processed;
	SPI_finish();
	tuplestore_end(store);
	return stored;
}

/* Is an error about a line, so that others may be stored all the same? */
static bool
is_of_a_line(int sqlstate)
{
	int category = ERRCODE_TO_CATEGORY(sqlstate);

	return category == ERRCODE_DATA_EXCEPTION || category == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION ||
		   category == ERRCODE_CARDINALITY_VIOLATION || category == ERRCODE_WITH_CHECK_OPTION_VIOLATION;
}

/* Lines on their way to the target. */
typedef struct Lines
{
	MlsTarget *target;
	const char *start;
	const char *end;
	int64 stored;
} Lines;

/* In a subtransaction, whose end frees what this leaves behind. */
static void
write_lines(void *arg)
{
	Lines *lines = arg;
	MemoryContext work = AllocSetContextCreate(CurTransactionContext, "ml_score stored lines", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);

	PushActiveSnapshot(GetTransactionSnapshot());
	lines->stored = lines->target->statement == NULL ? copy_lines(lines->target, lines->start, lines->end)
													 : insert_lines(lines->target, lines->start, lines->end);
	PopActiveSnapshot();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
}

/* Store lines in a subtransaction. NULL, or what was raised about one of them; other errors go on. */
static ErrorData *
try_lines(MlsTarget *target, const char *start, const char *end, int64 *stored)
{
	Lines lines = {.target = target, .start = start, .end = end};
	ErrorData *error = mls_try(write_lines, &lines);

	if (error != NULL && !is_of_a_line(error->sqlerrcode))
		ReThrowError(error);
	*stored = lines.stored;
	return error;
}

/* Store n lines from first on. */
static int64
store_lines(MlsTarget *target, const char *lines, const int *starts, int first, int n, MlsTargetRefused refused,
			void *arg)
{
	int64 stored = 0;
	int half = n / 2;
	ErrorData *error = try_lines(target, lines + starts[first], lines + starts[first + n], &stored);

	if (error == NULL)
		return stored;
	if (refused == NULL)
		ReThrowError(error);
	if (n == 1)
	{
		refused(first, error->sqlerrcode, error->message, arg);
		FreeErrorData(error);
		return 0;
	}
	FreeErrorData(error);
	stored = store_lines(target, lines, starts, first, half, refused, arg);
	return stored + store_lines(target, lines, starts, first + half, n - half, refused, arg);
}

int64
mls_target_store(MlsTarget *target, StringInfo lines, const int *starts, int n, MlsTargetRefused refused, void *arg)
{
	return n == 0 ? 0 : store_lines(target, lines->data, starts, 0, n, refused, arg);
}

void
mls_target_close(MlsTarget *target)
{
	list_free_deep(target->columns);
	pfree(target);
}
