/*
 * threshold.c - see threshold.h.
 */
#include "watch/threshold.h"

#include <math.h>

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

/* Called for each member of an object. */
typedef void (*Visitor)(const char *name, JsonbValue *value, void *arg);

/* Where a limit was found. */
typedef struct Place
{
	List **result;
	MlsSignal signal;
	unsigned kinds;
} Place;

static bool
is_object(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data);
}

static void
visit_members(JsonbContainer *object, Visitor visitor, void *arg)
{
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue key;
	JsonbValue value;

	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&iterator, &value, true);
		visitor(pnstrdup(key.val.string.val, key.val.string.len), &value, arg);
	}
}

static double
number_of(const JsonbValue *value)
{
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(value->val.numeric)));
}

pg_noreturn static void
raise_bad_limit(const char *metric)
{
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid threshold of metric \"%s\"", metric),
			errdetail("It must be a number, null for none, {\"above\": number} or {\"below\": number}."));
}

/* A member of {"above": number}. */
static void
take_bound(const char *name, JsonbValue *value, void *arg)
{
	MlsThreshold *threshold = arg;
	bool above = strcmp(name, "above") == 0;

	if (value->type != jbvNumeric || (!above && strcmp(name, "below") != 0))
		raise_bad_limit(threshold->metric);
	threshold->value = number_of(value);
	threshold->bound = above ? MLS_BOUND_ABOVE : MLS_BOUND_BELOW;
}

static void
read_limit(MlsThreshold *threshold, JsonbValue *value)
{
	threshold->value = NAN;
	if (value->type == jbvNumeric)
		threshold->value = number_of(value);
	else if (is_object(value) && JsonContainerSize(value->val.binary.data) == 1)
		visit_members(value->val.binary.data, take_bound, threshold);
	else if (value->type != jbvNull)
		raise_bad_limit(threshold->metric);
}

static char *
list_metrics(MlsSignal signal)
{
	StringInfoData names;
	const MlsMetric *metric;

	initStringInfo(&names);
	for (int i = 0; (metric = mls_metric_at(i)) != NULL; i++)
		if ((metric->signals & MLS_SIGNAL_BIT(signal)) != 0)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", metric->name);
	return names.data;
}

static void
take_metric(const char *name, JsonbValue *value, void *arg)
{
	const Place *place = arg;
	const MlsMetric *metric = mls_metric_find(place->signal, name);
	MlsThreshold *threshold;

	if (metric == NULL && place->signal != MLS_SIGNAL_CUSTOM)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("signal \"%s\" has no metric \"%s\"", mls_signal_name(place->signal), name),
				errdetail("Its metrics are: %s.", list_metrics(place->signal)));
	threshold = palloc0(sizeof(MlsThreshold));
	threshold->signal = place->signal;
	threshold->kinds = place->kinds;
	threshold->metric = metric != NULL ? metric->name : name;
	threshold->bound = metric != NULL ? metric->bound : MLS_BOUND_ABOVE;
	read_limit(threshold, value);
	*place->result = lappend(*place->result, threshold);
}

/* A member of a signal: a metric, or those of one kind of features. */
static void
take_member(const char *name, JsonbValue *value, void *arg)
{
	Place place = *(const Place *) arg;
	bool has_kinds = (MLS_SIGNAL_BIT(place.signal) & MLS_SIGNALS_OF_DRIFT) != 0;

	if (!has_kinds || (strcmp(name, "numerical") != 0 && strcmp(name, "categorical") != 0))
	{
		take_metric(name, value, &place);
		return;
	}
	if (!is_object(value))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("\"%s\" of signal \"%s\" must be an object of thresholds", name, mls_signal_name(place.signal)));
	place.kinds = strcmp(name, "numerical") == 0 ? MLS_KIND_NUMERICAL : MLS_KIND_CATEGORICAL;
	visit_members(value->val.binary.data, take_metric, &place);
}

static void
take_signal(const char *name, JsonbValue *value, void *arg)
{
	Place place = {.result = arg, .kinds = MLS_KIND_ANY};

	if (!mls_signal_parse(name, &place.signal))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("\"thresholds\" names an unknown signal \"%s\"", name),
				errdetail("Signals are: data_drift, prediction_drift, data_quality, model_performance, custom."));
	if (!is_object(value))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("the thresholds of signal \"%s\" must be an object", name));
	visit_members(value->val.binary.data, take_member, &place);
}

List *
mls_thresholds_parse(Jsonb *thresholds)
{
	List *result = NIL;

	if (thresholds == NULL)
		return NIL;
	if (!JB_ROOT_IS_OBJECT(thresholds))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"thresholds\" must be an object"),
				errhint("Such as {\"data_drift\": {\"jensen_shannon_distance\": 0.1}}."));
	visit_members(&thresholds->root, take_signal, &result);
	return result;
}

const MlsThreshold *
mls_threshold_find(List *thresholds, MlsSignal signal, unsigned kind, const char *metric)
{
	const MlsThreshold *found = NULL;
	ListCell *lc;

	foreach (lc, thresholds)
	{
		const MlsThreshold *threshold = lfirst(lc);

		if (threshold->signal == signal && (threshold->kinds & kind) != 0 && strcmp(threshold->metric, metric) == 0)
			found = threshold;
	}
	return found;
}

bool
mls_thresholds_have(List *thresholds, MlsSignal signal)
{
	ListCell *lc;

	foreach (lc, thresholds)
		if (((const MlsThreshold *) lfirst(lc))->signal == signal)
			return true;
	return false;
}

/* The list with Azure's thresholds of a signal behind. */
static List *
add_defaults(List *thresholds, MlsSignal signal)
{
	const MlsMetric *metric;

	for (int i = 0; (metric = mls_metric_at(i)) != NULL; i++)
	{
		MlsThreshold *threshold;

		if ((metric->signals & MLS_SIGNAL_BIT(signal)) == 0 || isnan(metric->by_default))
			continue;
		threshold = palloc(sizeof(MlsThreshold));
		*threshold = (MlsThreshold){signal, metric->kinds, metric->name, metric->by_default, metric->bound};
		thresholds = lappend(thresholds, threshold);
	}
	return thresholds;
}

List *
mls_thresholds_complete(List *thresholds, unsigned signals)
{
	List *result = list_copy(thresholds);

	for (int signal = 0; signal < MLS_SIGNALS; signal++)
		if ((signals & MLS_SIGNAL_BIT(signal)) != 0 && !mls_thresholds_have(thresholds, signal))
			result = add_defaults(result, signal);
	return result;
}
