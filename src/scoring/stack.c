/*
 * stack.c - putting batching scans on top of a plan node. See stack.h.
 *
 * Expressions are kept in the terms of the node below (its Vars, Aggrefs and WindowFuncs: the leaves) plus placeholders
 * while the stack is built; each scan translates what it evaluates into references to its child's columns (OUTER_VAR)
 * or to its own scan tuple (INDEX_VAR).
 */
#include "scoring/stack.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/plancat.h"
#include "scoring/scan.h"

static bool
is_leaf(Node *node)
{
	return IsA(node, Var) || IsA(node, Aggref) || IsA(node, WindowFunc) || IsA(node, GroupingFunc);
}

/* Are two leaves the same column? Vars may differ in what the planner noted of outer joins on their way. */
static bool
same_leaf(const Node *a, const Node *b)
{
	if (IsA(a, Var) && IsA(b, Var))
	{
		const Var *va = (const Var *) a;
		const Var *vb = (const Var *) b;

		return va->varno == vb->varno && va->varattno == vb->varattno &&
			   MlsVarReturningType(va) == MlsVarReturningType(vb);
	}
	return equal(a, b);
}

static int
find_column(List *columns, const Node *leaf)
{
	ListCell *lc;

	foreach (lc, columns)
	{
		if (same_leaf(lfirst(lc), leaf))
			return foreach_current_index(lc);
	}
	return -1;
}

static bool
collect_leaves_walker(Node *node, void *context)
{
	List **leaves = context;

	if (node == NULL)
		return false;
	if (!is_leaf(node))
		return expression_tree_walker(node, collect_leaves_walker, context);
	if (find_column(*leaves, node) < 0)
		*leaves = lappend(*leaves, node);
	return false;
}

List *
mls_collect_leaves(List *leaves, Node *node)
{
	collect_leaves_walker(node, &leaves);
	return leaves;
}

static Var *
column_var(int varno, int index, Node *column)
{
	return makeVar(varno, index + 1, exprType(column), exprTypmod(column), exprCollation(column), 0);
}

typedef struct TranslateContext
{
	List *columns;
	int varno;
} TranslateContext;

static Node *
translate_mutator(Node *node, void *arg)
{
	TranslateContext *context = arg;
	int index;

	if (node == NULL)
		return NULL;
	if (!is_leaf(node))
		return expression_tree_mutator(node, translate_mutator, arg);
	index = find_column(context->columns, node);
	if (index < 0)
		elog(ERROR, "ml_score: column not found while a plan was rewritten");
	return (Node *) column_var(context->varno, index, list_nth(context->columns, index));
}

Node *
mls_in_terms_of(Node *node, List *columns, int varno)
{
	TranslateContext context = {columns, varno};

	return translate_mutator(node, &context);
}

static int
highest_level(const MlsLift *lift)
{
	int level = 0;
	ListCell *lc;

	foreach (lc, lift->calls)
		level = Max(level, ((MlsLiftedCall *) lfirst(lc))->level);
	return level;
}

/* The leaves and placeholders that are used above the calls of level: by filters from it on, later calls and targets. */
static List *
used_above(const MlsLift *lift, int level, List *filters, List *targets)
{
	List *used = NIL;
	ListCell *lc;

	collect_leaves_walker((Node *) targets, &used);
	foreach (lc, filters)
	{
		MlsFilter *filter = lfirst(lc);

		if (filter->level >= level)
			collect_leaves_walker(filter->condition, &used);
	}
	foreach (lc, lift->calls)
	{
		MlsLiftedCall *call = lfirst(lc);

		if (call->level <= level)
			continue;
		collect_leaves_walker((Node *) call->call->args, &used);
		collect_leaves_walker(call->need, &used);
	}
	return used;
}

/* The columns of a scan's tuple: what is kept of the child's, and the results. Fills spec from them. */
static List *
scan_columns(const MlsLift *lift, int level, List *child_columns, List *used, MlsScanSpec *spec)
{
	List *columns = NIL;
	ListCell *lc;

	foreach (lc, child_columns)
	{
		if (find_column(used, lfirst(lc)) < 0)
			continue;
		columns = lappend(columns, lfirst(lc));
		spec->kept = lappend_int(spec->kept, foreach_current_index(lc) + 1);
	}
	foreach (lc, lift->calls)
	{
		MlsLiftedCall *call = lfirst(lc);

		if (call->level != level)
			continue;
		columns = lappend(columns, mls_placeholder_make(call->call, foreach_current_index(lc)));
		spec->calls = lappend(spec->calls, mls_in_terms_of((Node *) call->call, child_columns, OUTER_VAR));
		spec->needs = lappend(spec->needs, mls_in_terms_of(call->need, child_columns, OUTER_VAR));
	}
	return columns;
}

/* The scan tuple described: the child's columns that are kept, then the calls. */
static List *
scan_tlist(List *columns, List *child_columns, const MlsScanSpec *spec)
{
	List *tlist = NIL;
	int nkept = list_length(spec->kept);

	for (int i = 0; i < list_length(columns); i++)
	{
		Expr *expr;

		if (i < nkept)
		{
			int child_index = list_nth_int(spec->kept, i) - 1;

			expr = (Expr *) column_var(OUTER_VAR, child_index, list_nth(child_columns, child_index));
		}
		else
			expr = list_nth(spec->calls, i - nkept);
		tlist = lappend(tlist, makeTargetEntry(expr, i + 1, NULL, false));
	}
	return tlist;
}

