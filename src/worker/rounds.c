/*
 * rounds.c - how workers that empty a table do it: round after round, and what fails is noted and tried again.
 */
#include "worker/worker.h"

#include "utils/memutils.h"

void
mls_worker_rounds(const MlsWorker *worker, MlsWorkerRound round, uint32 wait_event)
{
	MemoryContext cxt = AllocSetContextCreate(TopMemoryContext, "ml_score rounds", ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(cxt);
	int wait_ms;

	while ((wait_ms = round(worker, cxt)) >= 0)
	{
		MemoryContextReset(cxt);
		(void) mls_worker_sleep(wait_ms, wait_event);
		MemoryContextSwitchTo(cxt);
	}
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(cxt);
}

/* That the process is to end is FATAL, whatever SQLSTATE an owner's code gives to its errors. */
ErrorData *
mls_worker_try(void (*work)(void *arg), void *arg, MemoryContext cxt)
{
	ErrorData *volatile error = NULL;

	MemoryContextSwitchTo(cxt);
	PG_TRY();
	{
		work(arg);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(cxt);
		error = CopyErrorData();
		FlushErrorState();
		mls_worker_abort();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(cxt);
	return error;
}
