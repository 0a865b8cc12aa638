/*
 * shmem.c - the table of servers in shared memory, and its stand-in without.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "shared_memory.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "transport/shmem.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

static HTAB *shared_entries; /* NULL: not preloaded */
static LWLock *shared_lock;	 /* for which entries there are */
static HTAB *own_entries;

static Size
shared_size(void)
{
	return hash_estimate_size(mls_max_endpoints, sizeof(MlsEntry));
}

static void
attach_shmem(LWLock *lock)
{
	HASHCTL control = {.keysize = sizeof(MlsEntryKey), .entrysize = sizeof(MlsEntry)};

	shared_entries = ShmemInitHash("ml_score endpoints", mls_max_endpoints, mls_max_endpoints, &control,
								   HASH_ELEM | HASH_BLOBS | HASH_FIXED_SIZE);
	shared_lock = lock;
}

static const MlsSharedMemory shared_memory = {"ml_score", shared_size, attach_shmem};

void
mls_shmem_init(void)
{
	mls_shared_memory_register(&shared_memory);
}

/* 0 stands for no name. */
static uint32
hash_name(const char *name)
{
	return name == NULL ? 0 : DatumGetUInt32(hash_any((const unsigned char *) name, (int) strlen(name))) | 1;
}

static uint32
target_of(const MlsServer *server)
{
	const char *url = server->url != NULL ? server->url : "";

	return DatumGetUInt32(hash_any((const unsigned char *) url, (int) strlen(url)));
}

static void
copy_name(char into[MLS_DEPLOYMENT_SIZE], const char *name)
{
	int len = pg_mbcliplen(name, (int) strlen(name), MLS_DEPLOYMENT_SIZE - 1);

	memcpy(into, name, len);
	into[len] = '\0';
}

static void
init_tuners(MlsEntry *entry)
{
	mls_tuner_init(&entry->tuners[MLS_TUNER_BOTH], 0, 0);
	mls_tuner_init(&entry->tuners[MLS_TUNER_ROWS_ONLY], 0, MLS_TUNER_FIRST_PARALLEL);
	mls_tuner_init(&entry->tuners[MLS_TUNER_PARALLEL_ONLY], MLS_TUNER_FIRST_ROWS, 0);
}

static void
init_entry(MlsEntry *entry, const MlsServer *server, bool shared)
{
	memset((char *) entry + sizeof(MlsEntryKey), 0, sizeof(MlsEntry) - sizeof(MlsEntryKey));
	entry->shared = shared;
	pg_atomic_init_u32(&entry->pins, 0);
	SpinLockInit(&entry->mutex);
	ConditionVariableInit(&entry->slot_freed);
	for (int i = 0; i < MLS_SHARE_COUNTS; i++)
		pg_atomic_init_u64(&entry->turns[i], 0);
	if (server->deployment != NULL)
		copy_name(entry->deployment, server->deployment);
	entry->target = target_of(server);
	init_tuners(entry);
}

/* The server's URL may have changed since: what was learnt of the old place does not hold for the new one. */
static void
check_target(MlsEntry *entry, const MlsServer *server)
{
	uint32 target = target_of(server);

	SpinLockAcquire(&entry->mutex);
	if (entry->target != target)
	{
		entry->target = target;
		mls_breaker_succeeded(&entry->breaker);
		entry->limiter.hold_until = 0;
		init_tuners(entry);
	}
	SpinLockRelease(&entry->mutex);
}

/* Drop entries of servers and databases that are no more. The lock is held exclusively. */
static void
drop_stale_entries(void)
{
	HASH_SEQ_STATUS status;
	MlsEntry *entry;

	hash_seq_init(&status, shared_entries);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		bool alive;

		if (pg_atomic_read_u32(&entry->pins) > 0)
			continue;
		if (entry->key.dboid == MyDatabaseId)
			alive = SearchSysCacheExists1(FOREIGNSERVEROID, ObjectIdGetDatum(entry->key.serverid));
		else
			alive = SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(entry->key.dboid));
		if (!alive)
			hash_search(shared_entries, &entry->key, HASH_REMOVE, NULL);
	}
}

/*
 * Names of deployments come and go while their server stays: when there is still no room, drop the one of them that was
 * opened the longest time ago. The lock is held exclusively.
 */
static void
drop_oldest_deployment(void)
{
	HASH_SEQ_STATUS status;
	MlsEntry *oldest = NULL;
	MlsEntry *entry;

	hash_seq_init(&status, shared_entries);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (entry->key.deployment != 0 && pg_atomic_read_u32(&entry->pins) == 0 &&
			(oldest == NULL || entry->opened_at < oldest->opened_at))
			oldest = entry;
	}
	if (oldest != NULL)
		hash_search(shared_entries, &oldest->key, HASH_REMOVE, NULL);
}

