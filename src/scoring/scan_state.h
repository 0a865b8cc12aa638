/*
 * scan_state.h - the batching scan's executor state, shared by scan.c (rows) and explain.c (figures).
 */
#ifndef MLS_SCAN_STATE_H
#define MLS_SCAN_STATE_H

#include "ml_score.h"

#include "commands/explain.h"
#include "nodes/execnodes.h"
#include "scoring/rows.h"
#include "scoring/scan.h"

/* One call in the scan's list. */
typedef struct MlsScanCall
{
	FuncExpr *expr;
	ExprState *need; /* NULL: every row */
	int nargs;
	ExprState **args;
	MlsCall *call; /* NULL until the first row */
} MlsScanCall;

/* What parallel workers report, in dynamic shared memory: a block of ncalls figures for each participant. */
typedef struct MlsSharedStats
{
	int ncalls;
	int nworkers;
	MlsCallStats stats[FLEXIBLE_ARRAY_MEMBER];
} MlsSharedStats;

typedef struct MlsScanState
{
	CustomScanState css;
	MlsScanSpec spec;
	Oid userid; /* who the models are called as */
	int ncalls;
	MlsScanCall *calls;
	ExprContext *row_context; /* for arguments and conditions, reset for every row read */
	MemoryContext call_context;
	MlsRows *rows;
	MlsTicket *tickets; /* of the row being read */
	ExprState *limit_count;
	ExprState *limit_offset;
	bool unbatched;
	bool opened;
	bool input_ended;
	bool emitted;				/* the head row was handed up and is to be dropped */
	int64 bound;				/* rows that will be asked for; -1 not known */
	int64 read;					/* rows read from the child since the last rescan */
	int64 window;				/* rows that may be read and not handed up */
	int64 handed_up;			/* rows since the window last grew */
	int since_service;			/* rows handed up since the network was looked at */
	MlsSharedStats *shared;		/* parallel query */
	MlsCallStats *worker_stats; /* leader: what workers reported, per call */
} MlsScanState;

extern void mls_scan_explain(CustomScanState *node, List *ancestors, ExplainState *es);

#endif
