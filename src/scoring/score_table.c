/*
 * score_table.c - the procedure ml_score.score_table: rows of one table scored into another, a commit a chunk.
 *
 * A chunk is found (rows of source whose key target does not have), then scored and stored by one INSERT ... SELECT,
 * which the planner's hook batches. Rows are found in the order of an index over the key if source has one: each chunk
 * then begins where the last one ended and sees the table as it is by then. Otherwise (a view, a table without such an
 * index) one query finds them all as they are when the run begins, and the rest of its result is kept in a temporary
 * file from chunk to chunk; finding each chunk anew would read source from its start each time.
 *
 * Locks that hold for the run, over its transactions: the two tables', so that their columns stay as they were looked at,
 * and one of our own, so that no row is sent twice by two runs. They are session locks of the default method, which an
 * abort gives back by itself; all else here dies with the statement's memory. No error needs to be caught.
 */
#include "ml_score.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/function_arg.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "miscadmin.h"
#include "monitor/progress.h"
#include "nodes/parsenodes.h"
#include "scoring/table_statements.h"
#include "storage/lmgr.h"
#include "tcop/pquery.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "compat.h"

typedef struct TableRun
{
	MlsTableMap *map;
	MlsTableStatements *statements;
	int chunk_rows;
	char *target; /* for messages */
	LockRelId source_lock;
	LockRelId target_lock;
	MemoryContext run_context;
	MemoryContext chunk_context; /* reset for each chunk */
	Portal rest;				 /* without a walk: where the rows not yet scored come from */
	Oid *after_types;			 /* with one: the last key's columns, NULL before the first chunk */
	Datum *after;
	Tuplestorestate *chunk;
	TupleDesc chunk_desc;
	MlsProgress progress;
} TableRun;

static void
check_context(FunctionCallInfo fcinfo)
{
	PreventCommandDuringRecovery("ml_score.score_table");
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) || ((CallContext *) fcinfo->context)->atomic)
		ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
						errmsg("ml_score.score_table cannot run inside a transaction block"),
						errdetail("It commits each chunk."),
						errhint("CALL it as a statement of its own, without BEGIN and not from a function.")));
}

static void
lock_target(Oid target, const char *name)
{
	LOCKTAG tag;

	/* Relations are locked under another kind of tag, so nobody else uses this one. */
	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, RelationRelationId, target, 0);
	if (LockAcquire(&tag, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE), errmsg("\"%s\" is being scored by another session", name),
						errhint("See ml_score.progress_score_table. When that run has ended, another one scores what "
								"it left.")));
}

static void
unlock_target(Oid target)
{
	LOCKTAG tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, RelationRelationId, target, 0);
	LockRelease(&tag, ExclusiveLock, true);
}

/* Look at the two tables, and see that they stay as they are. */
static void
prepare_run(TableRun *run, Oid source_oid, Oid target_oid, Oid function)
{
	Relation source = relation_open(source_oid, AccessShareLock);
	Relation target = relation_open(target_oid, RowExclusiveLock);

	run->map = mls_table_map(source, target, function);
	run->statements = mls_table_statements(run->map, source, run->chunk_rows);
	run->target = pstrdup(RelationGetRelationName(target));
	run->source_lock = source->rd_lockInfo.lockRelId;
	run->target_lock = target->rd_lockInfo.lockRelId;
	LockRelationIdForSession(&run->source_lock, AccessShareLock);
	LockRelationIdForSession(&run->target_lock, RowExclusiveLock);
	lock_target(target_oid, run->target);
	relation_close(source, NoLock);
	relation_close(target, NoLock);

	run->progress.source = source_oid;
	run->progress.target = target_oid;
	run->progress.function = function;
	run->progress.started_at = GetCurrentTimestamp();
}

/* How many rows the planner thinks there are to score. */
static int64
estimate_rows(const TableRun *run)
{
	SPIPlanPtr plan = SPI_prepare(run->statements->find, 0, NULL);
	CachedPlan *cached = plan ? SPI_plan_get_cached_plan(plan) : NULL;
	double rows;

	if (cached == NULL)
		elog(ERROR, "could not plan \"%s\": %s", run->statements->find, SPI_result_code_string(SPI_result));
	rows = linitial_node(PlannedStmt, cached->stmt_list)->planTree->plan_rows;
	ReleaseCachedPlan(cached, NULL);
	SPI_freeplan(plan);
	return (int64) Min(rows, 1e18);
}

