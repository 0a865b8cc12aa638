/*
 * shared_memory.h - what modules keep in shared memory: each has a part of it, with a lock.
 */
#ifndef MLS_SHARED_MEMORY_H
#define MLS_SHARED_MEMORY_H

#include "ml_score.h"

#include "storage/lwlock.h"

typedef struct MlsSharedMemory
{
	const char *name;	/* of the lock */
	Size (*size)(void); /* as settings are when the server starts */
	void (*attach)(
		LWLock *lock); /* find the part by ShmemInitStruct or the like, which makes it for the first process */
} MlsSharedMemory;

/* From _PG_init; nothing unless the library is preloaded. The struct stays the caller's. */
extern void mls_shared_memory_register(const MlsSharedMemory *part);

#endif
