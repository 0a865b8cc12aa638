/* sources: src/codec/json_number.c src/codec/json_read.c
 *
 * test_json_number.c - number tokens to C numbers, against the C library's conversion bit by bit.
 */
#include "postgres.h"

#include "codec/json_number.h"
#include "tap.h"

static uint64 state = 88172645463325252;

static uint64
next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static int
same_double(const char *token)
{
	double got;
	double expected = strtod(token, NULL);
	MlsNumberStatus status = mls_number_to_double(token, strlen(token), &got);

	if (__builtin_isinf(expected))
		return status == MLS_NUMBER_RANGE;
	return status == MLS_NUMBER_OK && memcmp(&got, &expected, sizeof(got)) == 0;
}

static int
same_float(const char *token)
{
	float got;
	float expected = strtof(token, NULL);
	MlsNumberStatus status = mls_number_to_float(token, strlen(token), &got);

	if (__builtin_isinf(expected))
		return status == MLS_NUMBER_RANGE;
	return status == MLS_NUMBER_OK && memcmp(&got, &expected, sizeof(got)) == 0;
}

static void
test_tokens(void)
{
	static const char *const tokens[] = {"0",
										 "-0",
										 "0.0",
										 "-0.0",
										 "1",
										 "-1",
										 "0.1",
										 "0.3",
										 "123456789.125",
										 "1e22",
										 "1e23",
										 "9007199254740993",
										 "9007199254740992.5",
										 "9007199254740993.5",
										 "0.30000000000000004",
										 "2.2250738585072011e-308",
										 "4.9e-324",
										 "2.4703282292062327e-324",
										 "1.7976931348623157e308",
										 "1.7976931348623159e308",
										 "1e309",
										 "-1e309",
										 "1e-400",
										 "12345678901234567890",
										 "123456789012345678901234567890",
										 "0.1234567890123456789012",
										 "1e0000000000000005",
										 "8.5",
										 "18446744073709551615",
										 "9999999999999999999",
										 "0.9999999999999999999",
										 "1.0000000000000000001",
										 "16777217",
										 "16777217.0000001",
										 "3.4028235e38",
										 "3.4028236e38",
										 "1.17549435e-38",
										 "1e-45",
										 "7.0064923216240854e-46",
										 "1e99999999999999999999",
										 "1e-99999999999999999999",
										 "0e99999999999"};

	for (int i = 0; i < lengthof(tokens); i++)
	{
		ok(same_double(tokens[i]), "double %s", tokens[i]);
		ok(same_float(tokens[i]), "float %s", tokens[i]);
	}
}

static void
test_random(void)
{
	int wrong = 0;

	for (int i = 0; i < 300000; i++)
	{
		char token[64];
		uint64 bits = next_random();
		double value;

		switch (i % 5)
		{
			case 0: /* any double, shortest or longest digits */
				memcpy(&value, &bits, sizeof(value));
				if (__builtin_isnan(value) || __builtin_isinf(value))
					continue;
				snprintf(token, sizeof(token), "%.*g", i % 2 ? 17 : 15, value);
				break;
			case 1: /* what models answer */
				snprintf(token, sizeof(token), "%.*f", (int) (bits % 17), (double) (bits >> 20) / 1e9);
				break;
			case 2: /* probabilities with all digits */
				snprintf(token, sizeof(token), "%.17g", (double) (bits >> 11) / 9007199254740992.0);
				break;
			case 3: /* digits and a point at random */
				snprintf(token, sizeof(token), "%llu.%llu", (unsigned long long) (bits % 100000),
						 (unsigned long long) next_random() % 100000000000000ULL);
				break;
			default: /* nineteen digits and an exponent */
				snprintf(token, sizeof(token), "%llue%d", (unsigned long long) (bits >> 1),
						 (int) (next_random() % 60) - 40);
				break;
		}
		if (!same_double(token) || !same_float(token))
		{
			if (wrong++ == 0)
				ok(0, "%s", token);
		}
	}
	ok(wrong == 0, "300,000 random numbers come out as strtod and strtof have them");
}

/* Half way between two doubles, and one digit to either side: the cases that rounding goes wrong on. */
static void
test_halves(void)
{
	int wrong = 0;

	for (int i = 0; i < 100000; i++)
	{
		uint64 digits = (UINT64CONST(1) << 53) + 2 * (next_random() >> 12) + 1;
		char token[64];

		digits %= UINT64CONST(1) << 54;
		for (int k = -1; k <= 1; k++)
		{
			snprintf(token, sizeof(token), "%llu%03d.%se-%d", (unsigned long long) (digits / 8),
					 (int) (digits % 8 * 125) + k, k == 0 ? "0" : "5", i % 16);
			wrong += digits % 8 * 125 + k < 1000 && !same_double(token);
		}
	}
	ok(wrong == 0, "nor do numbers near the middle of two doubles");
}

static void
integer(const char *token, MlsNumberStatus status, int64 value)
{
	int64 got = -42;
	MlsNumberStatus got_status = mls_number_to_int64(token, strlen(token), &got);

	ok(got_status == status && (status != MLS_NUMBER_OK || got == value), "integer %s", token);
}

static void
test_integers(void)
{
	integer("0", MLS_NUMBER_OK, 0);
	integer("-0", MLS_NUMBER_OK, 0);
	integer("3.0", MLS_NUMBER_OK, 3);
	integer("-3.000000000000000000000000", MLS_NUMBER_OK, -3);
	integer("3e2", MLS_NUMBER_OK, 300);
	integer("300e-2", MLS_NUMBER_OK, 3);
	integer("12.50e1", MLS_NUMBER_OK, 125);
	integer("3.5", MLS_NUMBER_FRACTION, 0);
	integer("1e-5", MLS_NUMBER_FRACTION, 0);
	integer("9223372036854775807", MLS_NUMBER_OK, PG_INT64_MAX);
	integer("9223372036854775808", MLS_NUMBER_RANGE, 0);
	integer("-9223372036854775808", MLS_NUMBER_OK, PG_INT64_MIN);
	integer("-9223372036854775809", MLS_NUMBER_RANGE, 0);
	integer("99999999999999999999", MLS_NUMBER_RANGE, 0);
	integer("1e19", MLS_NUMBER_RANGE, 0);
	integer("1e99999", MLS_NUMBER_RANGE, 0);
	integer("0e99999", MLS_NUMBER_OK, 0);
	integer("9007199254740993", MLS_NUMBER_OK, INT64CONST(9007199254740993));
}

static void
test_valid(void)
{
	static const char *const good[] = {"0", "-1.5e+3", "12"};
	static const char *const bad[] = {"", " 1", "1 ", "+1", ".5", "1.", "0x1", "1e", "NaN", "-Infinity", "1,2", "01"};

	for (int i = 0; i < lengthof(good); i++)
		ok(mls_number_valid(good[i], strlen(good[i])), "\"%s\" is a number", good[i]);
	for (int i = 0; i < lengthof(bad); i++)
		ok(!mls_number_valid(bad[i], strlen(bad[i])), "\"%s\" is none", bad[i]);
}

int
main(void)
{
	test_tokens();
	test_random();
	test_halves();
	test_integers();
	test_valid();
	return done_testing();
}
