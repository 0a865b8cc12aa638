/*
 * rewrite_values.c - calls in the rows of a VALUES list.
 *
 * INSERT INTO t VALUES (1, f(10)), (2, f(20)), ... has an expression of its own in every cell. Where a column's cells
 * are calls of one function, their arguments become columns of the list instead, and the call is made over those: one
 * expression for all rows, which the split above then batches. A cell of such a column may also be a plain value.
 */
#include "scoring/rewrite.h"

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"

/* The call that a cell is, or NULL. */
static FuncExpr *
cell_call(Node *cell)
{
	MlsLift lift = {0};
	Node *lifted = mls_lift_expr(&lift, cell);

	if (IsA(cell, FuncExpr) && mls_placeholder_index(lifted) >= 0)
		return (FuncExpr *) cell;
	return NULL;
}

/* The function that a column's cells call, if two or more do, and the others hold no call. */
static FuncExpr *
column_call(List *rows, int column)
{
	FuncExpr *first = NULL;
	int calls = 0;
	ListCell *lc;

	foreach (lc, rows)
	{
		Node *cell = list_nth(lfirst_node(List, lc), column);
		FuncExpr *call = cell_call(cell);

		if (call == NULL && mls_lift_contains_call(cell))
			return NULL;
		if (call == NULL)
			continue;
		if (first && (first->funcid != call->funcid || list_length(first->args) != list_length(call->args)))
			return NULL;
		if (first == NULL)
			first = call;
		calls++;
	}
	return calls >= 2 ? first : NULL;
}

static Node *
typed_null(Node *like)
{
	return (Node *) makeNullConst(exprType(like), exprTypmod(like), exprCollation(like));
}

/* Move a column's arguments into cells of their own, after one that tells whether the row calls at all. */
static void
spread_column(List *rows, int column, FuncExpr *like)
{
	ListCell *lc;

	foreach (lc, rows)
	{
		List *row = lfirst_node(List, lc);
		ListCell *cell = list_nth_cell(row, column);
		FuncExpr *call = cell_call(lfirst(cell));
		List *args = call ? call->args : like->args;
		ListCell *la;

		row = lappend(row, makeBoolConst(call != NULL, false));
		foreach (la, args)
			row = lappend(row, call ? lfirst(la) : typed_null(lfirst(la)));
		if (call)
			lfirst(list_nth_cell(row, column)) = typed_null((Node *) call);
		lfirst(lc) = row;
	}
}

/* CASE WHEN the row calls THEN f(its arguments) ELSE its value END; the new cells begin at attribute first. */
static Node *
column_value(Index relid, int column, FuncExpr *like, AttrNumber first)
{
	CaseExpr *value = makeNode(CaseExpr);
	CaseWhen *when = makeNode(CaseWhen);
	FuncExpr *call = copyObject(like);
	ListCell *lc;

	foreach (lc, call->args)
	{
		Node *arg = lfirst(lc);

		lfirst(lc) = makeVar(relid, first + 1 + foreach_current_index(lc), exprType(arg), exprTypmod(arg),
							 exprCollation(arg), 0);
	}
	when->expr = (Expr *) makeVar(relid, first, BOOLOID, -1, InvalidOid, 0);
	when->result = (Expr *) call;
	when->location = -1;
	value->casetype = like->funcresulttype;
	value->casecollid = like->funccollid;
	value->args = list_make1(when);
	value->defresult = (Expr *) makeVar(relid, column + 1, exprType((Node *) like), -1, like->funccollid, 0);
	value->location = -1;
	return (Node *) value;
}

typedef struct ReplaceContext
{
	Index relid;
	List *values; /* for each original column its new expression, or NULL */
	bool whole_row;
} ReplaceContext;

static Node *
replace_mutator(Node *node, void *arg)
{
	ReplaceContext *context = arg;

	if (node == NULL)
		return NULL;
	if (IsA(node, Var) && ((Var *) node)->varno == context->relid)
	{
		AttrNumber attno = ((Var *) node)->varattno;

		if (attno <= 0)
			context->whole_row = true;
		else if (list_nth(context->values, attno - 1))
			return copyObject(list_nth(context->values, attno - 1));
		return node;
	}
	return expression_tree_mutator(node, replace_mutator, arg);
}

void
mls_rewrite_values(MlsRewrite *rewrite, ValuesScan *scan)
{
	ReplaceContext context = {scan->scan.scanrelid, NIL, false};
	RangeTblEntry *rte = rt_fetch(scan->scan.scanrelid, rewrite->stmt->rtable);
	List *rows;
	List *targets;
	List *quals;
	int ncolumns = list_length(linitial(scan->values_lists));
	bool any = false;

	if (!mls_lift_contains_call((Node *) scan->values_lists))
		return;
	rows = copyObject(scan->values_lists);
	for (int column = 0; column < ncolumns; column++)
	{
		FuncExpr *like = column_call(rows, column);
		AttrNumber first = list_length(linitial(rows)) + 1;

		if (like)
		{
			like = copyObject(like);
			spread_column(rows, column, like);
			any = true;
		}
		context.values = lappend(context.values, like ? column_value(context.relid, column, like, first) : NULL);
	}
	targets = (List *) replace_mutator((Node *) scan->scan.plan.targetlist, &context);
	quals = (List *) replace_mutator((Node *) scan->scan.plan.qual, &context);
	if (!any || context.whole_row)
		return;

	scan->values_lists = rows;
	scan->scan.plan.targetlist = targets;
	scan->scan.plan.qual = quals;
	/* EXPLAIN looks the new columns' names up. */
	while (list_length(rte->eref->colnames) < list_length(linitial(rows)))
		rte->eref->colnames =
			lappend(rte->eref->colnames, makeString(psprintf("column%d", list_length(rte->eref->colnames) + 1)));
}
