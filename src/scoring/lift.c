/*
 * lift.c - taking model function calls out of expressions. See lift.h.
 *
 * What makes this more than a tree walk is that a batch must not hold a row whose score the expression would never have
 * asked for: it may cost money, and its arguments may not even be computable (CASE WHEN k <> 0 THEN f(1 / k) END). So on
 * the way down through CASE, COALESCE, AND and OR the condition for getting there is built out of the expression's own
 * parts. Through other constructs that evaluate conditionally nothing is lifted; a call that stays is made row by row.
 */
#include "scoring/lift.h"

#include "access/htup_details.h"
#include "catalog/function.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/syscache.h"

/* Placeholders are Vars of this impossible relation; varattno is the call's index + 1. */
#define PLACEHOLDER_VARNO (-100)

static Node *lift_mutator(Node *node, void *context);

/* Where a walk is: the condition for getting there. */
typedef struct LiftContext
{
	MlsLift *lift;
	Node *need;
	List *bound_params; /* int list: PARAM_EXECs that only a SubPlan around sets */
} LiftContext;

static bool
is_call(Node *node)
{
	return IsA(node, FuncExpr) && !((FuncExpr *) node)->funcretset &&
		   mls_is_model_function(((FuncExpr *) node)->funcid);
}

static bool
contains_call_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (is_call(node))
		return true;
	return expression_tree_walker(node, contains_call_walker, context);
}

bool
mls_lift_contains_call(Node *node)
{
	return contains_call_walker(node, NULL);
}

int
mls_placeholder_index(const Node *node)
{
	if (node && IsA(node, Var) && ((const Var *) node)->varno == PLACEHOLDER_VARNO)
		return ((const Var *) node)->varattno - 1;
	return -1;
}

Node *
mls_placeholder_make(const FuncExpr *call, int index)
{
	return (Node *) makeVar(PLACEHOLDER_VARNO, index + 1, call->funcresulttype, -1, call->funccollid, 0);
}

List *
mls_without_placeholders(List *leaves)
{
	List *result = NIL;
	ListCell *lc;

	foreach (lc, leaves)
	{
		if (mls_placeholder_index(lfirst(lc)) < 0)
			result = lappend(result, lfirst(lc));
	}
	return result;
}

MlsLiftedCall *
mls_lift_call(const MlsLift *lift, int index)
{
	return list_nth(lift->calls, index);
}

typedef struct LevelContext
{
	const MlsLift *lift;
	int level;
} LevelContext;

static bool
level_walker(Node *node, void *context)
{
	LevelContext *levels = context;
	int index = mls_placeholder_index(node);

	if (node == NULL)
		return false;
	if (index >= 0)
		levels->level = Max(levels->level, mls_lift_call(levels->lift, index)->level);
	return expression_tree_walker(node, level_walker, context);
}

int
mls_lift_level(const MlsLift *lift, Node *node)
{
	LevelContext context = {lift, 0};

	level_walker(node, &context);
	return context.level;
}

/* What an expression may refer to that is only there while something around it is evaluated. */
typedef struct PlaceContext
{
	int test_values;	/* CASEs and array coercions around, within the expression looked at */
	List *bound_params; /* int list: set by the SubPlan around */
} PlaceContext;

static bool bound_to_place_walker(Node *node, void *arg);

/* Inside, CaseTestExpr is this construct's own. */
static bool
inner_is_bound(Node *inner, const PlaceContext *outer)
{
	PlaceContext context = *outer;

	context.test_values++;
	return bound_to_place_walker(inner, &context);
}

static bool
case_is_bound(const CaseExpr *expr, PlaceContext *context)
{
	ListCell *lc;

	foreach (lc, expr->args)
	{
		const CaseWhen *when = lfirst_node(CaseWhen, lc);

		if (expr->arg ? inner_is_bound((Node *) when->expr, context)
					  : bound_to_place_walker((Node *) when->expr, context))
			return true;
		if (bound_to_place_walker((Node *) when->result, context))
			return true;
	}
	return bound_to_place_walker((Node *) expr->arg, context) ||
		   bound_to_place_walker((Node *) expr->defresult, context);
}

