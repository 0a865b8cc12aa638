/*
 * decode.c - reply bodies to result values; see decode.h.
 *
 * Find the run of results in the reply (find_results.c), then read one item, or a data frame's items, for each argument
 * tuple (decode_value.c). Counts must match exactly: a result that cannot be told whose it is, is nobody's.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "codec/decode.h"
#include "codec/decode_value.h"
#include "codec/encoding.h"
#include "codec/find_results.h"
#include "codec/json_write.h"
#include "codec/row_shape.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

struct MlsDecoder
{
	const MlsFunction *fn;
	const char *results_key;
	bool data_frame; /* a tuple's results are a run of items */
	MlsResultNames names;
	MlsValueReader *row;	/* reads an item */
	MlsValueReader *reader; /* reads a tuple's result: row, or an array of it */
	MlsResultColumns columns;
	MlsResultColumns *by_columns; /* &columns, or NULL when the result is no composite */
	TupleDesc desc;
};

static int
find_result_column(void *arg, const MlsSpan *key)
{
	return mls_record_column((MlsValueReader *) arg, key);
}

/* The endpoint's only output that is not an input too. */
static char *
only_output(const MlsSchema *schema)
{
	char *found = NULL;

	for (int i = 0; schema && i < schema->noutputs; i++)
	{
		bool repeated = false;

		for (int k = 0; k < schema->ninputs; k++)
			repeated |= strcmp(schema->outputs[i].name, schema->inputs[k].name) == 0;
		if (repeated || schema->outputs[i].name[0] == '\0')
			continue;
		if (found)
			return NULL;
		found = schema->outputs[i].name;
	}
	return found;
}

static char *
copy_utf8(const char *name)
{
	int len = strlen(name);

	return pstrdup(mls_to_utf8(name, &len));
}

/* The names that tell the result's member: inputs are the arguments and, for records, what the schema says. */
static void
prepare_names(MlsDecoder *decoder, const MlsSchema *schema)
{
	const MlsFunction *fn = decoder->fn;
	char *output = only_output(schema);
	int ninputs = schema ? schema->ninputs : 0;

	decoder->names.column = fn->result_name ? copy_utf8(fn->result_name) : NULL;
	decoder->names.output = output ? copy_utf8(output) : NULL;
	decoder->names.inputs = palloc((fn->nargs + ninputs + 1) * sizeof(char *));
	for (int i = 0; i < fn->nargs; i++)
		decoder->names.inputs[decoder->names.ninputs++] = copy_utf8(fn->arg_names[i]);
	for (int i = 0; i < ninputs; i++)
		decoder->names.inputs[decoder->names.ninputs++] = copy_utf8(schema->inputs[i].name);
}

/* A reader of one item: of the function's result type, or of its columns. */
static MlsValueReader *
prepare_row(MlsDecoder *decoder, Oid type)
{
	const MlsFunction *fn = decoder->fn;
	MlsValueReader *row;

	if (fn->result_desc && !OidIsValid(get_base_element_type(getBaseType(type))))
	{
		decoder->desc = CreateTupleDescCopy(fn->result_desc);
		if (decoder->desc->tdtypeid == RECORDOID)
			decoder->desc = BlessTupleDesc(decoder->desc);
		row = mls_record_reader(decoder->desc, fn->error_column, &decoder->names);
	}
	else
		row = mls_value_reader(type, -1, &decoder->names);
	if (row->record)
	{
		decoder->columns.n = mls_record_live_columns(row);
		decoder->columns.find = find_result_column;
		decoder->columns.arg = row;
		decoder->by_columns = &decoder->columns;
	}
	return row;
}

static bool
is_json_type(Oid type)
{
	return type == JSONOID || type == JSONBOID;
}

