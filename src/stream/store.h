/*
 * store.h - a micro-batch into the database, in the running transaction: rows where they belong, and which events cannot
 * be stored.
 */
#ifndef MLS_STORE_H
#define MLS_STORE_H

#include "stream/rows.h"

/* Why an event was not stored; reason is NULL for one that was. */
typedef struct MlsStoreFault
{
	int sqlstate;
	char *reason;
} MlsStoreFault;

typedef struct MlsStoreResult
{
	MlsStoreFault *faults; /* by event */
	int64 *row_counts;	   /* by event */
	int nfaults;
	bool wants_schema; /* nothing was stored: fetch the decoder's schema outside of the transaction, and try again */
} MlsStoreResult;

/*
 * Store what can be stored of n events. Without immediate, deferred constraints are checked at commit; with it, while it
 * can still be told which event violates them. Raises for what is not an event's fault. The result is palloc'd in the
 * current context.
 */
extern void mls_store(MlsRowMaker *rows, const MlsEvent *events, int n, bool immediate, MlsStoreResult *result);

/* Is an error of this SQLSTATE an event's own fault, so that trying it again cannot help? */
extern bool mls_store_is_fault(int sqlstate);

/* Put the events that were not stored into ml_score.dead_letter. */
extern void mls_store_dead_letters(const MlsStream *stream, const MlsEvent *events, int n,
								   const MlsStoreResult *result);

#endif
