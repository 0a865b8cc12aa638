/*
 * json_number.c - see json_number.h.
 *
 * strtod is right, but takes several times as long as the rest of a reply's decoding. A double's digits come as an
 * integer of at most 19 digits and a power of ten, for which two exact short cuts exist: with few digits and a power
 * that is itself an exact double, one IEEE operation rounds correctly; with more digits, one division of integers gives
 * 64 bits of the quotient and whether anything was left, which is all that rounding needs. Everything else is strtod's.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "codec/json_number.h"
#include "codec/json_read.h"
#include "port/pg_bitutils.h"

#define MAX_TOKEN 64 /* longer ones are copied to the heap for strtod */

/* A token taken apart: sign, the digits as an integer, the power of ten. */
typedef struct Decimal
{
	bool negative;
	bool exact; /* the digits fit */
	uint64 digits;
	int exponent;
} Decimal;

static const double exact_powers[] = {1e0,	1e1,  1e2,	1e3,  1e4,	1e5,  1e6,	1e7,  1e8,	1e9,  1e10, 1e11,
									  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

bool
mls_number_valid(const char *s, size_t len)
{
	MlsJsonReader r;
	MlsSpan value;

	if (len == 0 || (s[0] != '-' && (s[0] < '0' || s[0] > '9')))
		return false;
	mls_json_start(&r, s, len);
	return mls_json_peek(&r) == MLS_SPAN_NUMBER && mls_json_value(&r, &value) && r.at == r.end;
}

/* Read the digits after an 'e'; clipped, so that adding to it cannot overflow. */
static int
read_exponent(const char *p, const char *end)
{
	bool negative = false;
	int exponent = 0;

	if (*p == '+' || *p == '-')
		negative = *p++ == '-';
	for (; p < end; p++)
		exponent = Min(exponent * 10 + (*p - '0'), 100000);
	return negative ? -exponent : exponent;
}

static void
take_apart(const char *s, size_t len, Decimal *d)
{
	const char *p = s;
	const char *end = s + len;
	uint64 digits = 0;
	int ndigits = 0;
	int exponent = 0;
	bool fraction = false;

	d->negative = *p == '-';
	if (d->negative)
		p++;
	for (; p < end; p++)
	{
		if (*p == '.')
		{
			fraction = true;
			continue;
		}
		if (*p == 'e' || *p == 'E')
		{
			exponent += read_exponent(p + 1, end);
			break;
		}
		digits = digits * 10 + (*p - '0');
		if (digits != 0)
			ndigits++;
		if (fraction)
			exponent--;
	}
	d->exact = ndigits <= 19;
	d->digits = digits;
	d->exponent = exponent;
}

#ifdef HAVE_INT128
/* digits / 10^power, power 1..19, digits not 0, rounded to the nearest double, ties to even. */
static double
divide_by_power(uint64 digits, int power)
{
	static const uint64 powers[] = {UINT64CONST(10000000000),		  UINT64CONST(100000000000),
									UINT64CONST(1000000000000),		  UINT64CONST(10000000000000),
									UINT64CONST(100000000000000),	  UINT64CONST(1000000000000000),
									UINT64CONST(10000000000000000),	  UINT64CONST(100000000000000000),
									UINT64CONST(1000000000000000000), UINT64CONST(10000000000000000000)};
	uint64 divisor = power < 10 ? (uint64) exact_powers[power] : powers[power - 10];
	int shift_digits = 63 - pg_leftmost_one_pos64(digits);
	int shift_divisor = 63 - pg_leftmost_one_pos64(divisor);
	uint128 numerator = (uint128) (digits << shift_digits) << 63;
	uint64 quotient;

	divisor <<= shift_divisor;
	quotient = (uint64) (numerator / divisor);

	/* At least 62 bits of quotient, of which 53 are kept: the lowest one may stand for all that was cut off. */
	if ((uint64) numerator != quotient * divisor)
		quotient |= 1;
	return ldexp((double) quotient, shift_divisor - shift_digits - 63);
}
#endif

/* The short cuts; false when none of them applies. */
static bool
quick_double(const Decimal *d, double *result)
{
	if (!d->exact)
		return false;
	if (d->digits == 0)
		*result = 0;
	else if (d->digits <= (UINT64CONST(1) << 53) && d->exponent >= -22 && d->exponent <= 22)
		*result = d->exponent < 0 ? (double) d->digits / exact_powers[-d->exponent]
								  : (double) d->digits * exact_powers[d->exponent];
#ifdef HAVE_INT128
	else if (d->exponent < 0 && d->exponent >= -19)
		*result = divide_by_power(d->digits, -d->exponent);
#endif
	else
		return false;
	if (d->negative)
		*result = -*result;
	return true;
}

/* strtod or strtof on a token, which has no terminator of its own. */
static double
slow_double(const char *s, size_t len, bool single)
{
	char local[MAX_TOKEN];
	char *copy = len < sizeof(local) ? local : palloc(len + 1);
	double result;

	memcpy(copy, s, len);
	copy[len] = '\0';
	result = single ? strtof(copy, NULL) : strtod(copy, NULL);
	if (copy != local)
		pfree(copy);
	return result;
}

MlsNumberStatus
mls_number_to_double(const char *s, size_t len, double *result)
{
	Decimal d;

	take_apart(s, len, &d);
	if (quick_double(&d, result))
		return MLS_NUMBER_OK;
	*result = slow_double(s, len, false);
	return isinf(*result) ? MLS_NUMBER_RANGE : MLS_NUMBER_OK;
}

MlsNumberStatus
mls_number_to_float(const char *s, size_t len, float *result)
{
	Decimal d;
	double wide;
	uint64 bits;

	take_apart(s, len, &d);
	if (quick_double(&d, &wide))
	{
		/* Rounding twice goes wrong only when the first landed on the middle of two floats. */
		memcpy(&bits, &wide, sizeof(bits));
		if (wide == 0 || ((bits & 0x1FFFFFFF) != 0x10000000 && fabs(wide) > 2.0 * FLT_MIN && fabs(wide) < FLT_MAX / 2))
		{
			*result = (float) wide;
			return MLS_NUMBER_OK;
		}
	}
	*result = (float) slow_double(s, len, true);
	return isinf(*result) ? MLS_NUMBER_RANGE : MLS_NUMBER_OK;
}

/* Drop the zeros that end a fraction, so that 3.000 has as few digits as 3. */
static size_t
trim_fraction(const char *s, size_t len)
{
	if (memchr(s, 'e', len) || memchr(s, 'E', len) || !memchr(s, '.', len))
		return len;
	while (s[len - 1] == '0')
		len--;
	return s[len - 1] == '.' ? len - 1 : len;
}

MlsNumberStatus
mls_number_to_int64(const char *s, size_t len, int64 *result)
{
	Decimal d;
	uint64 limit;

	take_apart(s, trim_fraction(s, len), &d);
	if (!d.exact)
		return MLS_NUMBER_RANGE;
	for (; d.exponent < 0 && d.digits != 0; d.exponent++)
	{
		if (d.digits % 10 != 0)
			return MLS_NUMBER_FRACTION;
		d.digits /= 10;
	}
	limit = d.negative ? UINT64CONST(1) << 63 : (UINT64CONST(1) << 63) - 1;
	for (; d.exponent > 0 && d.digits != 0; d.exponent--)
	{
		if (d.digits > limit / 10)
			return MLS_NUMBER_RANGE;
		d.digits *= 10;
	}
	if (d.digits > limit)
		return MLS_NUMBER_RANGE;
	*result = d.negative ? (int64) -d.digits : (int64) d.digits;
	return MLS_NUMBER_OK;
}
