/*
 * breaker.c - stop asking an endpoint that is gone, and find out when it is back.
 */
#include "postgres.h"

#include "transport/breaker.h"

MlsBreakerAnswer
mls_breaker_ask(MlsBreaker *breaker, int64 now, int64 probe_limit_us)
{
	if (breaker->open_ms == 0)
		return MLS_BREAKER_PASS;
	if (now < breaker->open_until)
		return MLS_BREAKER_REFUSE;
	if (now < breaker->probe_until)
		return MLS_BREAKER_WAIT;
	breaker->probe_until = now + probe_limit_us;
	return MLS_BREAKER_PROBE;
}

void
mls_breaker_succeeded(MlsBreaker *breaker)
{
	breaker->failures = 0;
	breaker->open_ms = 0;
	breaker->open_until = 0;
	breaker->probe_until = 0;
}

void
mls_breaker_failed(MlsBreaker *breaker, int64 now, bool probe)
{
	breaker->failures++;
	if (breaker->open_ms == 0)
	{
		if (breaker->failures < MLS_BREAKER_FAILURES)
			return;
		breaker->open_ms = MLS_BREAKER_FIRST_MS;
	}
	else if (probe)
		breaker->open_ms = Min(breaker->open_ms * 2, MLS_BREAKER_MAX_MS);
	else
		return; /* one that began before it opened: nothing new */
	breaker->open_until = now + breaker->open_ms * INT64CONST(1000);
	breaker->probe_until = 0;
}

void
mls_breaker_probe_lost(MlsBreaker *breaker)
{
	breaker->probe_until = 0;
}

const char *
mls_breaker_state(const MlsBreaker *breaker, int64 now)
{
	if (breaker->open_ms == 0)
		return "closed";
	return now < breaker->open_until ? "open" : "half-open";
}