/* Where the next chunk's rows come from. */
static Portal
open_source(TableRun *run)
{
	const MlsTableStatements *statements = run->statements;
	Portal portal;

	if (run->rest)
		return run->rest;
	if (run->after)
		return SPI_cursor_open_with_args(NULL, statements->find_next, run->map->nkeys, run->after_types, run->after,
										 NULL, false, CURSOR_OPT_NO_SCROLL);
	portal = SPI_cursor_open_with_args(NULL, statements->find_first ? statements->find_first : statements->find, 0,
									   NULL, NULL, NULL, false, CURSOR_OPT_NO_SCROLL);
	if (statements->find_first == NULL)
	{
		/* A pinned portal lives on over commits, and is dropped when the statement fails. */
		PinPortal(portal);
		run->rest = portal;
	}
	return portal;
}

/* Read the next chunk's rows into run->chunk; how many they are. */
static int64
find_chunk(TableRun *run)
{
	Portal portal = open_source(run);
	MemoryContext old = MemoryContextSwitchTo(run->chunk_context);
	DestReceiver *dest = CreateDestReceiver(DestTuplestore);
	int64 rows;

	run->chunk = tuplestore_begin_heap(false, false, work_mem);
	run->chunk_desc = CreateTupleDescCopy(portal->tupDesc);
	SetTuplestoreDestReceiverParams(dest, run->chunk, run->chunk_context, true, NULL, NULL);
	rows = (int64) PortalRunFetch(portal, FETCH_FORWARD, run->chunk_rows, dest);
	dest->rDestroy(dest);
	MemoryContextSwitchTo(old);
	if (portal != run->rest)
		SPI_cursor_close(portal);
	return rows;
}

/* Have the next chunk begin after this one's last row. */
static void
remember_last_key(TableRun *run, int64 rows)
{
	TupleTableSlot *slot;
	MemoryContext old;
	bool first = run->after == NULL;

	if (run->statements->walk == NULL)
		return;
	slot = MakeSingleTupleTableSlot(run->chunk_desc, &TTSOpsMinimalTuple);
	if (!tuplestore_skiptuples(run->chunk, rows - 1, true) || !tuplestore_gettupleslot(run->chunk, true, false, slot))
		elog(ERROR, "unexpected end of tuplestore");
	old = MemoryContextSwitchTo(run->run_context);
	if (first)
	{
		run->after = palloc(sizeof(Datum) * run->map->nkeys);
		run->after_types = palloc(sizeof(Oid) * run->map->nkeys);
	}
	for (int i = 0; i < run->map->nkeys; i++)
	{
		int column = run->statements->walk[i];
		bool isnull;
		int16 len;
		bool byval;
		Datum value = slot_getattr(slot, column + 1, &isnull);

		Assert(!isnull);
		run->after_types[i] = run->map->keys[column].source_type;
		get_typlenbyval(run->after_types[i], &len, &byval);
		if (!first && !byval)
			pfree(DatumGetPointer(run->after[i]));
		run->after[i] = datumCopy(value, byval, len);
	}
	MemoryContextSwitchTo(old);
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_rescan(run->chunk);
}

/* Score the chunk's rows and store them; how many were new to target. */
static int64
store_chunk(TableRun *run, int64 rows)
{
	EphemeralNamedRelationData relation = {
		.md = {.name = MLS_TABLE_CHUNK,
			   .tupdesc = run->chunk_desc,
			   .enrtype = ENR_NAMED_TUPLESTORE,
			   .enrtuples = (double) rows},
		.reldata = run->chunk,
	};
	int64 stored;
	int result;

	if (SPI_register_relation(&relation) != SPI_OK_REL_REGISTER)
		elog(ERROR, "could not register the rows of a chunk");
	result = SPI_execute(run->statements->store, false, 0);
	if (result < 0)
		elog(ERROR, "could not store a chunk: %s", SPI_result_code_string(result));
	stored = (int64) SPI_processed;
	if (SPI_unregister_relation(MLS_TABLE_CHUNK) != SPI_OK_REL_UNREGISTER)
		elog(ERROR, "could not unregister the rows of a chunk");
	return stored;
}

