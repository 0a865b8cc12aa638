/*
 * units.c - numbers as people read them. See units.h.
 */
#include "postgres.h"

#include "report/units.h"

#include <math.h>
#include <time.h>

#define DASH "\xe2\x80\x93"
#define LATEST 253402300799.0 /* the end of the year 9999 */

/* Three digits, or all of those before the point; no zeros at the end of a fraction. */
static char *
three_digits(double number)
{
	double size = fabs(number);
	int places = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 || size == 0 ? 2 : (int) ceil(-log10(size)) + 2;
	char *digits = psprintf("%.*f", Min(places, 9), number);
	char *end = digits + strlen(digits);

	if (strchr(digits, '.') == NULL)
		return digits;
	while (end[-1] == '0')
		*--end = '\0';
	if (end[-1] == '.')
		*--end = '\0';
	return strcmp(digits, "-0") == 0 ? digits + 1 : digits;
}

/* What is no number, or not finite; else NULL. */
static char *
not_finite(double number)
{
	if (isnan(number))
		return pstrdup(DASH);
	if (isinf(number))
		return pstrdup(number < 0 ? "-\xe2\x88\x9e" : "\xe2\x88\x9e");
	return NULL;
}

char *
mls_units_count(double count)
{
	char *digits;
	char *text;
	int len;
	int at = 0;

	if (not_finite(count) != NULL)
		return not_finite(count);
	digits = psprintf("%.0f", fabs(count));
	len = (int) strlen(digits);
	text = palloc(len + len / 3 + 2);
	if (count < 0)
		text[at++] = '-';
	for (int i = 0; i < len; i++)
	{
		if (i > 0 && (len - i) % 3 == 0)
			text[at++] = ',';
		text[at++] = digits[i];
	}
	text[at] = '\0';
	return text;
}

char *
mls_units_short(double number)
{
	static const char suffixes[] = "kMGTP";
	int steps = 0;

	if (not_finite(number) != NULL)
		return not_finite(number);
	for (; fabs(number) >= 999.5 && suffixes[steps] != '\0'; steps++)
		number /= 1000;
	return steps == 0 ? three_digits(number) : psprintf("%s%c", three_digits(number), suffixes[steps - 1]);
}

char *
mls_units_number(double number)
{
	if (not_finite(number) != NULL)
		return not_finite(number);
	if (number != 0 && (fabs(number) >= 1e7 || fabs(number) < 1e-4))
		return psprintf("%.2e", number);
	return three_digits(number);
}

/* Of two units, the larger and what is left of the smaller: "2 min 5 s". */
static char *
two_units(double seconds, double size, const char *unit, double less_size, const char *less)
{
	double smaller = rint(seconds / less_size);
	double ratio = size / less_size;

	if (fmod(smaller, ratio) == 0)
		return psprintf("%.0f %s", smaller / ratio, unit);
	return psprintf("%.0f %s %.0f %s", floor(smaller / ratio), unit, fmod(smaller, ratio), less);
}

char *
mls_units_seconds(double seconds)
{
	if (not_finite(seconds) != NULL)
		return not_finite(seconds);
	if (seconds < 59.95)
		return psprintf("%s s", three_digits(seconds));
	if (seconds < 3599.5)
		return two_units(seconds, 60, "min", 1, "s");
	if (seconds < 86370)
		return two_units(seconds, 3600, "h", 60, "min");
	return two_units(seconds, 86400, "d", 3600, "h");
}

char *
mls_units_ms(double ms)
{
	if (not_finite(ms) != NULL)
		return not_finite(ms);
	return ms < 999.5 ? psprintf("%s ms", three_digits(ms)) : mls_units_seconds(ms / 1000);
}

char *
mls_units_bytes(double bytes)
{
	static const char *const names[] = {"bytes", "kB", "MB", "GB", "TB", "PB"};
	int step = 0;

	if (not_finite(bytes) != NULL)
		return not_finite(bytes);
	for (; bytes >= 1023.5 && step < lengthof(names) - 1; step++)
		bytes /= 1024;
	return psprintf("%s %s", three_digits(bytes), names[step]);
}

char *
mls_units_percent(double share)
{
	if (not_finite(share) != NULL)
		return not_finite(share);
	if (share != 0 && fabs(share) < 0.0005)
		return pstrdup("< 0.1 %");
	return psprintf("%.1f %%", share * 100);
}

static char *
formatted(double epoch, const char *format)
{
	time_t seconds;
	struct tm tm;
	char text[64];

	if (not_finite(epoch) != NULL)
		return not_finite(epoch);
	if (fabs(epoch) > LATEST)
		return mls_units_number(epoch);
	seconds = (time_t) floor(epoch);
	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), format, &tm);
	return pstrdup(text);
}

char *
mls_units_date(double epoch)
{
	return formatted(epoch, "%Y-%m-%d");
}

char *
mls_units_time(double epoch)
{
	return formatted(epoch, "%Y-%m-%d %H:%M:%S");
}
