/*
 * queue.h - what scoring hands to the worker that logs and shadows: records in shared memory, bounded.
 *
 * A channel for each owner of servers in a database, with a list of records of each kind. Whoever scores never waits: what
 * does not fit is not taken. Needs shared_preload_libraries. What is to be logged outlives a worker that is ended, and a
 * server that is stopped (queue_file.h), but no crash; copies to be sent are gone when the server stops.
 */
#ifndef MLS_QUEUE_H
#define MLS_QUEUE_H

#include "inference/record.h"

/* Is there a queue in this server? */
extern bool mls_queue_exists(void);

/* Might a record of about this size be taken? One that would crowd out the others is not. */
extern bool mls_queue_may_take(Size size);

/* Put a copy of record at the end of owner's channel in this database. False: there is no room. */
extern bool mls_queue_push(Oid owner, const MlsRecord *record);

/* The worker of owner's channel: be told of new records by its latch, until the process ends. False: no channel is free. */
extern bool mls_queue_attach(Oid owner);

/*
 * Take the oldest record of a kind from the attached channel; palloc'd, NULL when there is none. What is to be logged is
 * kept for the channel's next worker until mls_queue_done() says that all that was taken for the server has been seen to.
 */
extern MlsRecord *mls_queue_pop(MlsRecordKind kind);
extern void mls_queue_done(Oid serverid);

extern void mls_queue_init(void); /* from _PG_init */

#endif
