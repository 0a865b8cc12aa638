/*
 * compare.h - the figures of drift between a baseline and current values of one feature. Pure.
 */
#ifndef MLS_COMPARE_H
#define MLS_COMPARE_H

#include "drift/counts.h"
#include "drift/smirnov.h"

/* Whose formulas, where they differ. */
typedef enum MlsFormulas
{
	MLS_FORMULAS_AZURE,
	MLS_FORMULAS_SCIPY
} MlsFormulas;

/* NaN: not defined for this feature. */
typedef struct MlsFigures
{
	double psi;
	double js_distance;
	double ks_statistic;
	double ks_p_value;
	double chi_squared;
	double chi_squared_p_value;
	double wasserstein;
	double normalized_wasserstein;
	double out_of_bounds_rate; /* of the current rows, missing ones included */
} MlsFigures;

/* Both features are numeric, or neither; both sources are at their beginning and are read to the end. */
extern MlsFigures mls_compare(MlsCounts *baseline, MlsCounts *current, MlsFormulas formulas, MlsKsMethod method,
							  MlsTick tick);

/* The probability that a positive has a greater number than a negative, half of it for equals; NaN without both. */
extern double mls_compare_auc(MlsCounts *negatives, MlsCounts *positives);

#endif
