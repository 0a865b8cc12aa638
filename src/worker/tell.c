/*
 * tell.c - a worker is told at commit that there is more for it to do: one that runs by its latch, so that it need not look
 * all the time; else the supervisor, which starts one.
 */
#include "worker/worker.h"

#include "access/xact.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/memutils.h"

typedef struct Told
{
	const MlsWorkerKind *kind;
	int64 key;
} Told;

static List *told_at_commit; /* of Told *, in TopTransactionContext */

/* Wake the key's worker; false when there is none. */
static bool
wake_worker(const Told *told)
{
	int pid = mls_worker_pid(told->kind, told->key);
	PGPROC *proc = pid == 0 ? NULL : BackendPidGetProc(pid);

	if (proc == NULL)
		return false;
	SetLatch(&proc->procLatch);
	return true;
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	ListCell *lc;

	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
		foreach (lc, told_at_commit)
		{
			if (event == XACT_EVENT_PREPARE || !wake_worker(lfirst(lc)))
				mls_worker_wake_at_commit();
		}
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		told_at_commit = NIL;
}

void
mls_worker_tell_at_commit(const MlsWorkerKind *kind, int64 key)
{
	static bool registered = false;
	MemoryContext old;
	ListCell *lc;
	Told *told;

	if (!mls_preloaded)
		return;
	/* Callbacks run from the last to the first: this must come before the one that wakes the supervisor. */
	if (!registered)
		RegisterXactCallback(at_transaction_end, NULL);
	registered = true;
	foreach (lc, told_at_commit)
	{
		told = lfirst(lc);
		if (told->kind == kind && told->key == key)
			return;
	}
	old = MemoryContextSwitchTo(TopTransactionContext);
	told = palloc(sizeof(Told));
	*told = (Told){kind, key};
	told_at_commit = lappend(told_at_commit, told);
	MemoryContextSwitchTo(old);
}
