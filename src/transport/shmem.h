/*
 * shmem.h - what all backends share of a server: limits, breaker, statistics, tuning.
 *
 * One entry a deployment of a server in a hash table of ml_score.max_endpoints: each has its own instances, so what is
 * learnt of one says nothing of another. Without shared_preload_libraries, or when the table is full of entries in use, a
 * backend has entries of its own, so that everything above works the same.
 */
#ifndef MLS_SHMEM_H
#define MLS_SHMEM_H

#include "catalog/server.h"
#include "monitor/statistics.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/spin.h"
#include "transport/breaker.h"
#include "transport/limiter.h"
#include "transport/share.h"
#include "transport/tuner.h"

typedef struct MlsEntryKey
{
	Oid dboid;
	Oid serverid;
	uint32 deployment; /* a hash of its name; 0: none is named */
	uint32 shadow;	   /* 1: copies of requests, which must not disturb the others' breaker */
} MlsEntryKey;

/* A tuner for each choice of what a server (or a session's settings) leaves to it. */
typedef enum MlsTunerKind
{
	MLS_TUNER_BOTH,
	MLS_TUNER_ROWS_ONLY,
	MLS_TUNER_PARALLEL_ONLY,
	MLS_TUNER_KINDS
} MlsTunerKind;

#define MLS_DEPLOYMENT_SIZE 64 /* of its name, as it is shown */

typedef struct MlsEntry
{
	MlsEntryKey key;					  /* the hash key */
	bool shared;						  /* in shared memory, not this backend's own */
	char deployment[MLS_DEPLOYMENT_SIZE]; /* "": none is named */
	TimestampTz opened_at;
	pg_atomic_uint32 pins;					  /* open endpoint handles; with any the entry stays */
	pg_atomic_uint64 turns[MLS_SHARE_COUNTS]; /* requests that were dealt out */
	slock_t mutex;							  /* for all that follows, but the condition variable */
	uint32 target;							  /* of the URL: another place starts afresh */
	MlsLimiter limiter;
	MlsBreaker breaker;
	MlsStatistics statistics;
	MlsTuner tuners[MLS_TUNER_KINDS];
	int batch_rows; /* as last used */
	int parallel_requests;
	ConditionVariable slot_freed;
} MlsEntry;

/* The entry of server's deployment, made if need be, with a pin on it. */
extern MlsEntry *mls_entry_open(const MlsServer *server);

/* Take the pin off. Never raises. */
extern void mls_entry_close(MlsEntry *entry);

/* A request of server's deployment should have been logged, and was not: count it, and say why. */
extern void mls_entry_note_unlogged(const MlsServer *server, const char *message);

/* Copies of this database's entries, own ones included; palloc'd. */
extern MlsEntry *mls_entry_list(int *count);

/* Forget what was counted of this database's servers. */
extern void mls_entry_reset_statistics(void);

extern void mls_shmem_init(void);

#endif
