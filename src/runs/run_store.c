/*
 * run_store.c - see run_store.h.
 */
#include "runs/run_store.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "codec/encoding.h"
#include "runs/run_read.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "worker/worker.h"

/* Facts that are columns, in the order of the arguments from $3 on. */
static const char *const text_columns[] = {"parent_run_id",	 "experiment_id",	"experiment",	"workspace",
										   "resource_group", "subscription_id", "run_type",		"status",
										   "compute_target", "compute_type",	"docker_image", "snapshot_id",
										   "script",		 "step_type",		"node_id",		"error"};
static const char *const time_columns[] = {"created_at", "start_time", "end_time"};

#define FIRST_TEXT 2
#define FIRST_TIME (FIRST_TEXT + lengthof(text_columns))
#define EXECUTION_TIME (FIRST_TIME + lengthof(time_columns))
#define QUEUE_TIME (EXECUTION_TIME + 1)
#define EXTRA (QUEUE_TIME + 1)
#define FACTS (EXTRA + 1)
#define LOOKED_UP (FACTS + 1)
#define NVALUES (LOOKED_UP + 1)

static MlsStatement select_facts = {
	"SELECT facts::text, looked_up_at IS NOT NULL FROM ml_score.run_metric WHERE workspace_id = $1 AND run_id = $2",
	2,
	{TEXTOID, TEXTOID}};

static MlsStatement store_run = {
	"INSERT INTO ml_score.run_metric AS m (workspace_id, run_id, parent_run_id, experiment_id, experiment, workspace, "
	"resource_group, subscription_id, run_type, status, compute_target, compute_type, docker_image, snapshot_id, "
	"script, step_type, node_id, error, created_at, start_time, end_time, execution_time_ms, queue_time_ms, extra, "
	"facts, looked_up_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, "
	"$19, $20, $21, $22, $23, $24::jsonb, $25::jsonb, CASE WHEN $26 THEN now() END) "
	"ON CONFLICT (workspace_id, run_id) DO UPDATE SET (parent_run_id, experiment_id, experiment, workspace, "
	"resource_group, subscription_id, run_type, status, compute_target, compute_type, docker_image, snapshot_id, "
	"script, step_type, node_id, error, created_at, start_time, end_time, execution_time_ms, queue_time_ms, extra, "
	"facts, looked_up_at, updated_at) = ROW (EXCLUDED.parent_run_id, EXCLUDED.experiment_id, EXCLUDED.experiment, "
	"EXCLUDED.workspace, EXCLUDED.resource_group, EXCLUDED.subscription_id, EXCLUDED.run_type, EXCLUDED.status, "
	"EXCLUDED.compute_target, EXCLUDED.compute_type, EXCLUDED.docker_image, EXCLUDED.snapshot_id, EXCLUDED.script, "
	"EXCLUDED.step_type, EXCLUDED.node_id, EXCLUDED.error, EXCLUDED.created_at, EXCLUDED.start_time, "
	"EXCLUDED.end_time, EXCLUDED.execution_time_ms, EXCLUDED.queue_time_ms, EXCLUDED.extra, EXCLUDED.facts, "
	"coalesce(m.looked_up_at, EXCLUDED.looked_up_at), now())",
	NVALUES,
	{TEXTOID,		 TEXTOID,		 TEXTOID,		 TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
	 TEXTOID,		 TEXTOID,		 TEXTOID,		 TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
	 TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, INT8OID, TEXTOID, TEXTOID, BOOLOID}};

static MlsStatement ask_lookup = {
	"INSERT INTO ml_score.run_lookup AS l (workspace_id, run_id, asked_by, due_at) "
	"VALUES ($1, $2, pg_current_xact_id(), now()) ON CONFLICT (workspace_id, run_id) DO UPDATE "
	"SET asked_by = EXCLUDED.asked_by, attempts = 0, due_at = EXCLUDED.due_at WHERE l.asked_by <> EXCLUDED.asked_by",
	2,
	{TEXTOID, TEXTOID}};

static MlsStatement ask_forward = {
	"INSERT INTO ml_score.run_forward (destination, workspace_id, run_id, due_at) "
	"SELECT d.id, $1, $2, now() FROM ml_score.run_destination d "
	"WHERE d.home = ml_score.home() "
	"AND ($3 OR NOT EXISTS (SELECT FROM ml_score.run_workspace w WHERE w.workspace_id = $1)) "
	"ON CONFLICT (destination, workspace_id, run_id) DO NOTHING",
	3,
	{TEXTOID, TEXTOID, BOOLOID}};

/* The poller looks at such a job in its next round. One that it is writing to is being looked at. */
static MlsStatement hurry_job = {
	"UPDATE ml_score.batch_job SET next_poll_at = now() WHERE id IN (SELECT id FROM ml_score.batch_job "
	"WHERE job_name = $1 AND state = 'running' AND next_poll_at > now() FOR UPDATE SKIP LOCKED)",
	1,
	{TEXTOID}};

void
mls_run_lock_all(void)
{
	Oid table = get_relname_relid("run_metric", get_namespace_oid(MLS_SCHEMA, false));

	LockDatabaseObject(RelationRelationId, table, 1, ExclusiveLock);
}

Datum
mls_run_utf8(const char *text)
{
	char *converted;
	int len;
	char *reason = mls_from_utf8(text, (int) strlen(text), &converted, &len);

	if (reason != NULL)
		ereport(ERROR, errcode(ERRCODE_UNTRANSLATABLE_CHARACTER), errmsg("could not store what is known of a run"),
				errdetail("%s", reason));
	return CStringGetTextDatum(converted);
}

