/*
 * stack.h - putting batching scans on top of a plan node. For rewrite.c and its helpers.
 */
#ifndef MLS_STACK_H
#define MLS_STACK_H

#include "ml_score.h"

#include "nodes/plannodes.h"
#include "scoring/lift.h"

/* One planned statement under rewrite. */
typedef struct MlsRewrite
{
	PlannedStmt *stmt;
	int next_plan_id;
	bool in_gather;	   /* what is being rewritten runs in parallel workers */
	Cost waiting_cost; /* what the planner reckoned for the calls that are batched now */
} MlsRewrite;

/* A condition that filters rows once the calls of its level are made. */
typedef struct MlsFilter
{
	int level;
	Node *condition;
} MlsFilter;

/*
 * Stack scans, one for each level of lift's calls, on child, whose output columns are the expressions in columns (as
 * they stand in calls, filters and targets). The topmost gives targets, whose entries may hold placeholders.
 */
extern Plan *mls_stack_build(MlsRewrite *rewrite, Plan *child, List *columns, const MlsLift *lift, List *filters,
							 List *targets);

/* leaves and those of node that are not among them: what an expression refers to in the node it stands at. */
extern List *mls_collect_leaves(List *leaves, Node *node);

/* node with every leaf and placeholder as a reference, by varno, to its place in columns. */
extern Node *mls_in_terms_of(Node *node, List *columns, int varno);

/*
 * Make lift's calls (over child's columns, as Vars of OUTER_VAR) below: returns what takes child's place, which gives
 * child's columns and then the results, as junk columns if asked to. The result of the call with index i is column (old width + i + 1).
 */
extern Plan *mls_compute_below(MlsRewrite *rewrite, Plan *child, const MlsLift *lift, bool resjunk);

/* node with lift's placeholders replaced by Vars of relation varno, the first being column first_attno. */
extern Node *mls_fill_placeholders(Node *node, const MlsLift *lift, int varno, AttrNumber first_attno);

#endif
