/*
 * process.c - a worker's process: registered kinds, who it is, its transactions and sleeps.
 *
 * The work is done by code that its owner wrote (queries, triggers, defaults), so the process must not be able to become
 * anyone else. It connects as the owner; where PostgreSQL does not let a role without LOGIN do so (before 17), as a
 * superuser who then takes on the owner's identity. Each transaction forbids SET ROLE and SET SESSION AUTHORIZATION up to
 * its end, deferred triggers included.
 */
#include "worker/shared.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

static const MlsWorkerKind *kinds[MLS_WORKER_KINDS_MAX];
static int kind_count;
static bool wake_at_commit;
static bool list_at_commit;
static MemoryContext outside; /* the memory context that a transaction is begun in */

PGDLLEXPORT void mls_worker_main(Datum arg);

void
mls_worker_register(const MlsWorkerKind *kind)
{
	Assert(kind_count < MLS_WORKER_KINDS_MAX);
	kinds[kind_count++] = kind;
}

const MlsWorkerKind *
mls_worker_kind(int number)
{
	return number >= 0 && number < kind_count ? kinds[number] : NULL;
}

void
mls_worker_require(const char *what)
{
	if (!mls_preloaded)
		ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("%s need ml_score in shared_preload_libraries", what),
				errdetail("They are the work of background processes, which start with the server."),
				errhint("Add ml_score to shared_preload_libraries and restart PostgreSQL."));
}

void
mls_worker_wake_at_commit(void)
{
	wake_at_commit = true;
}

void
mls_worker_list_at_commit(void)
{
	list_at_commit = true;
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			mls_worker_shared_release();
			if (wake_at_commit)
				mls_worker_shared_wake(MyDatabaseId);
			if (list_at_commit)
				mls_worker_shared_tell(MLS_NEWS_ALL, InvalidOid);
			wake_at_commit = list_at_commit = false;
			break;
		case XACT_EVENT_PREPARE:
			if (wake_at_commit)
				mls_worker_shared_note_prepared();
			/* fall through */
		case XACT_EVENT_ABORT:
			mls_worker_shared_release();
			wake_at_commit = list_at_commit = false;
			break;
		default:
			break;
	}
}

static void
register_launcher(void)
{
	BackgroundWorker worker = {
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = 1,
	};

	strlcpy(worker.bgw_library_name, MLS_WORKER_LIBRARY, sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "mls_worker_launcher_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "ml_score launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "ml_score launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

void
mls_worker_init(void)
{
	if (!mls_preloaded)
		return;
	mls_worker_shmem_init();
	mls_worker_hold_init();
	RegisterXactCallback(at_transaction_end, NULL);
	register_launcher();
}

/* Connect to the database, and be the owner from here on. */
static void
connect_as_owner(const MlsWorkerOrder *order)
{
	if (order->owner_logs_in || MLS_BYPASS_ROLE_LOGIN_CHECK != 0)
	{
		BackgroundWorkerInitializeConnectionByOid(order->dboid, order->owner, MLS_BYPASS_ROLE_LOGIN_CHECK);
		return;
	}
	BackgroundWorkerInitializeConnectionByOid(order->dboid, InvalidOid, 0);
	StartTransactionCommand();
	SetSessionAuthorization(order->owner, superuser_arg(order->owner));
	CommitTransactionCommand();
}

void
mls_worker_main(Datum arg)
{
	MlsWorkerOrder order;
	MlsWorker worker;

	memcpy(&order, MyBgworkerEntry->bgw_extra, sizeof(order));
	worker = (MlsWorker){.kind = mls_worker_kind(order.kind),
						 .key = order.key,
						 .version = order.version,
						 .owner = order.owner,
						 .index = order.index,
						 .count = order.count,
						 .name = order.name};
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	if (!mls_worker_shared_enter(order.dboid, order.supervisor))
		proc_exit(0);
	connect_as_owner(&order);
	SetConfigOption("application_name", order.name, PGC_USERSET, PGC_S_OVERRIDE);
	worker.kind->main(&worker);
}

void
mls_worker_begin(void)
{
	Oid userid;
	int context;

	outside = CurrentMemoryContext;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	GetUserIdAndSecContext(&userid, &context);
	SetUserIdAndSecContext(userid, context | SECURITY_LOCAL_USERID_CHANGE);
	PushActiveSnapshot(GetTransactionSnapshot());
}

void
mls_worker_commit(void)
{
	Oid userid;
	int context;

	if (ActiveSnapshotSet())
		PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(outside);
	GetUserIdAndSecContext(&userid, &context);
	SetUserIdAndSecContext(userid, 0);
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
}

void
mls_worker_abort(void)
{
	AbortCurrentTransaction();
	MemoryContextSwitchTo(outside);
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
}

void
mls_worker_reload(void)
{
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
}

bool
mls_worker_sleep(long ms, uint32 wait_event)
{
	int events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (ms >= 0 ? WL_TIMEOUT : 0);
	int fired = WaitLatch(MyLatch, events, ms, wait_event);

	if ((fired & WL_LATCH_SET) != 0)
		ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	mls_worker_reload();
	return (fired & WL_LATCH_SET) != 0;
}
