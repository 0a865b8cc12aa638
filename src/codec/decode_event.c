/*
 * decode_event.c - ml_score.decode_event: what a stream would make of an event, to try a mapping out.
 */
#include "postgres.h"

#include "codec/encoding.h"
#include "codec/event.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "ml_score.h"
#include "utils/builtins.h"

static void
store_row(void *arg, const Datum *values, const bool *nulls)
{
	ReturnSetInfo *result = arg;

	tuplestore_putvalues(result->setResult, result->setDesc, unconstify(Datum *, values), unconstify(bool *, nulls));
}

/* The columns that the query's column definition list declares. */
static TupleDesc
declared_columns(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	if (!result || !IsA(result, ReturnSetInfo) || !result->expectedDesc)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("function returning record called in context that cannot accept type record"),
				 errhint("Call it in FROM, with the columns: FROM ml_score.decode_event(...) AS e(id bigint).")));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	return result->setDesc;
}

static void
decode(FunctionCallInfo fcinfo, const char *body, size_t len)
{
	MlsEventSpec spec = {.columns = declared_columns(fcinfo), .userid = GetUserId()};
	MlsEventDecoder *decoder;
	MlsEventFault fault;
	MlsEventStatus status;

	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("format must not be null")));
	spec.format = text_to_cstring(PG_GETARG_TEXT_PP(0));
	spec.options = PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2);
	decoder = mls_event_decoder_create(&spec);
	while ((status = mls_event_decode(decoder, body, len, store_row, fcinfo->resultinfo, &fault)) ==
		   MLS_EVENT_WANTS_SCHEMA)
		mls_event_fetch_schema(decoder);
	if (status == MLS_EVENT_BAD)
		ereport(ERROR, (errcode(fault.sqlstate), errmsg("%s", fault.reason)));
}

PG_FUNCTION_INFO_V1(mls_decode_event);

PGDLLEXPORT Datum
mls_decode_event(PG_FUNCTION_ARGS)
{
	bytea *body = PG_ARGISNULL(1) ? NULL : PG_GETARG_BYTEA_PP(1);

	decode(fcinfo, body ? VARDATA_ANY(body) : NULL, body ? VARSIZE_ANY_EXHDR(body) : 0);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(mls_decode_event_text);

PGDLLEXPORT Datum
mls_decode_event_text(PG_FUNCTION_ARGS)
{
	char *given = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	int len = given ? strlen(given) : 0;
	const char *utf8 = given ? mls_to_utf8(given, &len) : NULL;

	decode(fcinfo, utf8, len);
	return (Datum) 0;
}
