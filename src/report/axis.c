/*
 * axis.c - scales and their ticks. See axis.h.
 */
#include "postgres.h"

#include "report/axis.h"

#include <math.h>
#include <time.h>

#define WANTED_TICKS 4

/* 1, 2 or 5 times a power of ten, the next at or above number. */
static double
round_up(double number)
{
	double power = pow(10, floor(log10(number)));
	double digit = number / power;

	return (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10) * power;
}

MlsAxis
mls_axis_from_zero(double high)
{
	MlsAxis axis = {.scale = MLS_SCALE_LINEAR, .high = 1, .nticks = 1};
	double step;

	if (!(high > 0) || isinf(high))
		return axis;
	step = round_up(high / WANTED_TICKS);
	/* A little less than a tick is that tick: no rounding of ours makes the axis longer. */
	axis.nticks = (int) ceil(high / step - 1e-9) + 1;
	axis.high = step * (axis.nticks - 1);
	for (int i = 0; i < axis.nticks; i++)
		axis.ticks[i] = i * step;
	return axis;
}

/* 1, 2, 5, 10, ... by number; negative numbers are fractions. */
static double
log_tick(int number)
{
	static const double digits[] = {1, 2, 5};
	int power = number >= 0 ? number / 3 : (number - 2) / 3;

	return digits[number - power * 3] * pow(10, power);
}

MlsAxis
mls_axis_log(double low, double high)
{
	int first = (int) floor(log10(low)) * 3;
	int last;
	int every = 1;
	MlsAxis axis = {.scale = MLS_SCALE_LOG};

	while (log_tick(first + 1) <= low * (1 + 1e-9))
		first++;
	last = first + 1;
	while (log_tick(last) < high * (1 - 1e-9))
		last++;
	axis.low = log_tick(first);
	axis.high = log_tick(last);
	/* Then only powers of ten, every other one of them, and so on. */
	while ((last - first) / every >= MLS_MOST_TICKS - 1)
		every = every == 1 ? 3 : every * 2;
	for (int i = first; i <= last; i++)
		if (i % every == 0)
			axis.ticks[axis.nticks++] = log_tick(i);
	return axis;
}

MlsAxis
mls_axis_time(double from, double to)
{
	static const int steps[] = {1,	  2,	5,	  10,	 15,	30,	   60,	  120,	  300,	  600,	   900,
								1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000};
	MlsAxis axis = {.scale = MLS_SCALE_LINEAR, .low = from, .high = Max(to, from + 1)};
	int number = 0;

	while (number < lengthof(steps) - 1 && (axis.high - axis.low) / steps[number] > WANTED_TICKS)
		number++;
	axis.step = steps[number];
	while ((axis.high - axis.low) / axis.step > WANTED_TICKS)
		axis.step *= 2;
	for (double tick = ceil(from / axis.step) * axis.step; tick <= axis.high; tick += axis.step)
		axis.ticks[axis.nticks++] = tick;
	return axis;
}

double
mls_axis_percent(const MlsAxis *axis, double value)
{
	double percent;

	if (axis->scale == MLS_SCALE_LOG)
		percent = value <= axis->low ? 0 : log(value / axis->low) / log(axis->high / axis->low) * 100;
	else
		percent = (value - axis->low) / (axis->high - axis->low) * 100;
	return Min(Max(percent, 0), 100);
}

char *
mls_axis_time_label(const MlsAxis *axis, double tick)
{
	time_t seconds = (time_t) tick;
	bool midnight = seconds % 86400 == 0;
	struct tm tm;
	char text[32];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text),
			 axis->step >= 86400 || midnight ? "%d %b"
			 : axis->step >= 60				 ? "%H:%M"
											 : "%H:%M:%S",
			 &tm);
	return pstrdup(text);
}
