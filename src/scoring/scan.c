/*
 * scan.c - the batching scan at run time.
 *
 * Three things go on at once, driven from one loop: rows are read from the child and their calls' arguments encoded
 * into batches; batches travel; rows whose results are there are handed up, in the order they were read. Each time the
 * node is asked for a row it hands up the oldest if that is ready, and otherwise works on the other two until it is.
 *
 * How far reading runs ahead: until every call has its requests in flight and the next one ready, and never past
 * ml_score.read_ahead_memory, a LIMIT's bound, or the window, which begins at one batch and doubles as rows are used,
 * so that a cursor or an EXISTS that stops early costs little.
 *
 * The node fetches rows by itself and not through ExecScan, which for a scan without a relation would not look at its
 * child under EvalPlanQual.
 */
#include "scoring/scan_state.h"

#include "access/parallel.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_proc.h"
#include "common/int.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Rows read or handed up between two looks at the network. */
#define SERVICE_ROWS 64
#define NO_BOUND (-1)

static Node *create_state(CustomScan *cscan);
static void begin_scan(CustomScanState *node, EState *estate, int eflags);
static TupleTableSlot *exec_scan(CustomScanState *node);
static void end_scan(CustomScanState *node);
static void rescan(CustomScanState *node);
static Size estimate_dsm(CustomScanState *node, ParallelContext *pcxt);
static void initialize_dsm(CustomScanState *node, ParallelContext *pcxt, void *coordinate);
static void reinitialize_dsm(CustomScanState *node, ParallelContext *pcxt, void *coordinate);
static void initialize_worker(CustomScanState *node, shm_toc *toc, void *coordinate);
static void shutdown_scan(CustomScanState *node);

static const CustomScanMethods scan_methods = {MLS_SCAN_NAME, create_state};

static const CustomExecMethods exec_methods = {
	.CustomName = MLS_SCAN_NAME,
	.BeginCustomScan = begin_scan,
	.ExecCustomScan = exec_scan,
	.EndCustomScan = end_scan,
	.ReScanCustomScan = rescan,
	.EstimateDSMCustomScan = estimate_dsm,
	.InitializeDSMCustomScan = initialize_dsm,
	.ReInitializeDSMCustomScan = reinitialize_dsm,
	.InitializeWorkerCustomScan = initialize_worker,
	.ShutdownCustomScan = shutdown_scan,
	.ExplainCustomScan = mls_scan_explain,
};

void
mls_scan_init(void)
{
	RegisterCustomScanMethods(&scan_methods);
}

static Node *
create_state(CustomScan *cscan)
{
	MlsScanState *state = palloc0(sizeof(MlsScanState));

	NodeSetTag(state, T_CustomScanState);
	state->css.methods = &exec_methods;
	return (Node *) state;
}

/* The executor checks EXECUTE where it sees a function call; these it does not see. */
static void
check_execute(Oid fnoid)
{
	AclResult result = object_aclcheck(ProcedureRelationId, fnoid, GetUserId(), ACL_EXECUTE);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FUNCTION, get_func_name(fnoid));
	InvokeFunctionExecuteHook(fnoid);
}

static void
begin_call(MlsScanState *state, MlsScanCall *call, FuncExpr *expr, Expr *need)
{
	PlanState *ps = &state->css.ss.ps;
	ListCell *lc;

	check_execute(expr->funcid);
	call->expr = expr;
	call->need = need ? ExecInitExpr(need, ps) : NULL;
	call->args = palloc(sizeof(ExprState *) * Max(list_length(expr->args), 1));
	foreach (lc, expr->args)
		call->args[call->nargs++] = ExecInitExpr(lfirst(lc), ps);
}

