/*
 * stat.c - ml_score.stat_endpoint and ml_score.stat_reset: what shared memory knows of each server, in SQL.
 *
 * A server shows to who has USAGE on it, and to who may read all statistics.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_foreign_server.h"
#include "compat.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "transport/http.h"
#include "transport/shmem.h"
#include "utils/timestamp.h"

enum
{
	COLUMN_SERVER,
	COLUMN_DEPLOYMENT,
	COLUMN_SHADOW,
	COLUMN_REQUESTS,
	COLUMN_ROWS,
	COLUMN_BYTES_SENT,
	COLUMN_BYTES_RECEIVED,
	COLUMN_RETRIES,
	COLUMN_THROTTLED,
	COLUMN_FAILED,
	COLUMN_P50,
	COLUMN_P95,
	COLUMN_P99,
	COLUMN_MAX,
	COLUMN_IN_FLIGHT,
	COLUMN_BATCH_ROWS,
	COLUMN_PARALLEL_REQUESTS,
	COLUMN_BREAKER,
	COLUMN_LAST_ERROR,
	COLUMN_LAST_ERROR_AT,
	COLUMN_LOGGED,
	COLUMN_LOG_DROPPED,
	COLUMN_SHADOW_DROPPED,
	COLUMN_COUNT
};

PGDLLEXPORT Datum mls_stat_endpoint(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_stat_reset(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(mls_stat_endpoint);
PG_FUNCTION_INFO_V1(mls_stat_reset);

static void
put_latencies(const MlsStatistics *statistics, Datum *values, bool *nulls)
{
	if (statistics->latency_count == 0)
	{
		nulls[COLUMN_P50] = nulls[COLUMN_P95] = nulls[COLUMN_P99] = nulls[COLUMN_MAX] = true;
		return;
	}
	values[COLUMN_P50] = Float8GetDatum(mls_statistics_quantile(statistics, 0.50) / 1000);
	values[COLUMN_P95] = Float8GetDatum(mls_statistics_quantile(statistics, 0.95) / 1000);
	values[COLUMN_P99] = Float8GetDatum(mls_statistics_quantile(statistics, 0.99) / 1000);
	values[COLUMN_MAX] = Float8GetDatum(statistics->latency_max_us / 1000.0);
}

static void
put_entry(ReturnSetInfo *result, const char *server, const MlsEntry *entry, int64 now)
{
	const MlsStatistics *statistics = &entry->statistics;
	Datum values[COLUMN_COUNT] = {0};
	bool nulls[COLUMN_COUNT] = {false};

	values[COLUMN_SERVER] = CStringGetTextDatum(server);
	values[COLUMN_DEPLOYMENT] = CStringGetTextDatum(entry->deployment);
	nulls[COLUMN_DEPLOYMENT] = entry->deployment[0] == '\0';
	values[COLUMN_SHADOW] = BoolGetDatum(entry->key.shadow != 0);
	values[COLUMN_REQUESTS] = Int64GetDatum(statistics->requests);
	values[COLUMN_ROWS] = Int64GetDatum(statistics->rows);
	values[COLUMN_BYTES_SENT] = Int64GetDatum(statistics->bytes_sent);
	values[COLUMN_BYTES_RECEIVED] = Int64GetDatum(statistics->bytes_received);
	values[COLUMN_RETRIES] = Int64GetDatum(statistics->retries);
	values[COLUMN_THROTTLED] = Int64GetDatum(statistics->throttled);
	values[COLUMN_FAILED] = Int64GetDatum(statistics->failed);
	put_latencies(statistics, values, nulls);
	values[COLUMN_IN_FLIGHT] = Int32GetDatum(entry->limiter.in_flight);
	values[COLUMN_BATCH_ROWS] = Int32GetDatum(entry->batch_rows);
	nulls[COLUMN_BATCH_ROWS] = entry->batch_rows == 0;
	values[COLUMN_PARALLEL_REQUESTS] = Int32GetDatum(entry->parallel_requests);
	nulls[COLUMN_PARALLEL_REQUESTS] = entry->parallel_requests == 0;
	values[COLUMN_BREAKER] = CStringGetTextDatum(mls_breaker_state(&entry->breaker, now));
	if (statistics->last_error_at != 0)
	{
		values[COLUMN_LAST_ERROR] = CStringGetTextDatum(statistics->last_error);
		values[COLUMN_LAST_ERROR_AT] = TimestampTzGetDatum(statistics->last_error_at);
	}
	else
		nulls[COLUMN_LAST_ERROR] = nulls[COLUMN_LAST_ERROR_AT] = true;
	values[COLUMN_LOGGED] = Int64GetDatum(statistics->logged);
	values[COLUMN_LOG_DROPPED] = Int64GetDatum(statistics->log_dropped);
	values[COLUMN_SHADOW_DROPPED] = Int64GetDatum(statistics->shadow_dropped);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
mls_stat_endpoint(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bool sees_all = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	int64 now = mls_http_now();
	int count;
	MlsEntry *entries;

	InitMaterializedSRF(fcinfo, 0);
	entries = mls_entry_list(&count);
	for (int i = 0; i < count; i++)
	{
		ForeignServer *server = GetForeignServerExtended(entries[i].key.serverid, FSV_MISSING_OK);

		if (server == NULL)
			continue;
		if (sees_all ||
			object_aclcheck(ForeignServerRelationId, server->serverid, GetUserId(), ACL_USAGE) == ACLCHECK_OK)
			put_entry(result, server->servername, &entries[i], now);
	}
	return (Datum) 0;
}

Datum
mls_stat_reset(PG_FUNCTION_ARGS)
{
	mls_entry_reset_statistics();
	PG_RETURN_VOID();
}
