/*
 * status.c - see status.h.
 */
#include "stream/status.h"

#include "miscadmin.h"
#include "shared_memory.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"

#define RATE_SECONDS 10

typedef struct Shared
{
	uint64 questions;
	ConditionVariable caught_up; /* a partition has, with what somebody asked for */
	int capacity;
	MlsStreamStatus entries[FLEXIBLE_ARRAY_MEMBER];
} Shared;

static Shared *shared;
static LWLock *lock;
static bool exit_registered;

static Size
shared_size(void)
{
	return add_size(offsetof(Shared, entries), mul_size(mls_max_stream_partitions, sizeof(MlsStreamStatus)));
}

static void
attach_shmem(LWLock *part_lock)
{
	bool found;

	shared = ShmemInitStruct("ml_score streams", shared_size(), &found);
	if (!found)
	{
		memset(shared, 0, shared_size());
		ConditionVariableInit(&shared->caught_up);
		shared->capacity = mls_max_stream_partitions;
	}
	lock = part_lock;
}

static const MlsSharedMemory shared_memory = {"ml_score streams", shared_size, attach_shmem};

void
mls_status_init(void)
{
	mls_shared_memory_register(&shared_memory);
}

void
mls_status_close_all(void)
{
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < shared->capacity; i++)
	{
		MlsStreamStatus *entry = &shared->entries[i];

		if (!OidIsValid(entry->dboid) || entry->pid != MyProcPid)
			continue;
		entry->pid = 0;
		entry->latch = NULL;
		if (entry->partition < 0)
			entry->dboid = InvalidOid;
	}
	LWLockRelease(lock);
}

static void
close_at_exit(int code, Datum arg)
{
	mls_status_close_all();
}

/* The partition's entry, else a free one, else the first that has no worker. */
static MlsStreamStatus *
find_entry(int64 stream_id, int partition, int worker)
{
	MlsStreamStatus *vacant = NULL;

	for (int i = 0; i < shared->capacity; i++)
	{
		MlsStreamStatus *entry = &shared->entries[i];

		if (entry->dboid == MyDatabaseId && entry->stream_id == stream_id && entry->partition == partition &&
			(partition >= 0 || entry->worker == worker))
			return entry;
		if (!OidIsValid(entry->dboid) && (vacant == NULL || OidIsValid(vacant->dboid)))
			vacant = entry;
		else if (entry->pid == 0 && vacant == NULL)
			vacant = entry;
	}
	if (vacant != NULL)
		memset(vacant, 0, sizeof(*vacant));
	return vacant;
}

MlsStreamStatus *
mls_status_open(const MlsStream *stream, int partition, int worker)
{
	MlsStreamStatus *entry;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	entry = find_entry(stream->id, partition, worker);
	if (entry != NULL)
	{
		entry->dboid = MyDatabaseId;
		entry->stream_id = stream->id;
		entry->owner = stream->owner;
		entry->partition = partition;
		entry->worker = worker;
		entry->pid = MyProcPid;
		entry->latch = &MyProc->procLatch;
		entry->state = MLS_STREAM_STARTING;
		entry->end_offset = entry->seen_offset = -1;
		entry->throttled = 0;
		memset(&entry->rate, 0, sizeof(entry->rate));
	}
	LWLockRelease(lock);
	if (!exit_registered)
		before_shmem_exit(close_at_exit, 0);
	exit_registered = true;
	return entry;
}

void
mls_status_set_state(MlsStreamStatus *status, MlsStreamState state)
{
	if (status != NULL)
		status->state = state;
}

void
mls_status_set_error(MlsStreamStatus *status, const char *message)
{
	if (status == NULL)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	strlcpy(status->last_error, message, sizeof(status->last_error));
	status->last_error_at = GetCurrentTimestamp();
	LWLockRelease(lock);
}

