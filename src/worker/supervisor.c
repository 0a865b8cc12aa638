/*
 * supervisor.c - the process that keeps one database's workers running.
 *
 * It reads what each kind wants, starts what is missing, ends what is no longer wanted, and sleeps until a commit wakes
 * it, a worker ends, or a delay is over. Between looks it is in no transaction. When nothing has been wanted for a while
 * it ends, so that a database without background work takes no worker slot; the launcher starts one for the next commit
 * that wants some.
 */
#include "worker/shared.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#define LOOK_INTERVAL_MS 60000
#define LINGER_MS 60000 /* work often comes again */
#define FIRST_DELAY_MS 1000
#define LONGEST_DELAY_MS 60000
#define NO_SLOT_DELAY_MS 5000
#define ENDING_MS 20 /* between looks whether the workers of the supervisor before have ended */

/* A worker that is, was or should be running. */
typedef struct Task
{
	MlsWorkerOrder order;
	bool wanted;
	bool told_to_end; /* because it is no longer wanted as it is */
	BackgroundWorkerHandle *handle;
	TimestampTz started_at;
	TimestampTz not_before;
	long delay_ms; /* before the next start */
	bool started_once;
	int slot; /* of its status in shared memory */
	MlsWorkerStatus status;
} Task;

static List *tasks; /* of Task *, in TopMemoryContext */

PGDLLEXPORT void mls_worker_supervisor_main(Datum arg);

/* Is there work for a supervisor here: the extension, in a database that people connect to? In a transaction. */
static bool
database_is_ours(void)
{
	HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
	Form_pg_database form;
	bool ours;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_database) GETSTRUCT(tuple);
	ours = form->datallowconn && !form->datistemplate && OidIsValid(get_extension_oid(MLS_SCHEMA, true));
	ReleaseSysCache(tuple);
	return ours;
}

static bool
is_same(const MlsWorkerOrder *a, const MlsWorkerOrder *b)
{
	return a->kind == b->kind && a->key == b->key && a->index == b->index;
}

/* May the process that runs a go on as b? */
static bool
is_current(const MlsWorkerOrder *a, const MlsWorkerOrder *b)
{
	return a->version == b->version && a->owner == b->owner && a->count == b->count && strcmp(a->name, b->name) == 0;
}

static void
want(const MlsWorkerOrder *order)
{
	Task *task = NULL;
	ListCell *lc;

	foreach (lc, tasks)
		if (is_same(&((Task *) lfirst(lc))->order, order))
			task = lfirst(lc);
	if (task == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		task = palloc0(sizeof(Task));
		task->slot = -1;
		task->order = *order;
		tasks = lappend(tasks, task);
		MemoryContextSwitchTo(old);
	}
	task->wanted = true;
	if (is_current(&task->order, order))
		return;
	/* What was changed may be what made it fail. */
	task->order = *order;
	task->not_before = 0;
	task->delay_ms = 0;
	if (task->handle != NULL)
	{
		TerminateBackgroundWorker(task->handle);
		task->told_to_end = true;
	}
}

static bool
role_logs_in(Oid role)
{
	HeapTuple tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	bool result = HeapTupleIsValid(tuple) && ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return result;
}

/* Note one line of a kind's query: key, name, owner, workers, version. */
static void
want_row(int kind, HeapTuple row, TupleDesc desc)
{
	bool isnull;
	MlsWorkerOrder order = {.dboid = MyDatabaseId, .kind = kind, .supervisor = MyProcPid};

	order.key = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
	strlcpy(order.name, TextDatumGetCString(SPI_getbinval(row, desc, 2, &isnull)), sizeof(order.name));
	order.owner = DatumGetObjectId(SPI_getbinval(row, desc, 3, &isnull));
	order.count = DatumGetInt32(SPI_getbinval(row, desc, 4, &isnull));
	order.version = DatumGetInt64(SPI_getbinval(row, desc, 5, &isnull));
	order.owner_logs_in = role_logs_in(order.owner);
	for (order.index = 0; order.index < order.count; order.index++)
		want(&order);
}

