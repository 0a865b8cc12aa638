/*
 * rows.c - what a query gives. See rows.h.
 */
#include "report/rows.h"

#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "select_query.h"
#include "utils/memutils.h"

#include <math.h>

#define MOST_ROWS 10000

const char *
mls_rows_utf8(const char *text)
{
	/* Nobody knows what the bytes of SQL_ASCII are: those that are no UTF-8 are replaced as they are written. */
	if (GetDatabaseEncoding() == PG_SQL_ASCII)
		return text;
	return pg_server_to_any(text, (int) strlen(text), PG_UTF8);
}

static double
number_of(const char *text)
{
	char *end;
	double number = strtod(text, &end);

	return end == text || *end != '\0' ? NAN : number;
}

static void
read_cell(HeapTuple tuple, TupleDesc desc, int column, MlsCell *cell, MemoryContext result)
{
	char *text = SPI_getvalue(tuple, desc, column + 1);

	*cell = (MlsCell){.number = NAN};
	if (text == NULL)
		return;
	cell->number = number_of(text);
	cell->text = MemoryContextStrdup(result, mls_rows_utf8(text));
	pfree(text);
}

static MlsRows *
copy_rows(const SPITupleTable *table, MemoryContext result)
{
	MlsRows *rows = MemoryContextAllocZero(result, sizeof(MlsRows));

	rows->nrows = (int) SPI_processed;
	rows->ncolumns = table->tupdesc->natts;
	rows->names = MemoryContextAlloc(result, sizeof(char *) * rows->ncolumns);
	rows->cells = MemoryContextAllocHuge(result, sizeof(MlsCell) * Max(rows->nrows, 1) * rows->ncolumns);
	for (int i = 0; i < rows->ncolumns; i++)
		rows->names[i] = MemoryContextStrdup(result, SPI_fname(table->tupdesc, i + 1));
	for (int i = 0; i < rows->nrows; i++)
		for (int j = 0; j < rows->ncolumns; j++)
			read_cell(table->vals[i], table->tupdesc, j, &rows->cells[(Size) i * rows->ncolumns + j], result);
	return rows;
}

MlsRows *
mls_rows_read(const char *word, const char *query)
{
	MemoryContext result = CurrentMemoryContext;
	const char *name = word == NULL ? "report's" : word;
	MlsRows *rows;
	SPIPlanPtr plan;
	TupleDesc desc;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	plan = mls_select_prepare(query, 0, NULL, psprintf("the %s query", name), NULL, &desc);
	if (SPI_execute_plan(plan, NULL, NULL, true, MOST_ROWS + 1) != SPI_OK_SELECT)
		elog(ERROR, "could not execute the query: %s", SPI_result_code_string(SPI_result));
	if (SPI_processed > MOST_ROWS)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("the %s query gives more than %d rows", name, MOST_ROWS)));
	rows = copy_rows(SPI_tuptable, result);
	SPI_finish();
	return rows;
}

int
mls_rows_find(const MlsRows *rows, const char *name)
{
	for (int i = 0; i < rows->ncolumns; i++)
		if (strcmp(rows->names[i], name) == 0)
			return i;
	return -1;
}