bool
mls_status_has_caught_up(const MlsStreamStatus *status, uint64 question)
{
	if (status->pid == 0)
		return false;
	if (status->partition < 0)
		return status->state == MLS_STREAM_RUNNING;
	return status->answered >= question && status->seen_offset >= status->answer;
}

void
mls_status_set_ends(MlsStreamStatus *status, int64 seen_offset, int64 end_offset, int64 throttled)
{
	bool caught_up;

	if (status == NULL)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	caught_up = !mls_status_has_caught_up(status, status->asked);
	status->seen_offset = seen_offset;
	status->end_offset = Max(end_offset, seen_offset);
	status->throttled = throttled;
	caught_up &= mls_status_has_caught_up(status, status->asked);
	LWLockRelease(lock);
	if (caught_up)
		ConditionVariableBroadcast(&shared->caught_up);
}

/* Forget what is more than some seconds past, by halves. */
static void
age_rate(MlsStreamRate *rate, TimestampTz now)
{
	double seconds = (now - rate->since) / 1e6;

	if (rate->since == 0)
		rate->since = now;
	else if (seconds >= RATE_SECONDS)
	{
		rate->events_per_second = rate->events / seconds;
		rate->bytes_per_second = rate->bytes / seconds;
		rate->events = rate->bytes = 0;
		rate->since = now;
	}
	else if (seconds >= 1 && rate->events_per_second == 0)
	{
		rate->events_per_second = rate->events / seconds;
		rate->bytes_per_second = rate->bytes / seconds;
	}
}

void
mls_status_count(MlsStreamStatus *status, int64 events, int64 bytes)
{
	if (status == NULL)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	status->rate.events += events;
	status->rate.bytes += bytes;
	age_rate(&status->rate, GetCurrentTimestamp());
	LWLockRelease(lock);
}

uint64
mls_status_question(MlsStreamStatus *status)
{
	uint64 question = 0;

	if (status == NULL)
		return 0;
	LWLockAcquire(lock, LW_SHARED);
	if (status->asked > status->answered)
		question = status->asked;
	LWLockRelease(lock);
	return question;
}

void
mls_status_answer(MlsStreamStatus *status, uint64 question, int64 end_offset)
{
	LWLockAcquire(lock, LW_EXCLUSIVE);
	status->answered = question;
	status->answer = end_offset;
	status->end_offset = Max(status->end_offset, end_offset);
	LWLockRelease(lock);
	ConditionVariableBroadcast(&shared->caught_up);
}

uint64
mls_status_new_question(void)
{
	uint64 question;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	question = ++shared->questions;
	LWLockRelease(lock);
	return question;
}

void
mls_status_ask(int64 stream_id, uint64 question)
{
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < shared->capacity; i++)
	{
		MlsStreamStatus *entry = &shared->entries[i];

		if (entry->dboid != MyDatabaseId || entry->stream_id != stream_id || entry->asked >= question)
			continue;
		entry->asked = question;
		if (entry->latch != NULL)
			SetLatch(entry->latch);
	}
	LWLockRelease(lock);
}

void
mls_status_wait(long ms, uint32 wait_event)
{
	(void) ConditionVariableTimedSleep(&shared->caught_up, ms, wait_event);
}

void
mls_status_end_wait(void)
{
	ConditionVariableCancelSleep();
}

MlsStreamStatus *
mls_status_list(int64 stream_id, int *count)
{
	MlsStreamStatus *list;

	*count = 0;
	if (shared == NULL)
		return NULL;
	list = palloc(sizeof(MlsStreamStatus) * shared->capacity);
	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < shared->capacity; i++)
	{
		const MlsStreamStatus *entry = &shared->entries[i];

		if (entry->dboid != MyDatabaseId || (stream_id > 0 && entry->stream_id != stream_id))
			continue;
		list[*count] = *entry;
		age_rate(&list[(*count)++].rate, GetCurrentTimestamp());
	}
	LWLockRelease(lock);
	return list;
}
