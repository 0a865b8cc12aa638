/*
 * handler.c - language ml_score's call handler: one row, one request.
 *
 * Calls that the planner hook could not lift into a scan end here: PL/pgSQL expressions, SELECT f(1) without a table,
 * CHECK constraints, set-returning functions, and everything when the library is not preloaded. The prepared call is
 * kept with the expression (fn_extra), so the rows of a query share it.
 */
#include "scoring/handler.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "scoring/call.h"
#include "utils/array.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(mls_call_handler);

typedef struct HandlerState
{
	MlsCall *call;
	MemoryContext context;
	/* What the call was opened under. */
	Oid userid;
	uint64 generation;
	int timeout;
	int on_error;
	int64 row;
	bool warned;
} HandlerState;

/* The first call in a session without preload says, once, what the user is missing. */
static void
mention_preload(void)
{
	static bool mentioned;

	if (mls_preloaded || mentioned)
		return;
	mentioned = true;
	ereport(NOTICE, (errmsg("model functions are called row by row in this server"),
					 errhint("Add ml_score to shared_preload_libraries and restart PostgreSQL to have rows scored in "
							 "batches.")));
}

/*
 * An expression may outlive the role, the server's options and the settings that it was first evaluated under: PL/pgSQL
 * keeps it for the whole transaction.
 */
static bool
is_current(const HandlerState *state)
{
	return state->userid == GetUserId() && state->generation == mls_server_generation() &&
		   state->timeout == mls_timeout && state->on_error == mls_on_error;
}

static HandlerState *
handler_state(FmgrInfo *flinfo)
{
	HandlerState *state = flinfo->fn_extra;
	MemoryContext context;
	MemoryContext old;

	if (state && is_current(state))
		return state;
	flinfo->fn_extra = NULL;
	if (state)
		MemoryContextDelete(state->context);
	mention_preload();
	/* It goes with the row's memory if opening the call fails. */
	context = AllocSetContextCreate(CurrentMemoryContext, "ml_score function", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	state = palloc0(sizeof(HandlerState));
	state->context = context;
	state->userid = GetUserId();
	state->generation = mls_server_generation();
	state->timeout = mls_timeout;
	state->on_error = mls_on_error;
	state->call = mls_call_open(flinfo->fn_oid, state->userid);
	mls_call_set_unbatched(state->call);
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, flinfo->fn_mcxt);
	flinfo->fn_extra = state;
	return state;
}

/* Send one tuple and wait for its result, which lives until the next. */
static Datum
score_one(HandlerState *state, FunctionCallInfo fcinfo, bool *isnull)
{
	Datum values[FUNC_MAX_ARGS];
	bool nulls[FUNC_MAX_ARGS];
	MlsTicket ticket;

	mls_call_reset(state->call);
	for (int i = 0; i < fcinfo->nargs; i++)
	{
		values[i] = fcinfo->args[i].value;
		nulls[i] = fcinfo->args[i].isnull;
	}
	ticket = mls_call_add(state->call, values, nulls, state->row++);
	mls_call_flush(state->call);
	mls_call_advance(state->call);
	while (!mls_ticket_ready(ticket))
	{
		mls_exchange_pump(true);
		mls_call_advance(state->call);
	}
	return mls_ticket_result(state->call, ticket, isnull);
}

static void
take_apart(ArrayType *array, Datum **values, bool **nulls, int *n)
{
	int16 len;
	bool byval;
	char align;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &len, &byval, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), len, byval, align, values, nulls, n);
}

/* One row of a set: a composite's columns, or the value itself. */
static void
put_row(ReturnSetInfo *rsinfo, bool composite, Datum value, bool isnull)
{
	HeapTupleData tuple;
	HeapTupleHeader header;

	if (!composite || isnull)
	{
		if (!composite)
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, &value, &isnull);
		return;
	}
	header = DatumGetHeapTupleHeader(value);
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	tuplestore_puttuple(rsinfo->setResult, &tuple);
}

/* A set-returning function: the row's results come as an array, each element a row of the set. */
static Datum
return_set(HandlerState *state, FunctionCallInfo fcinfo)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	bool composite = mls_call_function(state->call)->result_desc != NULL;
	bool isnull;
	Datum result;
	Datum *values;
	bool *nulls;
	int n;

	InitMaterializedSRF(fcinfo, composite ? 0 : MAT_SRF_USE_EXPECTED_DESC);
	result = score_one(state, fcinfo, &isnull);
	if (isnull)
		return (Datum) 0;
	take_apart(DatumGetArrayTypeP(result), &values, &nulls, &n);
	for (int i = 0; i < n; i++)
		put_row(rsinfo, composite, values[i], nulls[i]);
	return (Datum) 0;
}

Datum
mls_call_handler(PG_FUNCTION_ARGS)
{
	HandlerState *state = handler_state(fcinfo->flinfo);
	bool isnull;
	Datum result;
	int16 len;
	bool byval;

	if (fcinfo->flinfo->fn_retset)
		return return_set(state, fcinfo);

	result = score_one(state, fcinfo, &isnull);
	if (!state->warned)
		state->warned = mls_call_warn_failed(state->call, false);
	if (isnull)
		PG_RETURN_NULL();
	get_typlenbyval(get_func_rettype(fcinfo->flinfo->fn_oid), &len, &byval);
	return datumCopy(result, byval, len);
}
