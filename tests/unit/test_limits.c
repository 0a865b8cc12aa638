/* sources: src/transport/limiter.c src/transport/breaker.c src/monitor/statistics.c
 *
 * test_limits.c - what all backends share of a server: slots, tokens, breaker, latencies.
 */
#include "postgres.h"

#include "monitor/statistics.h"
#include "tap.h"
#include "transport/breaker.h"
#include "transport/limiter.h"

#define SECOND INT64CONST(1000000)

static void
check_slots(void)
{
	MlsLimiter limiter = {0};
	int64 ask_at;

	ok(mls_limiter_take(&limiter, 2, 0, 0, &ask_at) && mls_limiter_take(&limiter, 2, 0, 0, &ask_at),
	   "two of two slots");
	ok(!mls_limiter_take(&limiter, 2, 0, 0, &ask_at) && ask_at == 0, "a third waits until one comes free");
	mls_limiter_give(&limiter);
	ok(mls_limiter_take(&limiter, 2, 0, 0, &ask_at), "and then has it");
	ok(mls_limiter_take(&limiter, 0, 0, 0, &ask_at) && limiter.in_flight == 3,
	   "without a limit all are counted and pass");
}

/* How many requests a second pass when asked for as often as told. */
static int
passed_in(double per_second, int64 from, int64 length)
{
	MlsLimiter limiter = {0};
	int passed = 0;
	int64 ask_at;

	for (int64 now = from; now < from + length;)
	{
		if (mls_limiter_take(&limiter, 0, per_second, now, &ask_at))
			passed++;
		else
			now = Max(ask_at, now + 1);
	}
	return passed;
}

static void
check_tokens(void)
{
	MlsLimiter limiter = {0};
	int64 ask_at;
	int passed;

	passed = passed_in(20, 100 * SECOND, 10 * SECOND);
	ok(passed >= 200 && passed <= 203, "20 a second: %d in 10 s", passed);
	passed = passed_in(0.5, 100 * SECOND, 10 * SECOND);
	ok(passed == 5, "one in two seconds: %d in 10 s", passed);
	mls_limiter_take(&limiter, 0, 0.001, 100 * SECOND, &ask_at);
	ok(!mls_limiter_take(&limiter, 0, 10, 101 * SECOND, &ask_at) && ask_at <= 101 * SECOND + SECOND / 10,
	   "a limit that was raised holds at once");
	mls_limiter_hold(&limiter, 200 * SECOND);
	ok(!mls_limiter_take(&limiter, 0, 0, 199 * SECOND, &ask_at) && ask_at == 200 * SECOND,
	   "Retry-After holds all back");
	ok(mls_limiter_take(&limiter, 0, 0, 200 * SECOND, &ask_at), "until its time");
}

static void
check_breaker(void)
{
	MlsBreaker breaker = {0};
	int64 now = 1000 * SECOND;

	for (int i = 1; i < MLS_BREAKER_FAILURES; i++)
		mls_breaker_failed(&breaker, now, false);
	ok(mls_breaker_ask(&breaker, now, SECOND) == MLS_BREAKER_PASS, "closed after four failures");
	mls_breaker_succeeded(&breaker);
	for (int i = 1; i < MLS_BREAKER_FAILURES; i++)
		mls_breaker_failed(&breaker, now, false);
	ok(mls_breaker_ask(&breaker, now, SECOND) == MLS_BREAKER_PASS, "a success in between starts the count again");
	mls_breaker_failed(&breaker, now, false);
	ok(mls_breaker_ask(&breaker, now, SECOND) == MLS_BREAKER_REFUSE, "open after five in a row");
	ok(strcmp(mls_breaker_state(&breaker, now), "open") == 0, "and says so");
	mls_breaker_failed(&breaker, now + 5 * SECOND, false);
	ok(breaker.open_until == now + 10 * SECOND, "late failures do not keep it open longer");

	now += 10 * SECOND;
	ok(strcmp(mls_breaker_state(&breaker, now), "half-open") == 0, "half-open after 10 s");
	ok(mls_breaker_ask(&breaker, now, SECOND) == MLS_BREAKER_PROBE, "one exchange probes");
	ok(mls_breaker_ask(&breaker, now, SECOND) == MLS_BREAKER_WAIT, "the next waits for it");
	mls_breaker_probe_lost(&breaker);
	ok(mls_breaker_ask(&breaker, now, SECOND) == MLS_BREAKER_PROBE, "a cancelled probe is taken over");
	ok(mls_breaker_ask(&breaker, now + SECOND, SECOND) == MLS_BREAKER_PROBE, "and one that never came back");
	mls_breaker_failed(&breaker, now, true);
	ok(breaker.open_until == now + 20 * SECOND, "a failed probe opens it for twice as long");
	for (int i = 0; i < 5; i++)
	{
		now = breaker.open_until;
		mls_breaker_ask(&breaker, now, SECOND);
		mls_breaker_failed(&breaker, now, true);
	}
	ok(breaker.open_until == now + 60 * SECOND, "up to a minute");
	now = breaker.open_until;
	mls_breaker_ask(&breaker, now, SECOND);
	mls_breaker_succeeded(&breaker);
	ok(mls_breaker_ask(&breaker, now, SECOND) == MLS_BREAKER_PASS &&
		   strcmp(mls_breaker_state(&breaker, now), "closed") == 0,
	   "a successful probe closes it");
}

static bool
near(double value, double expected)
{
	return value > expected * 0.93 && value < expected * 1.07;
}

static void
check_quantiles(void)
{
	MlsStatistics statistics = {0};

	ok(mls_statistics_quantile(&statistics, 0.5) == 0, "no latency, no quantile");
	for (int ms = 1; ms <= 1000; ms++)
		mls_statistics_add_latency(&statistics, ms * 1000);
	ok(near(mls_statistics_quantile(&statistics, 0.5), 500000), "p50 %.0f", mls_statistics_quantile(&statistics, 0.5));
	ok(near(mls_statistics_quantile(&statistics, 0.95), 950000), "p95 %.0f",
	   mls_statistics_quantile(&statistics, 0.95));
	ok(near(mls_statistics_quantile(&statistics, 0.99), 990000), "p99 %.0f",
	   mls_statistics_quantile(&statistics, 0.99));
	ok(mls_statistics_quantile(&statistics, 1) <= 1000000, "never over the maximum");
	mls_statistics_add_latency(&statistics, 0);
	mls_statistics_add_latency(&statistics, INT64CONST(1) << 60);
	ok(statistics.latency_max_us == INT64CONST(1) << 60, "what is off the scale counts too");
}

int
main(void)
{
	check_slots();
	check_tokens();
	check_breaker();
	check_quantiles();
	return done_testing();
}
