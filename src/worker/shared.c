/*
 * shared.c - the shared memory of the worker family.
 */
#include "worker/shared.h"

#include <signal.h>

#include "miscadmin.h"
#include "shared_memory.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"

#define MESSAGES 64
#define HOLDS 64
#define HOLD_SECONDS 5
#define STATUSES_BEYOND 256 /* of what is wanted and has no slot */

/* A process of ours in a database. */
typedef struct Presence
{
	int pid; /* 0: free */
	Oid dboid;
	bool supervisor;
	bool serving; /* a supervisor that has work */
	Latch *latch;
} Presence;

typedef struct Hold
{
	int pid; /* 0: free */
	Oid dboid;
} Hold;

typedef struct Shared
{
	Latch *launcher;
	int messages; /* in the ring */
	int first_message;
	bool overflowed; /* a message did not fit: look at everything */
	bool prepared;	 /* some transaction that will want somebody to be woken */
	MlsLauncherMessage ring[MESSAGES];
	Hold holds[HOLDS];
	int npresences;
	int nstatuses;
	Presence *presences;
	MlsWorkerStatus *statuses; /* free: dboid is InvalidOid */
} Shared;

static Shared *shared; /* NULL: not preloaded */
static LWLock *lock;   /* for all of it */
static Presence *own_presence;
static bool holds_any;

static Size
presences_size(void)
{
	return MAXALIGN(mul_size(max_worker_processes, sizeof(Presence)));
}

static Size
shared_size(void)
{
	Size size = add_size(MAXALIGN(sizeof(Shared)), presences_size());

	return add_size(size, mul_size(max_worker_processes + STATUSES_BEYOND, sizeof(MlsWorkerStatus)));
}

static void
attach_shmem(LWLock *part_lock)
{
	bool found;

	shared = ShmemInitStruct("ml_score workers", shared_size(), &found);
	if (!found)
	{
		memset(shared, 0, shared_size());
		shared->npresences = max_worker_processes;
		shared->nstatuses = max_worker_processes + STATUSES_BEYOND;
		shared->presences = (Presence *) ((char *) shared + MAXALIGN(sizeof(Shared)));
		shared->statuses = (MlsWorkerStatus *) ((char *) shared->presences + presences_size());
	}
	lock = part_lock;
}

static const MlsSharedMemory shared_memory = {"ml_score workers", shared_size, attach_shmem};

void
mls_worker_shmem_init(void)
{
	mls_shared_memory_register(&shared_memory);
}

static void
forget_launcher(int code, Datum arg)
{
	LWLockAcquire(lock, LW_EXCLUSIVE);
	shared->launcher = NULL;
	LWLockRelease(lock);
}

void
mls_worker_shared_be_launcher(void)
{
	LWLockAcquire(lock, LW_EXCLUSIVE);
	shared->launcher = MyLatch;
	LWLockRelease(lock);
	before_shmem_exit(forget_launcher, 0);
}

bool
mls_worker_shared_next_message(MlsLauncherMessage *message)
{
	bool found = true;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	if (shared->messages > 0)
	{
		*message = shared->ring[shared->first_message];
		shared->first_message = (shared->first_message + 1) % MESSAGES;
		shared->messages--;
	}
	else if (shared->overflowed)
	{
		*message = (MlsLauncherMessage){MLS_NEWS_ALL, InvalidOid};
		shared->overflowed = false;
	}
	else
		found = false;
	LWLockRelease(lock);
	return found;
}

/* The lock is held exclusively. */
static void
tell(MlsLauncherNews news, Oid dboid)
{
	if (shared->messages < MESSAGES)
		shared->ring[(shared->first_message + shared->messages++) % MESSAGES] = (MlsLauncherMessage){news, dboid};
	else
		shared->overflowed = true;
	if (shared->launcher != NULL)
		SetLatch(shared->launcher);
}

void
mls_worker_shared_tell(MlsLauncherNews news, Oid dboid)
{
	if (shared == NULL)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	tell(news, dboid);
	LWLockRelease(lock);
}

static bool
is_held(Oid dboid)
{
	for (int i = 0; i < HOLDS; i++)
		if (shared->holds[i].pid != 0 && shared->holds[i].dboid == dboid)
			return true;
	return false;
}

bool
mls_worker_shared_is_held(Oid dboid)
{
	bool held;

	LWLockAcquire(lock, LW_SHARED);
	held = is_held(dboid);
	LWLockRelease(lock);
	return held;
}

/* Tell the database's workers to end; how many there are. The lock is held. */
static int
end_workers(Oid dboid)
{
	int count = 0;

	for (int i = 0; i < shared->npresences; i++)
	{
		const Presence *presence = &shared->presences[i];

		if (presence->pid == 0 || presence->dboid != dboid || presence->supervisor)
			continue;
		kill(presence->pid, SIGTERM);
		count++;
	}
	return count;
}

bool
mls_worker_shared_end_workers(void)
{
	int count;

	LWLockAcquire(lock, LW_SHARED);
	count = end_workers(own_presence->dboid);
	LWLockRelease(lock);
	return count > 0;
}

/* Without its supervisor nobody would end a worker, or know that there is one. */
static void
leave(int code, Datum arg)
{
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; own_presence->supervisor && i < shared->nstatuses; i++)
		if (shared->statuses[i].dboid == own_presence->dboid)
			memset(&shared->statuses[i], 0, sizeof(MlsWorkerStatus));
	if (own_presence->supervisor)
		(void) end_workers(own_presence->dboid);
	memset(own_presence, 0, sizeof(Presence));
	LWLockRelease(lock);
}