static void
begin_scan(CustomScanState *node, EState *estate, int eflags)
{
	MlsScanState *state = (MlsScanState *) node;
	CustomScan *cscan = (CustomScan *) node->ss.ps.plan;
	AttrNumber *attnos;
	ListCell *lc;
	ListCell *need;

	mls_scan_spec(cscan, &state->spec);
	/* A cursor may be read by another role than opened it. */
	state->userid = GetUserId();
	outerPlanState(node) = ExecInitNode(outerPlan(cscan), estate, eflags & ~(EXEC_FLAG_BACKWARD | EXEC_FLAG_MARK));

	attnos = palloc(sizeof(AttrNumber) * Max(list_length(state->spec.kept), 1));
	foreach (lc, state->spec.kept)
		attnos[foreach_current_index(lc)] = lfirst_int(lc);
	state->calls = palloc0(sizeof(MlsScanCall) * list_length(state->spec.calls));
	forboth(lc, state->spec.calls, need, state->spec.needs)
		begin_call(state, &state->calls[state->ncalls++], lfirst(lc), lfirst(need));
	if (state->spec.limit_count)
		state->limit_count = ExecInitExpr((Expr *) state->spec.limit_count, &node->ss.ps);
	if (state->spec.limit_offset)
		state->limit_offset = ExecInitExpr((Expr *) state->spec.limit_offset, &node->ss.ps);

	state->row_context = CreateExprContext(estate);
	state->call_context = AllocSetContextCreate(estate->es_query_cxt, "ml_score scan", ALLOCSET_DEFAULT_SIZES);
	state->rows =
		mls_rows_create(ExecGetResultType(outerPlanState(node)), attnos, list_length(state->spec.kept), state->ncalls);
	state->tickets = palloc(sizeof(MlsTicket) * state->ncalls);
	state->unbatched = !mls_batching;
}

/* Reach the endpoints: at the first row only, so that EXPLAIN needs neither network nor credentials. */
static void
open_calls(MlsScanState *state)
{
	MemoryContext old = MemoryContextSwitchTo(state->call_context);

	for (int i = 0; i < state->ncalls; i++)
	{
		state->calls[i].call = mls_call_open(state->calls[i].expr->funcid, state->userid);
		if (state->unbatched)
			mls_call_set_unbatched(state->calls[i].call);
	}
	MemoryContextSwitchTo(old);
	state->opened = true;
}

/* A LIMIT's number, NO_BOUND for NULL. Wrong ones are for the Limit node to complain of. */
static int64
limit_value(MlsScanState *state, ExprState *expr, int64 when_absent)
{
	bool isnull;
	Datum value;

	if (expr == NULL)
		return when_absent;
	value = ExecEvalExprSwitchContext(expr, state->row_context, &isnull);
	return isnull ? when_absent : Max(DatumGetInt64(value), 0);
}

static int64
largest_batch(MlsScanState *state)
{
	int rows = 1;

	for (int i = 0; i < state->ncalls; i++)
		rows = Max(rows, mls_call_batch_rows(state->calls[i].call));
	return rows;
}

/* Decide how far to read ahead, at the start and after each rescan. */
static void
start_reading(MlsScanState *state)
{
	int64 count = limit_value(state, state->limit_count, NO_BOUND);

	state->bound = NO_BOUND;
	if (count != NO_BOUND && pg_add_s64_overflow(count, limit_value(state, state->limit_offset, 0), &state->bound))
		state->bound = NO_BOUND;

	if (state->unbatched)
		state->window = 1;
	else if (state->spec.read_all)
		state->window = PG_INT64_MAX;
	else
		state->window = largest_batch(state);
	if (state->bound != NO_BOUND && state->css.ss.ps.qual)
	{
		/* With a filter on the scores nobody knows how many rows make the LIMIT: begin with that many, then more. */
		state->window = Min(state->window, Max(state->bound, 1));
		state->bound = NO_BOUND;
	}
	state->handed_up = 0;
	state->read = 0;
}

/* Evaluate call for the row in the row context. */
static MlsTicket
call_row(MlsScanState *state, MlsScanCall *call)
{
	ExprContext *econtext = state->row_context;
	Datum values[FUNC_MAX_ARGS];
	bool nulls[FUNC_MAX_ARGS];
	MlsTicket none = {NULL, -1};

	if (call->need)
	{
		bool isnull;
		Datum needed = ExecEvalExpr(call->need, econtext, &isnull);

		if (isnull || !DatumGetBool(needed))
			return none;
	}
	for (int i = 0; i < call->nargs; i++)
		values[i] = ExecEvalExpr(call->args[i], econtext, &nulls[i]);
	return mls_call_add(call->call, values, nulls, mls_rows_next_number(state->rows));
}

/* Read one row from the child into the queue and its calls' batches. False at the input's end. */
static bool
read_row(MlsScanState *state)
{
	TupleTableSlot *slot = ExecProcNode(outerPlanState(&state->css));
	MemoryContext old;

	if (TupIsNull(slot))
	{
		state->input_ended = true;
		return false;
	}
	ResetExprContext(state->row_context);
	state->row_context->ecxt_outertuple = slot;
	old = MemoryContextSwitchTo(state->row_context->ecxt_per_tuple_memory);
	for (int i = 0; i < state->ncalls; i++)
		state->tickets[i] = call_row(state, &state->calls[i]);
	MemoryContextSwitchTo(old);
	mls_rows_push(state->rows, slot, state->tickets);
	state->read++;
	return true;
}

