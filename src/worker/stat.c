/*
 * stat.c - ml_score.worker_status: how the workers of this database are, as the supervisor says.
 */
#include "worker/shared.h"

#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

enum
{
	COLUMN_KIND,
	COLUMN_KEY,
	COLUMN_WORKER,
	COLUMN_NAME,
	COLUMN_OWNER,
	COLUMN_PID,
	COLUMN_SHORT_OF_SLOTS,
	COLUMN_RESTARTS,
	COLUMN_ENDED_AT,
	COLUMN_COUNT
};

static const char *
kind_name(const MlsWorkerStatus *status)
{
	return status->kind == MLS_WORKER_SUPERVISOR ? "supervisor" : mls_worker_kind(status->kind)->name;
}

static void
put_status(ReturnSetInfo *result, const MlsWorkerStatus *status)
{
	Datum values[COLUMN_COUNT] = {0};
	bool nulls[COLUMN_COUNT] = {false};

	values[COLUMN_KIND] = CStringGetTextDatum(kind_name(status));
	values[COLUMN_KEY] = Int64GetDatum(status->key);
	values[COLUMN_WORKER] = Int32GetDatum(status->index);
	values[COLUMN_NAME] = CStringGetTextDatum(status->name);
	values[COLUMN_OWNER] = ObjectIdGetDatum(status->owner);
	nulls[COLUMN_OWNER] = !OidIsValid(status->owner);
	values[COLUMN_PID] = Int32GetDatum(status->pid);
	nulls[COLUMN_PID] = status->pid == 0;
	values[COLUMN_SHORT_OF_SLOTS] = BoolGetDatum(status->short_of_slots);
	values[COLUMN_RESTARTS] = Int64GetDatum(status->restarts);
	values[COLUMN_ENDED_AT] = TimestampTzGetDatum(status->last_end);
	nulls[COLUMN_ENDED_AT] = status->last_end == 0;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* That there is no supervisor concerns everybody's work. */
static bool
may_see(const MlsWorkerStatus *status)
{
	return !OidIsValid(status->owner) || has_privs_of_role(GetUserId(), status->owner) ||
		   has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
}

PG_FUNCTION_INFO_V1(mls_worker_status);

PGDLLEXPORT Datum
mls_worker_status(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int count;
	MlsWorkerStatus *list = mls_worker_list(NULL, &count);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < count; i++)
		if (may_see(&list[i]))
			put_status(result, &list[i]);
	return (Datum) 0;
}
