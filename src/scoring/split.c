/*
 * split.c - parting a plan node in what feeds its model calls and what uses their results. See split.h.
 *
 * Below stay the node, its calls-free conditions and, as its target list, the leaves: the plain columns that anything
 * above refers to. Above come the scans, and all else that the node computed.
 */
#include "scoring/split.h"

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/tlist.h"

/* One target list with its conditions, parted. */
typedef struct Split
{
	MlsLift lift;
	List *filters;		/* MlsFilter */
	List *targets;		/* with placeholders */
	List *leaves;		/* what the node itself must give */
	List *staying;		/* conditions that stay with the node */
	List *staying_join; /* join conditions likewise */
} Split;

/* Lift a filter's conjuncts from the first that calls a model on; those before stay where they are. */
static List *
lift_conjuncts(MlsLift *lift, List *conjuncts, List **staying)
{
	List *filters = NIL;
	ListCell *lc;

	foreach (lc, conjuncts)
	{
		Node *lifted = mls_lift_expr(lift, lfirst(lc));
		int level = Max(mls_lift_level(lift, lifted), lift->base);
		MlsFilter *filter;

		if (level == 0)
		{
			*staying = lappend(*staying, lfirst(lc));
			continue;
		}
		filter = palloc(sizeof(MlsFilter));
		filter->level = level;
		filter->condition = lifted;
		filters = lappend(filters, filter);
		/* What comes later is only for the rows that pass this. */
		lift->base = level;
	}
	return filters;
}

static void
collect_split_leaves(Split *split)
{
	List *leaves = mls_collect_leaves(NIL, (Node *) split->targets);
	ListCell *lc;

	foreach (lc, split->filters)
		leaves = mls_collect_leaves(leaves, ((MlsFilter *) lfirst(lc))->condition);
	foreach (lc, split->lift.calls)
	{
		MlsLiftedCall *call = lfirst(lc);

		leaves = mls_collect_leaves(leaves, (Node *) call->call->args);
		leaves = mls_collect_leaves(leaves, call->need);
	}
	split->leaves = mls_without_placeholders(leaves);
}

static Split *
make_split(List *targets, List *qual, List *joinqual)
{
	Split *split = palloc0(sizeof(Split));

	split->filters = lift_conjuncts(&split->lift, joinqual, &split->staying_join);
	split->filters = list_concat(split->filters, lift_conjuncts(&split->lift, qual, &split->staying));
	split->targets = (List *) mls_lift_expr(&split->lift, (Node *) targets);
	collect_split_leaves(split);
	return split;
}

static List *
leaf_targets(List *leaves)
{
	List *tlist = NIL;
	ListCell *lc;

	foreach (lc, leaves)
		tlist = lappend(tlist, makeTargetEntry(lfirst(lc), foreach_current_index(lc) + 1, NULL, false));
	return tlist;
}

/*
 * A WindowAgg's run condition looks at the node's entries by position: those stay, the ones with calls emptied, and the
 * leaves follow.
 */
static List *
keep_positions(List *targets, List *leaves)
{
	List *columns = NIL;
	ListCell *lc;

	foreach (lc, targets)
	{
		Node *expr = (Node *) lfirst_node(TargetEntry, lc)->expr;

		if (mls_lift_contains_call(expr))
			expr = (Node *) makeNullConst(exprType(expr), exprTypmod(expr), exprCollation(expr));
		columns = lappend(columns, expr);
	}
	return list_concat(columns, leaves);
}

Plan *
mls_split_above(MlsRewrite *rewrite, Plan *node, List **joinqual)
{
	Split *split;
	List *columns;

	if (!mls_lift_contains_call((Node *) node->targetlist) && !mls_lift_contains_call((Node *) node->qual) &&
		!(joinqual && mls_lift_contains_call((Node *) *joinqual)))
		return node;
	split = make_split(node->targetlist, node->qual, joinqual ? *joinqual : NIL);
	if (split->lift.calls == NIL)
		return node;

	columns = split->leaves;
	if (IsA(node, WindowAgg) && ((WindowAgg *) node)->runCondition != NIL)
		columns = keep_positions(node->targetlist, split->leaves);
	node->targetlist = leaf_targets(columns);
	node->qual = split->staying;
	if (joinqual)
		*joinqual = split->staying_join;
	return mls_stack_build(rewrite, node, columns, &split->lift, split->filters, split->targets);
}

static Const *
level_const(int level)
{
	return makeConst(INT4OID, -1, InvalidOid, sizeof(int32), Int32GetDatum(level), false, true);
}

