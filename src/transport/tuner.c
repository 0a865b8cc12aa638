/*
 * tuner.c - 'auto': how many rows a request, and how many requests at once, make an endpoint fastest.
 */
#include "postgres.h"

#include <math.h>

#include "transport/tuner.h"

/* A trial pays if it brings this much more rows/s; more requests in flight are dearer to others than larger batches. */
#define ROWS_GAIN 1.05
#define PARALLEL_GAIN 1.10

/* What is settled is not given up for less. */
#define SETTLED_GAIN 1.15

/* By the clock the rows/s must be this much more; it sees a new setting through the end of the old one. */
#define PACE_GAIN 1.03
#define SETTLED_PACE_GAIN 1.10
#define PACE_REPLIES 8

/* Rows/s by the clock for which a batch is made larger although the endpoint itself is no faster. */
#define CLIENT_GAIN 1.10

/* The pace of a settled setting is what it reached in the last windows, as idle time between statements only lowers it. */
#define PACE_FADING 0.9

/* Between these gains a few more replies are waited for. */
#define UNCLEAR_BELOW 1.25
#define UNCLEAR_ABOVE 0.90

/* Clearly slower: the best is below. */
#define SLOWER 0.95

/* Growth that did not cost anything so far goes by the larger factor. */
#define FACTOR 2
#define LARGE_FACTOR 4
#define SCALES_WELL 1.7

/* Batches grow fast only while they are answered this quickly, and never beyond this part of the time-out. */
#define QUICK_US 250000
#define TIMEOUT_PART 2

/* Settings closer together than this are not told apart. */
#define ROWS_APART 1.12

/* Room above what the endpoint works on at once, so that it never waits for the client. */
#define PARALLEL_ROOM 1.15

/* A request counts as one of the setting's with this part of its rows (bytes may end a batch) and requests. */
#define FULL 0.9
#define CROWDED 0.75

/* A settled setting follows slow changes with this weight. */
#define SMOOTHING 0.1

#define FIRST_LOOK_AROUND 100
#define LAST_LOOK_AROUND 3200

/* The setting in use becomes another. */
static void
use(MlsTuner *tuner, int rows, int parallel, bool trying)
{
	tuner->trying = trying;
	tuner->samples = 0;
	tuner->wasted = 0;
	tuner->most_rows = 0;
	tuner->done = 0;
	if (rows == tuner->batch_rows && parallel == tuner->parallel)
		return;
	tuner->batch_rows = rows;
	tuner->parallel = parallel;
	tuner->step++;
}

static void
use_good(MlsTuner *tuner)
{
	use(tuner, tuner->good_rows, tuner->good_parallel, false);
}

void
mls_tuner_init(MlsTuner *tuner, int fixed_rows, int fixed_parallel)
{
	memset(tuner, 0, sizeof(*tuner));
	tuner->look_around_after = FIRST_LOOK_AROUND;
	tuner->rows_fixed = fixed_rows > 0;
	tuner->parallel_fixed = fixed_parallel > 0;
	tuner->good_rows = fixed_rows > 0 ? fixed_rows : MLS_TUNER_FIRST_ROWS;
	tuner->good_parallel = fixed_parallel > 0 ? fixed_parallel : MLS_TUNER_FIRST_PARALLEL;
	tuner->phase = MLS_TUNER_ROWS;
	use_good(tuner);
}

void
mls_tuner_fix(MlsTuner *tuner, int fixed_rows, int fixed_parallel)
{
	if ((fixed_rows == 0 || fixed_rows == tuner->good_rows) &&
		(fixed_parallel == 0 || fixed_parallel == tuner->good_parallel))
		return;
	if (fixed_rows > 0)
		tuner->good_rows = fixed_rows;
	if (fixed_parallel > 0)
		tuner->good_parallel = fixed_parallel;
	tuner->good_rate = 0;
	tuner->base_latency = 0;
	use_good(tuner);
}

static void
settle(MlsTuner *tuner)
{
	tuner->settled_once = true;
	tuner->phase = MLS_TUNER_SETTLED;
	tuner->settled_replies = 0;
	if (tuner->found_better)
		tuner->look_around_after = FIRST_LOOK_AROUND;
	else
		tuner->look_around_after = Min(tuner->look_around_after * 2, LAST_LOOK_AROUND);
	use_good(tuner);
}

