/*
 * rows.h - what a query gives, as the report's sections read it: text in UTF-8, and the number that it is.
 */
#ifndef MLS_REPORT_ROWS_H
#define MLS_REPORT_ROWS_H

#include "ml_score.h"

typedef struct MlsCell
{
	const char *text; /* UTF-8; NULL for NULL */
	double number;	  /* NaN for what is none */
} MlsCell;

typedef struct MlsRows
{
	int nrows;
	int ncolumns;
	const char **names;
	MlsCell *cells;
} MlsRows;

/*
 * Run a SELECT, as the caller, reading only, and keep what it gives in the current memory context. word says in errors
 * which query it is; NULL: one of ours.
 */
extern MlsRows *mls_rows_read(const char *word, const char *query);

/* The place of the column of that name; -1: there is none. */
extern int mls_rows_find(const MlsRows *rows, const char *name);

static inline const MlsCell *
mls_rows_cell(const MlsRows *rows, int row, int column)
{
	return &rows->cells[(Size) row * rows->ncolumns + column];
}

static inline double
mls_rows_number(const MlsRows *rows, int row, int column)
{
	return mls_rows_cell(rows, row, column)->number;
}

/* "" for NULL. */
static inline const char *
mls_rows_text(const MlsRows *rows, int row, int column)
{
	const char *text = mls_rows_cell(rows, row, column)->text;

	return text == NULL ? "" : text;
}

/* Text of the database in UTF-8; palloc'd, or text itself. */
extern const char *mls_rows_utf8(const char *text);

#endif
