/*
 * shmem.h - what all backends share of a server: limits, breaker, statistics, tuning.
 *
 * One entry a server in a hash table of ml_score.max_endpoints. Without shared_preload_libraries, or when the table is
 * full of servers in use, a backend has entries of its own, so that everything above works the same.
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
#include "transport/tuner.h"

typedef struct MlsEntryKey
{
	Oid dboid;
	Oid serverid;
} MlsEntryKey;

/* A tuner for each choice of what a server (or a session's settings) leaves to it. */
typedef enum MlsTunerKind
{
	MLS_TUNER_BOTH,
	MLS_TUNER_ROWS_ONLY,
	MLS_TUNER_PARALLEL_ONLY,
	MLS_TUNER_KINDS
} MlsTunerKind;

typedef struct MlsEntry
{
	MlsEntryKey key;	   /* the hash key */
	bool shared;		   /* in shared memory, not this backend's own */
	pg_atomic_uint32 pins; /* open endpoint handles; with any the entry stays */
	slock_t mutex;		   /* for all that follows, but the condition variable */
	uint32 target;		   /* of the URL: another place starts afresh */
	MlsLimiter limiter;
	MlsBreaker breaker;
	MlsStatistics statistics;
	MlsTuner tuners[MLS_TUNER_KINDS];
	int batch_rows; /* as last used */
	int parallel_requests;
	ConditionVariable slot_freed;
} MlsEntry;

/* server's entry, made if need be, with a pin on it. */
extern MlsEntry *mls_entry_open(const MlsServer *server);

/* Take the pin off. Never raises. */
extern void mls_entry_close(MlsEntry *entry);

/* Copies of this database's entries, own ones included; palloc'd. */
extern MlsEntry *mls_entry_list(int *count);

/* Forget what was counted of this database's servers. */
extern void mls_entry_reset_statistics(void);

extern void mls_shmem_init(void);

#endif
