/*
 * progress.c - see progress.h.
 *
 * The figures stand in the worker's status entry, as those of ml_score.score_table do (see monitor/progress.c): what a
 * transaction writes into the job's line nobody sees before its end.
 */
#include "ml_score.h"

#include "batch/progress.h"

#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/backend_progress.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"

#include "compat.h"

#define COMMAND_BATCH_JOB ((ProgressCommandType) 0x6d6c74)

/* COPY, which a load runs, writes its own figures into the first ones. */
enum
{
	PARAM_JOB = 13,
	PARAM_OWNER,
	PARAM_STATE,
	PARAM_DONE,
	PARAM_TOTAL
};

#define NUM_PARAMS 5
#define NUM_COLUMNS 5

/* What is shown, in the order of the parameters. */
static int64 shown[NUM_PARAMS];

void
mls_batch_progress_again(void)
{
	const int index[NUM_PARAMS] = {PARAM_JOB, PARAM_OWNER, PARAM_STATE, PARAM_DONE, PARAM_TOTAL};

	pgstat_progress_start_command(COMMAND_BATCH_JOB, InvalidOid);
	pgstat_progress_update_multi_param(NUM_PARAMS, index, shown);
}

void
mls_batch_progress_show(const MlsJob *job, int64 done, int64 total)
{
	const int64 values[NUM_PARAMS] = {job->id, job->owner, job->state, done, total};

	memcpy(shown, values, sizeof(shown));
	mls_batch_progress_again();
}

void
mls_batch_progress_end(void)
{
	pgstat_progress_end_command();
}

/* Is it a job of this database that the caller may see? Before PostgreSQL 17 a worker's own role may be another. */
static bool
may_see(const PgBackendStatus *status)
{
	return status->st_databaseid == MyDatabaseId &&
		   (has_privs_of_role(GetUserId(), (Oid) status->st_progress_param[PARAM_OWNER]) ||
			has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS));
}

/* ml_score.progress_batch(): pid, job, state, done, total */
PG_FUNCTION_INFO_V1(mls_progress_batch);

PGDLLEXPORT Datum
mls_progress_batch(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int backends = pgstat_fetch_stat_numbackends();

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 1; i <= backends; i++)
	{
		const PgBackendStatus *status = &pgstat_get_local_beentry_by_index(i)->backendStatus;
		const int64 *param = status->st_progress_param;
		Datum values[NUM_COLUMNS];
		bool nulls[NUM_COLUMNS] = {0};

		if (status->st_progress_command != COMMAND_BATCH_JOB || !may_see(status))
			continue;
		values[0] = Int32GetDatum(status->st_procpid);
		values[1] = Int64GetDatum(param[PARAM_JOB]);
		values[2] = CStringGetTextDatum(mls_job_state_name((MlsJobState) param[PARAM_STATE]));
		values[3] = Int64GetDatum(param[PARAM_DONE]);
		values[4] = Int64GetDatum(param[PARAM_TOTAL]);
		nulls[4] = param[PARAM_TOTAL] < 0;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