static bool
bound_to_place_walker(Node *node, void *arg)
{
	PlaceContext *context = arg;

	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_CaseTestExpr:
			return context->test_values == 0;
		case T_CaseExpr:
			return case_is_bound((CaseExpr *) node, context);
		case T_ArrayCoerceExpr:
			return bound_to_place_walker((Node *) ((ArrayCoerceExpr *) node)->arg, context) ||
				   inner_is_bound((Node *) ((ArrayCoerceExpr *) node)->elemexpr, context);
		case T_Param:
			return ((Param *) node)->paramkind == PARAM_EXEC &&
				   list_member_int(context->bound_params, ((Param *) node)->paramid);
		case T_SubPlan:
			if (((SubPlan *) node)->subLinkType == MULTIEXPR_SUBLINK)
				return true;
			break;
		case T_FuncExpr:
			if (((FuncExpr *) node)->funcretset)
				return true;
			break;
		case T_OpExpr:
			if (((OpExpr *) node)->opretset)
				return true;
			break;
		case T_CoerceToDomainValue:
		case T_SetToDefault:
		case T_CurrentOfExpr:
			return true;
		default:
			break;
	}
	return expression_tree_walker(node, bound_to_place_walker, arg);
}

static bool
is_bound_to_place(Node *node, List *bound_params)
{
	PlaceContext context = {0, bound_params};

	return bound_to_place_walker(node, &context);
}

/* A function with SET clauses of its own must run under them, which only the row-by-row path does. */
static bool
has_own_settings(Oid fnoid)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(fnoid));
	bool settings;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", fnoid);
	settings = !heap_attisnull(tuple, Anum_pg_proc_proconfig, NULL);
	ReleaseSysCache(tuple);
	return settings;
}

static bool
can_be_lifted(LiftContext *context, FuncExpr *call)
{
	MlsLift *lift = context->lift;

	if (is_bound_to_place((Node *) call->args, context->bound_params) || has_own_settings(call->funcid))
		return false;
	return lift->accepts == NULL || lift->accepts((Node *) call->args, context->need, lift->accepts_arg);
}

/*
 * An equal call whose result can be used here too: it is made for every row that gets here. Two VOLATILE calls are two.
 */
static int
find_equal_call(MlsLift *lift, FuncExpr *call, Node *need)
{
	ListCell *lc;

	if (contain_volatile_functions((Node *) call))
		return -1;
	foreach (lc, lift->calls)
	{
		MlsLiftedCall *other = lfirst(lc);

		if (!equal(other->call, call))
			continue;
		if (other->need == NULL || equal(other->need, need))
			return foreach_current_index(lc);
		if (need == NULL && other->level > lift->base)
		{
			other->need = NULL;
			return foreach_current_index(lc);
		}
		if (other->level > lift->base && mls_lift_level(lift, need) < other->level)
		{
			other->need = (Node *) makeBoolExpr(OR_EXPR, list_make2(other->need, need), -1);
			return foreach_current_index(lc);
		}
	}
	return -1;
}

static Node *
lift_call(LiftContext *context, FuncExpr *call)
{
	MlsLift *lift = context->lift;
	FuncExpr *lifted = (FuncExpr *) expression_tree_mutator((Node *) call, lift_mutator, context);
	MlsLiftedCall *entry;
	int index;

	if (!can_be_lifted(context, lifted))
		return (Node *) lifted;
	index = find_equal_call(lift, lifted, context->need);
	if (index < 0)
	{
		int below = Max(mls_lift_level(lift, (Node *) lifted->args), mls_lift_level(lift, context->need));

		entry = palloc0(sizeof(MlsLiftedCall));
		entry->call = lifted;
		entry->need = context->need;
		entry->level = Max(below, lift->base) + 1;
		lift->calls = lappend(lift->calls, entry);
		index = list_length(lift->calls) - 1;
	}
	return mls_placeholder_make(lifted, index);
}

