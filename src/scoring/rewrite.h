/*
 * rewrite.h - from finished plans to plans that score in batches.
 */
#ifndef MLS_REWRITE_H
#define MLS_REWRITE_H

#include "scoring/split.h"

/* Rewrite everything in stmt, in place. cursor_options as the planner got them. */
extern void mls_rewrite_statement(PlannedStmt *stmt, int cursor_options);

/* rewrite_join.c: calls in a join's conditions, made below its inputs. join's inputs were rewritten before. */
extern void mls_rewrite_join_conditions(MlsRewrite *rewrite, Join *join);

/* rewrite_agg.c: calls in arguments of aggregates, window functions and set-returning functions, made below. */
extern void mls_rewrite_agg_arguments(MlsRewrite *rewrite, Plan *plan);

/* rewrite_merge.c: calls in the actions of a MERGE, made below. */
extern void mls_rewrite_merge_actions(MlsRewrite *rewrite, ModifyTable *node);

/* rewrite_values.c: calls in the rows of a VALUES list, turned into calls over its columns. */
extern void mls_rewrite_values(MlsRewrite *rewrite, ValuesScan *scan);

/* hook.c: the planner hook. */
extern void mls_planner_init(void);

#endif
