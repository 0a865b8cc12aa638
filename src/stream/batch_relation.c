/*
 * batch_relation.c - a micro-batch as the relation "batch": for the stream's query, and for tables that are more than
 * plain (partitions, triggers, views, policies), whose INSERT then is PostgreSQL's own.
 *
 * The rows stand in a tuplestore under an ephemeral name, as a trigger's transition table does; nothing is staged on disk
 * beyond work_mem.
 */
#include "stream/rows.h"

#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#define RELATION "batch"
#define MEMORY_KB (64 * 1024)

typedef struct BatchSink
{
	MlsSink sink;
	const MlsRowMaker *rows;
	Tuplestorestate *store;
	int64 count;
} BatchSink;

static void
put(MlsSink *sink, Datum *values, bool *nulls)
{
	BatchSink *batch = (BatchSink *) sink;

	tuplestore_putvalues(batch->store, mls_row_maker_desc(batch->rows), values, nulls);
	batch->count++;
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

static void
finish(MlsSink *sink)
{
	BatchSink *batch = (BatchSink *) sink;
	const MlsStream *stream = mls_row_maker_stream(batch->rows);
	EphemeralNamedRelationData relation = {
		.md = {.name = RELATION,
			   .tupdesc = mls_row_maker_desc(batch->rows),
			   .enrtype = ENR_NAMED_TUPLESTORE,
			   .enrtuples = (double) batch->count},
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
	tuplestore_end(batch->store);
}

MlsSink *
mls_batch_sink(const MlsRowMaker *rows)
{
	BatchSink *batch = palloc0(sizeof(BatchSink));

	batch->sink = (MlsSink){put, flush, finish};
	batch->rows = rows;
	batch->store = tuplestore_begin_heap(false, false, MEMORY_KB);
	return &batch->sink;
}
