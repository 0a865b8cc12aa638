/*
 * monitor.c - a monitor read from ml_score.monitor; whether its arguments fit together; who it is.
 */
#include "watch/monitor.h"

#include "catalog/ledger.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

/*
 * The columns in the order of read_row. A run for a moment that was to come counts from when it was made, so that those in
 * between are not taken for past. Windows are counted in the monitor's time zone, where days may have 23 hours.
 */
static MlsStatement select_monitor = {
	"SELECT m.id, m.owner::oid::bigint, m.min_rows::bigint, m.home <> ml_score.home(), m.name, m.current, "
	"m.baseline, "
	"m.performance, m.custom, m.time_column, m.formulas, m.search_path, m.time_zone, m.signals, m.predictions, "
	"m.features, m.categorical, m.thresholds, "
	"(w.window_end - m.window_size) AT TIME ZONE m.time_zone, w.window_end AT TIME ZONE m.time_zone, "
	"(b.baseline_end - coalesce(m.baseline_window_size, m.window_size)) AT TIME ZONE m.time_zone, "
	"b.baseline_end AT TIME ZONE m.time_zone, "
	"(SELECT max(least(r.at, r.started_at)) FROM ml_score.monitor_run r WHERE r.monitor = m.name AND r.outcome <> "
	"'failed') "
	"FROM ml_score.monitor m, "
	"LATERAL (SELECT ($2 AT TIME ZONE m.time_zone) - m.window_offset) w (window_end), "
	"LATERAL (SELECT ($2 AT TIME ZONE m.time_zone) - coalesce(m.baseline_window_offset, m.window_offset + "
	"m.window_size)) "
	"b (baseline_end) WHERE m.name = $1",
	2,
	{TEXTOID, TIMESTAMPTZOID}};

enum
{
	COLUMN_ID = 1,
	COLUMN_OWNER,
	COLUMN_MIN_ROWS,
	COLUMN_RESTORED,
	COLUMN_NAME,
	COLUMN_CURRENT,
	COLUMN_BASELINE,
	COLUMN_PERFORMANCE,
	COLUMN_CUSTOM,
	COLUMN_TIME_COLUMN,
	COLUMN_FORMULAS,
	COLUMN_SEARCH_PATH,
	COLUMN_TIME_ZONE,
	COLUMN_SIGNALS,
	COLUMN_PREDICTIONS,
	COLUMN_FEATURES,
	COLUMN_CATEGORICAL,
	COLUMN_THRESHOLDS,
	COLUMN_WINDOW_START,
	COLUMN_WINDOW_END,
	COLUMN_BASELINE_START,
	COLUMN_BASELINE_END,
	COLUMN_LAST_AT
};

/* A column of the row that was read, not toasted, in the current context; false when it is NULL. */
static bool
column(int number, Datum *value)
{
	bool isnull;

	*value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, number, &isnull);
	return !isnull;
}

static ArrayType *
array_column(int number)
{
	Datum value;

	return column(number, &value) ? DatumGetArrayTypePCopy(value) : NULL;
}

static MlsPeriod
period_columns(int start, int end)
{
	MlsPeriod period = {0};
	Datum first;
	Datum last;

	period.given = column(start, &first) && column(end, &last);
	if (period.given)
	{
		period.start = DatumGetTimestampTz(first);
		period.end = DatumGetTimestampTz(last);
	}
	return period;
}

static MlsMonitor *
read_row(void)
{
	MlsMonitor *monitor = palloc0(sizeof(MlsMonitor));
	Datum value;

	monitor->id = mls_ledger_int64(0, COLUMN_ID);
	monitor->owner = (Oid) mls_ledger_int64(0, COLUMN_OWNER);
	monitor->min_rows = (int) mls_ledger_int64(0, COLUMN_MIN_ROWS);
	monitor->is_restored = column(COLUMN_RESTORED, &value) && DatumGetBool(value);
	monitor->name = mls_ledger_text(0, COLUMN_NAME);
	monitor->current = mls_ledger_text(0, COLUMN_CURRENT);
	monitor->baseline = mls_ledger_text(0, COLUMN_BASELINE);
	monitor->performance = mls_ledger_text(0, COLUMN_PERFORMANCE);
	monitor->custom = mls_ledger_text(0, COLUMN_CUSTOM);
	monitor->time_column = mls_ledger_text(0, COLUMN_TIME_COLUMN);
	monitor->formulas = mls_ledger_text(0, COLUMN_FORMULAS);
	monitor->search_path = mls_ledger_text(0, COLUMN_SEARCH_PATH);
	monitor->time_zone = mls_ledger_text(0, COLUMN_TIME_ZONE);
	monitor->signal_list = array_column(COLUMN_SIGNALS);
	monitor->predictions = array_column(COLUMN_PREDICTIONS);
	monitor->features = array_column(COLUMN_FEATURES);
	monitor->categorical = array_column(COLUMN_CATEGORICAL);
	if (column(COLUMN_THRESHOLDS, &value))
		monitor->threshold_object = DatumGetJsonbPCopy(value);
	monitor->window = period_columns(COLUMN_WINDOW_START, COLUMN_WINDOW_END);
	monitor->baseline_window = period_columns(COLUMN_BASELINE_START, COLUMN_BASELINE_END);
	monitor->last_at = column(COLUMN_LAST_AT, &value) ? DatumGetTimestampTz(value) : DT_NOBEGIN;
	return monitor;
}

