/*
 * compare_deployments.c - ml_score.compare: the same rows scored by two deployments of an endpoint.
 *
 * Both sides score the whole sample, one after the other, through calls of their own that are pinned to the deployment
 * (header azureml-model-deployment). Then the results are held against each other, output by output.
 */
#include "ml_score.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/function_arg.h"
#include "catalog/pg_type.h"
#include "drift/convert.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "scoring/call.h"
#include "scoring/latencies.h"
#include "scoring/sample.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#define MAX_ROWS 1000000
#define SAMPLE_BYTES (64 * 1024 * 1024)

/* What one deployment made of the sample. */
typedef struct Side
{
	MlsCall *call;
	MlsTicket *tickets;
	MlsLatencies latencies; /* of requests */
	char *first_reason;
} Side;

/* One output of the model, and how far the sides agree in it. */
typedef struct Output
{
	char *name;
	int attno; /* from 0; -1: the result as a whole */
	Oid type;
	int64 rows; /* that both sides have scored */
	int64 agreed;
	double sum; /* of the differences of numbers */
	int64 numbers;
	double max;
	int64 example; /* the row that differs most, or first where there is no more or less; -1: none */
	FmgrInfo equal;
	bool has_equal;
	Oid collation;
} Output;

typedef struct Comparison
{
	const MlsFunction *fn;
	const MlsSample *sample;
	double tolerance;
	Side sides[2];
	int64 failed[2];
	int noutputs;
	Output *outputs;
} Comparison;

static void
advance(Side *side)
{
	mls_exchange_pump(true);
	mls_call_advance(side->call);
}

/* Have every row of the sample scored; the results stay with the call. */
static void
score_side(Side *side, const MlsFunction *fn, const MlsSample *sample, const char *deployment)
{
	mls_latencies_init(&side->latencies);
	side->tickets = palloc(sizeof(MlsTicket) * sample->nrows);
	side->call = mls_call_open_at(fn->fnoid, GetUserId(), deployment);
	mls_call_measure(side->call, mls_latencies_note, &side->latencies);
	for (int i = 0; i < sample->nrows; i++)
	{
		int64 at = (int64) i * sample->nargs;

		while (!mls_call_wants_rows(side->call))
			advance(side);
		side->tickets[i] = mls_call_add(side->call, sample->values + at, sample->nulls + at, i);
		mls_call_advance(side->call);
	}
	mls_call_flush(side->call);
	mls_call_advance(side->call);
	for (int i = 0; i < sample->nrows; i++)
		while (!mls_ticket_ready(side->tickets[i]))
			advance(side);
}

static void
add_output(Comparison *comparison, const char *name, int attno, Oid type)
{
	Output *output = &comparison->outputs[comparison->noutputs++];
	TypeCacheEntry *cache = lookup_type_cache(getBaseType(type), TYPECACHE_EQ_OPR_FINFO);

	output->name = pstrdup(name);
	output->attno = attno;
	output->type = getBaseType(type);
	output->example = -1;
	output->collation = get_typcollation(output->type);
	output->has_equal = OidIsValid(cache->eq_opr_finfo.fn_oid);
	if (output->has_equal)
		fmgr_info_cxt(cache->eq_opr_finfo.fn_oid, &output->equal, CurrentMemoryContext);
}

/* The result's columns but the one for errors, or the result. */
static void
list_outputs(Comparison *comparison)
{
	const MlsFunction *fn = comparison->fn;
	TupleDesc desc = fn->result_desc;
	Oid type = fn->returns_set ? get_array_type(fn->result_type) : fn->result_type;

	comparison->outputs = palloc0(sizeof(Output) * (desc == NULL ? 1 : desc->natts + 1));
	if (desc == NULL || fn->returns_set || OidIsValid(get_base_element_type(getBaseType(fn->result_type))))
	{
		add_output(comparison, fn->result_name != NULL ? fn->result_name : "result", -1, type);
		return;
	}
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && i != fn->error_column)
			add_output(comparison, NameStr(att->attname), i, att->atttypid);
	}
}

/* A side's result for a row, taken apart into the outputs. False: the row failed. */
static bool
take_result(const Comparison *comparison, int which, int64 row, Datum *values, bool *nulls)
{
	const MlsFunction *fn = comparison->fn;
	const Side *side = &comparison->sides[which];
	MlsTicket ticket = side->tickets[row];
	bool isnull;
	Datum result;

	result = mls_ticket_result(side->call, ticket, &isnull);
	if (mls_ticket_failed(ticket))
		return false;
	if (comparison->outputs[0].attno < 0)
	{
		values[0] = result;
		nulls[0] = isnull;
		return true;
	}
	for (int i = 0; i < comparison->noutputs; i++)
	{
		nulls[i] = true;
		if (!isnull)
			values[i] = GetAttributeByNum(DatumGetHeapTupleHeader(result), comparison->outputs[i].attno + 1, &nulls[i]);
	}
	return fn->error_column < 0 || isnull ||
		   (GetAttributeByNum(DatumGetHeapTupleHeader(result), fn->error_column + 1, &isnull), isnull);
}

