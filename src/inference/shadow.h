/*
 * shadow.h - copies of requests to shadow deployments, several under way at a time. In the worker.
 */
#ifndef MLS_SHADOW_H
#define MLS_SHADOW_H

#include "inference/record.h"

/* Is there room for another? */
extern bool mls_shadow_has_room(void);

/* Send record, which is a palloc'd copy of its own context's, and keep it until its answer is there. */
extern void mls_shadow_send(const MlsRecord *record);

/* Are any under way? */
extern bool mls_shadow_is_busy(void);

/* Move on what is under way, and see to the answers that came. */
extern void mls_shadow_advance(void);

#endif
