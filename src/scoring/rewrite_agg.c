/*
 * rewrite_agg.c - calls inside the arguments of aggregates, window functions and set-returning functions.
 *
 * Those are evaluated by the node itself, row by row of its input, so the scores must be columns of that input. A
 * FILTER is the condition under which an argument is needed.
 */
#include "scoring/rewrite.h"

#include "nodes/nodeFuncs.h"

/* Lift in the arguments of every Aggref and WindowFunc below node; other calls stay for the split above. */
static Node *
lift_arguments_mutator(Node *node, void *arg)
{
	MlsLift *lift = arg;

	if (node == NULL)
		return NULL;
	if (IsA(node, Aggref))
	{
		Aggref *aggref = copyObject((Aggref *) node);

		aggref->aggfilter = (Expr *) mls_lift_expr(lift, (Node *) aggref->aggfilter);
		aggref->args = (List *) mls_lift_expr_if(lift, (Node *) aggref->args, (Node *) aggref->aggfilter);
		return (Node *) aggref;
	}
	if (IsA(node, WindowFunc))
	{
		WindowFunc *wfunc = copyObject((WindowFunc *) node);

		wfunc->aggfilter = (Expr *) mls_lift_expr(lift, (Node *) wfunc->aggfilter);
		wfunc->args = (List *) mls_lift_expr_if(lift, (Node *) wfunc->args, (Node *) wfunc->aggfilter);
		return (Node *) wfunc;
	}
	return expression_tree_mutator(node, lift_arguments_mutator, arg);
}

/* A ProjectSet's entries: in a set-returning function only its arguments may be lifted from. */
static Node *
lift_below_set(MlsLift *lift, TargetEntry *tle)
{
	TargetEntry *lifted = copyObject(tle);

	if (IsA(tle->expr, FuncExpr) && ((FuncExpr *) tle->expr)->funcretset)
		((FuncExpr *) lifted->expr)->args = (List *) mls_lift_expr(lift, (Node *) ((FuncExpr *) lifted->expr)->args);
	else if (IsA(tle->expr, OpExpr) && ((OpExpr *) tle->expr)->opretset)
		((OpExpr *) lifted->expr)->args = (List *) mls_lift_expr(lift, (Node *) ((OpExpr *) lifted->expr)->args);
	else
		lifted->expr = (Expr *) mls_lift_expr(lift, (Node *) lifted->expr);
	return (Node *) lifted;
}

void
mls_rewrite_agg_arguments(MlsRewrite *rewrite, Plan *plan)
{
	MlsLift lift = {0};
	AttrNumber first;
	List *targets = NIL;
	List *quals;
	ListCell *lc;

	if (outerPlan(plan) == NULL ||
		(!mls_lift_contains_call((Node *) plan->targetlist) && !mls_lift_contains_call((Node *) plan->qual)))
		return;
	if (IsA(plan, ProjectSet))
	{
		foreach (lc, plan->targetlist)
			targets = lappend(targets, lift_below_set(&lift, lfirst(lc)));
		quals = plan->qual;
	}
	else
	{
		targets = (List *) lift_arguments_mutator((Node *) plan->targetlist, &lift);
		quals = (List *) lift_arguments_mutator((Node *) plan->qual, &lift);
	}
	if (lift.calls == NIL)
		return;
	first = list_length(outerPlan(plan)->targetlist) + 1;
	outerPlan(plan) = mls_compute_below(rewrite, outerPlan(plan), &lift, false);
	plan->targetlist = (List *) mls_fill_placeholders((Node *) targets, &lift, OUTER_VAR, first);
	plan->qual = (List *) mls_fill_placeholders((Node *) quals, &lift, OUTER_VAR, first);
}
