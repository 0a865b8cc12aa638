/*
 * event_columns.c - column lists as text, and which of an event's columns are the stream's own.
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/heap.h"
#include "catalog/pg_class.h"
#include "codec/event.h"
#include "commands/tablecmds.h"
#include "nodes/parsenodes.h"
#include "parser/parser.h"

#define STATEMENT "CREATE TYPE t AS ("

MlsEventMetadata
mls_event_metadata(const char *column)
{
	static const char *const names[] = {"_partition", "_offset", "_time", "_key", "_headers"};
	int i = 0;

	while (i < lengthof(names) && strcmp(column, names[i]) != 0)
		i++;
	return (MlsEventMetadata) i;
}

/* Point the error at the list itself, not at the caller's statement. */
static void
columns_context(void *arg)
{
	int position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(Max(position - (int) strlen(STATEMENT), 1));
		internalerrquery(arg);
	}
	errcontext("column list \"%s\"", (const char *) arg);
}

TupleDesc
mls_event_columns(const char *columns)
{
	ErrorContextCallback context = {error_context_stack, columns_context, unconstify(char *, columns)};
	List *statements;
	Node *statement = NULL;
	TupleDesc desc;

	error_context_stack = &context;
	statements = raw_parser(psprintf(STATEMENT "%s\n)", columns), RAW_PARSE_DEFAULT);
	if (list_length(statements) == 1)
		statement = linitial_node(RawStmt, statements)->stmt;
	if (!statement || !IsA(statement, CompositeTypeStmt) || ((CompositeTypeStmt *) statement)->coldeflist == NIL)
		ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR), errmsg("the column list is not a list of columns"),
						errhint("Write it as in CREATE TABLE, for example 'id bigint, at timestamptz'.")));
	desc = BuildDescForRelation(((CompositeTypeStmt *) statement)->coldeflist);
	CheckAttributeNamesTypes(desc, RELKIND_COMPOSITE_TYPE, 0);
	error_context_stack = context.previous;
	return desc;
}
