/*
 * sample.h - argument tuples of a model function, taken from a query: what ml_score.profile sends.
 */
#ifndef MLS_SAMPLE_H
#define MLS_SAMPLE_H

#include "catalog/function.h"

typedef struct MlsSample
{
	int nrows;
	int nargs;
	Datum *values; /* row by row, nargs each */
	bool *nulls;
} MlsSample;

/*
 * The first rows of query, at most max_rows and about max_bytes, their columns being fn's arguments by name. Rows that a
 * STRICT function does not send are left out. palloc'd in the current context. Raises when query is no SELECT, lacks a
 * column, or gives no such row.
 */
extern MlsSample *mls_sample_take(const MlsFunction *fn, const char *query, int max_rows, Size max_bytes);

#endif
