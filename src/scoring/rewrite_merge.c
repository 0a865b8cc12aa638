/*
 * rewrite_merge.c - calls in the actions of a MERGE.
 *
 * The actions are evaluated row by row inside the data-modifying node. A call over the source's columns alone can be made
 * before, for the rows whose action it is: whether the row matched is known from the target's ctid being there or not,
 * and WHEN conditions count as long as they, too, look at the source alone. Other calls stay in the action, row by row.
 *
 * A row that matched when it was read may not match any more when its turn comes: another transaction has changed or
 * deleted the target meanwhile. Its NOT MATCHED action was not scored for, and then makes its calls itself.
 *
 * Actions see the source's columns as INNER_VAR. While this works they are OUTER_VAR, as a scan above the source sees
 * them.
 */
#include "scoring/rewrite.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"

typedef struct RenumberContext
{
	int from;
	int to;
} RenumberContext;

static Node *
renumber_mutator(Node *node, void *arg)
{
	RenumberContext *context = arg;

	if (node == NULL)
		return NULL;
	if (IsA(node, Var) && ((Var *) node)->varno == context->from)
	{
		Var *var = copyObject((Var *) node);

		var->varno = context->to;
		return (Node *) var;
	}
	return expression_tree_mutator(node, renumber_mutator, arg);
}

static void
renumber_source(MergeAction *action, int from, int to)
{
	RenumberContext context = {from, to};

	action->qual = renumber_mutator(action->qual, &context);
	action->targetList = (List *) renumber_mutator((Node *) action->targetList, &context);
}

static bool
not_of_source_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var) && mls_placeholder_index(node) < 0)
		return ((Var *) node)->varno != OUTER_VAR;
	return expression_tree_walker(node, not_of_source_walker, context);
}

static bool
is_of_source(Node *args, Node *need, void *context)
{
	return !not_of_source_walker(args, context) && !not_of_source_walker(need, context);
}

/* The column that tells a matched row: its target's ctid. NULL if there is none. */
static Node *
target_ctid(Plan *source)
{
	ListCell *lc;

	foreach (lc, source->targetlist)
	{
		TargetEntry *tle = lfirst_node(TargetEntry, lc);

		if (tle->resjunk && tle->resname && strcmp(tle->resname, "ctid") == 0)
			return (Node *) makeVar(OUTER_VAR, tle->resno, exprType((Node *) tle->expr), -1, InvalidOid, 0);
	}
	return NULL;
}

static Node *
test_null(Node *arg, NullTestType type)
{
	NullTest *test = makeNode(NullTest);

	test->arg = (Expr *) arg;
	test->nulltesttype = type;
	test->location = -1;
	return (Node *) test;
}

/* The conditions seen so far on one side: whether an action's turn can be told, and by what. */
typedef struct Turn
{
	Node *need;	  /* this far, the row is still looking for its action */
	bool unknown; /* a condition looked at the target */
} Turn;

static Node *
both(Node *a, Node *b)
{
	return (Node *) makeBoolExpr(AND_EXPR, list_make2(a, b), -1);
}

static Node *
did_not_hold(Node *condition)
{
	BooleanTest *test = makeNode(BooleanTest);

	test->arg = (Expr *) condition;
	test->booltesttype = IS_NOT_TRUE;
	test->location = -1;
	return (Node *) test;
}

/* Lift from one action when it is known which rows it is for, and say what is left for those after it. */
static void
lift_action(MlsLift *lift, MergeAction *action, Turn *turn)
{
	/* WHEN conditions are an implicit AND. */
	Node *qual = action->qual ? (Node *) make_ands_explicit((List *) action->qual) : NULL;

	if (turn->unknown || (qual && not_of_source_walker(qual, NULL)))
	{
		turn->unknown = true;
		return;
	}
	if (qual)
	{
		Node *lifted = mls_lift_expr_if(lift, qual, turn->need);

		action->qual = (Node *) make_ands_implicit((Expr *) lifted);
		action->targetList = (List *) mls_lift_expr_if(lift, (Node *) action->targetList, both(turn->need, lifted));
		turn->need = both(turn->need, did_not_hold(lifted));
	}
	else
	{
		action->targetList = (List *) mls_lift_expr_if(lift, (Node *) action->targetList, turn->need);
		turn->need = makeBoolConst(false, false);
	}
}

static bool
any_by_source(List *actions)
{
	ListCell *lc;

	foreach (lc, actions)
	{
		if (MlsMergeBySource(lfirst_node(MergeAction, lc)))
			return true;
	}
	return false;
}

