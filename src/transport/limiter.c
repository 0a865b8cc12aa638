/*
 * limiter.c - how many requests all backends together have in flight and start a second.
 */
#include "postgres.h"

#include "transport/limiter.h"

/* requests_per_second is kept over this long: requests that came late may catch up by as much, no more. */
#define BURST_US 100000

bool
mls_limiter_take(MlsLimiter *limiter, int max_concurrent, double per_second, int64 now, int64 *ask_at)
{
	*ask_at = 0;
	if (now < limiter->hold_until)
	{
		*ask_at = limiter->hold_until;
		return false;
	}
	if (max_concurrent > 0 && limiter->in_flight >= max_concurrent)
		return false;
	if (per_second > 0)
	{
		int64 interval = (int64) (1000000 / per_second);

		if (now < limiter->next_token_at)
		{
			/* A limit that was raised meanwhile is not held up by a token of the old one. */
			limiter->next_token_at = Min(limiter->next_token_at, now + interval);
			*ask_at = limiter->next_token_at;
			return false;
		}
		limiter->next_token_at = Max(limiter->next_token_at, interval < BURST_US ? now - BURST_US : now) + interval;
	}
	limiter->in_flight++;
	return true;
}

void
mls_limiter_give(MlsLimiter *limiter)
{
	limiter->in_flight--;
}

void
mls_limiter_hold(MlsLimiter *limiter, int64 until)
{
	limiter->hold_until = Max(limiter->hold_until, until);
}
