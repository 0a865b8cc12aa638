/*
 * perform.c - alerts that are done within the database: exactly once, because what is done and the note that it is are one
 * transaction.
 */
#include "watch/alert.h"

#include "catalog/ledger.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "watch/action.h"
#include "worker/worker.h"

#define LONGEST_NOTIFY 7999 /* bytes */

static MlsStatement lock_alert = {
	"SELECT FROM ml_score.alert WHERE id = $1 AND state = 'pending' FOR UPDATE", 1, {INT8OID}};

static MlsStatement note_done = {"UPDATE ml_score.alert SET state = 'delivered', delivered_at = clock_timestamp(), job "
								 "= nullif($2, 0) WHERE id = $1",
								 2,
								 {INT8OID, INT8OID}};

/* Is it still to be done? Nobody else does it until the transaction ends. */
static bool
take(const MlsAlert *alert)
{
	Datum id = Int64GetDatum(alert->id);
	MlsLedger ledger;
	bool taken;

	mls_ledger_open(&ledger);
	taken = mls_ledger_run(&lock_alert, &id, NULL) > 0;
	mls_ledger_close(&ledger);
	return taken;
}

static void
note(const MlsAlert *alert, int64 job)
{
	Datum values[] = {Int64GetDatum(alert->id), Int64GetDatum(job)};
	MlsLedger ledger;

	mls_ledger_open(&ledger);
	(void) mls_ledger_run(&note_done, values, NULL);
	mls_ledger_close(&ledger);
}

/* A payload that NOTIFY cannot carry goes without the values that are a breach. */
static void
notify(const MlsAlert *alert)
{
	static const char sql[] =
		"SELECT pg_catalog.pg_notify($1, CASE WHEN pg_catalog.octet_length($2::pg_catalog.text) "
		"OPERATOR(pg_catalog.<=) $3 THEN $2::pg_catalog.text ELSE ($2 OPERATOR(pg_catalog.#-) '{data,breaches}')::"
		"pg_catalog.text END)";
	Oid types[] = {TEXTOID, JSONBOID, INT4OID};
	Datum values[] = {CStringGetTextDatum(alert->channel), JsonbPGetDatum(alert->payload),
					  Int32GetDatum(LONGEST_NOTIFY)};

	if (SPI_execute_with_args(sql, lengthof(types), types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not notify");
}

static void
run_statement(const MlsAlert *alert)
{
	Oid types[] = {JSONBOID};
	Datum values[] = {JsonbPGetDatum(alert->payload)};
	int result = SPI_execute_with_args(alert->statement, lengthof(types), types, values, NULL, false, 0);

	if (result < 0)
		ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("the statement cannot be run in an action: %s", SPI_result_code_string(result)));
}

/* The number of the job. */
static int64
submit(const MlsAlert *alert)
{
	bool isnull;

	if (SPI_execute(mls_action_batch_call(alert->batch), false, 0) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not submit a batch job");
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

void
mls_alert_do(MlsAlert *alert)
{
	int64 job = 0;

	mls_worker_begin();
	if (take(alert))
	{
		mls_guc_set_for_transaction("search_path", alert->search_path);
		mls_guc_set_for_transaction("TimeZone", alert->time_zone);
		if (SPI_connect() != SPI_OK_CONNECT)
			elog(ERROR, "could not connect to SPI");
		if (alert->channel != NULL)
			notify(alert);
		else if (alert->statement != NULL)
			run_statement(alert);
		else
			job = submit(alert);
		SPI_finish();
		note(alert, job);
	}
	mls_worker_commit();
}
