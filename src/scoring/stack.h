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
	bool in_gather; /* what is being rewritten runs in parallel workers */
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

/*
 * Lift what node's own target list and filter call to scans above it. joinqual: an inner join's, else NULL; what is
 * lifted of it becomes a filter above. Returns what takes node's place: node itself when there was nothing to do.
 */
extern Plan *mls_split_above(MlsRewrite *rewrite, Plan *node, List **joinqual);

/*
 * Make lift's calls (over child's columns, as Vars of OUTER_VAR) below: returns what takes child's place, which gives
 * child's columns and then the results. The result of the call with index i is column (old width + i + 1).
 */
extern Plan *mls_compute_below(MlsRewrite *rewrite, Plan *child, const MlsLift *lift);

/* node with lift's placeholders replaced by Vars of relation varno, the first being column first_attno. */
extern Node *mls_fill_placeholders(Node *node, const MlsLift *lift, int varno, AttrNumber first_attno);

#endif