/* Does a supervisor with this pid run in the database? The lock is held. */
static bool
has_supervisor(Oid dboid, int pid)
{
	for (int i = 0; i < shared->npresences; i++)
		if (shared->presences[i].pid == pid && shared->presences[i].dboid == dboid && shared->presences[i].supervisor)
			return true;
	return false;
}

bool
mls_worker_shared_enter(Oid dboid, int supervisor)
{
	bool may;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	may = !is_held(dboid) && (supervisor == 0 || has_supervisor(dboid, supervisor));
	for (int i = 0; may && own_presence == NULL && i < shared->npresences; i++)
	{
		if (shared->presences[i].pid != 0)
			continue;
		own_presence = &shared->presences[i];
		*own_presence =
			(Presence){.pid = MyProcPid, .dboid = dboid, .supervisor = supervisor == 0, .latch = &MyProc->procLatch};
	}
	LWLockRelease(lock);
	if (own_presence == NULL)
		return false;
	/* Called after what InitPostgres registers later: who is gone from here no longer counts as in the database. */
	on_shmem_exit(leave, 0);
	return true;
}

void
mls_worker_shared_set_serving(bool serving)
{
	LWLockAcquire(lock, LW_EXCLUSIVE);
	own_presence->serving = serving;
	LWLockRelease(lock);
}

void
mls_worker_shared_wake(Oid dboid)
{
	bool served = false;

	if (shared == NULL)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < shared->npresences; i++)
	{
		Presence *presence = &shared->presences[i];

		if (presence->pid != 0 && presence->dboid == dboid && presence->supervisor)
		{
			SetLatch(presence->latch);
			served |= presence->serving;
		}
	}
	if (!served)
		tell(MLS_NEWS_LOOK, dboid);
	LWLockRelease(lock);
}

void
mls_worker_shared_note_prepared(void)
{
	LWLockAcquire(lock, LW_EXCLUSIVE);
	shared->prepared = true;
	LWLockRelease(lock);
}

bool
mls_worker_shared_was_prepared(void)
{
	bool prepared;

	LWLockAcquire(lock, LW_SHARED);
	prepared = shared->prepared;
	LWLockRelease(lock);
	return prepared;
}

/* Tell all in the database to end; how many there are. */
static int
end_all_in(Oid dboid)
{
	int count = 0;

	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < shared->npresences; i++)
	{
		if (shared->presences[i].pid != 0 && shared->presences[i].dboid == dboid)
		{
			kill(shared->presences[i].pid, SIGTERM);
			count++;
		}
	}
	LWLockRelease(lock);
	return count;
}

void
mls_worker_shared_hold(Oid dboid)
{
	int tries = HOLD_SECONDS * 100;

	if (shared == NULL)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < HOLDS; i++)
	{
		if (shared->holds[i].pid == 0)
		{
			shared->holds[i] = (Hold){MyProcPid, dboid};
			holds_any = true;
			break;
		}
	}
	LWLockRelease(lock);
	while (end_all_in(dboid) > 0 && tries-- > 0)
	{
		CHECK_FOR_INTERRUPTS();
		pg_usleep(10 * 1000);
	}
}

void
mls_worker_shared_release(void)
{
	if (!holds_any)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < HOLDS; i++)
	{
		if (shared->holds[i].pid == MyProcPid)
		{
			shared->holds[i].pid = 0;
			tell(MLS_NEWS_LOOK, shared->holds[i].dboid);
		}
	}
	holds_any = false;
	LWLockRelease(lock);
}

int
mls_worker_shared_show(int slot, const MlsWorkerStatus *status)
{
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; slot < 0 && i < shared->nstatuses; i++)
		if (!OidIsValid(shared->statuses[i].dboid))
			slot = i;
	if (slot >= 0)
		shared->statuses[slot] = *status;
	LWLockRelease(lock);
	return slot;
}

void
mls_worker_shared_unshow(int slot)
{
	if (slot < 0)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	memset(&shared->statuses[slot], 0, sizeof(MlsWorkerStatus));
	LWLockRelease(lock);
}

int
mls_worker_pid(const MlsWorkerKind *kind, int64 key)
{
	int pid = 0;

	if (shared == NULL)
		return 0;
	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; pid == 0 && i < shared->nstatuses; i++)
	{
		const MlsWorkerStatus *status = &shared->statuses[i];

		if (status->dboid == MyDatabaseId && status->key == key && mls_worker_kind(status->kind) == kind)
			pid = status->pid;
	}
	LWLockRelease(lock);
	return pid;
}

MlsWorkerStatus *
mls_worker_list(const MlsWorkerKind *kind, int *count)
{
	MlsWorkerStatus *list;

	*count = 0;
	if (shared == NULL)
		return NULL;
	list = palloc(sizeof(MlsWorkerStatus) * shared->nstatuses);
	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < shared->nstatuses; i++)
	{
		if (shared->statuses[i].dboid == MyDatabaseId &&
			(kind == NULL || mls_worker_kind(shared->statuses[i].kind) == kind))
			list[(*count)++] = shared->statuses[i];
	}
	LWLockRelease(lock);
	return list;
}
