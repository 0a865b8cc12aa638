/*
 * rewrite.c - from finished plans to plans that score in batches.
 *
 * The standard planner has done its work: every expression stands at the node that evaluates it. This walks the plan
 * bottom up and, at each node that calls model functions, splits the node: what feeds the calls stays, batching scans
 * are put on top (stack.c), and whatever used the results moves into them. Calls that the node needs while it works
 * (arguments of aggregates, hash keys) are made below it instead. The columns a node gives, and their order, never
 * change, so a parent does not notice.
 */
#include "scoring/rewrite.h"

#include "executor/executor.h"
#include "jit/jit.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/planmain.h"
#include "scoring/scan.h"

static Plan *rewrite_plan(MlsRewrite *rewrite, Plan *plan, bool read_all);
static Plan *finish_plan(MlsRewrite *rewrite, Plan *plan, bool read_all);

static void
rewrite_list(MlsRewrite *rewrite, List *plans, bool read_all)
{
	ListCell *lc;

	foreach (lc, plans)
		lfirst(lc) = rewrite_plan(rewrite, lfirst(lc), read_all);
}

/* Does node read its outer child to the end whenever it reads at all? */
static bool
reads_outer_to_end(const Plan *node, bool read_all)
{
	switch (nodeTag(node))
	{
		case T_Sort:
		case T_Hash:
		case T_ModifyTable:
			return true;
		case T_Agg:
			return read_all || ((const Agg *) node)->aggstrategy != AGG_SORTED;
		case T_Limit:
		case T_MergeJoin:
			return false;
		default:
			return read_all;
	}
}

static bool
reads_inner_to_end(const Plan *node)
{
	return IsA(node, NestLoop) && ((const Join *) node)->jointype != JOIN_SEMI &&
		   ((const Join *) node)->jointype != JOIN_ANTI && !((const Join *) node)->inner_unique;
}

static void
rewrite_children(MlsRewrite *rewrite, Plan *plan, bool read_all)
{
	bool was_in_gather = rewrite->in_gather;
	ListCell *lc;

	if (IsA(plan, Gather) || IsA(plan, GatherMerge))
		rewrite->in_gather = true;
	outerPlan(plan) = rewrite_plan(rewrite, outerPlan(plan), reads_outer_to_end(plan, read_all));
	innerPlan(plan) = rewrite_plan(rewrite, innerPlan(plan), reads_inner_to_end(plan));
	rewrite->in_gather = was_in_gather;

	switch (nodeTag(plan))
	{
		case T_Append:
			/* The children themselves are the Append's business. */
			foreach (lc, ((Append *) plan)->appendplans)
				rewrite_children(rewrite, lfirst(lc), read_all);
			break;
		case T_MergeAppend:
			rewrite_list(rewrite, ((MergeAppend *) plan)->mergeplans, false);
			break;
		case T_SubqueryScan:
			((SubqueryScan *) plan)->subplan = rewrite_plan(rewrite, ((SubqueryScan *) plan)->subplan, read_all);
			break;
		case T_CustomScan:
			rewrite_list(rewrite, ((CustomScan *) plan)->custom_plans, false);
			break;
		default:
			break;
	}
}

static Plan *
materialize(MlsRewrite *rewrite, Plan *plan)
{
	plan = materialize_finished_plan(plan);
	plan->plan_node_id = rewrite->next_plan_id++;
	return plan;
}

/* A merge join returns to earlier rows of its inner side, a nested loop reads it again and again: keep them. */
static void
keep_inner_rows(MlsRewrite *rewrite, Plan *join)
{
	Plan *inner = innerPlan(join);

	if (!mls_scan_is(inner))
		return;
	if (IsA(join, MergeJoin) && ((MergeJoin *) join)->skip_mark_restore)
		return;
	if (IsA(join, NestLoop) && !bms_is_empty(inner->extParam))
		return;
	innerPlan(join) = materialize(rewrite, inner);
}

static Plan *
rewrite_join(MlsRewrite *rewrite, Plan *plan)
{
	Join *join = (Join *) plan;
	List *joinqual;
	Plan *result;

	mls_rewrite_join_conditions(rewrite, join);
	if (IsA(plan, MergeJoin) || IsA(plan, NestLoop))
		keep_inner_rows(rewrite, plan);
	joinqual = join->joinqual;
	result = mls_split_above(rewrite, plan, join->jointype == JOIN_INNER ? &join->joinqual : NULL);
	/* With a condition gone, the first match of what remains need not be the only one. */
	if (list_length(join->joinqual) != list_length(joinqual))
		join->inner_unique = false;
	return result;
}

static bool
is_stable_constant(Node *node)
{
	return node == NULL || IsA(node, Const) || (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXTERN);
}

/* Tell the scans below, through nodes that neither drop nor add rows, how many rows a LIMIT lets through. */
static void
push_limit(Plan *plan, Limit *limit)
{
	ListCell *lc;

	if (plan == NULL)
		return;
	switch (nodeTag(plan))
	{
		case T_CustomScan:
			if (!mls_scan_is(plan))
				return;
			mls_scan_set_limit((CustomScan *) plan, limit->limitCount, limit->limitOffset);
			if (plan->qual == NIL)
				push_limit(outerPlan(plan), limit);
			return;
		case T_Append:
			foreach (lc, ((Append *) plan)->appendplans)
				push_limit(lfirst(lc), limit);
			return;
		case T_SubqueryScan:
			if (plan->qual == NIL)
				push_limit(((SubqueryScan *) plan)->subplan, limit);
			return;
		case T_Result:
		case T_Gather:
		case T_GatherMerge:
		case T_Material:
			if (plan->qual == NIL)
				push_limit(outerPlan(plan), limit);
			return;
		default:
			return;
	}
}

