/*
 * scan.h - the batching scan: the executor node that the plan rewrite puts where model functions are called.
 *
 * The node has one child and no relation. Its scan tuple is the child's columns that are still needed, then one column
 * for each call's result; target list and filter refer to those with INDEX_VARs.
 */
#ifndef MLS_SCAN_H
#define MLS_SCAN_H

#include "ml_score.h"

#include "nodes/extensible.h"
#include "nodes/plannodes.h"
#include "scoring/call.h"

#define MLS_SCAN_NAME "ML Score"

/* What a scan is to do, beyond what a CustomScan says by itself. */
typedef struct MlsScanSpec
{
	List *kept;		   /* int list: the child's columns that are handed up, by attribute number */
	List *calls;	   /* FuncExprs over the child's columns (OUTER_VAR) */
	List *needs;	   /* for each call: NULL, or the condition under which a row needs it */
	Node *limit_count; /* at most this many rows are asked for; NULL: not known */
	Node *limit_offset;
	bool read_all; /* what is above reads to the end */
} MlsScanSpec;

/* A plan node over child. Target list and filter are the caller's to set. */
extern CustomScan *mls_scan_make(Plan *child, const MlsScanSpec *spec);

extern bool mls_scan_is(const Plan *plan);

/* Tell a scan that was made already what became known of those above it. */
extern void mls_scan_set_limit(CustomScan *scan, Node *count, Node *offset);
extern void mls_scan_set_read_all(CustomScan *scan);

extern void mls_scan_spec(const CustomScan *scan, MlsScanSpec *spec);

extern void mls_scan_init(void); /* from _PG_init */

#endif
