/* sources: src/codec/decode_time.c src/codec/json_number.c src/codec/json_read.c
 *
 * test_decode_time.c - ISO texts against the C library's calendar, numbers since the epoch.
 */
#include "postgres.h"

#include <time.h>

#include "codec/decode_time.h"
#include "tap.h"

#define SHIFT INT64CONST(946684800) /* seconds from 1970 to 2000 */

static uint64 state = 88172645463325252;

static uint64
next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void
test_random(void)
{
	int wrong = 0;

	for (int i = 0; i < 200000; i++)
	{
		time_t seconds = (time_t) (next_random() % UINT64CONST(315500000000)) - INT64CONST(62135596800);
		int zone = (int) (next_random() % 1800) - 900;
		int usec = (int) (next_random() % 1000000);
		struct tm tm;
		char text[64];
		Timestamp local;
		TimestampTz utc;
		bool zoned;

		gmtime_r(&seconds, &tm);
		snprintf(text, sizeof(text), "%04d-%02d-%02d%c%02d:%02d:%02d.%06d%c%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
				 tm.tm_mday, i % 2 ? 'T' : ' ', tm.tm_hour, tm.tm_min, tm.tm_sec, usec, zone < 0 ? '-' : '+',
				 abs(zone) / 60, abs(zone) % 60);
		if (!mls_time_parse_iso(text, strlen(text), &local, &utc, &zoned) || !zoned ||
			local != (seconds - SHIFT) * USECS_PER_SEC + usec || utc != local - zone * USECS_PER_MINUTE)
			wrong++;
	}
	ok(wrong == 0, "200,000 random times come out as the C library has them");
}

static void
iso(const char *text, bool good, bool is_zoned)
{
	Timestamp local;
	TimestampTz utc;
	bool zoned = false;

	ok(mls_time_parse_iso(text, strlen(text), &local, &utc, &zoned) == good && zoned == is_zoned, "\"%s\"", text);
}

static void
test_forms(void)
{
	static const char *const left_alone[] = {
		"",
		"2026-03-02",
		"2026-03-02T",
		"2026-03-02T10",
		"2026-03-02T10:00:60Z",
		"2026-03-02T24:00:00Z",
		"2026-02-29T10:00:00Z",
		"2100-02-29T10:00:00Z",
		"2026-13-01T10:00:00Z",
		"2026-00-01T10:00:00Z",
		"2026-01-00T10:00:00Z",
		"2026-04-31T10:00:00Z",
		"0000-01-01T10:00:00Z",
		"2026-03-02T10:00:00.Z",
		"2026-03-02T10:00:00.1234567Z",
		"2026-03-02T10:00:00+",
		"2026-03-02T10:00:00+1",
		"2026-03-02T10:00:00+16:00",
		"2026-03-02T10:00:00+01:60",
		"2026-03-02T10:00:00ZZ",
		"2026-03-02T10:00:00 PST",
		"26-03-02T10:00:00Z",
		"infinity",
		"2026-03-02x10:00:00Z",
	};

	iso("2026-03-02T10:00Z", true, true);
	iso("2026-03-02 10:00:00", true, false);
	iso("2026-03-02T10:00:00.5+0530", true, true);
	iso("2026-03-02T10:00:00-05", true, true);
	iso("2024-02-29T10:00:00Z", true, true);
	iso("2000-02-29T10:00:00Z", true, true);
	iso("9999-12-31T23:59:59.999999Z", true, true);
	for (int i = 0; i < lengthof(left_alone); i++)
	{
		Timestamp local;
		TimestampTz utc;
		bool zoned;

		ok(!mls_time_parse_iso(left_alone[i], strlen(left_alone[i]), &local, &utc, &zoned),
		   "\"%s\" is left to PostgreSQL", left_alone[i]);
	}
}

static void
number(const char *token, MlsTimeUnit unit, bool good, int64 usecs)
{
	TimestampTz result = 0;
	bool got = mls_time_from_number(token, strlen(token), unit, &result);

	ok(got == good && (!good || result == usecs - SHIFT * USECS_PER_SEC), "%s in unit %d", token, unit);
}

static void
test_numbers(void)
{
	number("0", MLS_TIME_AUTO, true, 0);
	number("-1", MLS_TIME_AUTO, true, -1000000);
	number("99999999999", MLS_TIME_AUTO, true, INT64CONST(99999999999000000));
	number("100000000000", MLS_TIME_AUTO, true, INT64CONST(100000000000000));
	number("-100000000000", MLS_TIME_AUTO, true, INT64CONST(-100000000000000));
	number("99999999999999", MLS_TIME_AUTO, true, INT64CONST(99999999999999000));
	number("100000000000000", MLS_TIME_AUTO, true, INT64CONST(100000000000000));
	number("100000000000000000", MLS_TIME_AUTO, true, INT64CONST(100000000000000));
	number("1700000000.25", MLS_TIME_AUTO, true, INT64CONST(1700000000250000));
	number("1700000000123.5", MLS_TIME_AUTO, true, INT64CONST(1700000000123500));
	number("1.7e9", MLS_TIME_AUTO, true, INT64CONST(1700000000000000));
	number("5000", MLS_TIME_SECONDS, true, INT64CONST(5000000000));
	number("5000", MLS_TIME_MILLISECONDS, true, 5000000);
	number("5000", MLS_TIME_MICROSECONDS, true, 5000);
	number("5999", MLS_TIME_NANOSECONDS, true, 5);
	number("-1", MLS_TIME_NANOSECONDS, true, -1);
	number("-1500.5", MLS_TIME_NANOSECONDS, true, -2);
	number("9223372036854775807", MLS_TIME_SECONDS, false, 0);
	number("9223372036854775807", MLS_TIME_MICROSECONDS, true, INT64CONST(9223372036854775807));
	number("1e19", MLS_TIME_MICROSECONDS, false, 0);
	number("1e300", MLS_TIME_AUTO, false, 0);
	number("-9223372036854775808", MLS_TIME_MICROSECONDS, false, 0);
}

int
main(void)
{
	test_random();
	test_forms();
	test_numbers();
	return done_testing();
}
