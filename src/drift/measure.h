/*
 * measure.h - figures of drift as SQL takes them: arguments by name, results by what is asked for.
 */
#ifndef MLS_MEASURE_H
#define MLS_MEASURE_H

#include "ml_score.h"

#include "drift/compare.h"

/* "azure" or "scipy"; raises at others. */
extern MlsFormulas mls_formulas_parse(const text *word);

/* "auto", "exact" or "asymptotic"; raises at others. */
extern MlsKsMethod mls_ks_method_parse(const text *word);

/* Compare features, interruptibly. Raises when only one is numeric. */
extern MlsFigures mls_measure(MlsCounts *baseline, MlsCounts *current, MlsFormulas formulas, MlsKsMethod method);

/* What a function or an aggregate returns: the number, or NULL for NaN. */
extern Datum mls_measure_number(FunctionCallInfo fcinfo, double number);

/* A value of type ml_score.test_result; NULL when the test is not defined. */
extern Datum mls_measure_test(FunctionCallInfo fcinfo, double statistic, double p_value);

#endif
