/*
 * runner.c - the worker that runs monitors when they are due, one for each role that owns some with a schedule.
 *
 * A run and the time of the next one are one transaction: a worker that dies has run the monitor, or not at all. Runs that
 * were missed are not made up for; the next one is at its time.
 */
#include "watch/monitor.h"

#include "catalog/ledger.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/wait_event.h"

#define LONGEST_WAIT_MS 60000

static MlsStatement next_due = {
	"SELECT id, name, next_run_at, "
	"ceil(extract(epoch FROM next_run_at - clock_timestamp()) * 1000)::bigint FROM ml_score.monitor "
	"WHERE owner = $1 AND schedule IS NOT NULL AND state = 'running' AND home = ml_score.home() "
	"ORDER BY next_run_at LIMIT 1",
	1,
	{OIDOID}};

static MlsStatement set_next = {
	"UPDATE ml_score.monitor SET next_run_at = date_bin(schedule, clock_timestamp(), next_run_at) + schedule "
	"WHERE id = $1 AND next_run_at = $2 AND next_run_at <= clock_timestamp()",
	2,
	{INT8OID, TIMESTAMPTZOID}};

/* What is due next. */
typedef struct Due
{
	const MlsWorker *worker;
	int64 id;
	char *name; /* NULL: nothing is */
	TimestampTz at;
	int64 wait_ms; /* until then */
} Due;

static void
read_due(Due *due, MemoryContext cxt)
{
	Datum owner = ObjectIdGetDatum(due->worker->owner);
	MlsLedger ledger;
	bool isnull;

	mls_ledger_open(&ledger);
	due->wait_ms = LONGEST_WAIT_MS;
	if (mls_ledger_run(&next_due, &owner, NULL) > 0)
	{
		MemoryContext old = MemoryContextSwitchTo(cxt);

		due->id = mls_ledger_int64(0, 1);
		due->name = mls_ledger_text(0, 2);
		due->at = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3, &isnull));
		due->wait_ms = mls_ledger_int64(0, 4);
		MemoryContextSwitchTo(old);
	}
	mls_ledger_close(&ledger);
}

/* Note when the monitor runs next; false when it was changed meanwhile. */
static bool
move_on(const Due *due)
{
	Datum values[] = {Int64GetDatum(due->id), TimestampTzGetDatum(due->at)};
	MlsLedger ledger;
	uint64 moved;

	mls_ledger_open(&ledger);
	moved = mls_ledger_run(&set_next, values, NULL);
	mls_ledger_close(&ledger);
	return moved > 0;
}

static void
run_due(void *arg)
{
	Due *due = arg;
	MlsMonitor *monitor;

	mls_worker_begin();
	monitor = mls_monitor_load(due->name, due->at, true);
	if (monitor != NULL && monitor->owner == due->worker->owner)
		(void) mls_monitor_run(monitor, due->at);
	/* Last, so that nobody who changes the monitor has to wait for the run. */
	(void) move_on(due);
	mls_worker_commit();
}

static void
note_failure(const Due *due, const ErrorData *error)
{
	ereport(LOG, errmsg("monitor \"%s\" failed: %s", due->name, error->message),
			error->detail == NULL ? 0 : errdetail("%s", error->detail));
	mls_worker_begin();
	if (move_on(due))
		mls_monitor_note_failure(due->id, due->at, error);
	mls_worker_commit();
}

/* Milliseconds until the next round. */
static int
run_round(const MlsWorker *worker, MemoryContext cxt)
{
	Due *due = palloc0(sizeof(Due));
	ErrorData *error;

	due->worker = worker;
	mls_worker_begin();
	read_due(due, cxt);
	mls_worker_commit();
	if (due->wait_ms > 0)
		return (int) Min(due->wait_ms, LONGEST_WAIT_MS);
	error = mls_worker_try(run_due, due, cxt);
	if (error != NULL)
		note_failure(due, error);
	return 0;
}

static void
run_monitors(const MlsWorker *worker)
{
	mls_worker_rounds(worker, run_round, WaitEventExtensionNew("MlScoreMonitorMain"));
}

const MlsWorkerKind mls_monitor_kind = {
	.name = "monitor",
	.wanted =
		"SELECT m.owner::bigint, r.rolname::text, m.owner, 1, 0::bigint FROM (SELECT DISTINCT owner::oid AS owner "
		"FROM ml_score.monitor WHERE schedule IS NOT NULL AND state = 'running' AND home = ml_score.home()) m "
		"JOIN pg_authid r ON r.oid = m.owner",
	.main = run_monitors};

void
mls_monitor_init(void)
{
	mls_worker_register(&mls_monitor_kind);
	mls_worker_register(&mls_alert_kind);
}
