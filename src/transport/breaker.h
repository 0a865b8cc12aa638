/*
 * breaker.h - stop asking an endpoint that is gone, and find out when it is back.
 *
 * Closed: requests pass. After MLS_BREAKER_FAILURES exchanges in a row used up their attempts without reaching the
 * endpoint it opens: exchanges fail at once for MLS_BREAKER_FIRST_MS. Then one exchange probes, the others wait for what
 * it finds: success closes the breaker, failure opens it for twice as long, up to MLS_BREAKER_MAX_MS.
 *
 * Plain data in shared memory, pure functions; the caller holds the entry's lock and brings the time (us).
 */
#ifndef MLS_BREAKER_H
#define MLS_BREAKER_H

#include "postgres.h"

#define MLS_BREAKER_FAILURES 5
#define MLS_BREAKER_FIRST_MS (10 * 1000)
#define MLS_BREAKER_MAX_MS (60 * 1000)

typedef struct MlsBreaker
{
	int failures;	   /* in a row */
	int open_ms;	   /* 0: closed; else how long it opened the last time */
	int64 open_until;  /* us */
	int64 probe_until; /* us: a probe is under way, and given up for lost after that; 0: none */
} MlsBreaker;

typedef enum MlsBreakerAnswer
{
	MLS_BREAKER_PASS,
	MLS_BREAKER_PROBE, /* go, and tell how it went */
	MLS_BREAKER_WAIT,  /* another exchange probes */
	MLS_BREAKER_REFUSE
} MlsBreakerAnswer;

/* May an exchange begin? probe_limit_us: the longest a probe can take. */
extern MlsBreakerAnswer mls_breaker_ask(MlsBreaker *breaker, int64 now, int64 probe_limit_us);

/* An exchange reached the endpoint; or used up its attempts without, as the probe or not. */
extern void mls_breaker_succeeded(MlsBreaker *breaker);
extern void mls_breaker_failed(MlsBreaker *breaker, int64 now, bool probe);

/* The probe was cancelled: the next exchange takes over. */
extern void mls_breaker_probe_lost(MlsBreaker *breaker);

/* "closed", "open" or "half-open", as of now. */
extern const char *mls_breaker_state(const MlsBreaker *breaker, int64 now);

#endif
