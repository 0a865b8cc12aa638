/*
 * batch_relation.c - a micro-batch as the relation "batch": for the stream's query, and for tables that are more than
 * plain (partitions, triggers, views, policies), whose INSERT then is PostgreSQL's own.
 *
 * The rows stand in a tuplestore under an ephemeral name, as a trigger's transition table does; nothing is staged on disk
 * beyond MEMORY_KB. They are made while the query reads them: a query that scores sends its first requests when the first
 * rows are there, and further rows are made while the model is busy. For that a scan of the relation that comes to the end
 * of the tuplestore asks the source for more, as a CTE's scan asks its subplan.
 */
#include "stream/rows.h"

#include "executor/executor.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#define RELATION "batch"
#define MEMORY_KB (64 * 1024)

typedef struct BatchSink
{
	MlsSink sink;
	const MlsRowMaker *rows;
	Tuplestorestate *store;
	MlsRowSource source; /* NULL: the rows are put by others, before finish */
	void *arg;
	double expected; /* rows */
} BatchSink;

static BatchSink *running; /* the innermost whose query runs */
static ExecutorStart_hook_type next_executor_start;

static void
put(MlsSink *sink, Datum *values, bool *nulls)
{
	BatchSink *batch = (BatchSink *) sink;

	tuplestore_putvalues(batch->store, mls_row_maker_desc(batch->rows), values, nulls);
	if (batch->source == NULL)
		batch->expected++;
}

/* Have the source put some more rows. False: there are none left. */
static bool
put_more(BatchSink *batch)
{
	/* The scans' own read pointers stay where they are only while they are not the active one. */
	tuplestore_select_read_pointer(batch->store, 0);
	return batch->source != NULL && batch->source(batch->arg);
}

/* The scan's next row; at the end of the tuplestore, more are made. A copy: rows that are put free those in memory. */
static TupleTableSlot *
next_row(ScanState *node)
{
	NamedTuplestoreScanState *scan = (NamedTuplestoreScanState *) node;

	do
		tuplestore_select_read_pointer(scan->relation, scan->readptr);
	while (!tuplestore_gettupleslot(scan->relation, true, true, node->ss_ScanTupleSlot) && put_more(running));
	return node->ss_ScanTupleSlot;
}

static bool
recheck_row(ScanState *node, TupleTableSlot *slot)
{
	return true;
}

/* In the place of ExecNamedTuplestoreScan. */
static TupleTableSlot *
scan_batch(PlanState *node)
{
	return ExecScan((ScanState *) node, next_row, recheck_row);
}

static bool
take_over_scans(PlanState *node, void *store)
{
	if (IsA(node, NamedTuplestoreScanState) && ((NamedTuplestoreScanState *) node)->relation == store)
		ExecSetExecProcNode(node, scan_batch);
	return planstate_tree_walker(node, take_over_scans, store);
}

/*
 * May EvalPlanQual look at a row again that another transaction has changed? Then it runs the subplans in nodes of its
 * own, which read the tuplestore as it is.
 */
static bool
may_rerun_subplans(const PlannedStmt *stmt)
{
	bool changes = stmt->commandType != CMD_SELECT && stmt->commandType != CMD_INSERT;

	return stmt->subplans != NIL && (changes || stmt->hasModifyingCTE || stmt->rowMarks != NIL);
}

static void
take_over(QueryDesc *query)
{
	ListCell *cell;

	take_over_scans(query->planstate, running->store);
	foreach (cell, query->estate->es_subplanstates)
		if (lfirst(cell) != NULL)
			take_over_scans(lfirst(cell), running->store);
	if (may_rerun_subplans(query->plannedstmt))
		while (put_more(running))
			;
}

/* The statements of the query that runs read the relation by scan_batch. */
static void
executor_start(QueryDesc *query, int eflags)
{
	EphemeralNamedRelation relation;

	if (next_executor_start != NULL)
		next_executor_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
	if (running == NULL || query->queryEnv == NULL)
		return;
	relation = get_ENR(query->queryEnv, RELATION);
	if (relation != NULL && relation->reldata == running->store)
		take_over(query);
}

static void
flush(MlsSink *sink)
{
}

/* INSERT INTO target (columns) SELECT columns FROM batch */
static char *
insert_statement(const MlsRowMaker *rows)
{
	TupleDesc desc = mls_row_maker_desc(rows);
	StringInfoData columns;

	initStringInfo(&columns);
	for (int i = 0; i < desc->natts; i++)
		if (mls_row_maker_fills(rows, i))
			appendStringInfo(&columns, "%s%s", columns.len > 0 ? ", " : "",
							 quote_identifier(NameStr(TupleDescAttr(desc, i)->attname)));
	return psprintf("INSERT INTO %s (%s) SELECT %s FROM " RELATION, mls_row_maker_stream(rows)->target, columns.data,
					columns.data);
}

/* Run the query, or INSERT, over the relation. */
static void
execute(BatchSink *batch)
{
	const MlsStream *stream = mls_row_maker_stream(batch->rows);
	EphemeralNamedRelationData relation = {
		.md = {.name = RELATION,
			   .tupdesc = mls_row_maker_desc(batch->rows),
			   .enrtype = ENR_NAMED_TUPLESTORE,
			   .enrtuples = batch->expected},
		.reldata = batch->store,
	};
	int result;

	if (SPI_register_relation(&relation) != SPI_OK_REL_REGISTER)
		elog(ERROR, "could not register the micro-batch");
	result = SPI_execute(stream->query != NULL ? stream->query : insert_statement(batch->rows), false, 0);
	if (result == SPI_ERROR_TRANSACTION)
		ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("the query of stream \"%s\" must not begin or end a transaction", stream->name));
	if (result < 0)
		ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("the query of stream \"%s\" has a statement that cannot run here", stream->name),
				errdetail("%s", SPI_result_code_string(result)));
	if (SPI_unregister_relation(RELATION) != SPI_OK_REL_UNREGISTER)
		elog(ERROR, "could not unregister the micro-batch");
}

static void
finish(MlsSink *sink)
{
	BatchSink *batch = (BatchSink *) sink;
	BatchSink *outer = running;

	running = batch;
	PG_TRY();
	{
		execute(batch);
	}
	PG_FINALLY();
	{
		running = outer;
	}
	PG_END_TRY();
	while (put_more(batch)) /* what the query left unread may yet be undecodable */
		;
	tuplestore_end(batch->store);
}

MlsSink *
mls_batch_sink(const MlsRowMaker *rows, MlsRowSource source, void *arg, int expected)
{
	BatchSink *batch = palloc0(sizeof(BatchSink));

	batch->sink = (MlsSink){put, flush, finish};
	batch->rows = rows;
	batch->store = tuplestore_begin_heap(false, false, MEMORY_KB);
	batch->source = source;
	batch->arg = arg;
	batch->expected = expected;
	return &batch->sink;
}

void
mls_batch_relation_init(void)
{
	next_executor_start = ExecutorStart_hook;
	ExecutorStart_hook = executor_start;
}
