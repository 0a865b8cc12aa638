/*
 * smirnov.c - Kolmogorov's and Smirnov's distributions. See smirnov.h.
 *
 * Exact, two samples: all orders of the m + n values are equally likely, so an order is a lattice path from (0, 0) to
 * (m, n), and the p-value is the share of paths that leave the band |i/m - j/n| < statistic. The share of the paths to
 * (i, j) that left it is a mean of its two predecessors' shares: sums of positive numbers, small p-values keep their digits.
 * Of two equal sizes the share has a closed form (reflection principle).
 *
 * Asymptotic: the one-sample distribution of the effective size mn / (m + n), by the methods that Simard and L'Ecuyer
 * (2011) found best for each region: closed forms at both ends, Marsaglia, Tsang and Wang's matrix (2003), Smirnov's sum
 * for the tail, and Pelz and Good's expansion (1976) where n is large.
 */
#include "postgres.h"

#include "drift/smirnov.h"

#include <math.h>

#include "drift/gamma.h"

#define EXACT_SIZE 10000
#define SCALE 140 /* decimal exponents that the matrix is scaled by */

static int64
greatest_common_divisor(int64 a, int64 b)
{
	while (b != 0)
	{
		int64 rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Paths to (n, n) that leave |i - j| < h, as a share: 2 (A1 - A2 + A3 - ...), Ak = C(2n, n - kh) / C(2n, n). */
static double
outside_square(int64 n, int64 h, MlsTick tick)
{
	double share = 0;

	for (int64 k = n / h; k >= 1; k--)
	{
		double ratio = 1; /* of Ak to its predecessor */

		for (int64 j = 0; j < h; j++)
		{
			if (tick != NULL && j % 65536 == 0)
				tick();
			ratio *= (double) (n - (k - 1) * h - j) / (n + (k - 1) * h + j + 1);
		}
		share = ratio * (1 - share);
	}
	return 2 * share;
}

/*
 * Paths to (m, n), m >= n, that leave |i n' - j m'| < h, as a share; m', n' are the sizes over their common divisor.
 * share[j] is that of the paths to (i, j); points outside have 1.
 */
static double
outside_band(int64 m, int64 n, int64 m_part, int64 n_part, int64 h, MlsTick tick)
{
	double *share = palloc(sizeof(double) * (n + 1));
	double *inverse = palloc(sizeof(double) * (m + n + 1));
	double result;

	for (int64 k = 1; k <= m + n; k++)
		inverse[k] = 1.0 / k;
	for (int64 j = 0; j <= n; j++)
		share[j] = j * m_part >= h;
	for (int64 i = 1; i <= m; i++)
	{
		int64 low = (i * n_part - h) < 0 ? 0 : (i * n_part - h) / m_part + 1;
		int64 high = Min(n, (i * n_part + h - 1) / m_part);

		if (tick != NULL && i % 64 == 0)
			tick();
		if (low > 0)
			share[Min(low, n + 1) - 1] = 1;
		for (int64 j = low; j <= high; j++)
			share[j] = (i * share[j] + (j > 0 ? j * share[j - 1] : 0)) * inverse[i + j];
	}
	result = share[n];
	pfree(share);
	pfree(inverse);
	return result;
}

/* Pr(D+_n >= d), one-sided: Smirnov's sum d C(n, j) (d + j/n)^(j - 1) (1 - d - j/n)^(n - j), each term by Loader's form. */
static double
smirnov_sf(int64 n, double d)
{
	double t = n * d;
	double whole = mls_stirling_error(n);
	double sum = exp(n * log1p(-d));

	for (int64 j = 1; j < n - t; j++)
	{
		double rest = n - j;
		double power = j * log1p(t / j) + rest * log1p(-t / rest);

		power += whole - mls_stirling_error(j) - mls_stirling_error(rest);
		sum += d / (d + (double) j / n) * sqrt(n / (2 * M_PI * j * rest)) * exp(power);
	}
	return Min(sum, 1);
}

/* c = a b, square matrices of size k. */
static void
multiply(const double *a, const double *b, double *c, int k)
{
	memset(c, 0, sizeof(double) * k * k);
	for (int row = 0; row < k; row++)
		for (int i = 0; i < k; i++)
			for (int column = 0; column < k; column++)
				c[row * k + column] += a[row * k + i] * b[i * k + column];
}

/* Keep the matrix within the range of double; its true value is matrix * 10^exponent. */
static void
scale_down(double *matrix, int k, int *exponent)
{
	if (matrix[k / 2 * k + k / 2] < pow(10, SCALE))
		return;
	for (int i = 0; i < k * k; i++)
		matrix[i] *= pow(10, -SCALE);
	*exponent += SCALE;
}

/* Durbin's matrix H for k - h = n d. */
static void
durbin_matrix(double *matrix, int size, double h)
{
	for (int row = 0; row < size; row++)
		for (int column = 0; column < size; column++)
			matrix[row * size + column] = row - column + 1 >= 0;
	for (int i = 0; i < size; i++)
	{
		matrix[i * size] -= pow(h, i + 1);
		matrix[(size - 1) * size + i] -= pow(h, size - i);
	}
	matrix[(size - 1) * size] += 2 * h - 1 > 0 ? pow(2 * h - 1, size) : 0;
	for (int row = 0; row < size; row++)
		for (int column = 0; column < size; column++)
			for (int factor = 1; factor <= row - column + 1; factor++)
				matrix[row * size + column] /= factor;
}

/* Pr(D_n < d): n!/n^n times the middle of H^n. */
static double
matrix_cdf(int64 n, double d)
{
	int k = (int) (n * d) + 1;
	int size = 2 * k - 1;
	size_t bytes = sizeof(double) * size * size;
	double *base = palloc(bytes);
	double *power = palloc0(bytes);
	double *product = palloc(bytes);
	int base_exponent = 0;
	int exponent = 0;
	double result;

	durbin_matrix(base, size, k - n * d);
	for (int i = 0; i < size; i++)
		power[i * size + i] = 1;
	for (int64 rest = n; rest > 0; rest /= 2)
	{
		if (rest % 2)
		{
			multiply(power, base, product, size);
			memcpy(power, product, bytes);
			exponent += base_exponent;
			scale_down(power, size, &exponent);
		}
		multiply(base, base, product, size);
		memcpy(base, product, bytes);
		base_exponent *= 2;
		scale_down(base, size, &base_exponent);
	}
	result = power[(k - 1) * size + k - 1];
	for (int64 i = 1; i <= n; i++)
	{
		result = result * i / n;
		if (result < pow(10, -SCALE))
		{
			result *= pow(10, SCALE);
			exponent -= SCALE;
		}
	}
	pfree(base);
	pfree(power);
	pfree(product);
	return result * pow(10, exponent);
}

/* The terms of Pelz and Good's K0 to K3 that belong to the odd number m = 2k - 1. */
static void
add_odd_terms(double terms[4], double z, int m)
{
	double z2 = z * z, z4 = z2 * z2, z6 = z4 * z2, z8 = z4 * z4;
	double p2 = M_PI * M_PI * m * m, p4 = p2 * p2, p6 = p4 * p2;
	double weight = exp(-p2 / (8 * z2));

	terms[0] += weight;
	terms[1] += weight * (-z2 + p2 / 4);
	terms[2] += weight * (6 * z6 + 2 * z4 + (2 * z4 - 5 * z2) * p2 / 4 + (1 - 2 * z2) * p4 / 16);
	terms[3] += weight * (-30 * z6 - 90 * z8 + (135 * z4 - 96 * z6) * p2 / 4 + (212 * z4 - 60 * z2) * p4 / 16 +
						  (5 - 30 * z2) * p6 / 64);
}

/* Those that belong to every k, of K2 and K3. */
static void
add_whole_terms(double terms[2], double z, int k)
{
	double p2 = M_PI * M_PI * k * k;
	double weight = exp(-p2 / (2 * z * z));

	terms[0] += weight * p2;
	terms[1] += weight * (3 * p2 * z * z - p2 * p2);
}

/* Pr(D_n < d) ~ K0(z) + K1(z) / sqrt(n) + K2(z) / n + K3(z) / sqrt(n)^3, z = d sqrt(n). */
static double
expansion_cdf(int64 n, double d)
{
	double root = sqrt(n);
	double z = d * root;
	double odd[4] = {0};
	double whole[2] = {0};
	double factor = sqrt(2 * M_PI);

	for (int k = (int) ceil(16 * z / M_PI) + 1; k > 0; k--)
	{
		add_odd_terms(odd, z, 2 * k - 1);
		add_whole_terms(whole, z, k);
	}
	return factor * (odd[0] / z + odd[1] / (6 * pow(z, 4)) / root +
					 (odd[2] / (72 * pow(z, 7)) - whole[0] / (36 * pow(z, 3))) / n +
					 (odd[3] / (6480 * pow(z, 10)) + whole[1] / (216 * pow(z, 6))) / (n * root));
}

static double
clip(double probability)
{
	return probability < 0 ? 0 : probability > 1 ? 1 : probability;
}

double
mls_kolmogorov_sf(int64 n, double d)
{
	double t = n * d;
	double square = t * d;

	if (d >= 1)
		return 0;
	if (t <= 0.5)
		return 1;
	if (t <= 1)
		return clip(1 - exp(mls_stirling_error(n) + 0.5 * log(2 * M_PI * n) - n + n * log(2 * t - 1)));
	if (t >= n - 1)
		return clip(2 * pow(1 - d, n));
	if (square >= 370)
		return 0;
	if (d >= 0.5 || square >= (n <= 140 ? 4 : 2.2))
		return clip(2 * smirnov_sf(n, d));
	if (n <= 140 || (n <= 100000 && n * pow(d, 1.5) <= 1.4))
		return clip(1 - matrix_cdf(n, d));
	if (d * sqrt(n) < 0.042) /* all terms underflow */
		return 1;
	return clip(1 - expansion_cdf(n, d));
}

double
mls_ks_p_value(int64 m, int64 n, double statistic, MlsKsMethod method, MlsTick tick)
{
	int64 big = Max(m, n);
	int64 small = Min(m, n);
	int64 divisor = greatest_common_divisor(big, small);
	bool exact = method == MLS_KS_AUTO ? big <= EXACT_SIZE : method == MLS_KS_EXACT;

	if (exact && big / divisor < PG_INT32_MAX / (small / divisor))
	{
		/* What can differ is a multiple of 1 / the least common multiple. */
		int64 h = (int64) rint(statistic * (big / divisor) * small);

		if (h == 0)
			return 1;
		if (big == small)
			return clip(outside_square(big, h, tick));
		return clip(outside_band(big, small, big / divisor, small / divisor, h, tick));
	}
	return mls_kolmogorov_sf((int64) rint((double) big * small / ((double) big + small)), statistic);
}
