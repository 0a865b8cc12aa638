/*
 * capture.h - what becomes of a request beside its results: a place in the inference log, a copy to a shadow deployment.
 *
 * For call.c. Nothing here waits or raises; what the queue has no room for is dropped and counted.
 */
#ifndef MLS_CAPTURE_H
#define MLS_CAPTURE_H

#include "catalog/function.h"
#include "codec/encode.h"
#include "codec/json_read.h"
#include "transport/exchange.h"

typedef struct MlsCapture MlsCapture;

/* Plain data. */
typedef struct MlsCaptureStats
{
	int64 logged; /* requests */
	int64 log_dropped;
	int64 copied;
	int64 copies_dropped;
} MlsCaptureStats;

/* A request that made its end. */
typedef struct MlsCaptured
{
	MlsEndpoint *endpoint; /* that it was sent to */
	const MlsExchange *exchange;
	bool canary;
	bool sampled; /* it goes into the log */
	int ntuples;
	const MlsRowSlice *tuples;
	const MlsSpan *results; /* for each tuple, as the reply has it; NULL: there are none */
	const char *error;		/* why there are none, or they are not shown; or NULL */
	const char *body;
	size_t len;
} MlsCaptured;

/*
 * For calls of fn as userid, whose tuples encoder has made; live counts the requests. NULL when server has neither log nor
 * shadow, or this PostgreSQL no queue. All of it must outlive the result, which lives in the current context.
 */
extern MlsCapture *mls_capture_open(const MlsFunction *fn, const MlsServer *server, Oid userid, MlsEndpoint *live,
									const MlsEncoder *encoder);

/* Is the request that is made now to be logged? */
extern bool mls_capture_samples(MlsCapture *capture);

extern void mls_capture_take(MlsCapture *capture, const MlsCaptured *request);
extern const MlsCaptureStats *mls_capture_stats(const MlsCapture *capture);

#endif