static bool
head_ready(MlsScanState *state, MlsRow *row)
{
	if (!mls_rows_head(state->rows, row))
		return false;
	for (int i = 0; i < state->ncalls; i++)
	{
		if (!mls_ticket_ready(row->tickets[i]))
			return false;
	}
	return true;
}

static bool
waits_for_open_batch(MlsScanState *state, const MlsRow *row)
{
	for (int i = 0; i < state->ncalls; i++)
	{
		if (mls_ticket_is_open(row->tickets[i]))
			return true;
	}
	return false;
}

/* Nothing will be added to the open batches, as far as can be told. */
static bool
no_more_rows(MlsScanState *state)
{
	return state->input_ended || (state->bound != NO_BOUND && state->read >= state->bound);
}

/* May another row be read: is there one, will it be wanted, is there room? */
static bool
may_read(MlsScanState *state)
{
	return !no_more_rows(state) && mls_rows_count(state->rows) < state->window;
}

static bool
has_memory(MlsScanState *state)
{
	Size used = mls_rows_memory(state->rows);

	for (int i = 0; i < state->ncalls; i++)
		used += mls_call_memory(state->calls[i].call);
	return used < (Size) mls_read_ahead_memory * 1024;
}

static bool
calls_want_rows(MlsScanState *state)
{
	for (int i = 0; i < state->ncalls; i++)
	{
		if (!mls_call_wants_rows(state->calls[i].call))
			return false;
	}
	return true;
}

static void
advance_calls(MlsScanState *state)
{
	mls_exchange_pump(false);
	for (int i = 0; i < state->ncalls; i++)
		mls_call_advance(state->calls[i].call);
	state->since_service = 0;
}

static void
flush_calls(MlsScanState *state)
{
	for (int i = 0; i < state->ncalls; i++)
		mls_call_flush(state->calls[i].call);
	advance_calls(state);
}

/* Look at the network, and read ahead as far as there is reason and room to. */
static void
service(MlsScanState *state)
{
	advance_calls(state);
	while (may_read(state) && calls_want_rows(state) && has_memory(state))
	{
		for (int i = 0; i < SERVICE_ROWS && may_read(state) && calls_want_rows(state); i++)
			read_row(state);
		advance_calls(state);
	}
}

/* The head row is not ready: do what brings it nearer. False when there is no row left. */
static bool
work_towards_head(MlsScanState *state)
{
	MlsRow row;

	service(state);
	if (!mls_rows_head(state->rows, &row))
	{
		if (!state->input_ended && !may_read(state))
		{
			/* More is asked for than a LIMIT let us expect, or the memory is held by a batch not yet sent. */
			state->bound = NO_BOUND;
			return true;
		}
		if (!state->input_ended)
			return read_row(state);
		return false;
	}
	if (head_ready(state, &row))
		return true;
	if (no_more_rows(state) || (waits_for_open_batch(state, &row) && (!may_read(state) || !has_memory(state))))
		flush_calls(state);
	if (!head_ready(state, &row) && !(may_read(state) && calls_want_rows(state) && has_memory(state)))
	{
		mls_exchange_pump(true);
		advance_calls(state);
	}
	return true;
}

/* The row handed up last is done with. */
static void
drop_head(MlsScanState *state)
{
	MlsRow row;

	mls_rows_head(state->rows, &row);
	for (int i = 0; i < state->ncalls; i++)
		mls_call_release(state->calls[i].call, row.number + 1);
	mls_rows_pop(state->rows);
	state->emitted = false;
	if (++state->handed_up >= state->window && !state->unbatched)
	{
		state->window *= 2;
		state->handed_up = 0;
	}
}

/* Put the kept columns and the results into the scan slot. */
static TupleTableSlot *
form_row(MlsScanState *state, const MlsRow *row)
{
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
	int kept = list_length(state->spec.kept);

	ExecClearTuple(slot);
	memcpy(slot->tts_values, row->values, sizeof(Datum) * kept);
	memcpy(slot->tts_isnull, row->nulls, sizeof(bool) * kept);
	for (int i = 0; i < state->ncalls; i++)
		slot->tts_values[kept + i] =
			mls_ticket_result(state->calls[i].call, row->tickets[i], &slot->tts_isnull[kept + i]);
	return ExecStoreVirtualTuple(slot);
}

