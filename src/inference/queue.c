/*
 * queue.c - see queue.h.
 *
 * The records are in an area of ml_score.inference_queue_size, of which copies to be sent take half at the most, so that an
 * endpoint that does not answer does not keep the log from being written.
 */
#include "inference/queue.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/dsa.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define TRANCHE "ml_score inference"
#define CHANNELS 64
#define ABANDONED_MS (5 * 60 * 1000) /* without a worker: its database may be gone, or the server another's */

/* A record in its list. */
typedef struct Link
{
	dsa_pointer next;
	MlsRecord record; /* the last: its length varies */
} Link;

typedef struct Channel
{
	Oid dboid; /* InvalidOid: free */
	Oid owner;
	int pid; /* of its worker; 0: none */
	TimestampTz unserved_since;
	Latch *latch;
	dsa_pointer first[MLS_RECORD_KINDS];
	dsa_pointer last[MLS_RECORD_KINDS];
} Channel;

typedef struct Shared
{
	Size taken[MLS_RECORD_KINDS]; /* bytes */
	Channel channels[CHANNELS];
} Shared;

static shmem_request_hook_type previous_request_hook;
static shmem_startup_hook_type previous_startup_hook;

static Shared *shared; /* NULL: not preloaded */
static void *place;	   /* of the area */
static LWLock *lock;   /* for shared and the lists */
static dsa_area *area;
static Channel *own_channel; /* that this process is the worker of */

static Size
area_size(void)
{
	return Max((Size) mls_inference_queue_size * 1024, dsa_minimum_size());
}

static void
request_shmem(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(add_size(MAXALIGN(sizeof(Shared)), MAXALIGN(area_size())));
	RequestNamedLWLockTranche(TRANCHE, 1);
}

/* The area lives in the server's own shared memory and does not grow out of it. */
static void
make_area(void)
{
	dsa_area *made = dsa_create_in_place(place, area_size(), lock->tranche, NULL);

	dsa_pin(made);
	dsa_set_size_limit(made, area_size());
	dsa_detach(made);
}

static void
startup_shmem(void)
{
	bool found;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	lock = &GetNamedLWLockTranche(TRANCHE)->lock;
	shared = ShmemInitStruct("ml_score inference queue", MAXALIGN(sizeof(Shared)) + MAXALIGN(area_size()), &found);
	place = (char *) shared + MAXALIGN(sizeof(Shared));
	if (!found)
	{
		memset(shared, 0, sizeof(Shared));
		make_area();
	}
	LWLockRelease(AddinShmemInitLock);
}

void
mls_queue_init(void)
{
	if (!mls_preloaded)
		return;
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_shmem;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup_shmem;
}

bool
mls_queue_exists(void)
{
	return shared != NULL;
}

bool
mls_queue_may_take(Size size)
{
	return size <= area_size() / 4;
}

static void
attach_area(void)
{
	MemoryContext old;

	if (area != NULL)
		return;
	old = MemoryContextSwitchTo(TopMemoryContext);
	area = dsa_attach_in_place(place, NULL);
	dsa_pin_mapping(area);
	on_shmem_exit(dsa_on_shmem_exit_release_in_place, PointerGetDatum(place));
	MemoryContextSwitchTo(old);
}

/* Take the first record out of a list; the lock is held exclusively. */
static dsa_pointer
unlink_first(Channel *channel, MlsRecordKind kind)
{
	dsa_pointer first = channel->first[kind];
	Link *link;

	if (!DsaPointerIsValid(first))
		return InvalidDsaPointer;
	link = dsa_get_address(area, first);
	channel->first[kind] = link->next;
	if (!DsaPointerIsValid(link->next))
		channel->last[kind] = InvalidDsaPointer;
	shared->taken[kind] -= link->record.size;
	return first;
}

/* Make a channel free, whatever is in it. The lock is held exclusively. */
static void
clear_channel(Channel *channel)
{
	for (int kind = 0; kind < MLS_RECORD_KINDS; kind++)
	{
		dsa_pointer pointer;

		while (DsaPointerIsValid(pointer = unlink_first(channel, kind)))
			dsa_free(area, pointer);
	}
	memset(channel, 0, sizeof(Channel));
}

/*
 * Owner's channel in this database, made if need be; in the place of one that no worker empties (of a database that is
 * gone, perhaps) when none is free. NULL: there is no place. The lock is held exclusively.
 */
