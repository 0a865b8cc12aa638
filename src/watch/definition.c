/*
 * definition.c - ml_score.create_monitor and the functions that change a monitor.
 *
 * A monitor is written down first, then read as a run would read it, and checked so: what does not fit undoes the statement.
 */
#include "watch/monitor.h"

#include "catalog/ledger.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "monitor/purge.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

/* The arguments, in the functions' order. */
enum
{
	ARG_NAME,
	ARG_CURRENT,
	ARG_BASELINE,
	ARG_SIGNALS,
	ARG_THRESHOLDS,
	ARG_PREDICTIONS,
	ARG_FEATURES,
	ARG_CATEGORICAL,
	ARG_PERFORMANCE,
	ARG_CUSTOM,
	ARG_TIME_COLUMN,
	ARG_WINDOW_SIZE,
	ARG_WINDOW_OFFSET,
	ARG_BASELINE_WINDOW_SIZE,
	ARG_BASELINE_WINDOW_OFFSET,
	ARG_SCHEDULE,
	ARG_FORMULAS,
	ARG_MIN_ROWS,
	ARGS
};

static const char *const argument_names[ARGS] = {"name",
												 "current",
												 "baseline",
												 "signals",
												 "thresholds",
												 "predictions",
												 "features",
												 "categorical",
												 "performance",
												 "custom",
												 "time_column",
												 "window_size",
												 "window_offset",
												 "baseline_window_size",
												 "baseline_window_offset",
												 "schedule",
												 "formulas",
												 "min_rows"};

#define SHORTEST_SCHEDULE 1000000 /* microseconds */

#define OWNER (ARGS + 0)
#define SEARCH_PATH (ARGS + 1)
#define TIME_ZONE (ARGS + 2)

/* All arguments go in as texts. */
#define TEXTS_18                                                                                                       \
	TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,        \
		TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID

static MlsStatement insert_monitor = {
	"INSERT INTO ml_score.monitor (name, current, baseline, signals, thresholds, predictions, features, categorical, "
	"performance, custom, time_column, window_size, window_offset, baseline_window_size, baseline_window_offset, "
	"schedule, formulas, min_rows, owner, search_path, time_zone, state, home, next_run_at) "
	"VALUES ($1, $2, $3, $4::text[], $5::jsonb, $6::text[], nullif($7::text[], '{}'), $8::text[], $9, $10, $11, "
	"coalesce($12::interval, CASE WHEN $11 IS NOT NULL THEN $16::interval END), $13::interval, $14::interval, "
	"$15::interval, nullif($16::interval, '0'), $17, $18::integer, $19::oid, $20, $21, 'running', "
	"ml_score.home(), now() + nullif($16::interval, '0'))",
	ARGS + 3,
	{TEXTS_18, TEXTOID, TEXTOID, TEXTOID}};

/* What is NULL stays; what is empty goes. */
static MlsStatement update_monitor = {
	"UPDATE ml_score.monitor SET current = nullif(coalesce($2, current), ''), "
	"baseline = nullif(coalesce($3, baseline), ''), signals = nullif(coalesce($4::text[], signals), '{}'), "
	"thresholds = nullif(coalesce($5::jsonb, thresholds), '{}'), predictions = coalesce($6::text[], predictions), "
	"features = nullif(coalesce($7::text[], features), '{}'), categorical = coalesce($8::text[], categorical), "
	"performance = nullif(coalesce($9, performance), ''), custom = nullif(coalesce($10, custom), ''), "
	"time_column = nullif(coalesce($11, time_column), ''), "
	"window_size = nullif(coalesce($12::interval, window_size), '0'), "
	"window_offset = coalesce($13::interval, window_offset), "
	"baseline_window_size = nullif(coalesce($14::interval, baseline_window_size), '0'), "
	"baseline_window_offset = nullif(coalesce($15::interval, baseline_window_offset), '0'), "
	"schedule = nullif(coalesce($16::interval, schedule), '0'), formulas = coalesce($17, formulas), "
	"min_rows = coalesce($18::integer, min_rows), "
	"next_run_at = CASE WHEN $16 IS NULL THEN next_run_at ELSE now() + nullif($16::interval, '0') END WHERE name = $1",
	ARGS,
	{TEXTS_18}};

