/*
 * select_query.h - queries that are given as text and must be a SELECT.
 */
#ifndef MLS_SELECT_QUERY_H
#define MLS_SELECT_QUERY_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "executor/spi.h"

/*
 * Prepare a query, which may have nargs parameters; its columns go to *desc and live as long as the plan. In SPI_connect.
 * Raises INVALID_PARAMETER_VALUE when it is not one SELECT: what is its name there, hint may be NULL.
 */
extern SPIPlanPtr mls_select_prepare(const char *query, int nargs, Oid *types, const char *what, const char *hint,
									 TupleDesc *desc);

/* The query to stand in parentheses: without the semicolons and white space at its end. palloc'd. */
extern char *mls_select_body(const char *query);

#endif
