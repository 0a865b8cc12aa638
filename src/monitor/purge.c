/*
 * purge.c - ml_score.purge: what streams and batch jobs have left to look at, removed when it is old.
 */
#include "monitor/purge.h"

#include "batch/worker.h"
#include "stream/stream.h"
#include "utils/builtins.h"

Interval *
mls_purge_age(FunctionCallInfo fcinfo)
{
	Interval zero = {0};

	if (PG_ARGISNULL(0))
		ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument \"older_than\" must not be null"));
	if (DatumGetBool(DirectFunctionCall2(interval_lt, PG_GETARG_DATUM(0), IntervalPGetDatum(&zero))))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"older_than\" must not be negative"));
	return PG_GETARG_INTERVAL_P(0);
}

PG_FUNCTION_INFO_V1(mls_purge);

/* purge(older_than interval, stream text, job bigint) */
PGDLLEXPORT Datum
mls_purge(PG_FUNCTION_ARGS)
{
	Interval *older_than = mls_purge_age(fcinfo);
	bool has_stream = !PG_ARGISNULL(1);
	bool has_job = !PG_ARGISNULL(2);
	int64 job = has_job ? PG_GETARG_INT64(2) : 0;
	int64 count = 0;

	if (has_stream || !has_job)
		count += mls_stream_purge(older_than, has_stream ? text_to_cstring(PG_GETARG_TEXT_PP(1)) : NULL);
	if (has_job || !has_stream)
		count += mls_batch_purge(older_than, has_job ? &job : NULL);
	PG_RETURN_INT64(count);
}
