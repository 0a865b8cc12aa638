/*
 * lookup.h - the worker that looks runs up at the run history.
 */
#ifndef MLS_LOOKUP_H
#define MLS_LOOKUP_H

/* From _PG_init, before mls_worker_init. */
extern void mls_lookup_init(void);

#endif