/* The next number of requests to try; the good one when there is none. */
static int
next_parallel(const MlsTuner *tuner)
{
	int good = tuner->good_parallel;
	int next;

	if (tuner->parallel_fixed)
		return good;
	if (tuner->bad_parallel > 0)
	{
		next = (good + tuner->bad_parallel) / 2;
		return next - good > good / 8 ? next : good;
	}
	next = good * (good <= LARGE_FACTOR && tuner->last_gain >= SCALES_WELL ? LARGE_FACTOR : FACTOR);
	return Min(next, MLS_TUNER_MAX_PARALLEL);
}

static void
climb_parallel(MlsTuner *tuner)
{
	int next = next_parallel(tuner);

	tuner->phase = MLS_TUNER_PARALLEL;
	if (next > tuner->good_parallel)
		use(tuner, tuner->good_rows, next, true);
	else
		settle(tuner);
}

/* The number of rows is found for now: climb on with the number of requests. */
static void
leave_rows(MlsTuner *tuner)
{
	tuner->last_gain = 0;
	tuner->base_latency = tuner->good_latency;
	tuner->base_parallel = tuner->good_parallel;
	climb_parallel(tuner);
}

/* The next number of rows to try; the good one when there is none. */
static int
next_rows(const MlsTuner *tuner, int64 timeout_us)
{
	int good = tuner->good_rows;
	double factor = tuner->good_latency < QUICK_US ? LARGE_FACTOR : FACTOR;
	double next;

	if (tuner->rows_fixed)
		return good;

	/* At worst latency grows as the rows do. */
	if (timeout_us > 0)
		factor = Min(factor, (double) timeout_us / TIMEOUT_PART / tuner->good_latency);
	next = good * factor;
	if (tuner->bad_rows > 0)
		next = Min(next, sqrt((double) good * tuner->bad_rows));
	next = Min(next, MLS_TUNER_MAX_ROWS);
	return next >= good * ROWS_APART ? (int) next : good;
}

static void
climb_rows(MlsTuner *tuner, int64 timeout_us)
{
	int next = next_rows(tuner, timeout_us);

	tuner->phase = MLS_TUNER_ROWS;
	if (next > tuner->good_rows)
		use(tuner, next, tuner->good_parallel, true);
	else
		leave_rows(tuner);
}

