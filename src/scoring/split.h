/*
 * split.h - parting a plan node in what feeds its model calls and what uses their results. For rewrite.c.
 */
#ifndef MLS_SPLIT_H
#define MLS_SPLIT_H

#include "scoring/stack.h"

/*
 * Lift what node's own target list and filter call to scans above it. joinqual: an inner join's, else NULL; what is
 * lifted of it becomes a filter above. Returns what takes node's place: node itself when there was nothing to do.
 */
extern Plan *mls_split_above(MlsRewrite *rewrite, Plan *node, List **joinqual);

/*
 * The same for all children of an Append at once, so that the rows of all partitions share batches. NULL when they do
 * not call the same models in the same way: then each is to be split by itself.
 */
extern Plan *mls_split_append(MlsRewrite *rewrite, Append *append);

/* The same for a data-modifying node's RETURNING lists. */
extern Plan *mls_split_returning(MlsRewrite *rewrite, ModifyTable *node);

#endif
