/*
 * deliver.c - the worker that does what ml_score.alert says, one for each role that has something there. It stays until all
 * is done.
 *
 * A round: see what is due, do what is done in the database, each in its own transaction, send the webhooks all at once
 * outside of any, note what became of them. A webhook that was sent when a worker died is sent again, with the same id.
 * Alerts of one action are done in order: one that waits holds up those behind it. Alerts in a copy of the database that
 * they were written in are the original's to do.
 */
#include "watch/alert.h"

#include "auth/token_cache.h"
#include "catalog/ledger.h"
#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "telemetry/reply.h"
#include "utils/builtins.h"
#include "utils/wait_event.h"
#include "watch/monitor.h"

#define MAX_ALERTS "16"
#define LONGEST_WAIT_MS 60000

static MlsStatement due_alerts = {
	"SELECT a.id, a.attempts::bigint, a.event_id::text, a.payload, c.channel, c.webhook, c.statement, c.batch, "
	"c.search_path, c.time_zone FROM ml_score.alert a JOIN ml_score.monitor_action c ON c.id = a.action "
	"JOIN ml_score.monitor m ON m.name = a.monitor AND m.home = ml_score.home() "
	"WHERE a.owner = $1 AND a.state = 'pending' AND a.due_at <= clock_timestamp() AND NOT EXISTS "
	"(SELECT FROM ml_score.alert b WHERE b.owner = $1 AND b.state = 'pending' AND b.action = a.action AND b.id < a.id) "
	"ORDER BY a.id LIMIT " MAX_ALERTS,
	1,
	{OIDOID}};

/* How long until the first of those that wait is due, of each action's first. */
static MlsStatement next_due = {
	"SELECT greatest(ceil(extract(epoch FROM min(due_at) - clock_timestamp()) * 1000), 0)::bigint FROM "
	"(SELECT DISTINCT ON (a.action) a.due_at FROM ml_score.alert a "
	"JOIN ml_score.monitor m ON m.name = a.monitor AND m.home = ml_score.home() "
	"WHERE a.owner = $1 AND a.state = 'pending' ORDER BY a.action, a.id) AS first HAVING count(*) > 0",
	1,
	{OIDOID}};

static MlsStatement note_delivered = {"UPDATE ml_score.alert SET state = 'delivered', delivered_at = clock_timestamp() "
									  "WHERE id = $1 AND state = 'pending'",
									  1,
									  {INT8OID}};

static MlsStatement note_failed = {
	"UPDATE ml_score.alert SET attempts = attempts + 1, last_error = $2, "
	"due_at = clock_timestamp() + $3 * interval '1 millisecond', "
	"state = CASE WHEN $4 OR clock_timestamp() >= give_up_at THEN 'failed' ELSE 'pending' END "
	"WHERE id = $1 AND state = 'pending'",
	4,
	{INT8OID, TEXTOID, INT8OID, BOOLOID}};

typedef struct Round
{
	const MlsWorker *worker;
	int64 wait_ms; /* when nothing is due; -1: nothing is left */
	int n;
	MlsAlert *alerts;
} Round;

static Jsonb *
jsonb_column(uint64 row, int column)
{
	bool isnull;
	Datum value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);

	return isnull ? NULL : DatumGetJsonbPCopy(value);
}

static void
take_alert(MlsAlert *alert, Oid owner, uint64 row)
{
	alert->owner = owner;
	alert->id = mls_ledger_int64(row, 1);
	alert->attempts = (int) mls_ledger_int64(row, 2);
	alert->event_id = mls_ledger_text(row, 3);
	alert->payload = jsonb_column(row, 4);
	alert->channel = mls_ledger_text(row, 5);
	alert->webhook = mls_ledger_text(row, 6);
	alert->statement = mls_ledger_text(row, 7);
	alert->batch = jsonb_column(row, 8);
	alert->search_path = mls_ledger_text(row, 9);
	alert->time_zone = mls_ledger_text(row, 10);
	alert->retry_after_ms = -1;
}