static bool
is_number(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID || type == FLOAT4OID || type == FLOAT8OID ||
		   type == NUMERICOID;
}

static char *
text_of(Oid type, Datum value)
{
	bool varlena;
	Oid output;

	getTypeOutputInfo(type, &output, &varlena);
	return OidOutputFunctionCall(output, value);
}

static bool
are_equal(Output *output, Datum a, Datum b)
{
	if (output->has_equal)
		return DatumGetBool(FunctionCall2Coll(&output->equal, output->collation, a, b));
	return strcmp(text_of(output->type, a), text_of(output->type, b)) == 0;
}

/* Hold the sides' values of one output for one row against each other. */
static void
compare_values(const Comparison *comparison, Output *output, int64 row, const Datum values[2], const bool nulls[2])
{
	bool equal = nulls[0] && nulls[1];
	double difference = 0;

	output->rows++;
	if (!nulls[0] && !nulls[1])
		equal = are_equal(output, values[0], values[1]);
	if (!nulls[0] && !nulls[1] && is_number(output->type))
	{
		if (!equal)
			difference = fabs(mls_number_of(values[1], output->type) - mls_number_of(values[0], output->type));
		output->numbers++;
		output->sum += difference;
		equal = equal || difference <= comparison->tolerance;
	}
	output->agreed += equal;
	if (!equal && (output->example < 0 || difference > output->max))
		output->example = row;
	if (!(difference <= output->max))
		output->max = difference;
}

static void
compare_sides(Comparison *comparison)
{
	int n = comparison->noutputs;
	Datum *values[2] = {palloc0(sizeof(Datum) * n), palloc0(sizeof(Datum) * n)};
	bool *nulls[2] = {palloc0(sizeof(bool) * n), palloc0(sizeof(bool) * n)};
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "ml_score compare", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);

	for (int64 row = 0; row < comparison->sample->nrows; row++)
	{
		bool scored[2];

		CHECK_FOR_INTERRUPTS();
		for (int side = 0; side < 2; side++)
		{
			scored[side] = take_result(comparison, side, row, values[side], nulls[side]);
			comparison->failed[side] += !scored[side];
		}
		for (int i = 0; i < n && scored[0] && scored[1]; i++)
			compare_values(comparison, &comparison->outputs[i], row, (Datum[2]){values[0][i], values[1][i]},
						   (bool[2]){nulls[0][i], nulls[1][i]});
		MemoryContextReset(scratch);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/* A value as a member of a JSON object: its text. */
static void
write_member(StringInfo out, const char *name, Oid type, Datum value, bool isnull)
{
	escape_json(out, name);
	appendStringInfoString(out, ": ");
	if (isnull)
		appendStringInfoString(out, "null");
	else
		escape_json(out, text_of(type, value));
}

/* {"arguments": {...}, "a": ..., "b": ...} of the row that shows best how the sides differ. */
static Datum
make_example(const Comparison *comparison, int which)
{
	const Output *output = &comparison->outputs[which];
	const MlsFunction *fn = comparison->fn;
	const MlsSample *sample = comparison->sample;
	Datum *values = palloc0(sizeof(Datum) * comparison->noutputs);
	bool *nulls = palloc0(sizeof(bool) * comparison->noutputs);
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoString(&out, "{\"arguments\": {");
	for (int i = 0; i < fn->nargs; i++)
	{
		int64 at = output->example * sample->nargs + i;

		if (i > 0)
			appendStringInfoString(&out, ", ");
		write_member(&out, fn->arg_names[i], fn->arg_types[i], sample->values[at], sample->nulls[at]);
	}
	appendStringInfoChar(&out, '}');
	for (int side = 0; side < 2; side++)
	{
		take_result(comparison, side, output->example, values, nulls);
		appendStringInfoString(&out, ", ");
		write_member(&out, side == 0 ? "a" : "b", output->type, values[which], nulls[which]);
	}
	appendStringInfoChar(&out, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(out.data));
}

static void
put_output(ReturnSetInfo *result, const Comparison *comparison, int which)
{
	const Output *output = &comparison->outputs[which];
	Datum values[14];
	bool nulls[14] = {false};

	values[0] = CStringGetTextDatum(output->name);
	values[1] = Int64GetDatum(comparison->sample->nrows);
	values[2] = Int64GetDatum(output->agreed);
	values[3] = Int64GetDatum(output->rows - output->agreed);
	values[4] = Int64GetDatum(comparison->failed[0]);
	values[5] = Int64GetDatum(comparison->failed[1]);
	values[6] = Float8GetDatum(output->rows == 0 ? 0 : (double) output->agreed / output->rows);
	nulls[6] = output->rows == 0;
	values[7] = Float8GetDatum(output->numbers == 0 ? 0 : output->sum / output->numbers);
	values[8] = Float8GetDatum(output->max);
	nulls[7] = nulls[8] = output->numbers == 0;
	for (int side = 0; side < 2; side++)
	{
		const MlsLatencies *latencies = &comparison->sides[side].latencies;

		nulls[9 + 2 * side] = nulls[10 + 2 * side] = latencies->count == 0;
		if (latencies->count == 0)
			continue;
		values[9 + 2 * side] = Float8GetDatum(mls_latencies_quantile(latencies, 0.50));
		values[10 + 2 * side] = Float8GetDatum(mls_latencies_quantile(latencies, 0.95));
	}
	nulls[13] = output->example < 0;
	values[13] = nulls[13] ? (Datum) 0 : make_example(comparison, which);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Why the first row failed, if one did: nothing is raised for those. */
static void
tell_failures(const Comparison *comparison, char *const deployments[2])
{
	for (int side = 0; side < 2; side++)
	{
		const char *reason = mls_call_first_reason(comparison->sides[side].call);

		if (reason != NULL)
			ereport(WARNING, (errmsg("some rows could not be scored by %s",
									 deployments[side] == NULL ? "the server's own deployment"
															   : psprintf("deployment \"%s\"", deployments[side])),
							  errdetail("First reason: %s%s", reason, reason[strlen(reason) - 1] == '.' ? "" : ".")));
	}
}

/* Rows that fail have no result, and are counted; the session's setting comes back after. */
static void
score_sides(Comparison *comparison, char *const deployments[2])
{
	int nest = NewGUCNestLevel();

	mls_guc_set_for_level("ml_score.on_error", "null");
	for (int side = 0; side < 2; side++)
		score_side(&comparison->sides[side], comparison->fn, comparison->sample, deployments[side]);
	AtEOXact_GUC(true, nest);
}

static char *
deployment_argument(FunctionCallInfo fcinfo, int number)
{
	char *name;

	if (PG_ARGISNULL(number))
		return NULL;
	name = text_to_cstring(PG_GETARG_TEXT_PP(number));
	if (*name == '\0')
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the name of a deployment must not be empty"),
						errhint("NULL stands for the server's own deployment.")));
	return name;
}