static Node *
lift_if(LiftContext *context, Node *node, Node *condition)
{
	LiftContext inner = *context;

	if (condition)
	{
		/* Evaluated here and in the expression itself: that must make no difference. */
		if (contain_volatile_functions(condition) || is_bound_to_place(condition, context->bound_params))
			return node;
		inner.need =
			context->need ? (Node *) makeBoolExpr(AND_EXPR, list_make2(context->need, condition), -1) : condition;
	}
	return lift_mutator(node, &inner);
}

static Node *
bool_const(bool value)
{
	return makeBoolConst(value, false);
}

/*
 * Would expr, a CASE whose first n conditions are lifted, come to its n-th arm (0-based; or to the n-th condition, or
 * past all)? Said as a CASE of the same conditions, so that the test value stays where it belongs.
 */
static Node *
case_reaches(const CaseExpr *expr, List *whens, bool last_taken)
{
	CaseExpr *reaches = makeNode(CaseExpr);
	ListCell *lc;

	if (whens == NIL)
		return NULL;
	reaches->casetype = BOOLOID;
	reaches->arg = expr->arg;
	reaches->location = -1;
	foreach (lc, whens)
	{
		CaseWhen *when = makeNode(CaseWhen);

		when->expr = ((CaseWhen *) lfirst(lc))->expr;
		when->result = (Expr *) bool_const(last_taken && lnext(whens, lc) == NULL);
		when->location = -1;
		reaches->args = lappend(reaches->args, when);
	}
	reaches->defresult = (Expr *) bool_const(!last_taken);
	return (Node *) reaches;
}

static Node *
lift_case(LiftContext *context, CaseExpr *expr)
{
	CaseExpr *lifted = copyObject(expr);
	List *before = NIL;
	ListCell *lc;

	lifted->arg = (Expr *) lift_mutator((Node *) expr->arg, context);
	foreach (lc, lifted->args)
	{
		CaseWhen *when = lfirst(lc);

		when->expr = (Expr *) lift_if(context, (Node *) when->expr, case_reaches(lifted, before, false));
		before = lappend(before, when);
		when->result = (Expr *) lift_if(context, (Node *) when->result, case_reaches(lifted, before, true));
	}
	lifted->defresult = (Expr *) lift_if(context, (Node *) lifted->defresult, case_reaches(lifted, before, false));
	return (Node *) lifted;
}

static Node *
test_bool(Node *arg, BoolTestType type)
{
	BooleanTest *test = makeNode(BooleanTest);

	test->arg = (Expr *) arg;
	test->booltesttype = type;
	test->location = -1;
	return (Node *) test;
}

/* AND goes on until something is false, OR until something is true. */
static Node *
lift_bool(LiftContext *context, BoolExpr *expr)
{
	BoolExpr *lifted = (BoolExpr *) makeBoolExpr(expr->boolop, NIL, expr->location);
	BoolTestType goes_on = expr->boolop == AND_EXPR ? IS_NOT_FALSE : IS_NOT_TRUE;
	ListCell *lc;

	foreach (lc, expr->args)
	{
		Node *condition = NULL;

		if (list_length(lifted->args) == 1)
			condition = test_bool(linitial(lifted->args), goes_on);
		else if (lifted->args != NIL)
			condition = test_bool((Node *) makeBoolExpr(expr->boolop, list_copy(lifted->args), -1), goes_on);
		lifted->args = lappend(lifted->args, lift_if(context, lfirst(lc), condition));
	}
	return (Node *) lifted;
}

static Node *
lift_coalesce(LiftContext *context, CoalesceExpr *expr)
{
	CoalesceExpr *lifted = makeNode(CoalesceExpr);
	ListCell *lc;

	*lifted = *expr;
	lifted->args = NIL;
	foreach (lc, expr->args)
	{
		Node *condition = NULL;

		if (lifted->args != NIL)
		{
			CoalesceExpr *before = makeNode(CoalesceExpr);
			NullTest *test = makeNode(NullTest);

			*before = *expr;
			before->args = list_copy(lifted->args);
			test->arg = (Expr *) before;
			test->nulltesttype = IS_NULL;
			/* A row of NULLs is not NULL for COALESCE. */
			test->argisrow = false;
			test->location = -1;
			condition = (Node *) test;
		}
		lifted->args = lappend(lifted->args, lift_if(context, lfirst(lc), condition));
	}
	return (Node *) lifted;
}

