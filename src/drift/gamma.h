/*
 * gamma.h - the gamma function's relatives that p-values need. Pure; relative errors stay below 1e-10.
 */
#ifndef MLS_GAMMA_H
#define MLS_GAMMA_H

/* ln(Gamma(x + 1)) less Stirling's formula for it, x > 0. */
extern double mls_stirling_error(double x);

/* x ln(x / mean) + mean - x without cancellation, x > 0 and mean > 0. */
extern double mls_deviance(double x, double mean);

/* The probability that chi-squared with df degrees of freedom is above statistic; NaN unless df > 0. */
extern double mls_chi_squared_sf(double statistic, double df);

#endif
