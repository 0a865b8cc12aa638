/*
 * measure.c - runs a monitor's queries and makes readings of what they give.
 *
 * All of it is the owner's code: it is called as the owner. Queries read only. data_drift, prediction_drift and data_quality
 * come of one call of ml_score.drift, which reads each query once.
 */
#include "watch/monitor.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "select_query.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* The readings so far, and where new ones go. */
typedef struct Readings
{
	const MlsMonitor *monitor;
	MemoryContext cxt;
	List *list;
} Readings;

static bool
has_signal(const MlsMonitor *monitor, MlsSignal signal)
{
	return (monitor->signals & MLS_SIGNAL_BIT(signal)) != 0;
}

/* feature may be NULL; kind of the feature. What has neither a value nor a threshold is nothing to tell of. */
static void
add_reading(Readings *readings, MlsSignal signal, unsigned kind, const char *feature, const char *metric, double value)
{
	const MlsThreshold *threshold = mls_threshold_find(readings->monitor->thresholds, signal, kind, metric);
	const MlsMetric *known = mls_metric_find(signal, metric);
	MemoryContext old;
	MlsReading *reading;

	if (isnan(value) && (threshold == NULL || isnan(threshold->value)))
		return;
	old = MemoryContextSwitchTo(readings->cxt);
	reading = palloc(sizeof(MlsReading));
	reading->signal = signal;
	reading->feature = feature == NULL ? NULL : pstrdup(feature);
	reading->metric = pstrdup(metric);
	reading->value = value;
	reading->threshold = threshold == NULL ? NAN : threshold->value;
	reading->bound = threshold != NULL ? threshold->bound : known != NULL ? known->bound : MLS_BOUND_ABOVE;
	readings->list = lappend(readings->list, reading);
	MemoryContextSwitchTo(old);
}

/* Prepare a SELECT of the monitor's, which may have parameters; what it gives. In SPI_connect. */
static TupleDesc
describe(const char *word, const char *query, int nargs, Oid *types)
{
	TupleDesc desc;

	(void) mls_select_prepare(query, nargs, types, psprintf("\"%s\"", word), NULL, &desc);
	return desc;
}

static Form_pg_attribute
need_column(const char *word, TupleDesc desc, const char *name)
{
	int number = SPI_fnumber(desc, name);

	if (number <= 0)
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_COLUMN), errmsg("\"%s\" has no column \"%s\"", word, name));
	return TupleDescAttr(desc, number - 1);
}

static void
append_period(StringInfo sql, const char *column, const MlsPeriod *period)
{
	char *name = psprintf("q.%s", quote_identifier(column));

	appendStringInfo(sql, " WHERE %s OPERATOR(pg_catalog.>=) '%s'::pg_catalog.timestamptz", name,
					 timestamptz_to_str(period->start));
	appendStringInfo(sql, " AND %s OPERATOR(pg_catalog.<) '%s'::pg_catalog.timestamptz", name,
					 timestamptz_to_str(period->end));
}

/* The rows of "current" of a period, without the column that says when. In SPI_connect. */
static char *
query_of_current(const MlsMonitor *monitor, const MlsPeriod *period)
{
	StringInfoData sql;
	TupleDesc desc;
	const char *separator = "SELECT ";

	if (monitor->time_column == NULL)
		return monitor->current;
	desc = describe("current", monitor->current, 0, NULL);
	(void) need_column("current", desc, monitor->time_column);
	initStringInfo(&sql);
	for (int i = 0; i < desc->natts; i++)
	{
		const char *name = NameStr(TupleDescAttr(desc, i)->attname);

		if (strcmp(name, monitor->time_column) == 0)
			continue;
		appendStringInfo(&sql, "%sq.%s", separator, quote_identifier(name));
		separator = ", ";
	}
	if (sql.len == 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("\"current\" has no column beside \"%s\"", monitor->time_column));
	appendStringInfo(&sql, " FROM (%s\n) q", mls_select_body(monitor->current));
	append_period(&sql, monitor->time_column, period);
	return sql.data;
}

/* A column of the running SPI's row as a number; NaN when it is NULL. */
static double
number_at(uint64 row, const char *column)
{
	bool isnull;
	Datum value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
								SPI_fnumber(SPI_tuptable->tupdesc, column), &isnull);

	return isnull ? NAN : DatumGetFloat8(value);
}

static bool
is_true_at(uint64 row, const char *column)
{
	bool isnull;
	Datum value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
								SPI_fnumber(SPI_tuptable->tupdesc, column), &isnull);

	return !isnull && DatumGetBool(value);
}

