/*
 * lookup.c - the worker that looks up the runs in ml_score.run_lookup: one for each server of TYPE 'workspace' that has any
 * there. It stays until all are done.
 *
 * A round: see what is due, ask the run history outside of any transaction, merge the answers. A worker that dies in
 * between has changed nothing, and asking twice is harmless: merging is idempotent.
 */
#include "ml_score.h"

#include "runs/lookup.h"

#include "auth/prefetch.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "runs/history.h"
#include "runs/run_store.h"
#include "runs/workspace.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/worker.h"

#define MAX_RUNS "16"
#define POLL_MS 1000

static MlsStatement due_runs = {
	"SELECT l.run_id, m.experiment, l.asked_by::text FROM ml_score.run_lookup l "
	"JOIN ml_score.run_metric m USING (workspace_id, run_id) "
	"WHERE workspace_id = $1 AND l.due_at <= clock_timestamp() AND m.experiment IS NOT NULL "
	"ORDER BY l.due_at, run_id LIMIT " MAX_RUNS,
	1,
	{TEXTOID}};

static MlsStatement any_left = {"SELECT FROM ml_score.run_lookup WHERE workspace_id = $1 LIMIT 1", 1, {TEXTOID}};

static MlsStatement forget_lost = {
	"DELETE FROM ml_score.run_lookup l WHERE workspace_id = $1 AND NOT EXISTS (SELECT FROM ml_score.run_metric m "
	"WHERE (m.workspace_id, m.run_id) = (l.workspace_id, l.run_id))",
	1,
	{TEXTOID}};

/* Done, unless it was asked for again meanwhile: then at once once more. */
static MlsStatement finish_run = {
	"DELETE FROM ml_score.run_lookup WHERE workspace_id = $1 AND run_id = $2 AND asked_by::text = $3",
	3,
	{TEXTOID, TEXTOID, TEXTOID}};

static MlsStatement repeat_run = {
	"UPDATE ml_score.run_lookup SET due_at = clock_timestamp() WHERE workspace_id = $1 AND run_id = $2",
	2,
	{TEXTOID, TEXTOID}};

static MlsStatement put_off_run = {
	"UPDATE ml_score.run_lookup SET attempts = attempts + 1, last_error = $3, due_at = clock_timestamp() + "
	"least(interval '15 minutes', interval '2 seconds' * 2 ^ least(attempts, 12)) "
	"WHERE workspace_id = $1 AND run_id = $2 AND created_at > now() - interval '1 day'",
	3,
	{TEXTOID, TEXTOID, TEXTOID}};

static MlsStatement give_up_run = {
	"DELETE FROM ml_score.run_lookup WHERE workspace_id = $1 AND run_id = $2", 2, {TEXTOID, TEXTOID}};

/* What a round asks for. */
typedef struct Round
{
	const MlsWorker *worker;
	MlsServer *server;
	MlsEndpoint *endpoint;
	char *workspace_id;
	bool any_left; /* nothing is due, but something will be */
	int n;
	MlsHistoryRun *runs;
	char **asked_by;
} Round;

/* The server as it is now, if its owner may still have it used. In a transaction. */
static void
load_server(Round *round)
{
	MlsWorkspace workspace;

	round->server = mls_server_load((Oid) round->worker->key);
	mls_server_require(round->server, MLS_SERVER_WORKSPACE);
	mls_workspace_parse(round->server->arm_id, &workspace);
	round->workspace_id = workspace.id;
}

static void
read_due(Round *round, MemoryContext cxt)
{
	Datum id = CStringGetTextDatum(round->workspace_id);
	MlsLedger ledger;
	MemoryContext old;

	mls_ledger_open(&ledger);
	round->n = (int) mls_ledger_run(&due_runs, &id, NULL);
	old = MemoryContextSwitchTo(cxt);
	round->runs = palloc0((round->n + 1) * sizeof(MlsHistoryRun));
	round->asked_by = palloc0((round->n + 1) * sizeof(char *));
	for (int i = 0; i < round->n; i++)
	{
		round->runs[i].run_id = mls_ledger_text(i, 1);
		round->runs[i].experiment = mls_ledger_text(i, 2);
		round->asked_by[i] = mls_ledger_text(i, 3);
	}
	MemoryContextSwitchTo(old);
	if (round->n == 0)
	{
		(void) mls_ledger_run(&forget_lost, &id, NULL);
		round->any_left = mls_ledger_run(&any_left, &id, NULL) > 0;
	}
	mls_ledger_close(&ledger);
}