static MlsStatement find_monitor = {"SELECT FROM ml_score.monitor WHERE name = $1", 1, {TEXTOID}};

static MlsStatement delete_monitor = {"DELETE FROM ml_score.monitor WHERE id = $1", 1, {INT8OID}};

/* A signal that the monitor no longer has is neither breached nor announced. */
static MlsStatement forget_signals = {
	"WITH gone AS (DELETE FROM ml_score.monitor_announced n USING ml_score.monitor_action a "
	"WHERE a.id = n.action AND a.monitor = $1 AND n.signal <> ALL ($2)) "
	"DELETE FROM ml_score.monitor_signal WHERE monitor = $1 AND signal <> ALL ($2)",
	2,
	{TEXTOID, TEXTARRAYOID}};

static MlsStatement pause_monitor = {"UPDATE ml_score.monitor SET state = 'paused' WHERE id = $1", 1, {INT8OID}};

static MlsStatement resume_monitor = {"UPDATE ml_score.monitor SET state = 'running', home = ml_score.home(), "
									  "next_run_at = CASE WHEN schedule IS NOT NULL THEN now() END WHERE id = $1",
									  1,
									  {INT8OID}};

/* What a copy of the database has from the original is the original's to do. */
static MlsStatement drop_alerts_of_original = {
	"DELETE FROM ml_score.alert a USING ml_score.monitor m WHERE m.id = $1 AND m.home <> ml_score.home() "
	"AND a.monitor = m.name AND a.state = 'pending'",
	1,
	{INT8OID}};

static MlsStatement purge_runs = {"DELETE FROM ml_score.monitor_run r USING ml_score.monitor m WHERE m.name = "
								  "r.monitor AND (m.name = $1 OR $1 IS NULL "
								  "AND pg_has_role($2, m.owner::oid, 'USAGE')) AND r.ended_at < clock_timestamp() - $3",
								  3,
								  {TEXTOID, OIDOID, INTERVALOID}};

static MlsStatement purge_alerts = {
	"DELETE FROM ml_score.alert a WHERE (a.monitor = $1 OR $1 IS NULL AND pg_has_role($2, a.owner::oid, 'USAGE')) "
	"AND a.state <> 'pending' AND a.created_at < clock_timestamp() - $3",
	3,
	{TEXTOID, OIDOID, INTERVALOID}};

/* An argument as a text datum, or NULL. */
static void
take_argument(FunctionCallInfo fcinfo, int arg, Datum *value, char *null)
{
	Oid output;
	bool varlena;

	*null = PG_ARGISNULL(arg) ? 'n' : ' ';
	*value = (Datum) 0;
	if (PG_ARGISNULL(arg))
		return;
	getTypeOutputInfo(get_fn_expr_argtype(fcinfo->flinfo, arg), &output, &varlena);
	*value = CStringGetTextDatum(OidOutputFunctionCall(output, PG_GETARG_DATUM(arg)));
}

static void
check_given(FunctionCallInfo fcinfo)
{
	static const int needed[] = {ARG_NAME,			ARG_PREDICTIONS, ARG_CATEGORICAL,
								 ARG_WINDOW_OFFSET, ARG_FORMULAS,	 ARG_MIN_ROWS};

	for (int i = 0; i < lengthof(needed); i++)
		if (PG_ARGISNULL(needed[i]))
			ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("argument \"%s\" must not be null", argument_names[needed[i]]));
}

static void
check_name(const char *name)
{
	if (*name == '\0' || strlen(name) >= NAMEDATALEN)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"%s\" is not the name of a monitor", name),
				errdetail("A name has 1 to %d bytes.", NAMEDATALEN - 1));
}

