/*
 * shared_memory.c - see shared_memory.h.
 */
#include "shared_memory.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

#define PARTS_MAX 8

static shmem_request_hook_type previous_request_hook;
static shmem_startup_hook_type previous_startup_hook;
static const MlsSharedMemory *parts[PARTS_MAX];
static int part_count;

static void
request_shmem(void)
{
	if (previous_request_hook)
		previous_request_hook();
	for (int i = 0; i < part_count; i++)
	{
		RequestAddinShmemSpace(parts[i]->size());
		RequestNamedLWLockTranche(parts[i]->name, 1);
	}
}

static void
startup_shmem(void)
{
	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	for (int i = 0; i < part_count; i++)
		parts[i]->attach(&GetNamedLWLockTranche(parts[i]->name)->lock);
	LWLockRelease(AddinShmemInitLock);
}

void
mls_shared_memory_register(const MlsSharedMemory *part)
{
	if (!mls_preloaded)
		return;
	if (part_count == 0)
	{
		previous_request_hook = shmem_request_hook;
		shmem_request_hook = request_shmem;
		previous_startup_hook = shmem_startup_hook;
		shmem_startup_hook = startup_shmem;
	}
	Assert(part_count < PARTS_MAX);
	parts[part_count++] = part;
}
