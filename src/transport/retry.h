/*
 * retry.h - what an attempt's outcome means, and how long to wait before the next.
 *
 * Pure: no I/O, no allocation, no clock and no dice of its own, so that tests/unit/test_retry.c runs it without a
 * server.
 */
#ifndef MLS_RETRY_H
#define MLS_RETRY_H

#include "transport/exchange.h"

/* How an attempt ended on the wire. */
typedef enum MlsWire
{
	MLS_WIRE_REPLY,			  /* a complete reply came; its status tells the rest */
	MLS_WIRE_UNRESOLVED,	  /* no address for the host */
	MLS_WIRE_UNREACHABLE,	  /* refused, no route, no connection in time */
	MLS_WIRE_UNTRUSTED,		  /* the certificate does not hold */
	MLS_WIRE_TLS,			  /* the TLS handshake failed otherwise */
	MLS_WIRE_CUT,			  /* the connection went away before the reply was complete */
	MLS_WIRE_TIMEOUT,		  /* connected, but no complete reply in time */
	MLS_WIRE_REPLY_TOO_LARGE, /* over ml_score.max_response_size */
	MLS_WIRE_MALFORMED,		  /* not HTTP, or not decodable */
	MLS_WIRE_FORBIDDEN,		  /* an address that requests never go to */
	MLS_WIRE_LOCAL			  /* this side: out of memory, bad CA file, ... */
} MlsWire;

/* What is known of one attempt. */
typedef struct MlsAttempt
{
	MlsWire wire;
	int status;				  /* HTTP status, when a reply came */
	int inner_status;		  /* what Azure's gateway says the model answered (424), or 0 */
	bool run_function_failed; /* the inference server says it was the scoring script */
	bool scoring;			  /* rows for a model, or what the endpoint says of itself; else any other request */
	bool idempotent;		  /* may be sent again though it may have been carried out */
	int rows;				  /* model rows in the request */
	int number;				  /* 1 = first attempt of its exchange */
	int max_attempts;
} MlsAttempt;

typedef enum MlsVerdict
{
	MLS_VERDICT_OK,
	MLS_VERDICT_RETRY,
	MLS_VERDICT_FAIL
} MlsVerdict;

typedef struct MlsDecision
{
	MlsVerdict verdict;
	MlsFailureKind kind; /* when the verdict is to fail */
	int sqlstate;
	bool throttled; /* the endpoint asked for fewer requests */
} MlsDecision;

extern MlsDecision mls_retry_decide(const MlsAttempt *attempt);

/* The Retry-After that is still honoured; what asks for more is waited for this long. */
#define MLS_RETRY_AFTER_MAX_MS (5 * 60 * 1000)

/*
 * Milliseconds to wait after attempt `number`: what the endpoint asked for (retry_after_ms, < 0 when it did not),
 * else exponential backoff with full jitter: random * min(max, base * 2^(number - 1)), random in [0, 1).
 */
extern int mls_retry_delay_ms(int number, int base_ms, int max_ms, int64 retry_after_ms, double random);

/*
 * Milliseconds that a Retry-After header's value asks for, given the time now in seconds since 1970: a number of seconds
 * or an HTTP date; a date gone by is 0. -1 when it is neither.
 */
extern int64 mls_retry_after_parse(const char *value, int64 now);

/* Same for a header that counts in milliseconds. */
extern int64 mls_retry_after_ms_parse(const char *value);

#endif
