/*
 * call.h - one call of a model function, at run time: tuples in, results out, requests in between.
 *
 * A call gathers argument tuples into batches, closes a batch when it is full, keeps up to the endpoint's number of
 * requests in flight, and holds every batch until its results were used. Order is the caller's: it keeps a ticket with
 * each of its rows and asks for the result when it wants it.
 */
#ifndef MLS_CALL_H
#define MLS_CALL_H

#include "catalog/function.h"
#include "inference/capture.h"
#include "transport/exchange.h"

typedef struct MlsCall MlsCall;
typedef struct MlsBatch MlsBatch;

/* Where a row's result will be found. batch NULL: the score is NULL without asking the model. */
typedef struct MlsTicket
{
	MlsBatch *batch;
	int index;
} MlsTicket;

/* What EXPLAIN ANALYZE tells of a call beyond its endpoint's counters. Plain data. */
typedef struct MlsCallStats
{
	MlsCounters wire; /* all deployments together */
	MlsCounters canary;
	int64 batches;
	int64 batch_rows_min;
	int64 batch_rows_max;
	int64 deduplicated;
	int64 failed_rows;
	MlsCaptureStats capture;
} MlsCallStats;

/*
 * Prepare to call fnoid as userid (as the function's owner when it is SECURITY DEFINER). Lives in the current
 * memory context. Raises for what the catalogs do not allow: EXECUTE, a missing server, a missing credential.
 */
extern MlsCall *mls_call_open(Oid fnoid, Oid userid);

/*
 * The same to one deployment, whatever the server says of canaries, shadows and logs; NULL: the server's own. For
 * measurements.
 */
extern MlsCall *mls_call_open_at(Oid fnoid, Oid userid, const char *deployment);

extern const MlsFunction *mls_call_function(const MlsCall *call);

/* Row at a time: every tuple is a batch of its own. For the single-row path and ml_score.batching = off. */
extern void mls_call_set_unbatched(MlsCall *call);

/* Hears of each request that made its end how long it took from being sent on, retries included. */
typedef void (*MlsRequestTimer)(void *arg, int64 us);

/* For measurements: send repeated tuples too, and have timer hear of each request. */
extern void mls_call_measure(MlsCall *call, MlsRequestTimer timer, void *arg);

/*
 * Add an argument tuple to the open batch; row is the caller's ascending number for it (batches are given back by it).
 * A STRICT function's tuple with a NULL gets the empty ticket.
 */
extern MlsTicket mls_call_add(MlsCall *call, const Datum *values, const bool *nulls, int64 row);

/* No more rows for now: close the open batch. */
extern void mls_call_flush(MlsCall *call);

/* Would more rows make another request that is in flight, or next in line? As many wait as are in flight, for replies
 * to requests sent together come together. */
extern bool mls_call_wants_rows(const MlsCall *call);

/* How many rows the open batch takes at the most. */
extern int mls_call_batch_rows(MlsCall *call);

/* Start requests that may start, take in replies that came. Cheap when nothing happened. */
extern void mls_call_advance(MlsCall *call);

/* Can ticket's result be read? A ticket of the open batch is never ready before a flush. */
extern bool mls_ticket_ready(MlsTicket ticket);

/* Did its row fail? After it is ready. */
extern bool mls_ticket_failed(MlsTicket ticket);

/* Is ticket in a batch that still gathers rows? */
extern bool mls_ticket_is_open(MlsTicket ticket);

/*
 * The result. Raises when the row failed and on_error says so. The value lives until mls_call_release passes its row.
 */
extern Datum mls_ticket_result(MlsCall *call, MlsTicket ticket, bool *isnull);

/* Rows before this number were used: give their batches back. */
extern void mls_call_release(MlsCall *call, int64 row);

/* Drop everything under way; keep the connection and the counters. */
extern void mls_call_reset(MlsCall *call);

/* Bytes held in rows, bodies and results. */
extern Size mls_call_memory(MlsCall *call);

/* The figures so far. */
extern void mls_call_stats(const MlsCall *call, MlsCallStats *stats);
extern void mls_call_stats_add(MlsCallStats *into, const MlsCallStats *from);

/* Why the first row failed of those that gave NULL; NULL when there are none. */
extern const char *mls_call_first_reason(const MlsCall *call);

/* The WARNING about rows that failed and gave NULL: at the end with their number, or at the first. False: none did. */
extern bool mls_call_warn_failed(const MlsCall *call, bool at_end);

#endif
