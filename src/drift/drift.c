/*
 * drift.c - ml_score.drift and ml_score.freeze: the features of two queries side by side, or of one for later.
 */
#include "postgres.h"

#include <math.h>

#include "drift/distribution_value.h"
#include "drift/feature.h"
#include "drift/measure.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

enum
{
	COLUMN_FEATURE,
	COLUMN_KIND,
	COLUMN_BASELINE_ROWS,
	COLUMN_CURRENT_ROWS,
	COLUMN_PSI,
	COLUMN_JS_DISTANCE,
	COLUMN_KS_STATISTIC,
	COLUMN_KS_P_VALUE,
	COLUMN_CHI_SQUARED,
	COLUMN_CHI_SQUARED_P_VALUE,
	COLUMN_WASSERSTEIN,
	COLUMN_NORMALIZED_WASSERSTEIN,
	COLUMN_BASELINE_NULL_RATE,
	COLUMN_NULL_RATE,
	COLUMN_OUT_OF_BOUNDS,
	COLUMN_TYPE_ERRORS,
	COLUMN_COUNT
};

PGDLLEXPORT Datum mls_drift(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_freeze(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(mls_drift);
PG_FUNCTION_INFO_V1(mls_freeze);

/* NaN: the figure is not defined. */
static void
put_figure(Datum *values, bool *nulls, int column, double figure)
{
	values[column] = Float8GetDatum(figure);
	nulls[column] = isnan(figure);
}

static double
rate(int64 part, const MlsTotals *totals)
{
	return mls_totals_rows(totals) == 0 ? NAN : (double) part / mls_totals_rows(totals);
}

static void
put_feature(ReturnSetInfo *result, const MlsFeature *baseline, const MlsFeature *current, MlsFormulas formulas,
			MlsKsMethod method)
{
	const MlsTotals *before = mls_feature_totals(baseline);
	const MlsTotals *now = mls_feature_totals(current);
	MlsFigures figures = mls_measure(mls_feature_read(baseline), mls_feature_read(current), formulas, method);
	Datum values[COLUMN_COUNT] = {0};
	bool nulls[COLUMN_COUNT] = {false};

	values[COLUMN_FEATURE] = CStringGetTextDatum(baseline->name);
	values[COLUMN_KIND] = CStringGetTextDatum(baseline->numeric ? "numerical" : "categorical");
	values[COLUMN_BASELINE_ROWS] = Int64GetDatum(mls_totals_rows(before));
	values[COLUMN_CURRENT_ROWS] = Int64GetDatum(mls_totals_rows(now));
	put_figure(values, nulls, COLUMN_PSI, figures.psi);
	put_figure(values, nulls, COLUMN_JS_DISTANCE, figures.js_distance);
	put_figure(values, nulls, COLUMN_KS_STATISTIC, figures.ks_statistic);
	put_figure(values, nulls, COLUMN_KS_P_VALUE, figures.ks_p_value);
	put_figure(values, nulls, COLUMN_CHI_SQUARED, figures.chi_squared);
	put_figure(values, nulls, COLUMN_CHI_SQUARED_P_VALUE, figures.chi_squared_p_value);
	put_figure(values, nulls, COLUMN_WASSERSTEIN, figures.wasserstein);
	put_figure(values, nulls, COLUMN_NORMALIZED_WASSERSTEIN, figures.normalized_wasserstein);
	put_figure(values, nulls, COLUMN_BASELINE_NULL_RATE, rate(before->missing, before));
	put_figure(values, nulls, COLUMN_NULL_RATE, rate(now->missing, now));
	put_figure(values, nulls, COLUMN_OUT_OF_BOUNDS, figures.out_of_bounds_rate);
	put_figure(values, nulls, COLUMN_TYPE_ERRORS, rate(now->misfits, now));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
mls_drift(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ArrayType *categorical = PG_GETARG_ARRAYTYPE_P(2);
	MlsFormulas formulas = mls_formulas_parse(PG_GETARG_TEXT_PP(3));
	MlsKsMethod method = mls_ks_method_parse(PG_GETARG_TEXT_PP(4));
	Size budget = (Size) work_mem * 1024 / 2;
	MlsFeatures *baseline;
	MlsFeatures *current;

	InitMaterializedSRF(fcinfo, 0);
	baseline = mls_features_take("baseline", text_to_cstring(PG_GETARG_TEXT_PP(0)), categorical, NULL, budget);
	current = mls_features_take("current", text_to_cstring(PG_GETARG_TEXT_PP(1)), categorical, baseline, budget);
	mls_features_match(baseline, current);
	for (int i = 0; i < baseline->nfeatures; i++)
	{
		const MlsFeature *match = mls_features_find(current, baseline->features[i].name);

		if (match != NULL)
			put_feature(result, &baseline->features[i], match, formulas, method);
	}
	mls_features_close(baseline);
	mls_features_close(current);
	return (Datum) 0;
}

Datum
mls_freeze(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MlsFeatures *features;

	InitMaterializedSRF(fcinfo, 0);
	features = mls_features_take("baseline", text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_ARRAYTYPE_P(1), NULL,
								 (Size) work_mem * 1024);
	for (int i = 0; i < features->nfeatures; i++)
	{
		const MlsFeature *feature = &features->features[i];
		char *type = format_type_extended(feature->type, -1, FORMAT_TYPE_FORCE_QUALIFY);
		Datum values[2] = {CStringGetTextDatum(feature->name), mls_distribution_make(mls_feature_read(feature), type)};
		bool nulls[2] = {false};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		pfree(DatumGetPointer(values[1]));
	}
	mls_features_close(features);
	return (Datum) 0;
}
