/*
 * launcher.c - the process that keeps a supervisor in each database with background work.
 *
 * It cannot see into a database, so it starts a supervisor, which says whether it found work and ends if not: one at a
 * time, lest a hundred databases take every worker slot. After that it sleeps. Commits that may have made work, and the
 * end of a supervisor, wake it; the list of databases is read again now and then in any case, and each looked into again
 * for what no commit told (a transaction that was prepared before a restart, say).
 */
#include "worker/shared.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#define LIST_INTERVAL_MS 60000
#define LOOK_INTERVAL_MS (10 * 60000)
#define RESTART_DELAY_MS 1000
#define NO_SLOT_DELAY_MS 10000
#define NO_SLOT_REPORT_MS (10 * 60000)

typedef enum DatabaseState
{
	DATABASE_UNKNOWN,  /* to be looked into */
	DATABASE_LOOKING,  /* its supervisor has not said yet */
	DATABASE_SERVED,   /* its supervisor runs */
	DATABASE_UNSERVED, /* it ended: no extension, or nothing to do */
} DatabaseState;

typedef struct Database
{
	Oid oid;
	DatabaseState state;
	bool listed;	 /* in pg_database when it was read last */
	bool look_again; /* there was news while its supervisor was looking */
	BackgroundWorkerHandle *handle;
	TimestampTz not_before;
	int slot; /* of the status that says that no supervisor can be started; -1: it can */
} Database;

static List *databases; /* of Database *, in TopMemoryContext */
static TimestampTz no_slot_reported;

PGDLLEXPORT void mls_worker_launcher_main(Datum arg);

static Database *
find_database(Oid oid)
{
	ListCell *lc;

	foreach (lc, databases)
		if (((Database *) lfirst(lc))->oid == oid)
			return lfirst(lc);
	return NULL;
}

static void
note_database(Oid oid)
{
	Database *database = find_database(oid);

	if (database == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		database = palloc0(sizeof(Database));
		database->oid = oid;
		database->slot = -1;
		databases = lappend(databases, database);
		MemoryContextSwitchTo(old);
	}
	database->listed = true;
}

/* Templates are left alone: CREATE DATABASE needs them to itself. */
static void
read_databases(void)
{
	Relation rel;
	TableScanDesc scan;
	HeapTuple tuple;
	ListCell *lc;

	foreach (lc, databases)
		((Database *) lfirst(lc))->listed = false;
	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		if (form->datallowconn && !form->datistemplate)
			note_database(form->oid);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	pgstat_report_stat(true);
}

/* Have every database looked into again that was left. */
static void
look_again(void)
{
	ListCell *lc;

	foreach (lc, databases)
	{
		Database *database = lfirst(lc);

		if (database->state == DATABASE_UNSERVED && database->handle == NULL)
			database->state = DATABASE_UNKNOWN;
	}
}

/* Forget databases that are gone. */
static void
drop_unlisted(void)
{
	ListCell *lc;

	foreach (lc, databases)
	{
		Database *database = lfirst(lc);

		if (database->listed || database->handle != NULL)
			continue;
		mls_worker_shared_unshow(database->slot);
		databases = foreach_delete_current(databases, lc);
		pfree(database);
	}
}

static void
set_state(Oid oid, MlsLauncherNews news)
{
	Database *database = find_database(oid);

	if (database == NULL)
		return;
	switch (news)
	{
		case MLS_NEWS_SERVED:
			database->state = DATABASE_SERVED;
			break;
		case MLS_NEWS_UNSERVED:
			database->state = DATABASE_UNSERVED;
			break;
		case MLS_NEWS_LOOK:
		case MLS_NEWS_ALL:
			if (database->handle != NULL)
				database->look_again = true;
			else
				database->state = DATABASE_UNKNOWN;
			break;
	}
}

/* Take what we are told. The list of databases is read when it may have changed, or list_due. */
static void
take_messages(bool list_due)
{
	MlsLauncherMessage message;
	ListCell *lc;

	while (mls_worker_shared_next_message(&message))
	{
		list_due |= message.news == MLS_NEWS_ALL || message.news == MLS_NEWS_LOOK;
		set_state(message.dboid, message.news);
		if (message.news == MLS_NEWS_ALL)
			foreach (lc, databases)
				set_state(((Database *) lfirst(lc))->oid, MLS_NEWS_ALL);
	}
	if (list_due)
		read_databases();
}

