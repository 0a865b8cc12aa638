/*
 * hook.c - the planner hook: finds the statements that score, and has their plans rewritten.
 *
 * Every statement of every database in the cluster passes here, so telling that there is nothing to do must cost next to
 * nothing: a plan depends on the functions in it, and lists none but user-defined ones.
 */
#include "scoring/rewrite.h"

#include "catalog/function.h"
#include "optimizer/planner.h"
#include "scoring/prepare.h"
#include "scoring/scan.h"
#include "utils/syscache.h"

static planner_hook_type previous_planner;

static bool
depends_on_functions(const PlannedStmt *stmt)
{
	ListCell *lc;

	foreach (lc, stmt->invalItems)
	{
		if (lfirst_node(PlanInvalItem, lc)->cacheId == PROCOID)
			return true;
	}
	return false;
}

static PlannedStmt *
plan_statement(Query *parse, const char *query_string, int cursor_options, ParamListInfo params)
{
	PlannedStmt *stmt;

	if (mls_batching)
		mls_prepare_query(parse);
	stmt = previous_planner ? previous_planner(parse, query_string, cursor_options, params)
							: standard_planner(parse, query_string, cursor_options, params);
	if (mls_batching && depends_on_functions(stmt))
		mls_rewrite_statement(stmt, cursor_options);
	return stmt;
}

void
mls_planner_init(void)
{
	mls_scan_init();
	if (!mls_preloaded)
		return;
	previous_planner = planner_hook;
	planner_hook = plan_statement;
}