/* A chunk is committed: show it, and say so. */
static void
report_chunk(TableRun *run, int64 stored, bool last)
{
	MlsProgress *progress = &run->progress;
	double seconds;

	progress->chunks++;
	progress->rows_scored += stored;
	progress->rows_total = last ? progress->rows_scored : Max(progress->rows_total, progress->rows_scored);
	progress->last_chunk_at = GetCurrentTimestamp();
	mls_progress_show(progress);

	if (progress->rows_total == 0)
	{
		ereport(NOTICE, (errmsg("no row is to be scored into \"%s\"", run->target)));
		return;
	}
	seconds = Max((progress->last_chunk_at - progress->started_at) / 1e6, 1e-6);
	ereport(NOTICE, (errmsg("scored %lld of %s%lld rows into \"%s\", %.0f rows/s", (long long) progress->rows_scored,
							last ? "" : "about ", (long long) progress->rows_total, run->target,
							progress->rows_scored / seconds)));
}

/* One chunk, found, stored and committed. False: it was the last. */
static bool
score_chunk(TableRun *run)
{
	int64 rows = find_chunk(run);
	bool last = rows < run->chunk_rows;
	int64 stored = 0;

	if (rows > 0)
	{
		remember_last_key(run, rows);
		stored = store_chunk(run, rows);
	}
	tuplestore_end(run->chunk);
	run->chunk = NULL;
	SPI_commit();
	MemoryContextReset(run->chunk_context);
	if (rows > 0 || run->progress.chunks == 0)
		report_chunk(run, stored, last);
	return !last;
}

static void
score_table(FunctionCallInfo fcinfo, Oid source, Oid target, Oid function, int chunk_rows)
{
	TableRun run = {.chunk_rows = chunk_rows};

	check_context(fcinfo);
	if (chunk_rows < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("chunk_rows must be at least 1"),
						errhint("A chunk is what is committed at a time, many requests long; the default is 10000.")));
	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	run.run_context = CurrentMemoryContext;
	run.chunk_context = AllocSetContextCreate(run.run_context, "ml_score table chunk", ALLOCSET_DEFAULT_SIZES);

	prepare_run(&run, source, target, function);
	run.progress.rows_total = estimate_rows(&run);
	mls_progress_show(&run.progress);
	while (score_chunk(&run))
		CHECK_FOR_INTERRUPTS();

	mls_progress_end();
	if (run.rest)
	{
		UnpinPortal(run.rest);
		SPI_cursor_close(run.rest);
	}
	unlock_target(target);
	UnlockRelationIdForSession(&run.target_lock, RowExclusiveLock);
	UnlockRelationIdForSession(&run.source_lock, AccessShareLock);
	SPI_finish();
}

static void
check_not_null(FunctionCallInfo fcinfo)
{
	static const char *const names[] = {"source", "target", "function", "chunk_rows"};

	for (int i = 0; i < lengthof(names); i++)
	{
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument \"%s\" must not be null", names[i])));
	}
}

/* score_table(source regclass, target regclass, function regprocedure, chunk_rows int) */
PG_FUNCTION_INFO_V1(mls_score_table);

PGDLLEXPORT Datum
mls_score_table(PG_FUNCTION_ARGS)
{
	check_not_null(fcinfo);
	score_table(fcinfo, PG_GETARG_OID(0), PG_GETARG_OID(1), PG_GETARG_OID(2), PG_GETARG_INT32(3));
	PG_RETURN_VOID();
}

/* The same with the function's name. */
PG_FUNCTION_INFO_V1(mls_score_table_named);

PGDLLEXPORT Datum
mls_score_table_named(PG_FUNCTION_ARGS)
{
	check_not_null(fcinfo);
	score_table(fcinfo, PG_GETARG_OID(0), PG_GETARG_OID(1), mls_function_of_text(PG_GETARG_TEXT_PP(2)),
				PG_GETARG_INT32(3));
	PG_RETURN_VOID();
}