static TupleTableSlot *
exec_scan(CustomScanState *node)
{
	MlsScanState *state = (MlsScanState *) node;
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	MlsRow row;

	if (!state->opened)
		open_calls(state);
	if (state->window == 0)
		start_reading(state);
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (state->emitted)
			drop_head(state);
		if (!head_ready(state, &row))
		{
			if (!work_towards_head(state))
				return ExecClearTuple(node->ss.ps.ps_ProjInfo ? node->ss.ps.ps_ResultTupleSlot
															  : node->ss.ss_ScanTupleSlot);
			continue;
		}
		if (++state->since_service >= SERVICE_ROWS)
			service(state);

		ResetExprContext(econtext);
		econtext->ecxt_scantuple = form_row(state, &row);
		state->emitted = true;
		if (node->ss.ps.qual && !ExecQual(node->ss.ps.qual, econtext))
		{
			InstrCountFiltered1(node, 1);
			continue;
		}
		return node->ss.ps.ps_ProjInfo ? ExecProject(node->ss.ps.ps_ProjInfo) : econtext->ecxt_scantuple;
	}
}

static void
forget_rows(MlsScanState *state)
{
	for (int i = 0; i < state->ncalls && state->opened; i++)
		mls_call_reset(state->calls[i].call);
	mls_rows_reset(state->rows);
	state->emitted = false;
	state->input_ended = false;
	state->window = 0;
}

static void
rescan(CustomScanState *node)
{
	forget_rows((MlsScanState *) node);
	if (outerPlanState(node)->chgParam == NULL)
		ExecReScan(outerPlanState(node));
}

/* A worker's figures go where the leader finds them. */
static void
report_to_leader(MlsScanState *state)
{
	if (state->shared == NULL || !IsParallelWorker() || !state->opened)
		return;
	for (int i = 0; i < state->ncalls; i++)
		mls_call_stats(state->calls[i].call, &state->shared->stats[ParallelWorkerNumber * state->ncalls + i]);
}

static void
end_scan(CustomScanState *node)
{
	MlsScanState *state = (MlsScanState *) node;

	if (state->opened)
	{
		for (int i = 0; i < state->ncalls; i++)
			mls_call_warn_failed(state->calls[i].call, true);
		report_to_leader(state);
		MemoryContextDelete(state->call_context);
		state->opened = false;
	}
	ExecEndNode(outerPlanState(node));
}

static Size
estimate_dsm(CustomScanState *node, ParallelContext *pcxt)
{
	MlsScanState *state = (MlsScanState *) node;

	return offsetof(MlsSharedStats, stats) + sizeof(MlsCallStats) * state->ncalls * pcxt->nworkers;
}

static void
initialize_dsm(CustomScanState *node, ParallelContext *pcxt, void *coordinate)
{
	MlsScanState *state = (MlsScanState *) node;

	memset(coordinate, 0, estimate_dsm(node, pcxt));
	state->shared = coordinate;
	state->shared->ncalls = state->ncalls;
	state->shared->nworkers = pcxt->nworkers;
}

/* Leader: take over what the workers reported, before that memory goes or is used again. */
static void
collect_from_workers(MlsScanState *state)
{
	MlsSharedStats *shared = state->shared;

	if (shared == NULL || IsParallelWorker())
		return;
	if (state->worker_stats == NULL)
		state->worker_stats =
			MemoryContextAllocZero(state->css.ss.ps.state->es_query_cxt, sizeof(MlsCallStats) * state->ncalls);
	for (int i = 0; i < shared->nworkers * shared->ncalls; i++)
		mls_call_stats_add(&state->worker_stats[i % shared->ncalls], &shared->stats[i]);
	memset(shared->stats, 0, sizeof(MlsCallStats) * shared->nworkers * shared->ncalls);
}

static void
reinitialize_dsm(CustomScanState *node, ParallelContext *pcxt, void *coordinate)
{
	collect_from_workers((MlsScanState *) node);
}

static void
initialize_worker(CustomScanState *node, shm_toc *toc, void *coordinate)
{
	((MlsScanState *) node)->shared = coordinate;
}

static void
shutdown_scan(CustomScanState *node)
{
	MlsScanState *state = (MlsScanState *) node;

	report_to_leader(state);
	collect_from_workers(state);
	if (!IsParallelWorker())
		state->shared = NULL;
}
