/*
 * smirnov.h - p-values of the two-sample Kolmogorov-Smirnov test, as scipy.stats.ks_2samp chooses among them. Pure.
 */
#ifndef MLS_SMIRNOV_H
#define MLS_SMIRNOV_H

#include "postgres.h"

typedef enum MlsKsMethod
{
	MLS_KS_AUTO,  /* exact up to 10,000 values a side, else asymptotic */
	MLS_KS_EXACT, /* asymptotic only where the sizes' least common multiple does not fit 31 bits */
	MLS_KS_ASYMPTOTIC
} MlsKsMethod;

/* Called now and then during a long computation; may not return. NULL: none. */
typedef void (*MlsTick)(void);

/* The probability that two samples of m and n values of one continuous distribution differ by statistic or more. */
extern double mls_ks_p_value(int64 m, int64 n, double statistic, MlsKsMethod method, MlsTick tick);

/* The same for one sample of n values beside the distribution itself: Pr(D_n >= d), two-sided. */
extern double mls_kolmogorov_sf(int64 n, double d);

#endif
