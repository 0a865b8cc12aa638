/*
 * queue.c - see queue.h.
 *
 * The records are in an area of ml_score.inference_queue_size, of which copies to be sent take half at the most, so that an
 * endpoint that does not answer does not keep the log from being written.
 */
#include "inference/queue.h"

#include "inference/queue_file.h"
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
	dsa_pointer handed; /* to be logged, with the worker: the last first */
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

/* Put a record at the end of its list; the lock is held exclusively. */
static void
link_last(Channel *channel, dsa_pointer pointer, Link *link)
{
	MlsRecordKind kind = link->record.kind;

	link->next = InvalidDsaPointer;
	if (DsaPointerIsValid(channel->last[kind]))
		((Link *) dsa_get_address(area, channel->last[kind]))->next = pointer;
	else
		channel->first[kind] = pointer;
	channel->last[kind] = pointer;
	shared->taken[kind] += link->record.size;
}

/* The same at the beginning. */
static void
link_first(Channel *channel, dsa_pointer pointer, Link *link)
{
	MlsRecordKind kind = link->record.kind;

	link->next = channel->first[kind];
	channel->first[kind] = pointer;
	if (!DsaPointerIsValid(channel->last[kind]))
		channel->last[kind] = pointer;
	shared->taken[kind] += link->record.size;
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

/* What a worker that has ended did not see to is to be logged still. The lock is held exclusively. */
static void
take_back_handed(Channel *channel)
{
	while (DsaPointerIsValid(channel->handed))
	{
		dsa_pointer pointer = channel->handed;
		Link *link = dsa_get_address(area, pointer);

		channel->handed = link->next;
		link_first(channel, pointer, link);
	}
}

/* Make a channel free, whatever is in it. The lock is held exclusively. */
static void
clear_channel(Channel *channel)
{
	take_back_handed(channel);
	for (int kind = 0; kind < MLS_RECORD_KINDS; kind++)
	{
		dsa_pointer pointer;

		while (DsaPointerIsValid(pointer = unlink_first(channel, kind)))
			dsa_free(area, pointer);
	}
	memset(channel, 0, sizeof(Channel));
}

/*
 * Owner's channel in a database, made if need be; in the place of one that no worker empties (of a database that is
 * gone, perhaps) when none is free. NULL: there is no place. The lock is held exclusively.
 */
static Channel *
find_channel(Oid dboid, Oid owner)
{
	Channel *unused = NULL;
	Channel *abandoned = NULL;

	for (int i = 0; i < CHANNELS; i++)
	{
		Channel *channel = &shared->channels[i];

		if (channel->dboid == dboid && channel->owner == owner)
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
	unused->dboid = dboid;
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

/* Put link into its channel. False: it may not be put there. */
static bool
append(Oid dboid, Oid owner, dsa_pointer pointer, Link *link)
{
	MlsRecordKind kind = link->record.kind;
	Channel *channel;
	bool fits;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	channel = find_channel(dboid, owner);
	fits = channel != NULL && (kind != MLS_RECORD_SHADOW || shared->taken[kind] + link->record.size <= area_size() / 2);
	if (fits)
	{
		link_last(channel, pointer, link);
		if (channel->latch != NULL)
			SetLatch(channel->latch);
	}
	LWLockRelease(lock);
	return fits;
}

static bool
push(Oid dboid, Oid owner, const MlsRecord *record)
{
	dsa_pointer pointer =
		dsa_allocate_extended(area, offsetof(Link, record) + record->size, DSA_ALLOC_NO_OOM | DSA_ALLOC_HUGE);
	Link *link;

	if (!DsaPointerIsValid(pointer))
		return false;
	link = dsa_get_address(area, pointer);
	memcpy(&link->record, record, record->size);
	if (append(dboid, owner, pointer, link))
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
	return push(MyDatabaseId, owner, record) || (clear_abandoned() && push(MyDatabaseId, owner, record));
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
	own_channel = find_channel(MyDatabaseId, owner);
	if (own_channel != NULL)
	{
		take_back_handed(own_channel);
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
	link = DsaPointerIsValid(pointer) ? dsa_get_address(area, pointer) : NULL;
	if (link != NULL && kind == MLS_RECORD_LOG)
	{
		link->next = own_channel->handed;
		own_channel->handed = pointer;
	}
	LWLockRelease(lock);
	if (link == NULL)
		return NULL;
	record = MemoryContextAllocHuge(CurrentMemoryContext, link->record.size);
	memcpy(record, &link->record, link->record.size);
	if (kind != MLS_RECORD_LOG)
		dsa_free(area, pointer);
	return record;
}

void
mls_queue_done(Oid serverid)
{
	dsa_pointer *at;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	at = &own_channel->handed;
	while (DsaPointerIsValid(*at))
	{
		dsa_pointer pointer = *at;
		Link *link = dsa_get_address(area, pointer);

		if (link->record.serverid != serverid)
		{
			at = &link->next;
			continue;
		}
		*at = link->next;
		dsa_free(area, pointer);
	}
	LWLockRelease(lock);
}

/* The list of a channel's records to be logged, into the file. */
static void
save_channel(MlsQueueFile *file, Channel *channel)
{
	take_back_handed(channel);
	for (dsa_pointer pointer = channel->first[MLS_RECORD_LOG]; DsaPointerIsValid(pointer);)
	{
		const Link *link = dsa_get_address(area, pointer);

		mls_queue_file_write(file, channel->dboid, channel->owner, &link->record);
		pointer = link->next;
	}
}

static bool
has_records(const Channel *channel)
{
	return DsaPointerIsValid(channel->first[MLS_RECORD_LOG]) || DsaPointerIsValid(channel->handed);
}

/* The postmaster stops: all other processes have ended. Not after a crash, which may have left anything here. */
static void
save(int code, Datum arg)
{
	MlsQueueFile *file = NULL;

	if (code != 0)
		return;
	area = dsa_attach_in_place(place, NULL);
	for (int i = 0; i < CHANNELS; i++)
	{
		if (!has_records(&shared->channels[i]))
			continue;
		if (file == NULL && (file = mls_queue_file_create()) == NULL)
			return;
		save_channel(file, &shared->channels[i]);
	}
	if (file != NULL)
		mls_queue_file_close(file);
}

/* Fetch what was saved. There may be less room for it than there was. */
static void
load(void)
{
	MlsQueueFile *file = mls_queue_file_open(area_size());
	const MlsRecord *record;
	Oid dboid;
	Oid owner;
	int lost = 0;

	if (file == NULL)
		return;
	while ((record = mls_queue_file_read(file, &dboid, &owner)) != NULL)
		lost += !push(dboid, owner, record);
	mls_queue_file_close(file);
	if (lost > 0)
		ereport(LOG, (errcode(ERRCODE_OUT_OF_MEMORY),
					  errmsg("%d requests that waited to be written into inference logs are lost", lost),
					  errhint("Raise ml_score.inference_queue_size.")));
}

/* The area lives in the server's own shared memory and does not grow out of it. */
static void
make_area(void)
{
	area = dsa_create_in_place(place, area_size(), lock->tranche, NULL);
	dsa_pin(area);
	dsa_set_size_limit(area, area_size());
	load();
	dsa_detach(area);
	area = NULL; /* other processes attach for themselves */
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
	if (!IsUnderPostmaster)
		on_shmem_exit(save, (Datum) 0);
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