static Channel *
find_channel(Oid owner)
{
	Channel *unused = NULL;
	Channel *abandoned = NULL;

	for (int i = 0; i < CHANNELS; i++)
	{
		Channel *channel = &shared->channels[i];

		if (channel->dboid == MyDatabaseId && channel->owner == owner)
			return channel;
		if (!OidIsValid(channel->dboid))
			unused = channel;
		else if (channel->pid == 0)
			abandoned = channel;
	}
	if (unused == NULL)
		unused = abandoned;
	if (unused == NULL)
		return NULL;
	clear_channel(unused);
	unused->dboid = MyDatabaseId;
	unused->owner = owner;
	unused->unserved_since = GetCurrentTimestamp();
	return unused;
}

/* Make room: of what nobody has come for in a while. True if there was any. */
static bool
clear_abandoned(void)
{
	TimestampTz now = GetCurrentTimestamp();
	bool cleared = false;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < CHANNELS; i++)
	{
		Channel *channel = &shared->channels[i];

		if (OidIsValid(channel->dboid) && channel->pid == 0 &&
			TimestampDifferenceExceeds(channel->unserved_since, now, ABANDONED_MS))
		{
			clear_channel(channel);
			cleared = true;
		}
	}
	LWLockRelease(lock);
	return cleared;
}

/* Put link at the end of its list. False: it may not be put there. */
static bool
append(Oid owner, dsa_pointer pointer, Link *link)
{
	MlsRecordKind kind = link->record.kind;
	Channel *channel;
	Link *last;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	channel = find_channel(owner);
	if (channel == NULL || (kind == MLS_RECORD_SHADOW && shared->taken[kind] + link->record.size > area_size() / 2))
	{
		LWLockRelease(lock);
		return false;
	}
	if (DsaPointerIsValid(channel->last[kind]))
	{
		last = dsa_get_address(area, channel->last[kind]);
		last->next = pointer;
	}
	else
		channel->first[kind] = pointer;
	channel->last[kind] = pointer;
	shared->taken[kind] += link->record.size;
	if (channel->latch != NULL)
		SetLatch(channel->latch);
	LWLockRelease(lock);
	return true;
}

static bool
push(Oid owner, const MlsRecord *record)
{
	dsa_pointer pointer =
		dsa_allocate_extended(area, offsetof(Link, record) + record->size, DSA_ALLOC_NO_OOM | DSA_ALLOC_HUGE);
	Link *link;

	if (!DsaPointerIsValid(pointer))
		return false;
	link = dsa_get_address(area, pointer);
	link->next = InvalidDsaPointer;
	memcpy(&link->record, record, record->size);
	if (append(owner, pointer, link))
		return true;
	dsa_free(area, pointer);
	return false;
}

bool
mls_queue_push(Oid owner, const MlsRecord *record)
{
	if (shared == NULL || record->size > area_size())
		return false;
	attach_area();
	return push(owner, record) || (clear_abandoned() && push(owner, record));
}

static void
leave_channel(int code, Datum arg)
{
	LWLockAcquire(lock, LW_EXCLUSIVE);
	own_channel->pid = 0;
	own_channel->latch = NULL;
	own_channel->unserved_since = GetCurrentTimestamp();
	LWLockRelease(lock);
}

bool
mls_queue_attach(Oid owner)
{
	attach_area();
	LWLockAcquire(lock, LW_EXCLUSIVE);
	own_channel = find_channel(owner);
	if (own_channel != NULL)
	{
		own_channel->pid = MyProcPid;
		own_channel->latch = &MyProc->procLatch;
	}
	LWLockRelease(lock);
	if (own_channel == NULL)
		return false;
	before_shmem_exit(leave_channel, 0);
	return true;
}

MlsRecord *
mls_queue_pop(MlsRecordKind kind)
{
	MlsRecord *record;
	dsa_pointer pointer;
	Link *link;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	pointer = unlink_first(own_channel, kind);
	LWLockRelease(lock);
	if (!DsaPointerIsValid(pointer))
		return NULL;
	link = dsa_get_address(area, pointer);
	record = MemoryContextAllocHuge(CurrentMemoryContext, link->record.size);
	memcpy(record, &link->record, link->record.size);
	dsa_free(area, pointer);
	return record;
}