/* See which supervisors have ended. One that served, or could not say, is wanted again. */
static void
take_ends(void)
{
	ListCell *lc;
	pid_t pid;

	foreach (lc, databases)
	{
		Database *database = lfirst(lc);

		if (database->handle == NULL || GetBackgroundWorkerPid(database->handle, &pid) != BGWH_STOPPED)
			continue;
		pfree(database->handle);
		database->handle = NULL;
		if (database->state == DATABASE_UNSERVED && !database->look_again)
			continue;
		if (!database->look_again)
			database->not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), RESTART_DELAY_MS);
		database->state = DATABASE_UNKNOWN;
		database->look_again = false;
	}
}

static void
report_no_slot(void)
{
	TimestampTz now = GetCurrentTimestamp();

	if (no_slot_reported != 0 && !TimestampDifferenceExceeds(no_slot_reported, now, NO_SLOT_REPORT_MS))
		return;
	no_slot_reported = now;
	ereport(WARNING, errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			errmsg("ml_score has no background worker slot for a supervisor"),
			errhint("Raise max_worker_processes (now %d).", max_worker_processes));
}

/* Show in the database's views whether its supervisor lacks a slot. */
static void
show_no_slot(Database *database, bool lacks)
{
	MlsWorkerStatus status = {
		.dboid = database->oid, .kind = MLS_WORKER_SUPERVISOR, .name = "supervisor", .short_of_slots = true};

	if (lacks)
		database->slot = mls_worker_shared_show(database->slot, &status);
	else
	{
		mls_worker_shared_unshow(database->slot);
		database->slot = -1;
	}
}

static void
start_supervisor(Database *database)
{
	BackgroundWorker worker = {
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = BGW_NEVER_RESTART,
		.bgw_main_arg = ObjectIdGetDatum(database->oid),
		.bgw_notify_pid = MyProcPid,
	};
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	strlcpy(worker.bgw_library_name, MLS_WORKER_LIBRARY, sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "mls_worker_supervisor_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "ml_score supervisor", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "ml_score supervisor", BGW_MAXLEN);
	if (RegisterDynamicBackgroundWorker(&worker, &database->handle))
		database->state = DATABASE_LOOKING;
	else
	{
		database->handle = NULL;
		database->not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), NO_SLOT_DELAY_MS);
		report_no_slot();
	}
	show_no_slot(database, database->handle == NULL);
	MemoryContextSwitchTo(old);
}

/* Start what is due, unless a supervisor is still looking. The time until something else is due, in ms. */
static long
start_due(void)
{
	TimestampTz now = GetCurrentTimestamp();
	long wait_ms = LIST_INTERVAL_MS;
	ListCell *lc;

	foreach (lc, databases)
		if (((Database *) lfirst(lc))->state == DATABASE_LOOKING)
			return wait_ms;
	foreach (lc, databases)
	{
		Database *database = lfirst(lc);

		if (database->state != DATABASE_UNKNOWN || !database->listed || mls_worker_shared_is_held(database->oid))
			continue;
		if (database->not_before > now)
			wait_ms = Min(wait_ms, TimestampDifferenceMilliseconds(now, database->not_before) + 1);
		else
		{
			start_supervisor(database);
			if (database->handle != NULL)
				return wait_ms;
			wait_ms = Min(wait_ms, NO_SLOT_DELAY_MS);
		}
	}
	return wait_ms;
}

void
mls_worker_launcher_main(Datum arg)
{
	uint32 wait_event = WaitEventExtensionNew("MlScoreLauncherMain");
	TimestampTz listed_at = 0;
	TimestampTz looked_at = GetCurrentTimestamp();

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	SetConfigOption("application_name", "ml_score launcher", PGC_USERSET, PGC_S_OVERRIDE);
	mls_worker_shared_be_launcher();

	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();
		bool list_due = listed_at == 0 || TimestampDifferenceExceeds(listed_at, now, LIST_INTERVAL_MS);

		if (list_due)
			listed_at = now;
		if (TimestampDifferenceExceeds(looked_at, now, LOOK_INTERVAL_MS))
		{
			look_again();
			looked_at = now;
		}
		take_messages(list_due);
		take_ends();
		drop_unlisted();
		mls_worker_sleep(start_due(), wait_event);
	}
}