/* Add what the row holds so far; false when there is none. */
static bool
load_run(const Datum *key, MlsRunFacts *facts, bool *looked_up)
{
	char *stored;
	const char *utf8;
	int len;

	*looked_up = false;
	if (mls_ledger_run(&select_facts, key, NULL) == 0)
		return false;
	stored = mls_ledger_text(0, 1);
	*looked_up = strcmp(mls_ledger_text(0, 2), "t") == 0;
	len = (int) strlen(stored);
	utf8 = mls_to_utf8(stored, &len);
	if (!mls_run_facts_read(facts, utf8, len))
		ereport(ERROR, errcode(ERRCODE_DATA_CORRUPTED),
				errmsg("the facts of run \"%s\" in ml_score.run_metric are malformed", TextDatumGetCString(key[1])),
				errhint("Delete the row, and ingest the run's events again."));
	return true;
}

static char *
extra_json(const MlsRunFacts *facts)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoString(&out, "{\"tags\":");
	mls_run_facts_write_group(&out, facts, "tag:");
	appendStringInfoString(&out, ",\"properties\":");
	mls_run_facts_write_group(&out, facts, "property:");
	appendStringInfoString(&out, ",\"run\":");
	mls_run_facts_write_group(&out, facts, "run:");
	appendStringInfoChar(&out, '}');
	return out.data;
}

static char *
facts_json(const MlsRunFacts *facts)
{
	StringInfoData out;

	initStringInfo(&out);
	mls_run_facts_write(&out, facts);
	out.data[out.len] = '\0';
	return out.data;
}

/* A column of milliseconds between two times, where both are known and follow each other. */
static void
set_span(Datum *values, char *nulls, int column, int from, int to)
{
	int64 start = DatumGetTimestampTz(values[from]);
	int64 end = DatumGetTimestampTz(values[to]);

	if (nulls[from] == 'n' || nulls[to] == 'n' || end < start)
		return;
	values[column] = Int64GetDatum((end - start) / 1000);
	nulls[column] = ' ';
}

static void
write_run(const Datum *key, const MlsRunFacts *facts, bool looked_up)
{
	Datum values[NVALUES];
	char nulls[NVALUES];
	const MlsRunFact *fact;

	memset(values, 0, sizeof(values));
	memset(nulls, 'n', sizeof(nulls));
	for (int i = 0; i < lengthof(text_columns); i++)
		if ((fact = mls_run_fact(facts, text_columns[i])) != NULL)
		{
			values[FIRST_TEXT + i] = mls_run_utf8(fact->value);
			nulls[FIRST_TEXT + i] = ' ';
		}
	for (int i = 0; i < lengthof(time_columns); i++)
		if ((fact = mls_run_fact(facts, time_columns[i])) != NULL)
		{
			values[FIRST_TIME + i] = TimestampTzGetDatum(strtoll(fact->value, NULL, 10));
			nulls[FIRST_TIME + i] = ' ';
		}
	set_span(values, nulls, EXECUTION_TIME, FIRST_TIME + 1, FIRST_TIME + 2);
	set_span(values, nulls, QUEUE_TIME, FIRST_TIME, FIRST_TIME + 1);
	values[0] = key[0];
	values[1] = key[1];
	values[EXTRA] = mls_run_utf8(extra_json(facts));
	values[FACTS] = mls_run_utf8(facts_json(facts));
	values[LOOKED_UP] = BoolGetDatum(looked_up);
	nulls[0] = nulls[1] = nulls[EXTRA] = nulls[FACTS] = nulls[LOOKED_UP] = ' ';
	(void) mls_ledger_run(&store_run, values, nulls);
}

static void
forward(const Datum *key, bool anyway)
{
	Datum values[] = {key[0], key[1], BoolGetDatum(anyway)};

	if (mls_ledger_run(&ask_forward, values, NULL) > 0)
		mls_worker_wake_at_commit();
}

bool
mls_run_store(const char *workspace_id, const char *run_id, const MlsRunFacts *facts, MlsRunSource source)
{
	Datum key[] = {CStringGetTextDatum(workspace_id), CStringGetTextDatum(run_id)};
	bool looks_up = source == MLS_RUN_FROM_HISTORY && mls_run_is_over(facts);
	MlsRunFacts merged;
	bool looked_up;
	bool changed;
	bool over;

	mls_run_facts_init(&merged);
	changed = !load_run(key, &merged, &looked_up);
	changed |= mls_run_facts_merge(&merged, facts);
	over = mls_run_is_over(&merged);
	if (changed || (looks_up && !looked_up))
		write_run(key, &merged, looks_up);
	if (source == MLS_RUN_FROM_EVENT && !looked_up && mls_run_fact(&merged, "experiment") != NULL &&
		mls_ledger_run(&ask_lookup, key, NULL) > 0)
		mls_worker_wake_at_commit();
	if (over && source == MLS_RUN_FROM_EVENT)
		(void) mls_ledger_run(&hurry_job, &key[1], NULL);
	if (over)
		forward(key, looked_up || looks_up);
	return !over || looked_up || looks_up;
}

void
mls_run_forward_anyway(const char *workspace_id, const char *run_id)
{
	Datum key[] = {CStringGetTextDatum(workspace_id), CStringGetTextDatum(run_id)};

	forward(key, true);
}
