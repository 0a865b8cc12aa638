/*
 * outbox.h - events on their way out: they wait in ml_score.outbox_event, written by the caller's transaction, until a
 * worker in the sender's name has seen them delivered.
 */
#ifndef MLS_OUTBOX_H
#define MLS_OUTBOX_H

#include "worker/worker.h"

extern const MlsWorkerKind mls_outbox_kind;

/* From _PG_init. */
extern void mls_outbox_init(void);

/* A worker's key: who sends, and where. */
static inline int64
mls_outbox_key(Oid server, Oid sender)
{
	return (int64) (((uint64) server << 32) | sender);
}

#endif