/* Only the first pair of a row comparison is sure to be evaluated. */
static Node *
lift_row_compare(LiftContext *context, RowCompareExpr *expr)
{
	RowCompareExpr *lifted = copyObject(expr);

	linitial(lifted->largs) = lift_mutator(linitial(expr->largs), context);
	linitial(lifted->rargs) = lift_mutator(linitial(expr->rargs), context);
	return (Node *) lifted;
}

/* The array comes first; a NULL one leaves the subscripts alone. */
static Node *
lift_subscript(LiftContext *context, SubscriptingRef *expr)
{
	SubscriptingRef *lifted = copyObject(expr);

	lifted->refexpr = (Expr *) lift_mutator((Node *) expr->refexpr, context);
	return (Node *) lifted;
}

static Node *
lift_array_coercion(LiftContext *context, ArrayCoerceExpr *expr)
{
	ArrayCoerceExpr *lifted = copyObject(expr);

	lifted->arg = (Expr *) lift_mutator((Node *) expr->arg, context);
	return (Node *) lifted;
}

/* f(x) IN (SELECT ...), and what a correlated subquery is given. */
static Node *
lift_subplan(LiftContext *context, SubPlan *expr)
{
	SubPlan *lifted = copyObject(expr);
	LiftContext inner = *context;

	if (expr->subLinkType == MULTIEXPR_SUBLINK)
		return (Node *) expr;
	inner.bound_params = list_union_int(context->bound_params, expr->paramIds);
	lifted->testexpr = lift_mutator(expr->testexpr, &inner);
	lifted->args = (List *) lift_mutator((Node *) expr->args, context);
	return (Node *) lifted;
}

static Node *
lift_mutator(Node *node, void *arg)
{
	LiftContext *context = arg;

	if (node == NULL || !mls_lift_contains_call(node))
		return node;
	if (is_call(node))
		return lift_call(context, (FuncExpr *) node);
	switch (nodeTag(node))
	{
		case T_CaseExpr:
			return lift_case(context, (CaseExpr *) node);
		case T_BoolExpr:
			return lift_bool(context, (BoolExpr *) node);
		case T_CoalesceExpr:
			return lift_coalesce(context, (CoalesceExpr *) node);
		case T_RowCompareExpr:
			return lift_row_compare(context, (RowCompareExpr *) node);
		case T_SubscriptingRef:
			return lift_subscript(context, (SubscriptingRef *) node);
		case T_ArrayCoerceExpr:
			return lift_array_coercion(context, (ArrayCoerceExpr *) node);
		case T_SubPlan:
			return lift_subplan(context, (SubPlan *) node);
		case T_FuncExpr:
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
		case T_ScalarArrayOpExpr:
		case T_MinMaxExpr:
		case T_NullTest:
		case T_BooleanTest:
		case T_RelabelType:
		case T_CoerceViaIO:
		case T_ConvertRowtypeExpr:
		case T_FieldSelect:
		case T_FieldStore:
		case T_RowExpr:
		case T_ArrayExpr:
		case T_CoerceToDomain:
		case T_CollateExpr:
		case T_TargetEntry:
		case T_List:
			/* All parts are evaluated, always. */
			return expression_tree_mutator(node, lift_mutator, context);
		default:
			return node;
	}
}

Node *
mls_lift_expr_if(MlsLift *lift, Node *node, Node *need)
{
	LiftContext context = {lift, need, NIL};

	return lift_mutator(node, &context);
}

Node *
mls_lift_expr(MlsLift *lift, Node *node)
{
	return mls_lift_expr_if(lift, node, NULL);
}