static char *
text_at(uint64 row, const char *column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, SPI_fnumber(SPI_tuptable->tupdesc, column));
}

/* The readings of a signal of one feature, which is the row of ml_score.drift. */
static void
add_figures(Readings *readings, MlsSignal signal, uint64 row)
{
	unsigned kind = strcmp(text_at(row, "kind"), "numerical") == 0 ? MLS_KIND_NUMERICAL : MLS_KIND_CATEGORICAL;
	bool enough = is_true_at(row, "enough");
	const MlsMetric *metric;

	for (int i = 0; (metric = mls_metric_at(i)) != NULL; i++)
		if ((metric->signals & MLS_SIGNAL_BIT(signal)) != 0)
			add_reading(readings, signal, kind, text_at(row, "feature"), metric->name,
						enough ? number_at(row, metric->column) : NAN);
}

static void
measure_drift(Readings *readings)
{
	static const char sql[] =
		"SELECT d.*, d.feature OPERATOR(pg_catalog.=) ANY ($5) AS is_prediction, "
		"$6 IS NULL OR d.feature OPERATOR(pg_catalog.=) ANY ($6) AS is_feature, "
		"d.current_rows OPERATOR(pg_catalog.>=) $7 AS enough FROM ml_score.drift($1, $2, $3, $4) d";
	const MlsMonitor *monitor = readings->monitor;
	Oid types[] = {TEXTOID, TEXTOID, TEXTARRAYOID, TEXTOID, TEXTARRAYOID, TEXTARRAYOID, INT8OID};
	char nulls[] = {' ', ' ', ' ', ' ', ' ', monitor->features == NULL ? 'n' : ' ', ' '};
	const char *baseline = monitor->baseline;
	Datum values[7];

	if (baseline == NULL)
		baseline = query_of_current(monitor, &monitor->baseline_window);
	values[0] = CStringGetTextDatum(baseline);
	values[1] = CStringGetTextDatum(query_of_current(monitor, &monitor->window));
	values[2] = PointerGetDatum(monitor->categorical);
	values[3] = CStringGetTextDatum(monitor->formulas);
	values[4] = PointerGetDatum(monitor->predictions);
	values[5] = PointerGetDatum(monitor->features);
	values[6] = Int64GetDatum(monitor->min_rows);
	if (SPI_execute_with_args(sql, lengthof(types), types, values, nulls, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not measure drift");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool is_prediction = is_true_at(i, "is_prediction");
		bool is_feature = !is_prediction && is_true_at(i, "is_feature");

		if (is_feature && has_signal(monitor, MLS_SIGNAL_DATA_DRIFT))
			add_figures(readings, MLS_SIGNAL_DATA_DRIFT, i);
		if (is_prediction && has_signal(monitor, MLS_SIGNAL_PREDICTION_DRIFT))
			add_figures(readings, MLS_SIGNAL_PREDICTION_DRIFT, i);
		if (is_feature && has_signal(monitor, MLS_SIGNAL_DATA_QUALITY))
			add_figures(readings, MLS_SIGNAL_DATA_QUALITY, i);
	}
}

static bool
is_number(Form_pg_attribute att)
{
	char category;
	bool preferred;

	get_type_category_preferred(att->atttypid, &category, &preferred);
	return category == TYPCATEGORY_NUMERIC;
}

/* Is this metric to be measured: one of those with thresholds, else those of what numbers or classes are measured by? */
static bool
is_wanted(const MlsMonitor *monitor, const MlsMetric *metric, unsigned kind)
{
	if ((metric->signals & MLS_SIGNAL_BIT(MLS_SIGNAL_MODEL_PERFORMANCE)) == 0)
		return false;
	if (mls_thresholds_have(monitor->thresholds, MLS_SIGNAL_MODEL_PERFORMANCE))
		return mls_threshold_find(monitor->thresholds, MLS_SIGNAL_MODEL_PERFORMANCE, MLS_KIND_ANY, metric->name) !=
			   NULL;
	return (metric->kinds & kind) != 0;
}

/* What measures how right "performance" is: a row with a column for each metric, and "pairs". In SPI_connect. */
static char *
performance_query(const MlsMonitor *monitor)
{
	TupleDesc desc = describe("performance", monitor->performance, 0, NULL);
	bool numbers = is_number(need_column("performance", desc, "actual")) &&
				   is_number(need_column("performance", desc, "predicted"));
	const MlsMetric *metric;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT pg_catalog.count(*) FILTER (WHERE q.actual IS NOT NULL AND q.predicted IS NOT "
								 "NULL)::pg_catalog.float8 AS pairs");
	for (int i = 0; (metric = mls_metric_at(i)) != NULL; i++)
		if (is_wanted(monitor, metric, numbers ? MLS_KIND_NUMERICAL : MLS_KIND_CATEGORICAL))
			appendStringInfo(&sql, ", ml_score.%s(q.actual, q.predicted) AS %s", quote_identifier(metric->name),
							 quote_identifier(metric->name));
	appendStringInfo(&sql, " FROM (%s\n) q", mls_select_body(monitor->performance));
	if (monitor->time_column != NULL)
	{
		(void) need_column("performance", desc, monitor->time_column);
		append_period(&sql, monitor->time_column, &monitor->window);
	}
	return sql.data;
}

static void
measure_performance(Readings *readings)
{
	const MlsMetric *metric;
	bool enough;

	if (SPI_execute(performance_query(readings->monitor), true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not measure performance");
	enough = number_at(0, "pairs") >= readings->monitor->min_rows;
	for (int i = 0; (metric = mls_metric_at(i)) != NULL; i++)
		if ((metric->signals & MLS_SIGNAL_BIT(MLS_SIGNAL_MODEL_PERFORMANCE)) != 0 &&
			SPI_fnumber(SPI_tuptable->tupdesc, metric->name) > 0)
			add_reading(readings, MLS_SIGNAL_MODEL_PERFORMANCE, MLS_KIND_ANY, NULL, metric->name,
						enough ? number_at(0, metric->name) : NAN);
}

static Oid custom_types[] = {TIMESTAMPTZOID, TIMESTAMPTZOID};

/* "custom" with its columns as they are read. In SPI_connect. */
static char *
custom_query(const MlsMonitor *monitor)
{
	TupleDesc desc = describe("custom", monitor->custom, lengthof(custom_types), custom_types);

	(void) need_column("custom", desc, "metric");
	(void) need_column("custom", desc, "value");
	return psprintf("SELECT q.metric::pg_catalog.text, q.value::pg_catalog.float8, %s AS feature FROM (%s\n) q",
					SPI_fnumber(desc, "feature") > 0 ? "q.feature::pg_catalog.text" : "NULL::pg_catalog.text",
					mls_select_body(monitor->custom));
}

static void
measure_custom(Readings *readings)
{
	const MlsPeriod *window = &readings->monitor->window;
	Datum values[] = {TimestampTzGetDatum(window->start), TimestampTzGetDatum(window->end)};
	const char *nulls = window->given ? "  " : "nn";

	if (SPI_execute_with_args(custom_query(readings->monitor), lengthof(custom_types), custom_types, values, nulls,
							  true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run the custom query");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char *metric = text_at(i, "metric");

		if (metric == NULL)
			ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("\"custom\" has a row whose metric is null"));
		add_reading(readings, MLS_SIGNAL_CUSTOM, MLS_KIND_ANY, text_at(i, "feature"), metric, number_at(i, "value"));
	}
}

List *
mls_monitor_measure(const MlsMonitor *monitor)
{
	Readings readings = {.monitor = monitor, .cxt = CurrentMemoryContext};

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if ((monitor->signals & MLS_SIGNALS_OF_DRIFT) != 0)
		measure_drift(&readings);
	if (has_signal(monitor, MLS_SIGNAL_MODEL_PERFORMANCE))
		measure_performance(&readings);
	if (has_signal(monitor, MLS_SIGNAL_CUSTOM))
		measure_custom(&readings);
	SPI_finish();
	return readings.list;
}

/* Every name must be a column of "current". */
static void
check_names(const MlsMonitor *monitor, ArrayType *names, TupleDesc desc)
{
	Datum *words;
	bool *nulls;
	int nwords;

	if (names == NULL)
		return;
	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &words, &nulls, &nwords);
	for (int i = 0; i < nwords; i++)
		(void) need_column("current", desc, nulls[i] ? "NULL" : TextDatumGetCString(words[i]));
}

void
mls_monitor_prepare(const MlsMonitor *monitor)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (monitor->current != NULL)
	{
		TupleDesc desc = describe("current", monitor->current, 0, NULL);

		check_names(monitor, monitor->predictions, desc);
		check_names(monitor, monitor->features, desc);
		check_names(monitor, monitor->categorical, desc);
		(void) describe("current", query_of_current(monitor, &monitor->window), 0, NULL);
	}
	if (monitor->baseline != NULL)
		(void) describe("baseline", monitor->baseline, 0, NULL);
	if (monitor->performance != NULL)
		(void) describe("performance", performance_query(monitor), 0, NULL);
	if (monitor->custom != NULL)
		(void) describe("custom", custom_query(monitor), lengthof(custom_types), custom_types);
	SPI_finish();
}
