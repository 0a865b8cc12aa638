/*
 * decode_time.c - see decode_time.h.
 */
#include "postgres.h"

#include <math.h>

#include "codec/decode_time.h"
#include "codec/json_number.h"
#include "common/int.h"

#define EPOCH_SHIFT ((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* Read exactly n digits, moving *p past them; -1 when they are not there. */
static int
digits(const char **p, const char *end, int n)
{
	int result = 0;

	if (end - *p < n)
		return -1;
	for (int i = 0; i < n; i++)
	{
		unsigned char c = (unsigned char) (*p)[i] - '0';

		if (c > 9)
			return -1;
		result = result * 10 + c;
	}
	*p += n;
	return result;
}

static bool
skip_char(const char **p, const char *end, char c)
{
	if (*p >= end || **p != c)
		return false;
	(*p)++;
	return true;
}

/* Days since 2000-01-01 of a day of the Gregorian calendar: years begin in March, so that leap days end them. */
static int
days_from_date(int year, int month, int day)
{
	int y = month > 2 ? year : year - 1;
	int m = (month + 9) % 12;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 730425;
}

static bool
parse_date(const char **p, const char *end, int *days)
{
	static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year = digits(p, end, 4);
	int month;
	int day;

	if (year < 1 || !skip_char(p, end, '-'))
		return false;
	month = digits(p, end, 2);
	if (month < 1 || month > 12 || !skip_char(p, end, '-'))
		return false;
	day = digits(p, end, 2);
	if (day < 1 || day > lengths[month - 1])
		return false;
	if (month == 2 && day == 29 && (year % 4 != 0 || (year % 100 == 0 && year % 400 != 0)))
		return false;
	*days = days_from_date(year, month, day);
	return true;
}

/* Up to six digits after a point, as microseconds. More of them are to be rounded as PostgreSQL does. */
static bool
parse_fraction(const char **p, const char *end, int *usec)
{
	int scale = 100000;

	*usec = 0;
	while (*p < end && **p >= '0' && **p <= '9')
	{
		if (scale == 0)
			return false;
		*usec += (*(*p)++ - '0') * scale;
		scale /= 10;
	}
	return scale < 100000;
}

static bool
parse_clock(const char **p, const char *end, int64 *usecs)
{
	int hour = digits(p, end, 2);
	int minute;
	int second = 0;
	int usec = 0;

	if (hour < 0 || hour > 23 || !skip_char(p, end, ':'))
		return false;
	minute = digits(p, end, 2);
	if (minute < 0 || minute > 59)
		return false;
	if (skip_char(p, end, ':'))
	{
		second = digits(p, end, 2);
		if (second < 0 || second > 59)
			return false;
		if (skip_char(p, end, '.') && !parse_fraction(p, end, &usec))
			return false;
	}
	*usecs = ((hour * INT64CONST(60) + minute) * 60 + second) * USECS_PER_SEC + usec;
	return true;
}

/* What is to be taken from the clock for UTC. */
static bool
parse_zone(const char **p, const char *end, int64 *usecs)
{
	bool east;
	int hour;
	int minute = 0;

	*usecs = 0;
	if (skip_char(p, end, 'Z'))
		return true;
	east = skip_char(p, end, '+');
	if (!east && !skip_char(p, end, '-'))
		return false;
	hour = digits(p, end, 2);
	if (hour < 0 || hour > 15)
		return false;
	if (*p < end)
	{
		skip_char(p, end, ':');
		minute = digits(p, end, 2);
		if (minute < 0 || minute > 59)
			return false;
	}
	*usecs = (hour * INT64CONST(60) + minute) * 60 * USECS_PER_SEC;
	if (!east)
		*usecs = -*usecs;
	return true;
}

bool
mls_time_parse_iso(const char *text, size_t len, Timestamp *local, TimestampTz *utc, bool *zoned)
{
	const char *p = text;
	const char *end = text + len;
	int days;
	int64 clock;
	int64 zone = 0;

	if (!parse_date(&p, end, &days))
		return false;
	if (!skip_char(&p, end, 'T') && !skip_char(&p, end, ' '))
		return false;
	if (!parse_clock(&p, end, &clock))
		return false;
	*zoned = p < end;
	if (*zoned && (!parse_zone(&p, end, &zone) || p != end))
		return false;
	*local = days * USECS_PER_DAY + clock;
	*utc = *local - zone;
	return true;
}

static MlsTimeUnit
unit_by_size(double number)
{
	double size = fabs(number);

	if (size < 1e11)
		return MLS_TIME_SECONDS;
	if (size < 1e14)
		return MLS_TIME_MILLISECONDS;
	return size < 1e17 ? MLS_TIME_MICROSECONDS : MLS_TIME_NANOSECONDS;
}

/* Microseconds of a whole number; nanoseconds are rounded down, as time goes. */
static bool
scale_whole(int64 number, MlsTimeUnit unit, int64 *usecs)
{
	switch (unit)
	{
		case MLS_TIME_SECONDS:
			return !pg_mul_s64_overflow(number, USECS_PER_SEC, usecs);
		case MLS_TIME_MILLISECONDS:
			return !pg_mul_s64_overflow(number, 1000, usecs);
		case MLS_TIME_NANOSECONDS:
			*usecs = number / 1000 - (number % 1000 < 0 ? 1 : 0);
			return true;
		default:
			*usecs = number;
			return true;
	}
}

static bool
scale_fraction(double number, MlsTimeUnit unit, int64 *usecs)
{
	double scaled = unit == MLS_TIME_SECONDS		? number * 1e6
					: unit == MLS_TIME_MILLISECONDS ? number * 1e3
					: unit == MLS_TIME_NANOSECONDS	? floor(number / 1e3)
													: number;

	scaled = rint(scaled);
	if (!(fabs(scaled) < 9.2e18))
		return false;
	*usecs = (int64) scaled;
	return true;
}

bool
mls_time_from_number(const char *token, size_t len, MlsTimeUnit unit, TimestampTz *result)
{
	int64 whole;
	double number;
	int64 usecs;
	MlsNumberStatus status = mls_number_to_int64(token, len, &whole);

	if (status == MLS_NUMBER_OK)
	{
		if (!scale_whole(whole, unit == MLS_TIME_AUTO ? unit_by_size((double) whole) : unit, &usecs))
			return false;
	}
	else
	{
		if (mls_number_to_double(token, len, &number) != MLS_NUMBER_OK ||
			!scale_fraction(number, unit == MLS_TIME_AUTO ? unit_by_size(number) : unit, &usecs))
			return false;
	}
	if (pg_sub_s64_overflow(usecs, EPOCH_SHIFT, result))
		return false;
	return IS_VALID_TIMESTAMP(*result);
}
