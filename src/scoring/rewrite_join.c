/*
 * rewrite_join.c - calls inside join conditions.
 *
 * A hash clause is evaluated for every row of its side, so its calls are made below that side. What an inner join tests
 * beside that can wait until after the join, which the split above does. Of other joins the condition is part of what
 * the join means and must stay; a call in it whose arguments come from one side, and cannot fail, is made below that
 * side; one that looks at both sides stays row by row.
 */
#include "scoring/rewrite.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"

#include "scoring/scan.h"

/* Which calls a lift takes: those over one side's columns, and only with arguments that cannot raise if asked to. */
typedef struct SideContext
{
	int varno; /* OUTER_VAR or INNER_VAR */
	bool safe_only;
} SideContext;

static bool
not_of_side_walker(Node *node, void *arg)
{
	SideContext *side = arg;

	if (node == NULL)
		return false;
	if (mls_placeholder_index(node) >= 0)
		return false;
	if (IsA(node, Var))
		return ((Var *) node)->varno != side->varno;
	if (side->safe_only)
	{
		if (IsA(node, FuncExpr) && !get_func_leakproof(((FuncExpr *) node)->funcid))
			return true;
		if (IsA(node, OpExpr) && !get_func_leakproof(((OpExpr *) node)->opfuncid))
			return true;
		if (!IsA(node, FuncExpr) && !IsA(node, OpExpr) && !IsA(node, Const) && !IsA(node, Param) &&
			!IsA(node, RelabelType) && !IsA(node, BoolExpr) && !IsA(node, NullTest) && !IsA(node, BooleanTest) &&
			!IsA(node, List))
			return true;
	}
	return expression_tree_walker(node, not_of_side_walker, arg);
}

static bool
is_of_side(Node *args, Node *need, void *arg)
{
	return !not_of_side_walker(args, arg) && !not_of_side_walker(need, arg);
}

static Node *
change_varno_mutator(Node *node, void *context)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Var) && ((Var *) node)->varno == INNER_VAR)
	{
		Var *var = copyObject((Var *) node);

		var->varno = OUTER_VAR;
		return (Node *) var;
	}
	return expression_tree_mutator(node, change_varno_mutator, context);
}

/* Seen from below the inner side, its columns are the child's. */
static void
turn_to_child(MlsLift *lift)
{
	ListCell *lc;

	foreach (lc, lift->calls)
	{
		MlsLiftedCall *call = lfirst(lc);

		call->call = (FuncExpr *) change_varno_mutator((Node *) call->call, NULL);
		call->need = change_varno_mutator(call->need, NULL);
	}
}

/* Lift from conditions that are tested in turn: what an earlier one tells from the side alone decides who is needed. */
static List *
lift_in_turn(MlsLift *lift, List *conditions, SideContext *side)
{
	List *result = NIL;
	Node *need = NULL;
	ListCell *lc;

	foreach (lc, conditions)
	{
		Node *lifted = mls_lift_expr_if(lift, lfirst(lc), need);

		result = lappend(result, lifted);
		if (!not_of_side_walker(lifted, side) && !contain_volatile_functions(lifted))
			need = need ? (Node *) makeBoolExpr(AND_EXPR, list_make2(need, lifted), -1) : lifted;
	}
	return result;
}

/* Make one side's calls in clauses below that side; the clauses come back with columns in their place. */
static List *
compute_side(MlsRewrite *rewrite, Join *join, List *clauses, int varno, bool safe_only)
{
	SideContext side = {varno, safe_only};
	MlsLift lift = {NIL, 0, is_of_side, &side};
	Plan **child = varno == OUTER_VAR ? &outerPlan(join) : &innerPlan(join);
	AttrNumber first = list_length((*child)->targetlist) + 1;
	List *lifted;

	/* Hash clauses, the unsafe ones, are for every row. */
	lifted = safe_only ? lift_in_turn(&lift, clauses, &side) : (List *) mls_lift_expr(&lift, (Node *) clauses);
	if (lift.calls == NIL)
		return clauses;
	if (varno == INNER_VAR)
		turn_to_child(&lift);
	*child = mls_compute_below(rewrite, *child, &lift, false);
	return (List *) mls_fill_placeholders((Node *) lifted, &lift, varno, first);
}

/* The hash clauses' sides are kept by themselves too: for the outer rows in the join, for the inner ones in the Hash. */
static void
rebuild_hash_keys(HashJoin *join)
{
	Hash *hash = (Hash *) innerPlan(join);
	List *outer_keys = NIL;
	List *inner_keys = NIL;
	ListCell *lc;

	foreach (lc, join->hashclauses)
	{
		OpExpr *clause = lfirst_node(OpExpr, lc);

		outer_keys = lappend(outer_keys, linitial(clause->args));
		inner_keys = lappend(inner_keys, change_varno_mutator(lsecond(clause->args), NULL));
	}
	join->hashkeys = outer_keys;
	hash->hashkeys = inner_keys;
}

static void
rewrite_hash_clauses(MlsRewrite *rewrite, HashJoin *join)
{
	if (!mls_lift_contains_call((Node *) join->hashclauses))
		return;
	join->hashclauses = compute_side(rewrite, &join->join, join->hashclauses, OUTER_VAR, false);
	join->hashclauses = compute_side(rewrite, &join->join, join->hashclauses, INNER_VAR, false);
	rebuild_hash_keys(join);
}

/* Can calls be made below the inner side, once for all outer rows? */
static bool
inner_is_independent(Join *join)
{
	return !IsA(join, NestLoop) || (bms_is_empty(innerPlan(join)->extParam) && ((NestLoop *) join)->nestParams == NIL);
}

void
mls_rewrite_join_conditions(MlsRewrite *rewrite, Join *join)
{
	if (IsA(join, HashJoin))
		rewrite_hash_clauses(rewrite, (HashJoin *) join);
	if (join->jointype == JOIN_INNER || !mls_lift_contains_call((Node *) join->joinqual))
		return;
	join->joinqual = compute_side(rewrite, join, join->joinqual, OUTER_VAR, true);
	if (inner_is_independent(join))
		join->joinqual = compute_side(rewrite, join, join->joinqual, INNER_VAR, true);
}