static void
check_arguments(FunctionCallInfo fcinfo)
{
	static const struct
	{
		int number;
		const char *name;
	} needed[] = {{0, "function"}, {3, "query"}, {4, "tolerance"}, {5, "max_rows"}};

	for (int i = 0; i < lengthof(needed); i++)
	{
		if (PG_ARGISNULL(needed[i].number))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("argument \"%s\" must not be null", needed[i].name)));
	}
	if (!(PG_GETARG_FLOAT8(4) >= 0))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("tolerance must be a number from 0 on")));
	if (PG_GETARG_INT32(5) < 1 || PG_GETARG_INT32(5) > MAX_ROWS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("max_rows must be a number from 1 to %d", MAX_ROWS)));
}

static void
compare(FunctionCallInfo fcinfo, Oid function)
{
	Comparison comparison = {.tolerance = PG_GETARG_FLOAT8(4)};
	char *deployments[2] = {deployment_argument(fcinfo, 1), deployment_argument(fcinfo, 2)};

	mls_function_check_callable(function);
	InitMaterializedSRF(fcinfo, 0);
	comparison.fn = mls_function_load(function);
	comparison.sample =
		mls_sample_take(comparison.fn, text_to_cstring(PG_GETARG_TEXT_PP(3)), PG_GETARG_INT32(5), SAMPLE_BYTES);
	list_outputs(&comparison);
	score_sides(&comparison, deployments);
	compare_sides(&comparison);
	tell_failures(&comparison, deployments);
	for (int side = 0; side < 2; side++)
		mls_latencies_sort(&comparison.sides[side].latencies);
	for (int i = 0; i < comparison.noutputs; i++)
		put_output((ReturnSetInfo *) fcinfo->resultinfo, &comparison, i);
}

/* compare(function regprocedure, deployment_a, deployment_b, query, tolerance, max_rows) returns table (...) */
PG_FUNCTION_INFO_V1(mls_compare_deployments);

PGDLLEXPORT Datum
mls_compare_deployments(PG_FUNCTION_ARGS)
{
	check_arguments(fcinfo);
	compare(fcinfo, PG_GETARG_OID(0));
	return (Datum) 0;
}

/* The same with the function's name. */
PG_FUNCTION_INFO_V1(mls_compare_deployments_named);

PGDLLEXPORT Datum
mls_compare_deployments_named(PG_FUNCTION_ARGS)
{
	check_arguments(fcinfo);
	compare(fcinfo, mls_function_of_text(PG_GETARG_TEXT_PP(0)));
	return (Datum) 0;
}
