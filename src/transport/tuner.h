/*
 * tuner.h - 'auto': how many rows a request, and how many requests at once, make an endpoint fastest.
 *
 * The tuner climbs. From 100 rows and 2 requests it first enlarges batches, then the number of requests in flight, by
 * factors, and goes on as long as that brings rows/s. A setting's rate is estimated from single replies: what was in
 * flight when a request began, times its rows, by its latency (Little's law), which holds for queueing requests too; so
 * a few replies are enough to judge a setting. When more requests bring nothing, the rate times the latency without
 * queueing tells how many the endpoint really works on at once, and that is where it settles. An endpoint that serves some
 * requests long before others would deceive such estimates, so more requests in flight must pay by the clock, too. Refusals bound the climb
 * from above: 413 and time-outs the rows, 429 the requests; between a good and a refused setting it bisects. Once
 * settled it looks for changes ever more rarely.
 *
 * Plain data in shared memory, pure functions; the caller holds the entry's lock. tests/unit/test_tuner.c has
 * endpoints to climb on.
 */
#ifndef MLS_TUNER_H
#define MLS_TUNER_H

#include "postgres.h"

#define MLS_TUNER_FIRST_ROWS 100
#define MLS_TUNER_FIRST_PARALLEL 2
#define MLS_TUNER_MAX_ROWS 10000
#define MLS_TUNER_MAX_PARALLEL 64

/* Replies that judge a setting: this many, or up to the next number when they leave it open; the last once settled. */
#define MLS_TUNER_SAMPLES 3
#define MLS_TUNER_CLIMB_SAMPLES 9
#define MLS_TUNER_MAX_SAMPLES 15

typedef enum MlsTunerPhase
{
	MLS_TUNER_ROWS,		/* finding the number of rows */
	MLS_TUNER_PARALLEL, /* finding the number of requests in flight */
	MLS_TUNER_SETTLED
} MlsTunerPhase;

typedef struct MlsTuner
{
	int batch_rows; /* in use: the caller reads these two */
	int parallel;
	uint32 step; /* another number with each change of them; an observation tells which it began under */

	bool rows_fixed; /* a number, not to be touched */
	bool parallel_fixed;
	MlsTunerPhase phase;
	bool trying;   /* the setting in use is on trial; else it is the good one, being measured */
	int good_rows; /* the best setting so far */
	int good_parallel;
	double good_rate;	 /* rows/s at it; 0: to be measured */
	double good_latency; /* us at it */
	double base_latency; /* us, the least at these rows: without queueing, if base_parallel is not too many */
	int base_parallel;
	bool settled_once;
	int bad_rows; /* the least that was refused or slower; 0: none */
	int bad_parallel;
	double last_gain;  /* of the last trial that paid */
	bool found_better; /* since the last look around */
	int samples;	   /* of the setting in use */
	double rates[MLS_TUNER_MAX_SAMPLES];
	double latencies[MLS_TUNER_MAX_SAMPLES];
	int done; /* replies that began under it, how many rows and since when (us) */
	double done_rows;
	int64 done_since;
	double good_pace; /* rows/s that came of the good setting by the clock */
	int wasted;		  /* replies in a row that taught nothing */
	int most_rows;	  /* of any request since the setting is in use */
	int settled_replies;
	int look_around_after; /* so many replies after settling */
} MlsTuner;

typedef enum MlsObserved
{
	MLS_OBSERVED_REPLY,
	MLS_OBSERVED_TIMEOUT,
	MLS_OBSERVED_TOO_LARGE,
	MLS_OBSERVED_THROTTLED
} MlsObserved;

/* One attempt that ended. */
typedef struct MlsObservation
{
	MlsObserved observed;
	uint32 step; /* the tuner's when it began */
	int rows;
	int own_in_flight; /* of its scan when it began, itself included */
	int all_in_flight; /* of all backends */
	int64 ended_at;	   /* us, on any clock */
	int64 latency_us;
	int64 timeout_us; /* what the server's timeout allows */
} MlsObservation;

/* Begin. A number other than 0 fixes that setting. */
extern void mls_tuner_init(MlsTuner *tuner, int fixed_rows, int fixed_parallel);

/* The fixed numbers of the next requests; other ones than before make earlier measurements void. */
extern void mls_tuner_fix(MlsTuner *tuner, int fixed_rows, int fixed_parallel);

extern void mls_tuner_observe(MlsTuner *tuner, const MlsObservation *observation);

#endif