static void
rewrite_limit(Limit *limit)
{
	if (limit->limitCount == NULL || limit->limitOption != LIMIT_OPTION_COUNT)
		return;
	if (is_stable_constant(limit->limitCount) && is_stable_constant(limit->limitOffset))
		push_limit(outerPlan(limit), limit);
}

/* The stack of scans on top of plan: each reads its input to the end if its own reader does. */
static void
mark_read_all(Plan *plan, const Plan *below)
{
	for (; plan != below && mls_scan_is(plan); plan = outerPlan(plan))
		mls_scan_set_read_all((CustomScan *) plan);
}

/* One stack over all children where they are alike, else one over each. */
static Plan *
rewrite_append(MlsRewrite *rewrite, Append *append, bool read_all)
{
	Plan *result = mls_split_append(rewrite, append);
	ListCell *lc;

	if (result)
		return result;
	foreach (lc, append->appendplans)
		lfirst(lc) = finish_plan(rewrite, lfirst(lc), read_all);
	return &append->plan;
}

static Plan *
rewrite_node(MlsRewrite *rewrite, Plan *plan, bool read_all)
{
	switch (nodeTag(plan))
	{
		case T_Agg:
		case T_WindowAgg:
			mls_rewrite_agg_arguments(rewrite, plan);
			return mls_split_above(rewrite, plan, NULL);
		case T_ProjectSet:
			mls_rewrite_agg_arguments(rewrite, plan);
			return plan;
		case T_HashJoin:
		case T_MergeJoin:
		case T_NestLoop:
			return rewrite_join(rewrite, plan);
		case T_Limit:
			rewrite_limit((Limit *) plan);
			return plan;
		case T_Result:
			/* SELECT f(1): one row, and PL/pgSQL's simple expressions must stay what they are. */
			return outerPlan(plan) ? mls_split_above(rewrite, plan, NULL) : plan;
		case T_Append:
			return rewrite_append(rewrite, (Append *) plan, read_all);
		case T_ModifyTable:
			mls_rewrite_merge_actions(rewrite, (ModifyTable *) plan);
			return mls_split_returning(rewrite, (ModifyTable *) plan);
		case T_ValuesScan:
			mls_rewrite_values(rewrite, (ValuesScan *) plan);
			return mls_split_above(rewrite, plan, NULL);
		default:
			return mls_split_above(rewrite, plan, NULL);
	}
}

/* plan's children were rewritten; now plan itself. */
static Plan *
finish_plan(MlsRewrite *rewrite, Plan *plan, bool read_all)
{
	Plan *result = rewrite_node(rewrite, plan, read_all);

	if (read_all)
		mark_read_all(result, plan);
	return result;
}

static Plan *
rewrite_plan(MlsRewrite *rewrite, Plan *plan, bool read_all)
{
	if (plan == NULL)
		return NULL;
	rewrite_children(rewrite, plan, read_all);
	return finish_plan(rewrite, plan, read_all);
}

static int highest_plan_id(Plan *plan);

static int
highest_plan_id_in(List *plans)
{
	int highest = 0;
	ListCell *lc;

	foreach (lc, plans)
		highest = Max(highest, highest_plan_id(lfirst(lc)));
	return highest;
}

static int
highest_plan_id(Plan *plan)
{
	int highest;

	if (plan == NULL)
		return 0;
	highest = Max(plan->plan_node_id, Max(highest_plan_id(outerPlan(plan)), highest_plan_id(innerPlan(plan))));
	switch (nodeTag(plan))
	{
		case T_Append:
			return Max(highest, highest_plan_id_in(((Append *) plan)->appendplans));
		case T_MergeAppend:
			return Max(highest, highest_plan_id_in(((MergeAppend *) plan)->mergeplans));
		case T_BitmapAnd:
			return Max(highest, highest_plan_id_in(((BitmapAnd *) plan)->bitmapplans));
		case T_BitmapOr:
			return Max(highest, highest_plan_id_in(((BitmapOr *) plan)->bitmapplans));
		case T_SubqueryScan:
			return Max(highest, highest_plan_id(((SubqueryScan *) plan)->subplan));
		case T_CustomScan:
			return Max(highest, highest_plan_id_in(((CustomScan *) plan)->custom_plans));
		default:
			return highest;
	}
}

/*
 * A model function's cost is waiting, not computing: without it, was there enough to compute for the JIT compiler?
 */
static void
reconsider_jit(PlannedStmt *stmt, Cost waiting)
{
	if (stmt->planTree->total_cost - waiting < jit_above_cost)
		stmt->jitFlags = PGJIT_NONE;
}

void
mls_rewrite_statement(PlannedStmt *stmt, int cursor_options)
{
	MlsRewrite rewrite = {stmt};

	rewrite.next_plan_id = Max(highest_plan_id(stmt->planTree), highest_plan_id_in(stmt->subplans)) + 1;
	rewrite_list(&rewrite, stmt->subplans, false);
	stmt->planTree = rewrite_plan(&rewrite, stmt->planTree, false);
	reconsider_jit(stmt, rewrite.waiting_cost);
	if ((cursor_options & CURSOR_OPT_SCROLL) && !ExecSupportsBackwardScan(stmt->planTree))
		stmt->planTree = materialize(&rewrite, stmt->planTree);
}