static void
store_child(const Round *round, const MlsHistoryRun *run, MlsHistoryChild *child)
{
	/* A step is of its pipeline's experiment, which its own document may not name. */
	mls_run_facts_add(&child->facts, "experiment", 0, 0, run->experiment);
	(void) mls_run_store(round->workspace_id, child->run_id, &child->facts, MLS_RUN_FROM_EVENT);
}

/* There was no answer: later again, or never after a day. */
static void
store_problem(const Round *round, const MlsHistoryRun *run, const Datum *key)
{
	Datum values[] = {key[0], key[1], CStringGetTextDatum(run->problem)};

	ereport(LOG, errmsg("could not look up run \"%s\" at server \"%s\"", run->run_id, round->worker->name),
			errdetail("%s", run->problem));
	if (mls_ledger_run(&put_off_run, values, NULL) > 0)
		return;
	(void) mls_ledger_run(&give_up_run, key, NULL);
	mls_run_forward_anyway(round->workspace_id, run->run_id);
}

/* Merge an answer, after which nothing is to be done for the run; or it comes too early, and is to be asked for again. */
static void
store_answer(const Round *round, MlsHistoryRun *run, const Datum *key)
{
	ListCell *lc;

	if (!mls_run_store(round->workspace_id, run->run_id, &run->facts, MLS_RUN_FROM_HISTORY))
	{
		run->problem = "the run history does not know yet that the run is over";
		store_problem(round, run, key);
		return;
	}
	foreach (lc, run->children)
		store_child(round, run, lfirst(lc));
	if (mls_ledger_run(&finish_run, key, NULL) == 0)
		(void) mls_ledger_run(&repeat_run, key, NULL);
}

static void
store(const Round *round)
{
	MlsLedger ledger;

	mls_ledger_open(&ledger);
	mls_run_lock_all();
	for (int i = 0; i < round->n; i++)
	{
		MlsHistoryRun *run = &round->runs[i];
		Datum key[] = {CStringGetTextDatum(round->workspace_id), CStringGetTextDatum(run->run_id),
					   CStringGetTextDatum(round->asked_by[i])};

		if (run->problem == NULL)
			store_answer(round, run, key);
		else
			store_problem(round, run, key);
	}
	mls_ledger_close(&ledger);
}

static void
ask(void *arg)
{
	Round *round = arg;
	MemoryContext cxt = CurrentMemoryContext;
	MlsPrefetch *prefetch;

	mls_worker_begin();
	MemoryContextSwitchTo(cxt);
	prefetch = mls_prefetch_plan(round->server, round->worker->owner);
	mls_worker_commit();
	MemoryContextSwitchTo(cxt);
	mls_prefetch_run(prefetch);

	mls_worker_begin();
	MemoryContextSwitchTo(cxt);
	round->endpoint = mls_endpoint_open(round->server, round->worker->owner);
	mls_worker_commit();
	MemoryContextSwitchTo(cxt);
	for (int i = 0; i < round->n; i++)
		mls_history_ask(round->endpoint, &round->runs[i]);
	for (int i = 0; i < round->n; i++)
		mls_history_read(round->endpoint, &round->runs[i], GetCurrentTimestamp());
}

/* What was raised is every run's problem. */
static void
set_problems(Round *round, const ErrorData *error)
{
	for (int i = 0; i < round->n; i++)
		round->runs[i].problem = error->message;
}

/* Milliseconds until the next round; -1 when nothing is left to do. */
static int
look_up_round(const MlsWorker *worker, MemoryContext cxt)
{
	Round *round = palloc0(sizeof(Round));
	ErrorData *error;

	round->worker = worker;
	mls_worker_begin();
	MemoryContextSwitchTo(cxt);
	load_server(round);
	read_due(round, cxt);
	mls_worker_commit();
	if (round->n == 0)
		return round->any_left ? POLL_MS : -1;
	error = mls_worker_try(ask, round, cxt);
	if (error != NULL)
		set_problems(round, error);
	mls_worker_begin();
	store(round);
	mls_worker_commit();
	return 0;
}

static void
look_up_all(const MlsWorker *worker)
{
	mls_worker_rounds(worker, look_up_round, WaitEventExtensionNew("MlScoreRunsMain"));
}

static const MlsWorkerKind kind = {
	.name = "runs",
	.wanted = "SELECT w.server::bigint, w.name::text, w.owner, 1, 0::bigint FROM ml_score.run_workspace w "
			  "WHERE EXISTS (SELECT FROM ml_score.run_lookup l WHERE l.workspace_id = w.workspace_id)",
	.main = look_up_all};

void
mls_lookup_init(void)
{
	mls_worker_register(&kind);
}
