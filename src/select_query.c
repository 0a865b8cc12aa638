/*
 * select_query.c - see select_query.h.
 */
#include "select_query.h"

#include "nodes/parsenodes.h"
#include "tcop/cmdtag.h"
#include "utils/plancache.h"

SPIPlanPtr
mls_select_prepare(const char *query, int nargs, Oid *types, const char *what, const char *hint, TupleDesc *desc)
{
	SPIPlanPtr plan = SPI_prepare_cursor(query, nargs, types, CURSOR_OPT_PARALLEL_OK);
	CachedPlanSource *source;

	if (plan == NULL)
		elog(ERROR, "could not prepare the query: %s", SPI_result_code_string(SPI_result));
	source = list_length(SPI_plan_get_plan_sources(plan)) == 1 ? linitial(SPI_plan_get_plan_sources(plan)) : NULL;
	if (source == NULL || source->commandTag != CMDTAG_SELECT || source->resultDesc == NULL)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s is not a SELECT", what),
				hint == NULL ? 0 : errhint("%s", hint));
	*desc = source->resultDesc;
	return plan;
}

char *
mls_select_body(const char *query)
{
	size_t len = strlen(query);

	while (len > 0 && strchr(" \t\r\n;", query[len - 1]) != NULL)
		len--;
	return pnstrdup(query, len);
}
