/*
 * metric.c - see metric.h.
 */
#include "postgres.h"

#include "watch/metric.h"

#include <math.h>

#define DRIFT (MLS_SIGNAL_BIT(MLS_SIGNAL_DATA_DRIFT) | MLS_SIGNAL_BIT(MLS_SIGNAL_PREDICTION_DRIFT))
#define QUALITY MLS_SIGNAL_BIT(MLS_SIGNAL_DATA_QUALITY)
#define PERFORMANCE MLS_SIGNAL_BIT(MLS_SIGNAL_MODEL_PERFORMANCE)

static const char *const signal_names[MLS_SIGNALS] = {"data_drift", "prediction_drift", "data_quality",
													  "model_performance", "custom"};

static const MlsMetric metrics[] = {
	{"jensen_shannon_distance", NULL, DRIFT, MLS_KIND_CATEGORICAL, 0.1, MLS_BOUND_ABOVE, "jensen_shannon_distance"},
	{"normalized_wasserstein_distance", NULL, DRIFT, MLS_KIND_NUMERICAL, 0.1, MLS_BOUND_ABOVE,
	 "normalized_wasserstein_distance"},
	{"population_stability_index", "psi", DRIFT, MLS_KIND_ANY, NAN, MLS_BOUND_ABOVE, "population_stability_index"},
	{"two_sample_kolmogorov_smirnov_test", "kolmogorov_smirnov_test", DRIFT, MLS_KIND_NUMERICAL, NAN, MLS_BOUND_BELOW,
	 "kolmogorov_smirnov_p_value"},
	{"pearsons_chi_squared_test", "chi_squared_test", DRIFT, MLS_KIND_CATEGORICAL, NAN, MLS_BOUND_BELOW,
	 "chi_squared_p_value"},
	{"null_value_rate", NULL, QUALITY, MLS_KIND_ANY, 0, MLS_BOUND_ABOVE, "null_value_rate"},
	{"data_type_error_rate", NULL, QUALITY, MLS_KIND_ANY, 0, MLS_BOUND_ABOVE, "data_type_error_rate"},
	{"out_of_bounds_rate", NULL, QUALITY, MLS_KIND_ANY, 0, MLS_BOUND_ABOVE, "out_of_bounds_rate"},
	{"accuracy", NULL, PERFORMANCE, MLS_KIND_CATEGORICAL, NAN, MLS_BOUND_BELOW, NULL},
	{"precision", NULL, PERFORMANCE, MLS_KIND_CATEGORICAL, NAN, MLS_BOUND_BELOW, NULL},
	{"recall", NULL, PERFORMANCE, MLS_KIND_CATEGORICAL, NAN, MLS_BOUND_BELOW, NULL},
	{"f1", NULL, PERFORMANCE, MLS_KIND_CATEGORICAL, NAN, MLS_BOUND_BELOW, NULL},
	{"auc", NULL, PERFORMANCE, 0, NAN, MLS_BOUND_BELOW, NULL},
	{"mae", "mean_absolute_error", PERFORMANCE, MLS_KIND_NUMERICAL, NAN, MLS_BOUND_ABOVE, NULL},
	{"mse", "mean_squared_error", PERFORMANCE, MLS_KIND_NUMERICAL, NAN, MLS_BOUND_ABOVE, NULL},
	{"rmse", "root_mean_squared_error", PERFORMANCE, MLS_KIND_NUMERICAL, NAN, MLS_BOUND_ABOVE, NULL},
	{"r2", NULL, PERFORMANCE, MLS_KIND_NUMERICAL, NAN, MLS_BOUND_BELOW, NULL},
};

const MlsMetric *
mls_metric_at(int number)
{
	return number < lengthof(metrics) ? &metrics[number] : NULL;
}

/* Are they the same, letter case and underscores aside? Azure writes both jensen_shannon_distance and JensenShannonDistance. */
static bool
is_same_name(const char *a, const char *b)
{
	for (;; a++, b++)
	{
		while (*a == '_')
			a++;
		while (*b == '_')
			b++;
		if (pg_ascii_tolower((unsigned char) *a) != pg_ascii_tolower((unsigned char) *b))
			return false;
		if (*a == '\0')
			return true;
	}
}

const MlsMetric *
mls_metric_find(MlsSignal signal, const char *name)
{
	for (int i = 0; i < lengthof(metrics); i++)
	{
		const MlsMetric *metric = &metrics[i];

		if ((metric->signals & MLS_SIGNAL_BIT(signal)) != 0 &&
			(is_same_name(metric->name, name) || (metric->alias != NULL && is_same_name(metric->alias, name))))
			return metric;
	}
	return NULL;
}

const char *
mls_signal_name(MlsSignal signal)
{
	return signal_names[signal];
}

bool
mls_signal_parse(const char *name, MlsSignal *signal)
{
	for (int i = 0; i < MLS_SIGNALS; i++)
		if (strcmp(signal_names[i], name) == 0)
		{
			*signal = i;
			return true;
		}
	return false;
}

const char *
mls_bound_name(MlsBound bound)
{
	return bound == MLS_BOUND_ABOVE ? "above" : "below";
}