static MlsEntry *
open_shared(const MlsEntryKey *key, const MlsServer *server)
{
	MlsEntry *entry;
	bool found;

	LWLockAcquire(shared_lock, LW_SHARED);
	entry = hash_search(shared_entries, key, HASH_FIND, NULL);
	if (entry == NULL)
	{
		LWLockRelease(shared_lock);
		LWLockAcquire(shared_lock, LW_EXCLUSIVE);
		if (hash_get_num_entries(shared_entries) >= mls_max_endpoints && IsTransactionState())
			drop_stale_entries();
		if (hash_get_num_entries(shared_entries) >= mls_max_endpoints)
			drop_oldest_deployment();
		if (hash_get_num_entries(shared_entries) < mls_max_endpoints)
		{
			entry = hash_search(shared_entries, key, HASH_ENTER, &found);
			if (!found)
				init_entry(entry, server, true);
		}
		else
			entry = hash_search(shared_entries, key, HASH_FIND, NULL);
	}
	if (entry != NULL)
		pg_atomic_fetch_add_u32(&entry->pins, 1);
	LWLockRelease(shared_lock);
	return entry;
}

static MlsEntry *
open_own(const MlsEntryKey *key, const MlsServer *server)
{
	MlsEntry *entry;
	bool found;

	if (own_entries == NULL)
	{
		HASHCTL control = {.keysize = sizeof(MlsEntryKey), .entrysize = sizeof(MlsEntry), .hcxt = TopMemoryContext};

		own_entries = hash_create("ml_score endpoints", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	entry = hash_search(own_entries, key, HASH_ENTER, &found);
	if (!found)
		init_entry(entry, server, false);
	pg_atomic_fetch_add_u32(&entry->pins, 1);
	return entry;
}

MlsEntry *
mls_entry_open(const MlsServer *server)
{
	MlsEntryKey key = {.dboid = MyDatabaseId,
					   .serverid = server->serverid,
					   .deployment = hash_name(server->deployment),
					   .shadow = server->is_shadow};
	MlsEntry *entry = NULL;

	if (shared_entries != NULL)
		entry = open_shared(&key, server);
	if (entry == NULL)
		entry = open_own(&key, server);
	check_target(entry, server);
	entry->opened_at = GetCurrentTimestamp();
	return entry;
}

void
mls_entry_close(MlsEntry *entry)
{
	pg_atomic_fetch_sub_u32(&entry->pins, 1);
}

void
mls_entry_note_unlogged(const MlsServer *server, const char *message)
{
	MlsEntry *entry = mls_entry_open(server);
	TimestampTz now = GetCurrentTimestamp();
	int len = pg_mbcliplen(message, (int) strlen(message), (int) sizeof(entry->statistics.last_error) - 1);

	SpinLockAcquire(&entry->mutex);
	entry->statistics.log_dropped++;
	memcpy(entry->statistics.last_error, message, len);
	entry->statistics.last_error[len] = '\0';
	entry->statistics.last_error_at = now;
	SpinLockRelease(&entry->mutex);
	mls_entry_close(entry);
}

/* Call visit for each of this database's entries. */
static void
visit_entries(HTAB *entries, void (*visit)(MlsEntry *entry, void *arg), void *arg)
{
	HASH_SEQ_STATUS status;
	MlsEntry *entry;

	if (entries == NULL)
		return;
	hash_seq_init(&status, entries);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (entry->key.dboid == MyDatabaseId)
			visit(entry, arg);
	}
}

static void
visit_all_entries(LWLockMode mode, void (*visit)(MlsEntry *entry, void *arg), void *arg)
{
	if (shared_entries != NULL)
	{
		LWLockAcquire(shared_lock, mode);
		visit_entries(shared_entries, visit, arg);
		LWLockRelease(shared_lock);
	}
	visit_entries(own_entries, visit, arg);
}

typedef struct EntryList
{
	MlsEntry *entries;
	int count;
	int capacity;
} EntryList;

static void
copy_entry(MlsEntry *entry, void *arg)
{
	EntryList *list = arg;

	if (list->count == list->capacity)
		return;
	SpinLockAcquire(&entry->mutex);
	memcpy(&list->entries[list->count++], entry, sizeof(MlsEntry));
	SpinLockRelease(&entry->mutex);
}

MlsEntry *
mls_entry_list(int *count)
{
	EntryList list = {0};

	list.capacity = (shared_entries != NULL ? mls_max_endpoints : 0) +
					(own_entries != NULL ? (int) hash_get_num_entries(own_entries) : 0);
	list.entries = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(MlsEntry) * Max(list.capacity, 1));
	visit_all_entries(LW_SHARED, copy_entry, &list);
	*count = list.count;
	return list.entries;
}

static void
reset_entry(MlsEntry *entry, void *arg)
{
	SpinLockAcquire(&entry->mutex);
	memset(&entry->statistics, 0, sizeof(entry->statistics));
	SpinLockRelease(&entry->mutex);
}

void
mls_entry_reset_statistics(void)
{
	visit_all_entries(LW_SHARED, reset_entry, NULL);
}
