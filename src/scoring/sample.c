/*
 * sample.c - argument tuples of a model function, taken from a query. See sample.h.
 */
#include "scoring/sample.h"

#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "parser/parse_coerce.h"
#include "select_query.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"

#define FETCH_ROWS 100

static void
check_column(const MlsFunction *fn, TupleDesc desc, int arg)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (strcmp(NameStr(att->attname), fn->arg_names[arg]) != 0)
			continue;
		if (!can_coerce_type(1, &att->atttypid, &fn->arg_types[arg], COERCION_IMPLICIT))
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("column \"%s\" of the query is of type %s, but the argument of function %s is of "
								   "type %s",
								   fn->arg_names[arg], format_type_be(att->atttypid), fn->name,
								   format_type_be(fn->arg_types[arg])),
							errhint("Cast the column in the query.")));
		return;
	}
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN), errmsg("the query has no column \"%s\"", fn->arg_names[arg]),
					errdetail("It is an argument of function %s.", fn->name),
					errhint("The query gives the function's arguments as columns, by name.")));
}

/* SELECT the arguments in order, of their types, from the query. */
static char *
select_arguments(const MlsFunction *fn, const char *query)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (int i = 0; i < fn->nargs; i++)
		appendStringInfo(
			&sql, "%sq.%s::%s", i > 0 ? ", " : "", quote_identifier(fn->arg_names[i]),
			format_type_extended(fn->arg_types[i], -1, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
	/* The query may end in a comment. */
	appendStringInfo(&sql, " FROM (\n%s\n) AS q", query);
	return sql.data;
}

/* Append a tuple's values, copied; false if fn does not send it. */
static bool
keep_row(MlsSample *sample, const MlsFunction *fn, HeapTuple tuple, TupleDesc desc)
{
	Datum *values = sample->values + sample->nrows * sample->nargs;
	bool *nulls = sample->nulls + sample->nrows * sample->nargs;

	heap_deform_tuple(tuple, desc, values, nulls);
	for (int i = 0; i < fn->nargs; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (nulls[i] && fn->strict)
			return false;
		if (!nulls[i])
			values[i] = datumCopy(values[i], att->attbyval, att->attlen);
	}
	return true;
}

/* Room for as many rows as are fetched at a time. */
static void
make_room(MlsSample *sample, int *room)
{
	if (sample->nrows + FETCH_ROWS <= *room)
		return;
	*room *= 2;
	sample->values = repalloc_huge(sample->values, sizeof(Datum) * *room * sample->nargs);
	sample->nulls = repalloc_huge(sample->nulls, sizeof(bool) * *room * sample->nargs);
}

/* Fill the sample, in context, from the query. */
static void
fetch_rows(MlsSample *sample, const MlsFunction *fn, const char *sql, int max_rows, Size max_bytes,
		   MemoryContext context)
{
	Portal portal = SPI_cursor_open_with_args(NULL, sql, 0, NULL, NULL, NULL, false, CURSOR_OPT_NO_SCROLL);
	int room = FETCH_ROWS;

	sample->values = MemoryContextAlloc(context, sizeof(Datum) * Max(room * fn->nargs, 1));
	sample->nulls = MemoryContextAlloc(context, sizeof(bool) * Max(room * fn->nargs, 1));
	while (sample->nrows < max_rows && MemoryContextMemAllocated(context, true) < max_bytes)
	{
		MemoryContext old;

		SPI_cursor_fetch(portal, true, Min(FETCH_ROWS, max_rows - sample->nrows));
		if (SPI_processed == 0)
			break;
		make_room(sample, &room);
		old = MemoryContextSwitchTo(context);
		for (uint64 i = 0; i < SPI_processed; i++)
			sample->nrows += keep_row(sample, fn, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
		MemoryContextSwitchTo(old);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
}

MlsSample *
mls_sample_take(const MlsFunction *fn, const char *query, int max_rows, Size max_bytes)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ml_score sample", ALLOCSET_DEFAULT_SIZES);
	MlsSample *sample = MemoryContextAllocZero(context, sizeof(MlsSample));
	TupleDesc desc;
	char *stripped;

	sample->nargs = fn->nargs;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	stripped = mls_select_body(query);
	(void) mls_select_prepare(stripped, 0, NULL, "query",
							  "It is one statement whose columns are the function's arguments by name, such as SELECT "
							  "carat, cut FROM diamonds.",
							  &desc);
	for (int i = 0; i < fn->nargs; i++)
		check_column(fn, desc, i);
	fetch_rows(sample, fn, select_arguments(fn, stripped), max_rows, max_bytes, context);
	SPI_finish();
	if (sample->nrows == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("the query gave no row to send"),
						fn->strict ? errdetail("Function %s is STRICT: rows with a NULL are not sent.", fn->name) : 0));
	return sample;
}