/* A data frame has a result for each of its rows: an array of them, or one JSON array. */
static void
prepare_data_frame(MlsDecoder *decoder)
{
	const MlsFunction *fn = decoder->fn;
	Oid type = getBaseType(fn->result_type);
	Oid element = get_element_type(type);

	if (fn->returns_set)
	{
		decoder->row = prepare_row(decoder, fn->result_type);
		decoder->reader = mls_array_reader(decoder->row, fn->result_type, true);
	}
	else if (OidIsValid(element))
	{
		decoder->row = prepare_row(decoder, element);
		decoder->reader = mls_array_reader(decoder->row, element, true);
	}
	else if (is_json_type(type))
		decoder->row = decoder->reader = prepare_row(decoder, fn->result_type);
	else
		ereport(ERROR, (errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
						errmsg("function %s takes a data frame, but returns a single %s", fn->name,
							   format_type_be(fn->result_type)),
						errhint("Return an array of %s: one result for each row of the frame.",
								format_type_be(fn->result_type))));
}

MlsDecoder *
mls_decoder_create(const MlsFunction *fn, const MlsServer *server, const MlsSchema *schema)
{
	MlsDecoder *decoder = palloc0(sizeof(MlsDecoder));
	bool guessed;
	MlsRequestFormat format = mls_row_format(server, schema, &guessed);

	decoder->fn = fn;
	decoder->results_key = schema ? schema->results_key : NULL;
	decoder->data_frame = mls_row_shape(fn, format, schema) == MLS_SHAPE_DATA_FRAME;
	prepare_names(decoder, schema);
	if (decoder->data_frame)
		prepare_data_frame(decoder);
	else
	{
		decoder->row = prepare_row(decoder, fn->result_type);
		decoder->reader = fn->returns_set ? mls_array_reader(decoder->row, fn->result_type, true) : decoder->row;
	}
	return decoder;
}

/* The next item of the reply. False at its end, or when it turns out not to be JSON. */
static bool
next_item(MlsResults *results, MlsSpan *item)
{
	if (results->single.kind == MLS_SPAN_NONE)
		return mls_json_next(&results->reader, NULL, item);
	*item = results->single;
	results->single.kind = MLS_SPAN_NULL;
	return true;
}

static char *
malformed(const MlsResults *results)
{
	const MlsJsonReader *r = &results->reader;

	if (r->at >= r->end)
		return psprintf("the reply is not JSON: %s", r->error);
	return psprintf("the reply is not JSON: %s: %s", r->error, mls_excerpt(r->at, r->end - r->at));
}

/* Gather n items into one array of JSON, counting them in *taken. False when there are not as many. */
static bool
gather_items(MlsResults *results, int n, int *taken, StringInfo out, MlsSpan *array)
{
	MlsSpan item;

	resetStringInfo(out);
	mls_json_write_char(out, '[');
	for (int i = 0; i < n; i++)
	{
		int quotes;

		if (!next_item(results, &item))
			return false;
		(*taken)++;
		quotes = item.kind == MLS_SPAN_STRING ? 1 : 0;
		if (i > 0)
			mls_json_write_char(out, ',');
		mls_json_write_raw(out, item.start - quotes, item.len + 2 * quotes);
	}
	mls_json_write_char(out, ']');
	array->kind = MLS_SPAN_ARRAY;
	array->start = out->data;
	array->len = out->len;
	return true;
}

static char *
wrong_count(int got, int wanted)
{
	return psprintf("the reply has %d %s for %d %s", got, got == 1 ? "result" : "results", wanted,
					wanted == 1 ? "row" : "rows");
}

/* Nothing may follow the last result. NULL, or what does. */
static char *
check_end(MlsResults *results, bool single, int wanted)
{
	MlsSpan item;
	int more = 0;

	if (single)
		return NULL;
	while (mls_json_next(&results->reader, NULL, &item))
		more++;
	if (!mls_json_finish(&results->reader))
		return malformed(results);
	return more > 0 ? wrong_count(wanted + more, wanted) : NULL;
}

