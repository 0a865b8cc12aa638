/*
 * progress.c - how far the runs of ml_score.score_table are.
 *
 * The figures stand where PostgreSQL keeps its own commands' progress: in the backend's status entry, under a command
 * number that PostgreSQL does not use. So they need no shared memory of ours (nor shared_preload_libraries), and go when
 * the statement fails or the backend ends, however it ends.
 */
#include "monitor/progress.h"

#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/backend_progress.h"
#include "utils/backend_status.h"
#include "utils/timestamp.h"

#include "compat.h"

#define COMMAND_SCORE_TABLE ((ProgressCommandType) 0x6d6c73)

enum
{
	PARAM_SOURCE,
	PARAM_FUNCTION,
	PARAM_ROWS_TOTAL,
	PARAM_ROWS_SCORED,
	PARAM_CHUNKS,
	PARAM_STARTED_AT,
	PARAM_LAST_CHUNK_AT,
	NUM_PARAMS
};

#define NUM_COLUMNS 10

void
mls_progress_show(const MlsProgress *progress)
{
	int index[NUM_PARAMS];
	int64 values[NUM_PARAMS];

	for (int i = 0; i < NUM_PARAMS; i++)
		index[i] = i;
	values[PARAM_SOURCE] = progress->source;
	values[PARAM_FUNCTION] = progress->function;
	values[PARAM_ROWS_TOTAL] = progress->rows_total;
	values[PARAM_ROWS_SCORED] = progress->rows_scored;
	values[PARAM_CHUNKS] = progress->chunks;
	values[PARAM_STARTED_AT] = progress->started_at;
	values[PARAM_LAST_CHUNK_AT] = progress->last_chunk_at;
	/* Begun anew each time: an exception that a trigger caught has ended what was shown. */
	pgstat_progress_start_command(COMMAND_SCORE_TABLE, progress->target);
	pgstat_progress_update_multi_param(NUM_PARAMS, index, values);
}

void
mls_progress_end(void)
{
	pgstat_progress_end_command();
}

/* The same people see it who see other commands' progress. */
static bool
may_see(const PgBackendStatus *status)
{
	return has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS) || has_privs_of_role(GetUserId(), status->st_userid);
}

/* Columns: pid, datid, source, target, function, rows_total, rows_scored, chunks, started_at, last_chunk_at. */
static void
fill_row(const PgBackendStatus *status, Datum *values, bool *nulls)
{
	const int64 *param = status->st_progress_param;

	memset(nulls, true, NUM_COLUMNS * sizeof(bool));
	values[0] = Int32GetDatum(status->st_procpid);
	values[1] = ObjectIdGetDatum(status->st_databaseid);
	nulls[0] = nulls[1] = false;
	if (!may_see(status))
		return;
	values[2] = ObjectIdGetDatum((Oid) param[PARAM_SOURCE]);
	values[3] = ObjectIdGetDatum(status->st_progress_command_target);
	values[4] = ObjectIdGetDatum((Oid) param[PARAM_FUNCTION]);
	/* Another database's numbers would be taken for this one's tables. */
	nulls[2] = nulls[3] = nulls[4] = status->st_databaseid != MyDatabaseId;
	values[5] = Int64GetDatum(param[PARAM_ROWS_TOTAL]);
	values[6] = Int64GetDatum(param[PARAM_ROWS_SCORED]);
	values[7] = Int64GetDatum(param[PARAM_CHUNKS]);
	values[8] = TimestampTzGetDatum(param[PARAM_STARTED_AT]);
	values[9] = TimestampTzGetDatum(param[PARAM_LAST_CHUNK_AT]);
	memset(nulls + 5, false, 4 * sizeof(bool));
	nulls[9] = param[PARAM_LAST_CHUNK_AT] == 0;
}

PG_FUNCTION_INFO_V1(mls_progress_score_table);

PGDLLEXPORT Datum
mls_progress_score_table(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int backends = pgstat_fetch_stat_numbackends();

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 1; i <= backends; i++)
	{
		const PgBackendStatus *status = &pgstat_get_local_beentry_by_index(i)->backendStatus;
		Datum values[NUM_COLUMNS];
		bool nulls[NUM_COLUMNS];

		if (status->st_progress_command != COMMAND_SCORE_TABLE)
			continue;
		fill_row(status, values, nulls);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