/* One run of a monitor at a time: another one waits for this transaction. */
static void
lock_monitor(const char *name)
{
	Oid table = get_relname_relid("monitor", get_namespace_oid(MLS_SCHEMA, false));
	static MlsStatement select_id = {"SELECT id FROM ml_score.monitor WHERE name = $1", 1, {TEXTOID}};
	Datum value = CStringGetTextDatum(name);

	if (mls_ledger_run(&select_id, &value, NULL) > 0)
		LockDatabaseObject(table, (Oid) mls_ledger_int64(0, 1), 0, ExclusiveLock);
}

MlsMonitor *
mls_monitor_load(const char *name, TimestampTz at, bool lock)
{
	MemoryContext cxt = CurrentMemoryContext;
	Datum values[] = {CStringGetTextDatum(name), TimestampTzGetDatum(at)};
	MlsMonitor *monitor = NULL;
	MlsLedger ledger;

	mls_ledger_open(&ledger);
	if (lock)
		lock_monitor(name);
	if (mls_ledger_run(&select_monitor, values, NULL) > 0)
	{
		MemoryContext old = MemoryContextSwitchTo(cxt);

		monitor = read_row();
		MemoryContextSwitchTo(old);
	}
	mls_ledger_close(&ledger);
	return monitor;
}

MlsMonitor *
mls_monitor_load_own(const char *name, TimestampTz at, bool lock)
{
	MlsMonitor *monitor = mls_monitor_load(name, at, lock);

	if (monitor == NULL)
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("monitor \"%s\" does not exist", name),
				errhint("SELECT name FROM ml_score.monitor shows your monitors."));
	if (!has_privs_of_role(GetUserId(), monitor->owner))
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("must be owner of monitor \"%s\"", name));
	return monitor;
}

pg_noreturn static void
raise_unfit(const char *message, const char *hint)
{
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", message),
			hint == NULL ? 0 : errhint("%s", hint));
}

/* Is there something to compare the current rows with? */
static bool
has_baseline(const MlsMonitor *monitor)
{
	return monitor->current != NULL && (monitor->baseline != NULL || monitor->window.given);
}

/* The signals that the monitor has what it takes for. */
static unsigned
possible_signals(const MlsMonitor *monitor)
{
	unsigned signals = 0;

	if (has_baseline(monitor))
		signals |= MLS_SIGNAL_BIT(MLS_SIGNAL_DATA_DRIFT) | MLS_SIGNAL_BIT(MLS_SIGNAL_DATA_QUALITY);
	if (has_baseline(monitor) && ARR_NDIM(monitor->predictions) > 0)
		signals |= MLS_SIGNAL_BIT(MLS_SIGNAL_PREDICTION_DRIFT);
	if (monitor->performance != NULL)
		signals |= MLS_SIGNAL_BIT(MLS_SIGNAL_MODEL_PERFORMANCE);
	if (monitor->custom != NULL)
		signals |= MLS_SIGNAL_BIT(MLS_SIGNAL_CUSTOM);
	return signals;
}

/* What a signal takes, for a hint. */
static const char *
needs_of(MlsSignal signal)
{
	switch (signal)
	{
		case MLS_SIGNAL_PREDICTION_DRIFT:
			return "It takes \"current\", \"predictions\", and \"baseline\" or a window.";
		case MLS_SIGNAL_MODEL_PERFORMANCE:
			return "It takes \"performance\", a SELECT with columns actual and predicted.";
		case MLS_SIGNAL_CUSTOM:
			return "It takes \"custom\", a SELECT with columns metric and value.";
		default:
			return "It takes \"current\", and \"baseline\" or a window.";
	}
}