static MlsSpan
copy_span(const MlsSpan *span)
{
	MlsSpan copy = *span;

	copy.start = pnstrdup(span->start, span->len);
	return copy;
}

/* Read every tuple's result. *bad_row is set when one of them is at fault. */
static char *
read_results(MlsDecoder *decoder, MlsResults *results, int nrows, const int *model_rows, int wanted, Datum *values,
			 bool *nulls, MlsSpan *items, int *bad_row)
{
	bool single = results->single.kind != MLS_SPAN_NONE;
	StringInfoData frame;
	int taken = 0;
	char *reason;

	if (decoder->data_frame)
		initStringInfo(&frame);
	for (int i = 0; i < nrows; i++)
	{
		int n = decoder->data_frame && model_rows ? model_rows[i] : 1;
		MlsSpan item;
		bool found;

		CHECK_FOR_INTERRUPTS();
		if (decoder->data_frame)
			found = gather_items(results, n, &taken, &frame, &item);
		else
		{
			found = next_item(results, &item);
			taken += found;
		}
		if (!found)
			return results->reader.error ? malformed(results) : wrong_count(taken, wanted);
		if (items)
			items[i] = decoder->data_frame ? copy_span(&item) : item;
		reason = mls_read_value(decoder->reader, &item, &values[i], &nulls[i]);
		if (reason)
		{
			*bad_row = i;
			return reason;
		}
	}
	return check_end(results, single, wanted);
}

/* Before PostgreSQL 16 some types' input functions raise for what the endpoint sent: say where that came from. */
static void
explain_origin(void *arg)
{
	const MlsDecoder *decoder = (const MlsDecoder *) arg;

	errcontext("result of function %s in the reply of server \"%s\"", decoder->fn->name, decoder->fn->server_name);
}

char *
mls_decode_reply(MlsDecoder *decoder, const char *body, size_t len, int nrows, const int *model_rows, MemoryContext cxt,
				 Datum *values, bool *nulls, MlsSpan *items, int *bad_row)
{
	MemoryContext caller = MemoryContextSwitchTo(cxt);
	ErrorContextCallback origin = {error_context_stack, explain_origin, decoder};
	MlsResults results;
	char *reason;
	int wanted = nrows;
	int invalid;

	error_context_stack = &origin;
	*bad_row = -1;
	if (decoder->data_frame && model_rows)
	{
		wanted = 0;
		for (int i = 0; i < nrows; i++)
			wanted += model_rows[i];
	}
	invalid = mls_invalid_utf8(body, len);
	if (invalid >= 0)
		reason = psprintf("the reply is not valid UTF-8 at byte %d", invalid);
	else
		reason = mls_find_results(body, len, wanted, decoder->results_key, decoder->by_columns, &results);
	if (!reason)
		reason = read_results(decoder, &results, nrows, model_rows, wanted, values, nulls, items, bad_row);
	error_context_stack = origin.previous;
	MemoryContextSwitchTo(caller);
	return reason;
}

Datum
mls_decode_failed_row(MlsDecoder *decoder, const char *reason, MemoryContext cxt, bool *isnull)
{
	int error_column = decoder->fn->error_column;
	MemoryContext caller;
	Datum *values;
	bool *nulls;
	Datum row;

	*isnull = true;
	if (error_column < 0 || !decoder->desc)
		return (Datum) 0;

	caller = MemoryContextSwitchTo(cxt);
	values = palloc0(decoder->desc->natts * sizeof(Datum));
	nulls = palloc(decoder->desc->natts * sizeof(bool));
	memset(nulls, true, decoder->desc->natts * sizeof(bool));
	values[error_column] = CStringGetTextDatum(reason);
	nulls[error_column] = false;
	row = HeapTupleGetDatum(heap_form_tuple(decoder->desc, values, nulls));
	MemoryContextSwitchTo(caller);
	*isnull = false;
	return row;
}