static void
read_due(Round *round, MemoryContext cxt)
{
	Oid owner = round->worker->owner;
	Datum key = ObjectIdGetDatum(owner);
	MemoryContext old;
	MlsLedger ledger;

	mls_ledger_open(&ledger);
	round->n = (int) mls_ledger_run(&due_alerts, &key, NULL);
	old = MemoryContextSwitchTo(cxt);
	round->alerts = palloc0((round->n + 1) * sizeof(MlsAlert));
	for (int i = 0; i < round->n; i++)
		take_alert(&round->alerts[i], owner, i);
	MemoryContextSwitchTo(old);
	if (round->n == 0)
		round->wait_ms = mls_ledger_run(&next_due, &key, NULL) > 0 ? mls_ledger_int64(0, 1) : -1;
	mls_ledger_close(&ledger);
}

static void
do_alert(void *arg)
{
	mls_alert_do(arg);
}

static void
send_alert(void *arg)
{
	mls_alert_send(arg);
}

static void
wait_for_all(void *arg)
{
	Round *round = arg;

	for (int i = 0; i < round->n; i++)
		if (round->alerts[i].exchange != NULL)
			mls_alert_wait(&round->alerts[i]);
}

/* Do or send each of the round's; what it raises is what became of it. */
static void
begin_all(Round *round, MemoryContext cxt)
{
	for (int i = 0; i < round->n; i++)
	{
		MlsAlert *alert = &round->alerts[i];
		ErrorData *error = mls_worker_try(alert->webhook == NULL ? do_alert : send_alert, alert, cxt);

		if (error != NULL)
			alert->error = error->message;
	}
}

static void
note_failure(const MlsAlert *alert)
{
	int64 delay = mls_telemetry_delay_ms(alert->attempts + 1, pg_prng_double(&pg_global_prng_state));
	Datum values[] = {Int64GetDatum(alert->id), CStringGetTextDatum(alert->error),
					  Int64GetDatum(Max(delay, alert->retry_after_ms)), BoolGetDatum(alert->for_good)};

	ereport(LOG, errmsg("alert " INT64_FORMAT " failed: %s", alert->id, alert->error));
	(void) mls_ledger_run(&note_failed, values, NULL);
}

static void
note_all(const Round *round)
{
	MlsLedger ledger;

	mls_ledger_open(&ledger);
	for (int i = 0; i < round->n; i++)
	{
		const MlsAlert *alert = &round->alerts[i];
		Datum id = Int64GetDatum(alert->id);

		if (alert->delivered)
			(void) mls_ledger_run(&note_delivered, &id, NULL);
		else if (alert->error != NULL)
			note_failure(alert);
	}
	mls_ledger_close(&ledger);
}

/* Whether or not they were sent. */
static void
wipe_secrets(Round *round)
{
	for (int i = 0; i < round->n; i++)
	{
		mls_secret_wipe(round->alerts[i].secret);
		round->alerts[i].secret = NULL;
	}
}

/* Milliseconds until the next round; -1 when nothing is left to do. */
static int
deliver_round(const MlsWorker *worker, MemoryContext cxt)
{
	Round *round = palloc0(sizeof(Round));
	ErrorData *error;

	round->worker = worker;
	mls_worker_begin();
	read_due(round, cxt);
	mls_worker_commit();
	if (round->n == 0)
		return (int) Min(round->wait_ms, LONGEST_WAIT_MS);
	begin_all(round, cxt);
	error = mls_worker_try(wait_for_all, round, cxt);
	wipe_secrets(round);
	for (int i = 0; error != NULL && i < round->n; i++)
		if (round->alerts[i].exchange != NULL)
			round->alerts[i].error = error->message;
	mls_worker_begin();
	note_all(round);
	mls_worker_commit();
	return 0;
}

static void
deliver_alerts(const MlsWorker *worker)
{
	mls_worker_rounds(worker, deliver_round, WaitEventExtensionNew("MlScoreAlertMain"));
}

const MlsWorkerKind mls_alert_kind = {
	.name = "alert",
	.wanted =
		"SELECT a.owner::bigint, r.rolname::text, a.owner, 1, 0::bigint FROM (SELECT DISTINCT l.owner::oid AS owner "
		"FROM ml_score.alert l JOIN ml_score.monitor m ON m.name = l.monitor AND m.home = ml_score.home() "
		"WHERE l.state = 'pending') a JOIN pg_authid r ON r.oid = a.owner",
	.main = deliver_alerts};
