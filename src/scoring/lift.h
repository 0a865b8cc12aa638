/*
 * lift.h - taking model function calls out of expressions.
 *
 * Lifting replaces each call that can be batched by a placeholder for its result, and notes the call with the condition
 * under which the expression would have reached it. Calls have levels: one whose arguments or condition use another
 * call's result stands a level above it, and is made when that result is there.
 */
#ifndef MLS_LIFT_H
#define MLS_LIFT_H

#include "ml_score.h"

#include "nodes/pg_list.h"
#include "nodes/primnodes.h"

/* A call that was taken out. Expressions in it may hold placeholders of calls of lower levels. */
typedef struct MlsLiftedCall
{
	FuncExpr *call; /* arguments lifted */
	Node *need;		/* NULL: whenever the row is there */
	int level;		/* from 1 */
} MlsLiftedCall;

typedef struct MlsLift
{
	List *calls;										/* MlsLiftedCall, in the order of their placeholders */
	int base;											/* new calls stand above this level */
	bool (*accepts)(Node *args, Node *need, void *arg); /* NULL: every call that can be lifted */
	void *accepts_arg;
} MlsLift;

/* Does node hold a call of a model function that is not a set-returning one? */
extern bool mls_lift_contains_call(Node *node);

/* node with its calls replaced by placeholders, unconditionally needed. */
extern Node *mls_lift_expr(MlsLift *lift, Node *node);

/* The same under a condition, NULL for none; the condition must have been lifted itself. */
extern Node *mls_lift_expr_if(MlsLift *lift, Node *node, Node *need);

/* The call's index if node is a placeholder, else -1; the making of one; and the leaves that are none. */
extern int mls_placeholder_index(const Node *node);
extern Node *mls_placeholder_make(const FuncExpr *call, int index);
extern List *mls_without_placeholders(List *leaves);

/* The highest level of the placeholders in node, 0 if there are none. */
extern int mls_lift_level(const MlsLift *lift, Node *node);

extern MlsLiftedCall *mls_lift_call(const MlsLift *lift, int index);

#endif
