/*
 * insert.c - rows into a plain table, many at a time, as COPY does it.
 *
 * Plain: an ordinary table without triggers (foreign keys are such), policies or rules. Everything else about it is
 * honoured: defaults, generated columns, constraints, indexes, a partition's bounds. A thousand slots are used over and
 * over, and what the values needed is given back as often.
 */
#include "stream/rows.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "rewrite/rewriteHandler.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/varlena.h"

#include "compat.h"

#define SLOTS 1000

typedef struct InsertSink
{
	MlsSink sink;
	Relation target;
	int *map; /* by the rows' column: that of the target, or -1 */
	int natts;
	EState *estate;
	ResultRelInfo *result;
	ExprState **defaults; /* of the target's columns that rows do not have; NULL: none */
	CommandId command;
	BulkInsertState bulk;
	TupleDesc desc; /* of the slots: a copy, which no slot needs to pin */
	TupleTableSlot *slots[SLOTS];
	int made;
	int used;
} InsertSink;

/* May rows be put into target without the executor's INSERT? */
static bool
is_plain(Relation target)
{
	return target->rd_rel->relkind == RELKIND_RELATION && target->trigdesc == NULL && target->rd_rules == NULL &&
		   check_enable_rls(RelationGetRelid(target), InvalidOid, true) != RLS_ENABLED &&
		   pg_class_aclcheck(RelationGetRelid(target), GetUserId(), ACL_INSERT) == ACLCHECK_OK;
}

/* Find the target's column for each of the rows'. False when one needs a conversion. */
static bool
map_columns(InsertSink *insert, const MlsRowMaker *rows)
{
	TupleDesc desc = mls_row_maker_desc(rows);
	TupleDesc target = RelationGetDescr(insert->target);

	insert->natts = desc->natts;
	insert->map = palloc(sizeof(int) * desc->natts);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute from = TupleDescAttr(desc, i);
		Form_pg_attribute to;

		insert->map[i] = -1;
		if (mls_row_maker_are_targets(rows))
			insert->map[i] = from->attisdropped || from->attgenerated != '\0' ? -1 : i;
		if (mls_row_maker_are_targets(rows) || from->attisdropped)
			continue;
		insert->map[i] = get_attnum(RelationGetRelid(insert->target), NameStr(from->attname)) - 1;
		if (insert->map[i] < 0)
			return false;
		to = TupleDescAttr(target, insert->map[i]);
		if (to->atttypid != from->atttypid || to->atttypmod != from->atttypmod || to->attgenerated != '\0' ||
			to->attidentity == ATTRIBUTE_IDENTITY_ALWAYS)
			return false;
	}
	return true;
}

/* Defaults of the columns that the rows do not have. Rows of the target's own columns come with theirs. */
static void
prepare_defaults(InsertSink *insert, const MlsRowMaker *rows)
{
	TupleDesc desc = RelationGetDescr(insert->target);

	if (mls_row_maker_are_targets(rows))
		return;
	insert->defaults = palloc0(sizeof(ExprState *) * desc->natts);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		bool mapped = false;
		Expr *expression;

		for (int j = 0; j < insert->natts; j++)
			mapped |= insert->map[j] == i;
		if (mapped || att->attisdropped || att->attgenerated != '\0')
			continue;
		expression = (Expr *) build_column_default(insert->target, i + 1);
		if (expression != NULL)
			insert->defaults[i] = ExecPrepareExpr(expression, insert->estate);
	}
}

static void
write_slots(InsertSink *insert)
{
	ResultRelInfo *result = insert->result;
	MemoryContext old;

	if (insert->used == 0)
		return;
	/* The tuples are made in the executor's memory for one row, as COPY does. */
	old = MemoryContextSwitchTo(GetPerTupleMemoryContext(insert->estate));
	table_multi_insert(insert->target, insert->slots, insert->used, insert->command, 0, insert->bulk);
	MemoryContextSwitchTo(old);
	for (int i = 0; i < insert->used; i++)
	{
		if (result->ri_NumIndices > 0)
			list_free(MlsInsertIndexTuples(result, insert->slots[i], insert->estate));
		ExecClearTuple(insert->slots[i]);
	}
	insert->used = 0;
	ResetPerTupleExprContext(insert->estate);
}

