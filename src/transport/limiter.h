/*
 * limiter.h - how many requests all backends together have in flight and start a second.
 *
 * Plain data in shared memory, pure functions; the caller holds the entry's lock and brings the time (us).
 */
#ifndef MLS_LIMITER_H
#define MLS_LIMITER_H

#include "postgres.h"

typedef struct MlsLimiter
{
	int in_flight;		 /* requests of all backends */
	int64 next_token_at; /* us: when requests_per_second lets the next one go */
	int64 hold_until;	 /* us: the endpoint asked everybody to wait (Retry-After) */
} MlsLimiter;

/*
 * Take a slot and a token, or tell when to ask again: *ask_at, or 0 when a slot has to come free first. A limit of 0 is
 * none.
 */
extern bool mls_limiter_take(MlsLimiter *limiter, int max_concurrent, double per_second, int64 now, int64 *ask_at);

/* Give the slot back. */
extern void mls_limiter_give(MlsLimiter *limiter);

/* Nobody asks the endpoint before `until`. */
extern void mls_limiter_hold(MlsLimiter *limiter, int64 until);

#endif