/* The signals that are asked for. */
static unsigned
listed_signals(const MlsMonitor *monitor, unsigned possible)
{
	unsigned signals = 0;
	Datum *words;
	bool *nulls;
	int nwords;

	deconstruct_array(monitor->signal_list, TEXTOID, -1, false, TYPALIGN_INT, &words, &nulls, &nwords);
	for (int i = 0; i < nwords; i++)
	{
		char *word = nulls[i] ? "NULL" : TextDatumGetCString(words[i]);
		MlsSignal signal;

		if (!mls_signal_parse(word, &signal))
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown signal \"%s\"", word),
					errdetail("Signals are: data_drift, prediction_drift, data_quality, model_performance, custom."));
		if ((possible & MLS_SIGNAL_BIT(signal)) == 0)
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("the monitor does not have what signal \"%s\" takes", word),
					errdetail("%s", needs_of(signal)));
		signals |= MLS_SIGNAL_BIT(signal);
	}
	return signals;
}

static void
check_window(const MlsMonitor *monitor)
{
	if (monitor->time_column != NULL && !monitor->window.given)
		raise_unfit("\"time_column\" needs \"window_size\" or a schedule", NULL);
	if (monitor->time_column == NULL && monitor->window.given && monitor->custom == NULL)
		raise_unfit("\"window_size\" needs \"time_column\"", "Name the column that says when a row was scored.");
	if (monitor->time_column == NULL && monitor->baseline == NULL && monitor->current != NULL)
		raise_unfit("\"current\" needs \"baseline\", or \"time_column\" to compare it with earlier rows", NULL);
	if (!monitor->window.given)
		return;
	if (monitor->window.start >= monitor->window.end)
		raise_unfit("\"window_size\" must be more than 0", NULL);
	if (monitor->baseline_window.start >= monitor->baseline_window.end)
		raise_unfit("\"baseline_window_size\" must be more than 0", NULL);
	if (monitor->baseline == NULL && monitor->baseline_window.end > monitor->window.start)
		raise_unfit("the window of the baseline overlaps the current one",
					"\"baseline_window_offset\" must be at least \"window_size\" and \"window_offset\" together.");
}

void
mls_monitor_check(MlsMonitor *monitor)
{
	unsigned possible;

	if (monitor->baseline != NULL && monitor->current == NULL)
		raise_unfit("\"baseline\" needs \"current\"", NULL);
	if (strcmp(monitor->formulas, "azure") != 0 && strcmp(monitor->formulas, "scipy") != 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("invalid value for argument \"formulas\": \"%s\"", monitor->formulas),
				errdetail("Valid values are: 'azure', 'scipy'."));
	check_window(monitor);
	possible = possible_signals(monitor);
	monitor->signals = monitor->signal_list == NULL ? possible : listed_signals(monitor, possible);
	if (monitor->signals == 0)
		raise_unfit("the monitor has no signal", "Give at least one of \"current\", \"performance\" and \"custom\".");
	monitor->thresholds = mls_thresholds_parse(monitor->threshold_object);
	for (int signal = 0; signal < MLS_SIGNALS; signal++)
		if ((monitor->signals & MLS_SIGNAL_BIT(signal)) == 0 && mls_thresholds_have(monitor->thresholds, signal))
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("the monitor has thresholds of signal \"%s\", but not the signal", mls_signal_name(signal)),
					errdetail("%s", (possible & MLS_SIGNAL_BIT(signal)) != 0 ? "It is not among \"signals\"."
																			 : needs_of(signal)));
	monitor->thresholds = mls_thresholds_complete(monitor->thresholds, monitor->signals);
}

void
mls_monitor_become_owner(const MlsMonitor *monitor, MlsAsOwner *before)
{
	GetUserIdAndSecContext(&before->userid, &before->context);
	SetUserIdAndSecContext(monitor->owner,
						   before->context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	before->nest_level = NewGUCNestLevel();
	mls_guc_set_for_level("search_path", monitor->search_path);
	mls_guc_set_for_level("TimeZone", monitor->time_zone);
}

void
mls_monitor_unbecome_owner(const MlsAsOwner *before)
{
	AtEOXact_GUC(false, before->nest_level);
	SetUserIdAndSecContext(before->userid, before->context);
}
