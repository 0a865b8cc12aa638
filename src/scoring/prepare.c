/*
 * prepare.c - what is done to a query before it is planned. See prepare.h.
 *
 * The planner keeps a function in FROM as a scan of its own, run anew for each row it is joined to, and a scalar
 * subquery as a subplan: in both a call would see one row at a time. Said as a subquery in FROM, which the planner pulls
 * up, and as the expression itself, the same call stands where rows flow by.
 */
#include "scoring/prepare.h"

#include "catalog/function.h"
#include "funcapi.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteManip.h"
#include "scoring/lift.h"

static bool prepare_walker(Node *node, void *context);

/* A scalar subquery that is nothing but SELECT expression, with a model call in it. */
static bool
is_bare_select(SubLink *sublink)
{
	Query *query = (Query *) sublink->subselect;

	return sublink->subLinkType == EXPR_SUBLINK && IsA(query, Query) && query->commandType == CMD_SELECT &&
		   query->rtable == NIL && query->cteList == NIL && query->jointree->fromlist == NIL &&
		   query->jointree->quals == NULL && !query->hasAggs && !query->hasWindowFuncs && !query->hasTargetSRFs &&
		   !query->hasSubLinks && query->groupClause == NIL && query->groupingSets == NIL &&
		   query->havingQual == NULL && query->distinctClause == NIL && query->sortClause == NIL &&
		   query->limitCount == NULL && query->limitOffset == NULL && query->setOperations == NULL &&
		   query->rowMarks == NIL && list_length(query->targetList) == 1 &&
		   mls_lift_contains_call((Node *) query->targetList);
}

static Node *
inline_bare_selects_mutator(Node *node, void *context)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, SubLink) && is_bare_select((SubLink *) node))
	{
		Query *query = (Query *) ((SubLink *) node)->subselect;
		Node *expr = copyObject((Node *) linitial_node(TargetEntry, query->targetList)->expr);

		IncrementVarSublevelsUp(expr, -1, 1);
		return inline_bare_selects_mutator(expr, context);
	}
	/* Deeper queries are walked by themselves. */
	if (IsA(node, Query))
		return node;
	return expression_tree_mutator(node, inline_bare_selects_mutator, context);
}

/* SELECT f(...) AS column, for a function with one result. */
static List *
scalar_target(FuncExpr *call, RangeTblEntry *rte)
{
	char *name = rte->eref->colnames ? strVal(linitial(rte->eref->colnames)) : rte->eref->aliasname;

	return list_make1(makeTargetEntry((Expr *) call, 1, name, false));
}

/* SELECT (f(...)).a AS a, (f(...)).b AS b: equal calls are made once. NIL if the columns cannot be told. */
static List *
composite_targets(FuncExpr *call, RangeTblEntry *rte)
{
	List *targets = NIL;
	TupleDesc desc;
	Oid type;

	if (get_expr_result_type((Node *) call, &type, &desc) != TYPEFUNC_COMPOSITE ||
		desc->natts != list_length(rte->eref->colnames))
		return NIL;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		FieldSelect *field = makeNode(FieldSelect);

		if (att->attisdropped)
			return NIL;
		field->arg = (Expr *) copyObject(call);
		field->fieldnum = i + 1;
		field->resulttype = att->atttypid;
		field->resulttypmod = att->atttypmod;
		field->resultcollid = att->attcollation;
		targets = lappend(targets, makeTargetEntry((Expr *) field, i + 1, pstrdup(NameStr(att->attname)), false));
	}
	return targets;
}

/* The single model function of a FROM item, if it can be said as a subquery. */
static FuncExpr *
function_in_from(RangeTblEntry *rte)
{
	RangeTblFunction *function;
	FuncExpr *call;

	if (rte->rtekind != RTE_FUNCTION || rte->funcordinality || list_length(rte->functions) != 1)
		return NULL;
	function = linitial_node(RangeTblFunction, rte->functions);
	call = (FuncExpr *) function->funcexpr;
	if (!IsA(call, FuncExpr) || call->funcretset || function->funccolnames != NIL ||
		!mls_is_model_function(call->funcid) || contain_volatile_functions((Node *) call))
		return NULL;
	return call;
}

static void
turn_into_subquery(RangeTblEntry *rte, FuncExpr *call)
{
	Query *query;
	List *targets;
	TupleDesc desc;
	Oid type;
	TypeFuncClass class = get_expr_result_type((Node *) call, &type, &desc);

	targets = class == TYPEFUNC_SCALAR ? scalar_target(call, rte) : composite_targets(call, rte);
	if (targets == NIL)
		return;
	query = makeNode(Query);
	query->commandType = CMD_SELECT;
	query->querySource = QSRC_ORIGINAL;
	query->canSetTag = true;
	query->targetList = targets;
	query->jointree = makeFromExpr(NIL, NULL);
	/* Seen from inside the subquery, the row around is one level up. */
	IncrementVarSublevelsUp((Node *) query->targetList, 1, 0);
	rte->rtekind = RTE_SUBQUERY;
	rte->subquery = query;
	rte->functions = NIL;
	rte->funcordinality = false;
}

static void
prepare_from(Query *query)
{
	ListCell *lc;

	foreach (lc, query->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);
		FuncExpr *call = function_in_from(rte);

		/* Without LATERAL it is one call for the whole query. */
		if (call && rte->lateral)
			turn_into_subquery(rte, call);
	}
}

static bool
prepare_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		mls_prepare_query((Query *) node);
		return false;
	}
	return expression_tree_walker(node, prepare_walker, context);
}

/* Is there anything below this query, or in its FROM, to look at? */
static bool
may_need_work(const Query *query)
{
	ListCell *lc;

	if (query->hasSubLinks || query->cteList != NIL)
		return true;
	foreach (lc, query->rtable)
	{
		RTEKind kind = lfirst_node(RangeTblEntry, lc)->rtekind;

		if (kind == RTE_FUNCTION || kind == RTE_SUBQUERY)
			return true;
	}
	return false;
}

void
mls_prepare_query(Query *query)
{
	if (query->commandType == CMD_UTILITY || !may_need_work(query))
		return;
	prepare_from(query);
	if (query->hasSubLinks)
	{
		query->targetList = (List *) inline_bare_selects_mutator((Node *) query->targetList, NULL);
		query->jointree = (FromExpr *) inline_bare_selects_mutator((Node *) query->jointree, NULL);
		query->havingQual = inline_bare_selects_mutator(query->havingQual, NULL);
	}
	query_tree_walker(query, prepare_walker, NULL, 0);
}
