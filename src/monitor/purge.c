/*
 * purge.c - ml_score.purge: what streams and batch jobs have left to look at, removed when it is old.
 */
#include "ml_score.h"

#include "batch/worker.h"
#include "fmgr.h"
#include "stream/stream.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(mls_purge);

/* purge(older_than interval, stream text, job bigint) */
PGDLLEXPORT Datum
mls_purge(PG_FUNCTION_ARGS)
{
	bool has_stream = !PG_ARGISNULL(1);
	bool has_job = !PG_ARGISNULL(2);
	int64 job = has_job ? PG_GETARG_INT64(2) : 0;
	int64 count = 0;

	if (PG_ARGISNULL(0))
		ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument \"older_than\" must not be null"));
	if (has_stream || !has_job)
		count += mls_stream_purge(PG_GETARG_INTERVAL_P(0), has_stream ? text_to_cstring(PG_GETARG_TEXT_PP(1)) : NULL);
	if (has_job || !has_stream)
		count += mls_batch_purge(PG_GETARG_INTERVAL_P(0), has_job ? &job : NULL);
	PG_RETURN_INT64(count);
}