/* Lift from the actions of one target relation. */
static void
lift_actions(MlsLift *lift, List *actions, Node *ctid)
{
	Turn matched = {test_null(ctid, IS_NOT_NULL), false};
	Turn not_matched = {test_null(ctid, IS_NULL), false};
	ListCell *lc;

	foreach (lc, actions)
	{
		MergeAction *action = lfirst_node(MergeAction, lc);

		lift_action(lift, action, MlsMergeMatched(action) ? &matched : &not_matched);
	}
}

/* lifted for rows that did not match from the start, original for the others. */
static Node *
if_never_matched(Node *ctid, Node *lifted, Node *original)
{
	CaseExpr *choice;
	CaseWhen *when;

	if (equal(lifted, original))
		return original;
	when = makeNode(CaseWhen);
	when->expr = (Expr *) test_null(ctid, IS_NULL);
	when->result = (Expr *) lifted;
	when->location = -1;
	choice = makeNode(CaseExpr);
	choice->casetype = exprType(original);
	choice->casecollid = exprCollation(original);
	choice->args = list_make1(when);
	choice->defresult = (Expr *) original;
	choice->location = -1;
	return (Node *) choice;
}

/* Have action, whose calls were lifted, use their results; original is what it was. */
static void
fill_action(MlsLift *lift, MergeAction *action, MergeAction *original, Node *ctid, AttrNumber first)
{
	ListCell *lc;
	ListCell *lo;

	action->qual = mls_fill_placeholders(action->qual, lift, OUTER_VAR, first);
	action->targetList = (List *) mls_fill_placeholders((Node *) action->targetList, lift, OUTER_VAR, first);
	if (MlsMergeMatched(action))
		return;
	if (action->qual)
	{
		Node *qual = (Node *) make_ands_explicit((List *) action->qual);

		qual = if_never_matched(ctid, qual, (Node *) make_ands_explicit((List *) original->qual));
		action->qual = (Node *) make_ands_implicit((Expr *) qual);
	}
	forboth(lc, action->targetList, lo, original->targetList)
	{
		TargetEntry *tle = lfirst(lc);

		tle->expr = (Expr *) if_never_matched(ctid, (Node *) tle->expr, (Node *) lfirst_node(TargetEntry, lo)->expr);
	}
}

static void
fill_actions(MlsLift *lift, List *actions, List *originals, Node *ctid, AttrNumber first)
{
	ListCell *lc;
	ListCell *lo;

	forboth(lc, actions, lo, originals) fill_action(lift, lfirst(lc), lfirst(lo), ctid, first);
}

static void
renumber_actions(List *actions, int from, int to)
{
	ListCell *lc;

	foreach (lc, actions)
		renumber_source(lfirst_node(MergeAction, lc), from, to);
}

static bool
contains_call(List *actions)
{
	ListCell *lc;

	foreach (lc, actions)
	{
		MergeAction *action = lfirst_node(MergeAction, lc);

		if (mls_lift_contains_call(action->qual) || mls_lift_contains_call((Node *) action->targetList))
			return true;
	}
	return false;
}

void
mls_rewrite_merge_actions(MlsRewrite *rewrite, ModifyTable *node)
{
	MlsLift lift = {NIL, 0, is_of_source, NULL};
	Plan *source = outerPlan(node);
	AttrNumber first;
	ListCell *lc;
	ListCell *lo;
	List *originals;
	Node *ctid;

	if (node->operation != CMD_MERGE)
		return;
	ctid = target_ctid(source);
	foreach (lc, node->mergeActionLists)
	{
		/* With NOT MATCHED BY SOURCE a row's ctid alone does not tell which actions it is for. */
		if (ctid == NULL || any_by_source(lfirst(lc)) || !contains_call(lfirst(lc)))
			return;
	}
	foreach (lc, node->mergeActionLists)
		renumber_actions(lfirst(lc), INNER_VAR, OUTER_VAR);
	originals = copyObject(node->mergeActionLists);
	foreach (lc, node->mergeActionLists)
		lift_actions(&lift, lfirst(lc), ctid);
	if (lift.calls != NIL)
	{
		first = list_length(source->targetlist) + 1;
		outerPlan(node) = mls_compute_below(rewrite, source, &lift, true);
		forboth(lc, node->mergeActionLists, lo, originals) fill_actions(&lift, lfirst(lc), lfirst(lo), ctid, first);
	}
	foreach (lc, node->mergeActionLists)
		renumber_actions(lfirst(lc), OUTER_VAR, INNER_VAR);
}