static void
read_kind(int number)
{
	if (SPI_execute(mls_worker_kind(number)->wanted, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read what \"%s\" workers are wanted", mls_worker_kind(number)->name);
	for (uint64 i = 0; i < SPI_processed; i++)
		want_row(number, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
}

typedef enum Outlook
{
	OUTLOOK_NONE, /* no extension here, or none any more */
	OUTLOOK_IDLE, /* nothing is wanted, nothing runs */
	OUTLOOK_WORK
} Outlook;

/* Read what is wanted. */
static Outlook
read_wanted(void)
{
	bool ours;
	ListCell *lc;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	ours = database_is_ours();
	foreach (lc, tasks)
		((Task *) lfirst(lc))->wanted = false;
	if (ours)
	{
		SPI_connect();
		for (int i = 0; mls_worker_kind(i) != NULL; i++)
			read_kind(i);
		SPI_finish();
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_stat(true);
	if (!ours)
		return OUTLOOK_NONE;
	return tasks == NIL ? OUTLOOK_IDLE : OUTLOOK_WORK;
}

/* Is this supervisor of use, or was it until a moment ago? worked_at is when it was last. */
static bool
is_of_use(TimestampTz *worked_at)
{
	TimestampTz now = GetCurrentTimestamp();

	switch (read_wanted())
	{
		case OUTLOOK_NONE:
			return false;
		case OUTLOOK_IDLE:
			return *worked_at != 0 && !TimestampDifferenceExceeds(*worked_at, now, LINGER_MS);
		case OUTLOOK_WORK:
			*worked_at = now;
			return true;
	}
	pg_unreachable();
}

/* The same, but before it ends, commits are told to wake the launcher, and what they brought in between is looked at. */
static bool
look(TimestampTz *worked_at)
{
	if (is_of_use(worked_at))
		return true;
	mls_worker_shared_set_serving(false);
	return is_of_use(worked_at);
}

static void
show(Task *task, int pid, bool short_of_slots)
{
	task->status.dboid = MyDatabaseId;
	task->status.kind = task->order.kind;
	task->status.key = task->order.key;
	task->status.index = task->order.index;
	task->status.owner = task->order.owner;
	strlcpy(task->status.name, task->order.name, sizeof(task->status.name));
	task->status.pid = pid;
	task->status.short_of_slots = short_of_slots;
	task->slot = mls_worker_shared_show(task->slot, &task->status);
}

/* A worker ended by itself: the next start waits twice as long, unless this one ran well. */
static void
put_off(Task *task, TimestampTz now)
{
	if (task->delay_ms == 0 || TimestampDifferenceExceeds(task->started_at, now, LONGEST_DELAY_MS))
		task->delay_ms = FIRST_DELAY_MS;
	else
		task->delay_ms = Min(task->delay_ms * 2, LONGEST_DELAY_MS);
	task->not_before = TimestampTzPlusMilliseconds(now, task->delay_ms);
	task->status.last_end = now;
}

/* See which workers have ended, end those no longer wanted, forget what is over. */
static void
take_ends(TimestampTz now)
{
	ListCell *lc;
	pid_t pid;

	foreach (lc, tasks)
	{
		Task *task = lfirst(lc);

		if (task->handle != NULL && GetBackgroundWorkerPid(task->handle, &pid) == BGWH_STOPPED)
		{
			pfree(task->handle);
			task->handle = NULL;
			if (!task->told_to_end)
				put_off(task, now);
			task->told_to_end = false;
			show(task, 0, false);
		}
		if (task->wanted)
			continue;
		if (task->handle != NULL)
		{
			TerminateBackgroundWorker(task->handle);
			task->told_to_end = true;
			continue;
		}
		mls_worker_shared_unshow(task->slot);
		tasks = foreach_delete_current(tasks, lc);
		pfree(task);
	}
}

static void
start_worker(Task *task, TimestampTz now)
{
	BackgroundWorker worker = {
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = BGW_NEVER_RESTART,
		.bgw_notify_pid = MyProcPid,
	};
	const char *kind = mls_worker_kind(task->order.kind)->name;
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	StaticAssertStmt(sizeof(MlsWorkerOrder) <= BGW_EXTRALEN, "an order must fit into bgw_extra");
	strlcpy(worker.bgw_library_name, MLS_WORKER_LIBRARY, sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "mls_worker_main", sizeof(worker.bgw_function_name));
	snprintf(worker.bgw_name, BGW_MAXLEN, "ml_score %s %s", kind, task->order.name);
	snprintf(worker.bgw_type, BGW_MAXLEN, "ml_score %s", kind);
	memcpy(worker.bgw_extra, &task->order, sizeof(MlsWorkerOrder));
	if (RegisterDynamicBackgroundWorker(&worker, &task->handle))
	{
		task->started_at = now;
		task->status.restarts += task->started_once;
		task->started_once = true;
	}
	else
	{
		task->handle = NULL;
		task->not_before = TimestampTzPlusMilliseconds(now, NO_SLOT_DELAY_MS);
		if (!task->status.short_of_slots)
			ereport(WARNING, errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					errmsg("no background worker slot for ml_score %s \"%s\"", kind, task->order.name),
					errhint("Raise max_worker_processes (now %d).", max_worker_processes));
	}
	show(task, 0, task->handle == NULL);
	MemoryContextSwitchTo(old);
}

/* Start what is due; the time until something else is, in ms. */
static long
start_due(TimestampTz now)
{
	long wait_ms = LOOK_INTERVAL_MS;
	ListCell *lc;

	foreach (lc, tasks)
	{
		Task *task = lfirst(lc);
		pid_t pid;

		if (task->handle == NULL && task->wanted && task->not_before <= now)
			start_worker(task, now);
		if (task->handle == NULL && task->wanted)
			wait_ms = Min(wait_ms, TimestampDifferenceMilliseconds(now, task->not_before) + 1);
		else if (task->handle != NULL && GetBackgroundWorkerPid(task->handle, &pid) == BGWH_STARTED &&
				 task->status.pid != pid)
			show(task, pid, false);
	}
	return wait_ms;
}

/* Let the launcher look into other databases; once. */
static void
tell_served(bool *served)
{
	if (!*served)
		mls_worker_shared_tell(MLS_NEWS_SERVED, MyDatabaseId);
	*served = true;
}

void
mls_worker_supervisor_main(Datum arg)
{
	Oid dboid = DatumGetObjectId(arg);
	uint32 wait_event = WaitEventExtensionNew("MlScoreSupervisorMain");
	TimestampTz worked_at = 0;
	bool served = false;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	if (!mls_worker_shared_enter(dboid, 0))
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(dboid, InvalidOid, 0);
	SetConfigOption("application_name", "ml_score supervisor", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_OVERRIDE);

	while (mls_worker_shared_end_workers())
	{
		tell_served(&served);
		mls_worker_sleep(ENDING_MS, wait_event);
	}
	while (look(&worked_at))
	{
		TimestampTz now = GetCurrentTimestamp();

		mls_worker_shared_set_serving(true);
		tell_served(&served);
		take_ends(now);
		mls_worker_sleep(start_due(now), wait_event);
	}
	take_ends(GetCurrentTimestamp());
	mls_worker_shared_tell(MLS_NEWS_UNSERVED, dboid);
}