/* What split evaluates, with leaves named by position, placeholders by call: equal for equal work on other columns. */
static Node *
normal_form(const Split *split)
{
	List *columns = list_copy(split->leaves);
	List *form = NIL;
	ListCell *lc;

	foreach (lc, split->lift.calls)
		columns =
			lappend(columns, mls_placeholder_make(((MlsLiftedCall *) lfirst(lc))->call, foreach_current_index(lc)));
	foreach (lc, split->lift.calls)
	{
		MlsLiftedCall *call = lfirst(lc);

		form = lappend(form, level_const(call->level));
		form = lappend(form, call->call);
		form = lappend(form, call->need);
	}
	foreach (lc, split->filters)
	{
		form = lappend(form, level_const(((MlsFilter *) lfirst(lc))->level));
		form = lappend(form, ((MlsFilter *) lfirst(lc))->condition);
	}
	foreach (lc, split->targets)
		form = lappend(form, lfirst_node(TargetEntry, lc)->expr);
	return mls_in_terms_of((Node *) form, columns, OUTER_VAR);
}

static bool
same_columns(List *a, List *b)
{
	ListCell *la;
	ListCell *lb;

	if (list_length(a) != list_length(b))
		return false;
	forboth(la, a, lb, b)
	{
		if (exprType(lfirst(la)) != exprType(lfirst(lb)) || exprTypmod(lfirst(la)) != exprTypmod(lfirst(lb)) ||
			exprCollation(lfirst(la)) != exprCollation(lfirst(lb)))
			return false;
	}
	return true;
}

/* Do all splits ask the same calls the same way, and is there any? */
static bool
all_alike(List *splits)
{
	Split *first = linitial(splits);
	ListCell *lc;

	if (first->lift.calls == NIL)
		return false;
	for_each_from(lc, splits, 1)
	{
		Split *split = lfirst(lc);

		if (!same_columns(first->leaves, split->leaves) || !equal(normal_form(first), normal_form(split)))
			return false;
	}
	return true;
}

/* Children whose columns are all that their parent, and nothing in themselves, looks at. */
static bool
is_plain_child(const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_SeqScan:
		case T_SampleScan:
		case T_IndexScan:
		case T_IndexOnlyScan:
		case T_BitmapHeapScan:
		case T_TidScan:
		case T_TidRangeScan:
		case T_SubqueryScan:
		case T_FunctionScan:
		case T_CteScan:
		case T_ForeignScan:
			return true;
		case T_Result:
			return outerPlan(plan) != NULL;
		default:
			return false;
	}
}

Plan *
mls_split_append(MlsRewrite *rewrite, Append *append)
{
	List *splits = NIL;
	Split *first;
	List *columns = NIL;
	ListCell *lc;
	ListCell *ls;

	if (list_length(append->appendplans) < 2)
		return NULL;
	foreach (lc, append->appendplans)
	{
		Plan *child = lfirst(lc);

		if (!is_plain_child(child) || child->initPlan != NIL)
			return NULL;
		splits = lappend(splits, make_split(child->targetlist, child->qual, NIL));
	}
	if (!all_alike(splits))
		return NULL;

	forboth(lc, append->appendplans, ls, splits)
	{
		Plan *child = lfirst(lc);

		child->targetlist = leaf_targets(((Split *) lfirst(ls))->leaves);
		child->qual = ((Split *) lfirst(ls))->staying;
	}
	first = linitial(splits);
	foreach (lc, first->leaves)
	{
		Node *leaf = lfirst(lc);

		columns = lappend(columns, makeVar(OUTER_VAR, foreach_current_index(lc) + 1, exprType(leaf), exprTypmod(leaf),
										   exprCollation(leaf), 0));
	}
	/* Names, and which columns are junk, stand in the Append's own list only. */
	apply_tlist_labeling(first->targets, append->plan.targetlist);
	append->plan.targetlist = leaf_targets(columns);
	return mls_stack_build(rewrite, &append->plan, first->leaves, &first->lift, first->filters, first->targets);
}

Plan *
mls_split_returning(MlsRewrite *rewrite, ModifyTable *node)
{
	List *splits = NIL;
	List *lists = NIL;
	Split *first;
	ListCell *lc;

	if (!mls_lift_contains_call((Node *) node->returningLists) || !bms_is_empty(node->fdwDirectModifyPlans))
		return &node->plan;
	foreach (lc, node->returningLists)
		splits = lappend(splits, make_split(lfirst(lc), NIL, NIL));
	if (!all_alike(splits))
		return &node->plan;

	foreach (lc, splits)
		lists = lappend(lists, leaf_targets(((Split *) lfirst(lc))->leaves));
	first = linitial(splits);
	node->returningLists = lists;
	node->plan.targetlist = copyObject(linitial(lists));
	return mls_stack_build(rewrite, &node->plan, first->leaves, &first->lift, NIL, first->targets);
}