/* none: whether 0, for none, may be given. */
static void
check_schedule(FunctionCallInfo fcinfo, bool none)
{
	Interval *schedule = PG_ARGISNULL(ARG_SCHEDULE) ? NULL : PG_GETARG_INTERVAL_P(ARG_SCHEDULE);

	if (schedule == NULL || (none && schedule->month == 0 && schedule->day == 0 && schedule->time == 0))
		return;
	if (INTERVAL_NOT_FINITE(schedule) || schedule->month != 0 ||
		schedule->day * USECS_PER_DAY + schedule->time < SHORTEST_SCHEDULE)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("\"schedule\" must be an interval without months of at least 1 second"));
	mls_worker_require("monitors with a schedule");
}

/* An interval argument may have months, but must not point into the future. */
static void
check_not_negative(FunctionCallInfo fcinfo, int arg)
{
	Interval *interval = PG_ARGISNULL(arg) ? NULL : PG_GETARG_INTERVAL_P(arg);

	if (interval != NULL &&
		(INTERVAL_NOT_FINITE(interval) || interval->month < 0 || interval->day < 0 || interval->time < 0))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("\"%s\" must not be negative", argument_names[arg]));
}

static void
check_arguments(FunctionCallInfo fcinfo, bool altering)
{
	check_schedule(fcinfo, altering);
	for (int arg = ARG_WINDOW_SIZE; arg <= ARG_BASELINE_WINDOW_OFFSET; arg++)
		check_not_negative(fcinfo, arg);
	if (!PG_ARGISNULL(ARG_MIN_ROWS) && PG_GETARG_INT32(ARG_MIN_ROWS) < 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"min_rows\" must not be negative"));
}

static void
forget_others(const MlsMonitor *monitor)
{
	Datum names[MLS_SIGNALS];
	Datum values[2];
	MlsLedger ledger;
	int n = 0;

	for (int signal = 0; signal < MLS_SIGNALS; signal++)
		if ((monitor->signals & MLS_SIGNAL_BIT(signal)) != 0)
			names[n++] = CStringGetTextDatum(mls_signal_name(signal));
	values[0] = CStringGetTextDatum(monitor->name);
	values[1] = PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
	mls_ledger_open(&ledger);
	(void) mls_ledger_run(&forget_signals, values, NULL);
	mls_ledger_close(&ledger);
}

/* The monitor as it now stands must be one that can run. */
static void
check_monitor(const char *name)
{
	MlsMonitor *monitor = mls_monitor_load(name, GetCurrentTransactionStartTimestamp(), false);
	MlsAsOwner before;

	mls_monitor_check(monitor);
	mls_monitor_become_owner(monitor, &before);
	mls_monitor_prepare(monitor);
	mls_monitor_unbecome_owner(&before);
	forget_others(monitor);
	mls_worker_tell_at_commit(&mls_monitor_kind, monitor->owner);
	mls_worker_wake_at_commit();
}

PG_FUNCTION_INFO_V1(mls_create_monitor);

PGDLLEXPORT Datum
mls_create_monitor(PG_FUNCTION_ARGS)
{
	Datum values[ARGS + 3];
	char nulls[ARGS + 3];
	MlsLedger ledger;
	char *name;

	check_given(fcinfo);
	name = text_to_cstring(PG_GETARG_TEXT_PP(ARG_NAME));
	check_name(name);
	check_arguments(fcinfo, false);
	for (int arg = 0; arg < ARGS; arg++)
		take_argument(fcinfo, arg, &values[arg], &nulls[arg]);
	values[OWNER] = CStringGetTextDatum(psprintf("%u", GetUserId()));
	values[SEARCH_PATH] = CStringGetTextDatum(GetConfigOption("search_path", false, false));
	values[TIME_ZONE] = CStringGetTextDatum(GetConfigOption("TimeZone", false, false));
	memset(&nulls[ARGS], ' ', 3);
	mls_ledger_open(&ledger);
	if (mls_ledger_run(&find_monitor, values, NULL) > 0)
		ereport(ERROR, errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("monitor \"%s\" already exists", name));
	(void) mls_ledger_run(&insert_monitor, values, nulls);
	mls_ledger_close(&ledger);
	check_monitor(name);
	PG_RETURN_VOID();
}