static List *
columns_as_targets(List *columns)
{
	List *tlist = NIL;
	ListCell *lc;

	foreach (lc, columns)
		tlist = lappend(tlist, makeTargetEntry(lfirst(lc), foreach_current_index(lc) + 1, NULL, false));
	return tlist;
}

static List *
filters_of_level(List *filters, int level, List *columns)
{
	List *quals = NIL;
	ListCell *lc;

	foreach (lc, filters)
	{
		MlsFilter *filter = lfirst(lc);

		if (filter->level == level)
			quals = lappend(quals, mls_in_terms_of(filter->condition, columns, INDEX_VAR));
	}
	return quals;
}

/* What the planner reckoned for the scan's calls: their procost for each row. */
static Cost
calls_cost(List *calls, double rows)
{
	QualCost cost = {0};
	ListCell *lc;

	foreach (lc, calls)
		add_function_cost(NULL, lfirst_node(FuncExpr, lc)->funcid, NULL, &cost);
	return cost.per_tuple * rows;
}

/* One scan over child; *columns are the child's and become the scan's. targets NULL: all its columns. */
static Plan *
stack_one(MlsRewrite *rewrite, Plan *child, List **columns, const MlsLift *lift, int level, List *filters, List *used,
		  List *targets)
{
	MlsScanSpec spec = {0};
	List *own_columns = scan_columns(lift, level, *columns, used, &spec);
	CustomScan *scan = mls_scan_make(child, &spec);

	scan->custom_scan_tlist = scan_tlist(own_columns, *columns, &spec);
	scan->scan.plan.targetlist = (List *) mls_in_terms_of(
		(Node *) (targets ? targets : columns_as_targets(own_columns)), own_columns, INDEX_VAR);
	scan->scan.plan.qual = filters_of_level(filters, level, own_columns);
	scan->scan.plan.plan_node_id = rewrite->next_plan_id++;
	rewrite->waiting_cost += calls_cost(spec.calls, child->plan_rows);
	/* Only parallel-aware nodes get shared memory, in which workers report their figures. */
	scan->scan.plan.parallel_aware = rewrite->in_gather;
	*columns = own_columns;
	return &scan->scan.plan;
}

Plan *
mls_stack_build(MlsRewrite *rewrite, Plan *child, List *columns, const MlsLift *lift, List *filters, List *targets)
{
	int top = highest_level(lift);
	List *init_plans = child->initPlan;
	Plan *plan = child;

	for (int level = 1; level <= top; level++)
		plan = stack_one(rewrite, plan, &columns, lift, level, filters, used_above(lift, level, filters, targets),
						 level == top ? targets : NIL);

	/* Their parameters may be used at any height of the stack. */
	child->initPlan = NIL;
	plan->initPlan = init_plans;
	child->async_capable = false;
	return plan;
}

/* Columns appended below a node that only passes its child's rows on are passed on too. */
static void
pass_on_new_columns(Plan *node, Plan *child)
{
	for (int i = list_length(node->targetlist); i < list_length(child->targetlist); i++)
	{
		TargetEntry *tle = list_nth(child->targetlist, i);

		node->targetlist =
			lappend(node->targetlist,
					makeTargetEntry((Expr *) column_var(OUTER_VAR, i, (Node *) tle->expr), i + 1, NULL, tle->resjunk));
	}
}

Plan *
mls_compute_below(MlsRewrite *rewrite, Plan *child, const MlsLift *lift, bool resjunk)
{
	List *columns = NIL;
	List *targets = NIL;
	ListCell *lc;

	if (IsA(child, Hash) || IsA(child, Material) || IsA(child, Sort))
	{
		outerPlan(child) = mls_compute_below(rewrite, outerPlan(child), lift, resjunk);
		pass_on_new_columns(child, outerPlan(child));
		return child;
	}
	foreach (lc, child->targetlist)
	{
		TargetEntry *tle = flatCopyTargetEntry(lfirst_node(TargetEntry, lc));

		tle->expr = (Expr *) column_var(OUTER_VAR, foreach_current_index(lc), (Node *) tle->expr);
		columns = lappend(columns, tle->expr);
		targets = lappend(targets, tle);
	}
	foreach (lc, lift->calls)
	{
		MlsLiftedCall *call = lfirst(lc);

		targets = lappend(targets, makeTargetEntry((Expr *) mls_placeholder_make(call->call, foreach_current_index(lc)),
												   list_length(targets) + 1, NULL, resjunk));
	}
	return mls_stack_build(rewrite, child, columns, lift, NIL, targets);
}

typedef struct FillContext
{
	const MlsLift *lift;
	int varno;
	AttrNumber first_attno;
} FillContext;

static Node *
fill_mutator(Node *node, void *arg)
{
	FillContext *context = arg;
	int index = mls_placeholder_index(node);

	if (node == NULL)
		return NULL;
	if (index >= 0)
		return (Node *) column_var(context->varno, context->first_attno - 1 + index,
								   (Node *) mls_lift_call(context->lift, index)->call);
	return expression_tree_mutator(node, fill_mutator, arg);
}

Node *
mls_fill_placeholders(Node *node, const MlsLift *lift, int varno, AttrNumber first_attno)
{
	FillContext context = {lift, varno, first_attno};

	return fill_mutator(node, &context);
}
