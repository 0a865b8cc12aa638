/*
 * limit.c - see limit.h. That the supervisor keeps to it, whatever was committed side by side, the view
 * ml_score.stream_wanted sees to.
 */
#include "stream/limit.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/* What the owner's other streams have that run here. */
static int
count_workers(const MlsStream *stream)
{
	Oid types[] = {TEXTOID, OIDOID, TEXTOID};
	Datum values[] = {CStringGetTextDatum(stream->name), ObjectIdGetDatum(stream->owner),
					  CStringGetTextDatum(mls_worker_home())};
	bool isnull;
	int count;

	SPI_connect();
	mls_ledger_execute("SELECT coalesce(sum(workers), 0)::integer FROM ml_score.stream "
					   "WHERE name <> $1 AND owner = $2::regrole AND home = $3 AND state = 'running'",
					   lengthof(types), types, values, NULL);
	count = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	return count;
}

void
mls_stream_check_workers(const MlsStream *stream)
{
	int count;

	if (strcmp(stream->state, "running") != 0 || superuser_arg(stream->owner))
		return;
	count = count_workers(stream);
	if (count + stream->workers <= mls_max_stream_workers_per_role)
		return;
	ereport(ERROR, errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			errmsg("too many stream workers for role \"%s\"", GetUserNameFromId(stream->owner, false)),
			errdetail("Stream \"%s\" wants %d, the role's other streams have %d, of the %d that "
					  "ml_score.max_stream_workers_per_role allows.",
					  stream->name, stream->workers, count, mls_max_stream_workers_per_role),
			errhint("Pause a stream, or have a superuser raise the setting."));
}