/* The mean of what is left without the extremes, about a fifth at either end. */
static double
trimmed_mean(const double *values, int count)
{
	double sorted[MLS_TUNER_MAX_SAMPLES] = {0};
	int trim = (count + 2) / 5;
	double sum = 0;

	for (int i = 0; i < count; i++)
	{
		int at = i;

		for (; at > 0 && sorted[at - 1] > values[i]; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = values[i];
	}
	for (int i = trim; i < count - trim; i++)
		sum += sorted[i]; /* cppcheck-suppress uninitvar */
	return sum / (count - 2 * trim);
}

/* rows/s by the clock since the setting is in use. */
static double
pace(const MlsTuner *tuner, int64 now)
{
	return tuner->done_rows / Max(now - tuner->done_since, 1) * 1e6;
}

/* The setting on trial is the good one from now on. */
static void
accept(MlsTuner *tuner, double rate, double latency, int64 now)
{
	tuner->last_gain = rate / tuner->good_rate;
	tuner->good_rows = Min(tuner->batch_rows, tuner->most_rows);
	tuner->good_parallel = tuner->parallel;
	tuner->good_rate = rate;
	tuner->good_latency = latency;
	tuner->good_pace = pace(tuner, now);
	if (latency < tuner->base_latency)
	{
		tuner->base_latency = latency;
		tuner->base_parallel = tuner->parallel;
	}
	tuner->found_better = true;
	tuner->trying = false;
}

/*
 * More requests bring nothing: settle on as many as the endpoint works on at once, and a little more. That is known only
 * from a latency without queueing, which a look around from a settled number does not bring.
 */
static void
settle_at_capacity(MlsTuner *tuner, double rate, int most)
{
	double at_once = Max(rate, tuner->good_rate) * tuner->base_latency / 1e6 / tuner->good_rows;
	int parallel = (int) ceil(at_once * PARALLEL_ROOM);

	if (tuner->base_parallel < tuner->good_parallel || !tuner->settled_once)
		tuner->good_parallel = Max(Min(parallel, most), 1);
	settle(tuner);
}

/* The setting on trial did not pay; slower: it was worse than the good one. */
static void
reject(MlsTuner *tuner, double rate, bool slower, int64 timeout_us)
{
	if (tuner->phase == MLS_TUNER_PARALLEL)
	{
		settle_at_capacity(tuner, rate, tuner->parallel);
		return;
	}
	if (slower)
	{
		tuner->bad_rows = tuner->batch_rows;
		climb_rows(tuner, timeout_us);
		return;
	}
	leave_rows(tuner);
}

/* Enough replies at the setting on trial to judge it? */
static void
judge(MlsTuner *tuner, int64 now, int64 timeout_us)
{
	double rate = trimmed_mean(tuner->rates, tuner->samples);
	double latency = trimmed_mean(tuner->latencies, tuner->samples);
	double gain = rate / tuner->good_rate;
	bool rows = tuner->phase == MLS_TUNER_ROWS;
	int enough = tuner->settled_once ? MLS_TUNER_MAX_SAMPLES : MLS_TUNER_CLIMB_SAMPLES;
	double least = tuner->settled_once ? SETTLED_GAIN : rows ? ROWS_GAIN : PARALLEL_GAIN;

	/* Bytes end the batches before the rows do: there is nothing to be tried. */
	if (rows && tuner->most_rows <= tuner->good_rows)
	{
		leave_rows(tuner);
		return;
	}

	/* Below a refused size a larger batch is better unless it shows the contrary: no need to be sure. */
	if (rows && tuner->bad_rows > 0)
	{
		enough = MLS_TUNER_SAMPLES;
		least = SLOWER;
	}
	if (gain > UNCLEAR_ABOVE && gain < UNCLEAR_BELOW && tuner->samples < enough)
		return;
	if (rows && gain < least && gain >= SLOWER)
	{
		/* The endpoint gains nothing; larger batches may still spare the client's side work, which the clock shows. */
		if (tuner->done < PACE_REPLIES)
			return;
		if (pace(tuner, now) >= tuner->good_pace * CLIENT_GAIN)
			gain = least;
	}
	if (gain < least)
	{
		reject(tuner, rate, gain < SLOWER, timeout_us);
		return;
	}
	if (!rows)
	{
		if (tuner->done < Max(tuner->parallel, PACE_REPLIES))
			return; /* the clock cannot tell yet */
		if (pace(tuner, now) < tuner->good_pace * (tuner->settled_once ? SETTLED_PACE_GAIN : PACE_GAIN))
		{
			/* So the estimates are not to be trusted far. */
			settle_at_capacity(tuner, rate, (int) ceil(tuner->good_parallel * PARALLEL_ROOM));
			return;
		}
	}
	accept(tuner, rate, latency, now);
	if (rows)
		climb_rows(tuner, timeout_us);
	else
		climb_parallel(tuner);
}

/* Enough replies at the good setting: from here trials are compared with them. */
static void
note_good(MlsTuner *tuner, int64 now, int64 timeout_us)
{
	tuner->good_rate = trimmed_mean(tuner->rates, tuner->samples);
	tuner->good_latency = trimmed_mean(tuner->latencies, tuner->samples);
	tuner->good_pace = pace(tuner, now);
	tuner->samples = 0;
	if (tuner->phase == MLS_TUNER_ROWS)
		climb_rows(tuner, timeout_us);
	else if (tuner->phase == MLS_TUNER_PARALLEL)
		leave_rows(tuner);
}

/* Follow slow changes of a settled endpoint, and look for better settings from time to time. */
static void
watch(MlsTuner *tuner, double rate, double latency, int64 now, int64 timeout_us)
{
	if (tuner->done >= Max(2 * tuner->parallel, 2 * MLS_TUNER_SAMPLES))
	{
		tuner->good_pace = Max(tuner->good_pace * PACE_FADING, pace(tuner, now));
		tuner->done = 0;
	}

	tuner->good_rate += SMOOTHING * (rate - tuner->good_rate);
	tuner->good_latency += SMOOTHING * (latency - tuner->good_latency);
	if (++tuner->settled_replies < tuner->look_around_after)
		return;

	/* Limits are put to the test again only once nothing else changes. */
	if (!tuner->found_better)
	{
		tuner->bad_rows = 0;
		tuner->bad_parallel = 0;
	}
	tuner->found_better = false;
	climb_rows(tuner, timeout_us);
}

/* The good setting itself does not hold any more: use a smaller one and measure it. */
static void
fall_back(MlsTuner *tuner, int rows, int parallel)
{
	tuner->good_rows = rows;
	tuner->good_parallel = parallel;
	tuner->good_rate = 0;
	tuner->last_gain = 0;
	use_good(tuner);
}

/* A reply at a setting that requests do not come up to: bytes end its batches, or the scan has too few rows. */
static void
note_wasted(MlsTuner *tuner)
{
	if (++tuner->wasted < tuner->parallel + 6)
		return;
	if (!tuner->rows_fixed && tuner->most_rows < tuner->good_rows * FULL)
		fall_back(tuner, tuner->most_rows, tuner->good_parallel);
	else if (tuner->phase == MLS_TUNER_ROWS && tuner->good_rate > 0)
		leave_rows(tuner);
	else if (tuner->phase != MLS_TUNER_SETTLED)
		settle(tuner);
}

static void
observe_reply(MlsTuner *tuner, const MlsObservation *seen)
{
	double latency = Max((double) seen->latency_us, 1);
	double rate = seen->all_in_flight * (double) seen->rows / latency * 1e6;
	int64 began_at = seen->ended_at - seen->latency_us;
	bool full = seen->rows >= tuner->good_rows * FULL;
	bool crowded = seen->own_in_flight >= tuner->parallel * CROWDED;

	tuner->most_rows = Max(tuner->most_rows, seen->rows);
	if (!full || !crowded)
	{
		/* One row now and then is no sign of anything. */
		if (full || crowded)
			note_wasted(tuner);
		return;
	}
	/* Batches that were made before more rows were tried go out after: they say nothing of the trial. */
	if (tuner->trying && tuner->phase == MLS_TUNER_ROWS && seen->rows <= tuner->good_rows &&
		++tuner->wasted <= 2 * tuner->parallel)
		return;
	tuner->wasted = 0;
	if (tuner->done++ == 0)
	{
		tuner->done_rows = 0;
		tuner->done_since = began_at;
	}
	tuner->done_since = Min(tuner->done_since, began_at);
	tuner->done_rows += seen->rows;
	if (tuner->phase == MLS_TUNER_SETTLED && tuner->good_rate > 0)
	{
		watch(tuner, rate, latency, seen->ended_at, seen->timeout_us);
		return;
	}
	if (tuner->samples < MLS_TUNER_MAX_SAMPLES)
	{
		tuner->rates[tuner->samples] = rate;
		tuner->latencies[tuner->samples] = latency;
		tuner->samples++;
	}
	if (tuner->samples < MLS_TUNER_SAMPLES)
		return;
	if (tuner->trying)
		judge(tuner, seen->ended_at, seen->timeout_us);
	else
		note_good(tuner, seen->ended_at, seen->timeout_us);
}

static void
observe_throttled(MlsTuner *tuner)
{
	int good = tuner->good_parallel;

	if (tuner->parallel_fixed)
		return;
	if (tuner->parallel > good)
	{
		tuner->bad_parallel = tuner->parallel;
		climb_parallel(tuner);
		return;
	}
	if (good == 1)
		return;
	tuner->bad_parallel = good;
	fall_back(tuner, tuner->good_rows, Max(Min(good - 1, good * 3 / 4), 1));
}

static void
observe_too_large(MlsTuner *tuner, const MlsObservation *seen)
{
	if (tuner->rows_fixed)
		return;
	tuner->bad_rows = tuner->bad_rows == 0 ? seen->rows : Min(tuner->bad_rows, seen->rows);
	if (seen->rows > tuner->good_rows)
		climb_rows(tuner, seen->timeout_us);
	else
		fall_back(tuner, Max(seen->rows / 2, 1), tuner->good_parallel);
}

static void
observe_timeout(MlsTuner *tuner, const MlsObservation *seen)
{
	/* It was not the rows if they were answered in a fraction of the time while fewer requests were in flight. */
	bool queues = tuner->parallel > tuner->good_parallel ||
				  (tuner->parallel > 1 && tuner->base_latency > 0 && tuner->base_latency * 2 < seen->timeout_us);

	if (queues && seen->rows <= tuner->good_rows && !tuner->parallel_fixed)
		observe_throttled(tuner);
	else
		observe_too_large(tuner, seen);
}

void
mls_tuner_observe(MlsTuner *tuner, const MlsObservation *observation)
{
	/* What began under another setting says nothing about this one. */
	if (observation->step != tuner->step)
		return;
	switch (observation->observed)
	{
		case MLS_OBSERVED_REPLY:
			observe_reply(tuner, observation);
			break;
		case MLS_OBSERVED_TIMEOUT:
			observe_timeout(tuner, observation);
			break;
		case MLS_OBSERVED_TOO_LARGE:
			observe_too_large(tuner, observation);
			break;
		case MLS_OBSERVED_THROTTLED:
			observe_throttled(tuner);
			break;
	}
}
