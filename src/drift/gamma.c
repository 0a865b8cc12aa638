/*
 * gamma.c - upper tail of the chi-squared distribution. See gamma.h.
 *
 * Q(a, x) is 1 - its series below x = a + 1 and a continued fraction above. Both carry the factor x^a e^-x / Gamma(a + 1),
 * which is written with Stirling's error and the deviance (Loader, 2000): the plain form loses digits with large a.
 */
#include "postgres.h"

#include "drift/gamma.h"

#include <float.h>
#include <math.h>

#define MAX_TERMS 10000000

double
mls_stirling_error(double x)
{
	double square = x * x;

	if (x < 16)
		return lgamma(x + 1) - (x + 0.5) * log(x) + x - 0.5 * log(2 * M_PI);
	return (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - (1.0 / 1680 - 1.0 / 1188 / square) / square) / square) / square) / x;
}

double
mls_deviance(double x, double mean)
{
	double v = (x - mean) / (x + mean);
	double sum;
	double power;

	if (fabs(x - mean) >= 0.1 * (x + mean))
		return x * log(x / mean) + mean - x;
	/* ln(x / mean) = 2 atanh(v) as a series; its first term is taken together with mean - x. */
	sum = (x - mean) * v;
	power = 2 * x * v;
	for (int i = 1; i < 1000; i++)
	{
		double before = sum;

		power *= v * v;
		sum += power / (2 * i + 1);
		if (sum == before)
			break;
	}
	return sum;
}

/* x^a e^-x / Gamma(a + 1). */
static double
poisson(double a, double x)
{
	return exp(-mls_stirling_error(a) - mls_deviance(a, x)) / sqrt(2 * M_PI * a);
}

/* Sum of x^k / ((a + 1) ... (a + k)) over k. */
static double
lower_series(double a, double x)
{
	double term = 1;
	double sum = 1;

	for (int k = 1; k < MAX_TERMS && term > sum * DBL_EPSILON / 4; k++)
	{
		term *= x / (a + k);
		sum += term;
	}
	return sum;
}

/* Gamma(a, x) / (x^a e^-x): the continued fraction, by Lentz's method. */
static double
upper_fraction(double a, double x)
{
	double b = x + 1 - a;
	double c = 1 / DBL_MIN;
	double d = 1 / b;
	double fraction = d;

	for (int k = 1; k < MAX_TERMS; k++)
	{
		double numerator = -k * (k - a);
		double step;

		b += 2;
		d = numerator * d + b;
		d = 1 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
		c = b + numerator / c;
		c = fabs(c) < DBL_MIN ? DBL_MIN : c;
		step = d * c;
		fraction *= step;
		if (fabs(step - 1) < DBL_EPSILON)
			break;
	}
	return fraction;
}

double
mls_chi_squared_sf(double statistic, double df)
{
	double a = df / 2;
	double x = statistic / 2;

	if (!(df > 0) || isnan(statistic))
		return NAN;
	if (x <= 0)
		return 1;
	if (isinf(x))
		return 0;
	if (x < a + 1)
		return 1 - poisson(a, x) * lower_series(a, x);
	return poisson(a, x) * a * upper_fraction(a, x);
}
