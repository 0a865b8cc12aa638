/*
 * measure.c - ml_score.psi and its kin, of two distributions.
 */
#include "postgres.h"

#include "drift/measure.h"

#include <math.h>

#include "access/htup_details.h"
#include "drift/distribution_value.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

PGDLLEXPORT Datum mls_psi(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_jensen_shannon_distance(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_wasserstein_distance(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_normalized_wasserstein_distance(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_kolmogorov_smirnov_test(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_chi_squared_test(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_out_of_bounds_rate(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(mls_psi);
PG_FUNCTION_INFO_V1(mls_jensen_shannon_distance);
PG_FUNCTION_INFO_V1(mls_wasserstein_distance);
PG_FUNCTION_INFO_V1(mls_normalized_wasserstein_distance);
PG_FUNCTION_INFO_V1(mls_kolmogorov_smirnov_test);
PG_FUNCTION_INFO_V1(mls_chi_squared_test);
PG_FUNCTION_INFO_V1(mls_out_of_bounds_rate);

static bool
is_word(const text *word, const char *expected)
{
	return VARSIZE_ANY_EXHDR(word) == strlen(expected) &&
		   pg_strncasecmp(VARDATA_ANY(word), expected, strlen(expected)) == 0;
}

MlsFormulas
mls_formulas_parse(const text *word)
{
	if (is_word(word, "azure"))
		return MLS_FORMULAS_AZURE;
	if (is_word(word, "scipy"))
		return MLS_FORMULAS_SCIPY;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown formulas \"%s\"", text_to_cstring(word)),
					errhint("They are \"azure\" or \"scipy\".")));
}

MlsKsMethod
mls_ks_method_parse(const text *word)
{
	if (is_word(word, "auto"))
		return MLS_KS_AUTO;
	if (is_word(word, "exact"))
		return MLS_KS_EXACT;
	if (is_word(word, "asymptotic"))
		return MLS_KS_ASYMPTOTIC;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("unknown method \"%s\" of the Kolmogorov-Smirnov test", text_to_cstring(word)),
					errhint("It is \"auto\", \"exact\" or \"asymptotic\".")));
}

static void
check_interrupts(void)
{
	CHECK_FOR_INTERRUPTS();
}

MlsFigures
mls_measure(MlsCounts *baseline, MlsCounts *current, MlsFormulas formulas, MlsKsMethod method)
{
	if (baseline->totals->numeric != current->totals->numeric)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("numbers cannot be compared with categories"),
						errdetail("The baseline has %s, the current values are %s.",
								  baseline->totals->numeric ? "numbers" : "categories",
								  current->totals->numeric ? "numbers" : "categories")));
	return mls_compare(baseline, current, formulas, method, check_interrupts);
}

/* Figures of the first two arguments. */
static MlsFigures
measure_arguments(FunctionCallInfo fcinfo, MlsFormulas formulas, MlsKsMethod method)
{
	MlsDistribution *baseline = mls_distribution_get(PG_GETARG_DATUM(0));
	MlsDistribution *current = mls_distribution_get(PG_GETARG_DATUM(1));

	return mls_measure(&baseline->counts, &current->counts, formulas, method);
}

Datum
mls_measure_number(FunctionCallInfo fcinfo, double number)
{
	if (isnan(number))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(number);
}

Datum
mls_measure_test(FunctionCallInfo fcinfo, double statistic, double p_value)
{
	Datum values[2] = {Float8GetDatum(statistic), Float8GetDatum(p_value)};
	bool nulls[2] = {false, isnan(p_value)};
	TupleDesc desc;

	if (isnan(statistic))
		PG_RETURN_NULL();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

Datum
mls_psi(PG_FUNCTION_ARGS)
{
	return mls_measure_number(
		fcinfo, measure_arguments(fcinfo, mls_formulas_parse(PG_GETARG_TEXT_PP(2)), MLS_KS_ASYMPTOTIC).psi);
}

Datum
mls_jensen_shannon_distance(PG_FUNCTION_ARGS)
{
	MlsFormulas formulas = mls_formulas_parse(PG_GETARG_TEXT_PP(2));

	return mls_measure_number(fcinfo, measure_arguments(fcinfo, formulas, MLS_KS_ASYMPTOTIC).js_distance);
}

Datum
mls_wasserstein_distance(PG_FUNCTION_ARGS)
{
	return mls_measure_number(fcinfo, measure_arguments(fcinfo, MLS_FORMULAS_AZURE, MLS_KS_ASYMPTOTIC).wasserstein);
}

Datum
mls_normalized_wasserstein_distance(PG_FUNCTION_ARGS)
{
	return mls_measure_number(fcinfo,
							  measure_arguments(fcinfo, MLS_FORMULAS_AZURE, MLS_KS_ASYMPTOTIC).normalized_wasserstein);
}

Datum
mls_kolmogorov_smirnov_test(PG_FUNCTION_ARGS)
{
	MlsFigures figures = measure_arguments(fcinfo, MLS_FORMULAS_AZURE, mls_ks_method_parse(PG_GETARG_TEXT_PP(2)));

	return mls_measure_test(fcinfo, figures.ks_statistic, figures.ks_p_value);
}

Datum
mls_chi_squared_test(PG_FUNCTION_ARGS)
{
	MlsFigures figures = measure_arguments(fcinfo, mls_formulas_parse(PG_GETARG_TEXT_PP(2)), MLS_KS_ASYMPTOTIC);

	return mls_measure_test(fcinfo, figures.chi_squared, figures.chi_squared_p_value);
}

Datum
mls_out_of_bounds_rate(PG_FUNCTION_ARGS)
{
	return mls_measure_number(fcinfo,
							  measure_arguments(fcinfo, MLS_FORMULAS_AZURE, MLS_KS_ASYMPTOTIC).out_of_bounds_rate);
}
