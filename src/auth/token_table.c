/*
 * token_table.c - see token_table.h.
 */
#include "postgres.h"

#include "auth/token_table.h"

#include "miscadmin.h"
#include "shared_memory.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

/* Entries of a backend without shared memory. */
#define OWN_ENTRIES 16

/* What precedes the three arrays. */
typedef struct TableHeader
{
	uint8 salt[MLS_TOKEN_SALT_SIZE];
} TableHeader;

static TableHeader *header; /* NULL: not made yet */
static MlsCacheKey *keys;
static MlsTokenEntry *entries;
static char *values;
static int size;
static LWLock *shared_lock; /* NULL: not preloaded */

static Size
table_bytes(int count)
{
	return add_size(
		MAXALIGN(sizeof(TableHeader)),
		mul_size(count, MAXALIGN(sizeof(MlsCacheKey)) + MAXALIGN(sizeof(MlsTokenEntry)) + MLS_TOKEN_MAX_VALUE));
}

/* Lay the arrays out in memory of table_bytes(count). */
static void
place(char *memory, int count)
{
	header = (TableHeader *) memory;
	memory += MAXALIGN(sizeof(TableHeader));
	keys = (MlsCacheKey *) memory;
	memory += mul_size(count, MAXALIGN(sizeof(MlsCacheKey)));
	entries = (MlsTokenEntry *) memory;
	memory += mul_size(count, MAXALIGN(sizeof(MlsTokenEntry)));
	values = memory;
	size = count;
}

static void
fill_blank(int count)
{
	memset(header, 0, table_bytes(count));
	if (!pg_strong_random(header->salt, sizeof(header->salt)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not get random numbers")));
	for (int i = 0; i < count; i++)
		ConditionVariableInit(&entries[i].fetched);
}

static Size
shared_size(void)
{
	return table_bytes(mls_max_tokens);
}

static void
attach_shmem(LWLock *lock)
{
	bool found;

	place(ShmemInitStruct("ml_score tokens", shared_size(), &found), mls_max_tokens);
	if (!found)
		fill_blank(mls_max_tokens);
	shared_lock = lock;
}

static const MlsSharedMemory shared_memory = {"ml_score tokens", shared_size, attach_shmem};

void
mls_token_cache_init(void)
{
	mls_shared_memory_register(&shared_memory);
}

/* Without shared memory, have memory of our own. */
static void
ensure_table(void)
{
	if (header != NULL)
		return;
	place(MemoryContextAlloc(TopMemoryContext, table_bytes(OWN_ENTRIES)), OWN_ENTRIES);
	fill_blank(OWN_ENTRIES);
}

void
mls_token_lock(void)
{
	ensure_table();
	if (shared_lock != NULL)
		LWLockAcquire(shared_lock, LW_EXCLUSIVE);
}

void
mls_token_unlock(void)
{
	if (shared_lock != NULL)
		LWLockRelease(shared_lock);
}

bool
mls_token_table_is_shared(void)
{
	return shared_lock != NULL;
}

int
mls_token_table_size(void)
{
	return size;
}

const uint8 *
mls_token_table_salt(void)
{
	ensure_table();
	return header->salt;
}

uint32
mls_token_wait_event(void)
{
	static uint32 wait_event = 0;

	if (wait_event == 0)
		wait_event = WaitEventExtensionNew("MlScoreToken");
	return wait_event;
}

MlsTokenEntry *
mls_token_entry(int index)
{
	return &entries[index];
}

const char *
mls_token_value(int index)
{
	return values + (Size) index * MLS_TOKEN_MAX_VALUE;
}

void
mls_token_value_set(int index, const char *value)
{
	char *place_of_value = values + (Size) index * MLS_TOKEN_MAX_VALUE;
	size_t len = value == NULL ? 0 : strlen(value);

	explicit_bzero(place_of_value, entries[index].value_len);
	if (len > MLS_TOKEN_MAX_VALUE)
		len = 0;
	if (len > 0)
		memcpy(place_of_value, value, len);
	entries[index].value_len = (uint32) len;
}

int
mls_token_find(const MlsCacheKey *key)
{
	for (int i = 0; i < size; i++)
		if (memcmp(&keys[i], key, sizeof(*key)) == 0 && entries[i].used)
			return i;
	return -1;
}

/* The entry to be used for something new, or -1. */
static int
find_victim(void)
{
	int victim = -1;

	for (int i = 0; i < size; i++)
	{
		if (!entries[i].used)
			return i;
		if (entries[i].fetcher == 0 && (victim < 0 || entries[i].used_at < entries[victim].used_at))
			victim = i;
	}
	return victim;
}

int
mls_token_make(const MlsCacheKey *key, const MlsCacheLabel *label)
{
	int index = find_victim();
	MlsTokenEntry *entry;

	if (index < 0)
		return -1;
	entry = &entries[index];
	mls_token_value_set(index, NULL);

	/* All but the condition variable, on which someone may still sleep. */
	memset(entry, 0, offsetof(MlsTokenEntry, fetched));
	entry->used = true;
	strlcpy(entry->kind, label->kind, sizeof(entry->kind));
	strlcpy(entry->authority, label->authority, sizeof(entry->authority));
	strlcpy(entry->identity, label->identity, sizeof(entry->identity));
	strlcpy(entry->scope, label->scope, sizeof(entry->scope));
	keys[index] = *key;
	return index;
}
