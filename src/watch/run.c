/*
 * run.c - one run of a monitor: measure as its owner, store what was measured, see what became of each signal, and have
 * what is to be done about it written down. All in one transaction.
 */
#include "watch/monitor.h"

#include <math.h>

#include "catalog/ledger.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

static MlsStatement insert_run = {
	"INSERT INTO ml_score.monitor_run (monitor, at, window_start, window_end, outcome, started_at, ended_at) "
	"VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp()) RETURNING id",
	6,
	{TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID}};

static MlsStatement insert_failure = {
	"INSERT INTO ml_score.monitor_run (monitor, at, outcome, sqlstate, error, started_at, ended_at) "
	"SELECT name, $2, 'failed', $3, $4, clock_timestamp(), clock_timestamp() FROM ml_score.monitor WHERE id = $1",
	4,
	{INT8OID, TIMESTAMPTZOID, TEXTOID, TEXTOID}};

static MlsStatement insert_result = {
	"INSERT INTO ml_score.monitor_result (run, monitor, at, signal, feature, metric, value, threshold, bound, "
	"breached) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
	10,
	{INT8OID, TEXTOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, FLOAT8OID, FLOAT8OID, TEXTOID, BOOLOID}};

static MlsStatement set_signal = {
	"INSERT INTO ml_score.monitor_signal AS s (monitor, signal, breached, since) VALUES ($1, $2, $3, $4) "
	"ON CONFLICT (monitor, signal) DO UPDATE SET breached = excluded.breached, since = excluded.since "
	"WHERE s.breached <> excluded.breached",
	4,
	{TEXTOID, TEXTOID, BOOLOID, TIMESTAMPTZOID}};

static MlsOutcome
outcome_of(List *readings, unsigned signals)
{
	MlsOutcome outcome = MLS_OUTCOME_NO_DATA;
	ListCell *lc;

	foreach (lc, readings)
	{
		const MlsReading *reading = lfirst(lc);

		if ((signals & MLS_SIGNAL_BIT(reading->signal)) != 0)
			outcome = mls_outcome_add(outcome, reading->value, reading->threshold, reading->bound);
	}
	return outcome;
}

static int64
store_run(const MlsMonitor *monitor, TimestampTz at, TimestampTz started_at, MlsOutcome outcome)
{
	char window = monitor->window.given ? ' ' : 'n';
	Datum values[] = {CStringGetTextDatum(monitor->name),
					  TimestampTzGetDatum(at),
					  TimestampTzGetDatum(monitor->window.start),
					  TimestampTzGetDatum(monitor->window.end),
					  CStringGetTextDatum(mls_outcome_name(outcome)),
					  TimestampTzGetDatum(started_at)};
	char nulls[] = {' ', ' ', window, window, ' ', ' '};

	(void) mls_ledger_run(&insert_run, values, nulls);
	return mls_ledger_int64(0, 1);
}

static void
store_reading(const MlsMonitor *monitor, int64 run, TimestampTz at, const MlsReading *reading)
{
	Datum values[] = {Int64GetDatum(run),
					  CStringGetTextDatum(monitor->name),
					  TimestampTzGetDatum(at),
					  CStringGetTextDatum(mls_signal_name(reading->signal)),
					  reading->feature == NULL ? (Datum) 0 : CStringGetTextDatum(reading->feature),
					  CStringGetTextDatum(reading->metric),
					  Float8GetDatum(reading->value),
					  Float8GetDatum(reading->threshold),
					  CStringGetTextDatum(mls_bound_name(reading->bound)),
					  BoolGetDatum(mls_breach_is(reading->value, reading->threshold, reading->bound))};
	char nulls[] = {' ',
					' ',
					' ',
					' ',
					reading->feature == NULL ? 'n' : ' ',
					' ',
					isnan(reading->value) ? 'n' : ' ',
					isnan(reading->threshold) ? 'n' : ' ',
					' ',
					' '};

	(void) mls_ledger_run(&insert_result, values, nulls);
}

static void
store_signal(const MlsMonitor *monitor, MlsSignal signal, MlsOutcome outcome, TimestampTz at)
{
	Datum values[] = {CStringGetTextDatum(monitor->name), CStringGetTextDatum(mls_signal_name(signal)),
					  BoolGetDatum(outcome == MLS_OUTCOME_BREACHED), TimestampTzGetDatum(at)};

	(void) mls_ledger_run(&set_signal, values, NULL);
}

/* What the run means for its signals. Within a ledger. */
static void
settle_signals(const MlsMonitor *monitor, int64 run, List *readings, TimestampTz at)
{
	for (int signal = 0; signal < MLS_SIGNALS; signal++)
	{
		MlsOutcome outcome = outcome_of(readings, MLS_SIGNAL_BIT(signal));

		if (outcome == MLS_OUTCOME_NO_DATA)
			continue;
		store_signal(monitor, signal, outcome, at);
		mls_monitor_announce(monitor, run, signal, outcome, at);
	}
}

MlsOutcome
mls_monitor_run(MlsMonitor *monitor, TimestampTz at)
{
	TimestampTz started_at = GetCurrentTimestamp();
	MlsOutcome outcome;
	MlsAsOwner before;
	MlsLedger ledger;
	List *readings;
	ListCell *lc;
	int64 run;

	mls_monitor_check(monitor);
	mls_monitor_become_owner(monitor, &before);
	readings = mls_monitor_measure(monitor);
	mls_monitor_unbecome_owner(&before);
	outcome = outcome_of(readings, monitor->signals);
	mls_ledger_open(&ledger);
	run = store_run(monitor, at, started_at, outcome);
	foreach (lc, readings)
		store_reading(monitor, run, at, lfirst(lc));
	/* What is already past says nothing of how things are. */
	if (at >= monitor->last_at)
		settle_signals(monitor, run, readings, at);
	mls_ledger_close(&ledger);
	return outcome;
}

void
mls_monitor_note_failure(int64 id, TimestampTz at, const ErrorData *error)
{
	Datum values[] = {Int64GetDatum(id), TimestampTzGetDatum(at),
					  CStringGetTextDatum(unpack_sql_state(error->sqlerrcode)),
					  CStringGetTextDatum(error->message == NULL ? "" : error->message)};
	MlsLedger ledger;

	mls_ledger_open(&ledger);
	(void) mls_ledger_run(&insert_failure, values, NULL);
	mls_ledger_close(&ledger);
}

PG_FUNCTION_INFO_V1(mls_run_monitor);

PGDLLEXPORT Datum
mls_run_monitor(PG_FUNCTION_ARGS)
{
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(1);
	MlsMonitor *monitor;

	PreventCommandIfReadOnly("ml_score.run_monitor()");
	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a monitor runs for a finite moment"));
	monitor = mls_monitor_load_own(text_to_cstring(PG_GETARG_TEXT_PP(0)), at, true);
	if (monitor->is_restored)
		ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("monitor \"%s\" came with a dump of another database", monitor->name),
				errdetail("What it announces would be announced twice."),
				errhint("SELECT ml_score.resume_monitor('%s') lets it run here.", monitor->name));
	PG_RETURN_TEXT_P(cstring_to_text(mls_outcome_name(mls_monitor_run(monitor, at))));
}