/* The monitor of this name, the caller's own. */
static MlsMonitor *
own_monitor(text *name)
{
	return mls_monitor_load_own(text_to_cstring(name), GetCurrentTransactionStartTimestamp(), false);
}

PG_FUNCTION_INFO_V1(mls_alter_monitor);

PGDLLEXPORT Datum
mls_alter_monitor(PG_FUNCTION_ARGS)
{
	Datum values[ARGS];
	char nulls[ARGS];
	MlsMonitor *monitor;
	MlsLedger ledger;

	if (PG_ARGISNULL(ARG_NAME))
		ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument \"name\" must not be null"));
	check_arguments(fcinfo, true);
	monitor = own_monitor(PG_GETARG_TEXT_PP(ARG_NAME));
	for (int arg = 0; arg < ARGS; arg++)
		take_argument(fcinfo, arg, &values[arg], &nulls[arg]);
	mls_ledger_open(&ledger);
	(void) mls_ledger_run(&update_monitor, values, nulls);
	mls_ledger_close(&ledger);
	check_monitor(monitor->name);
	PG_RETURN_VOID();
}

/* Run a statement about a monitor of the caller's, by its id. */
static void
change_monitor(text *name, MlsStatement *statement)
{
	MlsMonitor *monitor = own_monitor(name);
	Datum id = Int64GetDatum(monitor->id);
	MlsLedger ledger;

	mls_ledger_open(&ledger);
	(void) mls_ledger_run(statement, &id, NULL);
	mls_ledger_close(&ledger);
	/* The worker, if it has others to run; the supervisor, which ends it if this was the last one. */
	mls_worker_tell_at_commit(&mls_monitor_kind, monitor->owner);
	mls_worker_wake_at_commit();
}

PG_FUNCTION_INFO_V1(mls_drop_monitor);

PGDLLEXPORT Datum
mls_drop_monitor(PG_FUNCTION_ARGS)
{
	change_monitor(PG_GETARG_TEXT_PP(0), &delete_monitor);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(mls_pause_monitor);

PGDLLEXPORT Datum
mls_pause_monitor(PG_FUNCTION_ARGS)
{
	change_monitor(PG_GETARG_TEXT_PP(0), &pause_monitor);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(mls_resume_monitor);

PGDLLEXPORT Datum
mls_resume_monitor(PG_FUNCTION_ARGS)
{
	change_monitor(PG_GETARG_TEXT_PP(0), &drop_alerts_of_original);
	change_monitor(PG_GETARG_TEXT_PP(0), &resume_monitor);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(mls_purge_monitor);

PGDLLEXPORT Datum
mls_purge_monitor(PG_FUNCTION_ARGS)
{
	bool of_one = !PG_ARGISNULL(1);
	char nulls[] = {of_one ? ' ' : 'n', ' ', ' '};
	Datum values[3];
	MlsLedger ledger;
	uint64 purged;

	values[2] = IntervalPGetDatum(mls_purge_age(fcinfo));
	if (of_one)
		(void) own_monitor(PG_GETARG_TEXT_PP(1));
	values[0] = of_one ? PG_GETARG_DATUM(1) : (Datum) 0;
	values[1] = ObjectIdGetDatum(GetUserId());
	mls_ledger_open(&ledger);
	(void) mls_ledger_run(&purge_alerts, values, nulls);
	purged = mls_ledger_run(&purge_runs, values, nulls);
	mls_ledger_close(&ledger);
	PG_RETURN_INT64((int64) purged);
}