static void
fill_slot(InsertSink *insert, TupleTableSlot *slot, const Datum *values, const bool *nulls)
{
	int natts = slot->tts_tupleDescriptor->natts;

	memset(slot->tts_isnull, true, sizeof(bool) * natts);
	for (int i = 0; i < insert->natts; i++)
	{
		if (insert->map[i] < 0)
			continue;
		slot->tts_values[insert->map[i]] = values[i];
		slot->tts_isnull[insert->map[i]] = nulls[i];
	}
	for (int i = 0; insert->defaults != NULL && i < natts; i++)
		if (insert->defaults[i] != NULL)
			slot->tts_values[i] =
				ExecEvalExpr(insert->defaults[i], GetPerTupleExprContext(insert->estate), &slot->tts_isnull[i]);
	ExecStoreVirtualTuple(slot);
}

static void
put(MlsSink *sink, Datum *values, bool *nulls)
{
	InsertSink *insert = (InsertSink *) sink;
	TupleConstr *constr = RelationGetDescr(insert->target)->constr;
	TupleTableSlot *slot;

	if (insert->used == SLOTS)
		write_slots(insert);
	if (insert->used == insert->made)
	{
		MemoryContext old = MemoryContextSwitchTo(insert->estate->es_query_cxt);

		insert->slots[insert->made++] = MakeSingleTupleTableSlot(insert->desc, table_slot_callbacks(insert->target));
		MemoryContextSwitchTo(old);
	}
	slot = insert->slots[insert->used];
	ExecClearTuple(slot);
	fill_slot(insert, slot, values, nulls);
	slot->tts_tableOid = RelationGetRelid(insert->target);
	if (constr != NULL && constr->has_generated_stored)
		ExecComputeStoredGenerated(insert->result, insert->estate, slot, CMD_INSERT);
	if (constr != NULL)
		ExecConstraints(insert->result, slot, insert->estate);
	if (insert->target->rd_rel->relispartition)
		ExecPartitionCheck(insert->result, slot, insert->estate, true);
	insert->used++;
}

static void
flush(MlsSink *sink)
{
	write_slots((InsertSink *) sink);
}

static void
finish(MlsSink *sink)
{
	InsertSink *insert = (InsertSink *) sink;

	write_slots(insert);
	FreeBulkInsertState(insert->bulk);
	table_finish_bulk_insert(insert->target, 0);
	ExecCloseIndices(insert->result);
	FreeExecutorState(insert->estate);
	table_close(insert->target, NoLock);
}

static void
open_indexes(InsertSink *insert)
{
	insert->result = makeNode(ResultRelInfo);
	InitResultRelInfo(insert->result, insert->target, 0, NULL, 0);
	ExecOpenIndices(insert->result, false);
}

MlsSink *
mls_insert_sink(const MlsRowMaker *rows)
{
	const MlsStream *stream = mls_row_maker_stream(rows);
	RangeVar *range;
	InsertSink *insert;

	if (stream->target == NULL)
		return NULL;
	insert = palloc0(sizeof(InsertSink));
	insert->sink = (MlsSink){put, flush, finish};
	range = makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(stream->target)));
	insert->target = table_openrv(range, RowExclusiveLock);
	if (!is_plain(insert->target) || !map_columns(insert, rows))
	{
		table_close(insert->target, NoLock);
		return NULL;
	}
	insert->estate = CreateExecutorState();
	insert->desc = CreateTupleDescCopyConstr(RelationGetDescr(insert->target));
	open_indexes(insert);
	prepare_defaults(insert, rows);
	insert->command = GetCurrentCommandId(true);
	insert->bulk = GetBulkInsertState();
	return &insert->sink;
}
