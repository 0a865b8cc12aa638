/*
 * sender.c - the worker that empties the outbox ml_score.run_forward, one for each destination that has something there. It
 * stays until all is gone.
 *
 * A round: see what is due, send it outside of any transaction, note what became of it. What was sent when a worker died in
 * between is sent again: at least once.
 */
#include "ml_score.h"

#include "telemetry/sender.h"

#include "auth/credential.h"
#include "auth/prefetch.h"
#include "auth/token_cache.h"
#include "catalog/pg_type.h"
#include "codec/encoding.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "runs/forward.h"
#include "runs/run_store.h"
#include "telemetry/body.h"
#include "telemetry/reply.h"
#include "transport/exchange.h"
#include "transport/retry.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/worker.h"

#define MAX_RUNS "500"
#define PAUSE_MS (60 * 60 * 1000)
#define POLL_MS 1000

static MlsStatement due_runs = {
	"SELECT f.attempts::bigint, workspace_id, run_id, (extract(epoch FROM m.start_time) * 1000000)::bigint, "
	"(extract(epoch FROM coalesce(m.end_time, m.updated_at)) * 1000000)::bigint, m.execution_time_ms, m.queue_time_ms, "
	"m.parent_run_id, m.experiment_id, m.experiment, m.workspace, m.resource_group, m.subscription_id, m.run_type, "
	"m.status, m.compute_target, m.compute_type, m.docker_image, m.snapshot_id, m.script, m.step_type, m.node_id, "
	"m.error, m.extra::text FROM ml_score.run_forward f JOIN ml_score.run_destination d ON d.id = f.destination "
	"JOIN ml_score.run_metric m USING (workspace_id, run_id) WHERE f.destination = $1 AND f.state = 'pending' "
	"AND (d.paused_until IS NULL OR d.paused_until <= clock_timestamp()) AND f.due_at <= clock_timestamp() "
	"ORDER BY f.due_at, workspace_id, run_id LIMIT " MAX_RUNS,
	1,
	{INT8OID}};

static MlsStatement any_left = {
	"SELECT FROM ml_score.run_forward WHERE destination = $1 AND state = 'pending' LIMIT 1", 1, {INT8OID}};

static MlsStatement note_run = {
	"UPDATE ml_score.run_forward SET state = $4, attempts = attempts + (CASE WHEN $4 = 'sent' THEN 0 ELSE 1 END), "
	"due_at = clock_timestamp() + $5 * interval '1 millisecond', "
	"last_error = $6, changed_at = clock_timestamp() WHERE destination = $1 AND workspace_id = $2 AND run_id = $3",
	6,
	{INT8OID, TEXTOID, TEXTOID, TEXTOID, INT8OID, TEXTOID}};

static MlsStatement note_destination = {
	"UPDATE ml_score.run_destination SET paused_until = CASE WHEN $2 > 0 THEN clock_timestamp() + "
	"$2 * interval '1 millisecond' END, last_error = coalesce($3, last_error), "
	"last_error_at = CASE WHEN $3 IS NULL THEN last_error_at ELSE clock_timestamp() END WHERE id = $1",
	3,
	{INT8OID, INT8OID, TEXTOID}};

static MlsStatement forget_lost = {
	"DELETE FROM ml_score.run_forward f WHERE destination = $1 AND state = 'pending' AND NOT EXISTS "
	"(SELECT FROM ml_score.run_metric m WHERE (m.workspace_id, m.run_id) = (f.workspace_id, f.run_id))",
	1,
	{INT8OID}};

/* The columns from the eighth on, which are attributes; the first two of a run are its key. */
static const char *const attribute_names[] = {
	"parent_run_id", "experiment_id", "experiment",		"workspace",	"resource_group", "subscription_id",
	"run_type",		 "status",		  "compute_target", "compute_type", "docker_image",	  "snapshot_id",
	"script",		 "step_type",	  "node_id",		"error",		"extra"};

#define FIRST_ATTRIBUTE 8

/* What a round sends. */
typedef struct Round
{
	const MlsWorker *worker;
	MlsServer *server;
	MlsEndpoint *endpoint;
	char *instrumentation_key; /* of 'appinsights' */
	bool any_left;			   /* nothing is due, but something will be */
	int n;
	MlsTelemetryRun *runs;
	char **workspace_ids;
	char **run_ids;
	int64 *attempts;
	MlsDeliveryReport report;
	int64 retry_after_ms; /* or -1 */
} Round;

static char *
utf8_column(uint64 row, int column)
{
	char *text = mls_ledger_text(row, column);
	int len;

	if (text == NULL)
		return NULL;
	len = (int) strlen(text);
	return unconstify(char *, mls_to_utf8(text, &len));
}

static void
add_attribute(MlsTelemetryRun *run, const char *name, const char *value)
{
	if (value != NULL)
		run->attributes[run->nattributes++] = (MlsTelemetryAttribute){name, value};
}

/* Take a row over into the round, whose memory outlives the transaction. */
static void
take_run(Round *round, uint64 row)
{
	MlsTelemetryRun *run = &round->runs[row];
	bool isnull;

	round->attempts[row] = mls_ledger_int64(row, 1);
	round->workspace_ids[row] = mls_ledger_text(row, 2);
	round->run_ids[row] = mls_ledger_text(row, 3);
	run->start_us = mls_ledger_int64(row, 4);
	run->end_us = mls_ledger_int64(row, 5);
	(void) SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 6, &isnull);
	run->has_execution_time = !isnull;
	run->execution_time_ms = mls_ledger_int64(row, 6);
	(void) SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 7, &isnull);
	run->has_queue_time = !isnull;
	run->queue_time_ms = mls_ledger_int64(row, 7);
	run->attributes = palloc((lengthof(attribute_names) + 1) * sizeof(MlsTelemetryAttribute));
	add_attribute(run, "run_id", utf8_column(row, 3));
	for (int i = 0; i < lengthof(attribute_names); i++)
		add_attribute(run, attribute_names[i], utf8_column(row, FIRST_ATTRIBUTE + i));
}

static void
read_due(Round *round, MemoryContext cxt)
{
	Datum id = Int64GetDatum(round->worker->key);
	MlsLedger ledger;
	MemoryContext old;

	mls_ledger_open(&ledger);
	round->n = (int) mls_ledger_run(&due_runs, &id, NULL);
	old = MemoryContextSwitchTo(cxt);
	round->runs = palloc0((round->n + 1) * sizeof(MlsTelemetryRun));
	round->workspace_ids = palloc((round->n + 1) * sizeof(char *));
	round->run_ids = palloc((round->n + 1) * sizeof(char *));
	round->attempts = palloc((round->n + 1) * sizeof(int64));
	round->report.items = palloc((round->n + 1) * sizeof(MlsDelivery));
	for (int i = 0; i < round->n; i++)
		take_run(round, i);
	MemoryContextSwitchTo(old);
	if (round->n == 0)
	{
		(void) mls_ledger_run(&forget_lost, &id, NULL);
		round->any_left = mls_ledger_run(&any_left, &id, NULL) > 0;
	}
	mls_ledger_close(&ledger);
}

/* The key that Application Insights knows the application by. */
static char *
instrumentation_key(const MlsServer *server, Oid userid)
{
	char *string = mls_credential_option(server, userid, "connection_string");
	char *key = string == NULL ? NULL : mls_telemetry_instrumentation_key(string);

	mls_secret_wipe(string);
	if (key == NULL)
		ereport(ERROR, errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				errmsg("no instrumentation key for role \"%s\" on server \"%s\"", GetUserNameFromId(userid, false),
					   server->name),
				errdetail("The user mapping has no option \"connection_string\" with an InstrumentationKey in it."),
				errhint("%s", mls_credential_hint(server, userid, list_make1("connection_string"))));
	return key;
}

/* The server; and what is to be fetched before its credential is read. */
static MlsPrefetch *
load_server(Round *round)
{
	mls_forward_check(round->worker->name, round->worker->owner);
	round->server = mls_server_load(mls_server_oid(round->worker->name, false));
	return mls_prefetch_plan(round->server, round->worker->owner);
}

static void
open_server(Round *round)
{
	round->endpoint = mls_endpoint_open(round->server, round->worker->owner);
	if (round->server->type == MLS_SERVER_APPINSIGHTS)
		round->instrumentation_key = instrumentation_key(round->server, round->worker->owner);
}

static MlsExchange *
begin_exchange(Round *round)
{
	bool breeze = round->server->type == MLS_SERVER_APPINSIGHTS;
	const char *base = round->server->url;
	int base_len = (int) strlen(base);
	StringInfoData body;
	MlsRequestSpec spec = {.method = "POST", .send_credential = true};

	while (base_len > 0 && base[base_len - 1] == '/')
		base_len--;
	initStringInfo(&body);
	if (breeze)
		mls_telemetry_write_breeze(&body, round->instrumentation_key, round->runs, round->n);
	else
		mls_telemetry_write_otlp(&body, round->runs, round->n);
	spec.url = psprintf("%.*s%s", base_len, base, breeze ? "/v2.1/track" : "/v1/metrics");
	spec.body = body.data;
	spec.len = body.len;
	spec.headers = list_make1("Content-Type: application/json");
	return mls_exchange_request(round->endpoint, &spec);
}

static void
send_runs(Round *round)
{
	MlsExchange *exchange = begin_exchange(round);
	const MlsFailure *failure;
	const char *body;
	size_t len;
	char *wait;
	int status;

	mls_exchange_wait(exchange);
	failure = mls_exchange_failure(exchange);
	status = mls_exchange_status(exchange);
	body = mls_exchange_body(exchange, &len);
	if (body == NULL || mls_invalid_utf8(body, len) >= 0)
		len = 0;
	wait = mls_exchange_header(exchange, "Retry-After");
	round->retry_after_ms = wait == NULL ? -1 : mls_retry_after_parse(wait, (int64) time(NULL));
	if (round->server->type == MLS_SERVER_APPINSIGHTS)
		mls_telemetry_read_breeze(status, body, len, mls_exchange_header(exchange, "Location"), round->n,
								  &round->report);
	else
		mls_telemetry_read_otlp(status, body, len, round->n, &round->report);
	if (failure != NULL && status != 206 && round->report.reason != NULL)
		round->report.reason = psprintf("%s (%s)", failure->message, round->report.reason);
	mls_exchange_free(exchange);
}

static const char *
state_of(MlsDelivery delivery)
{
	switch (delivery)
	{
		case MLS_DELIVERY_SENT:
			return "sent";
		case MLS_DELIVERY_DROP:
			return "dropped";
		default:
			return "pending";
	}
}

static void
note_item(const Round *round, int i, const Datum *reason)
{
	MlsDelivery delivery = round->report.items[i];
	int64 delay = mls_telemetry_delay_ms((int) round->attempts[i] + 1, pg_prng_double(&pg_global_prng_state));
	Datum values[6];
	char nulls[6] = {' ', ' ', ' ', ' ', ' ', ' '};

	values[0] = Int64GetDatum(round->worker->key);
	values[1] = CStringGetTextDatum(round->workspace_ids[i]);
	values[2] = CStringGetTextDatum(round->run_ids[i]);
	values[3] = CStringGetTextDatum(state_of(delivery));
	values[4] = Int64GetDatum(delivery == MLS_DELIVERY_PAUSE ? PAUSE_MS : Max(delay, round->retry_after_ms));
	values[5] = reason == NULL ? (Datum) 0 : *reason;
	nulls[5] = reason == NULL || delivery == MLS_DELIVERY_SENT ? 'n' : ' ';
	(void) mls_ledger_run(&note_run, values, nulls);
}

/* Write down what became of the round. In a transaction. */
static void
note(const Round *round)
{
	const MlsDeliveryReport *report = &round->report;
	Datum reason = (Datum) 0;
	Datum values[3];
	char nulls[3] = {' ', ' ', ' '};
	MlsLedger ledger;

	mls_ledger_open(&ledger);
	if (report->reason != NULL)
		reason = mls_run_utf8(report->reason);
	for (int i = 0; i < round->n; i++)
		note_item(round, i, report->reason == NULL ? NULL : &reason);
	values[0] = Int64GetDatum(round->worker->key);
	values[1] = Int64GetDatum(report->pause ? PAUSE_MS : 0);
	values[2] = reason;
	nulls[2] = report->reason == NULL ? 'n' : ' ';
	(void) mls_ledger_run(&note_destination, values, nulls);
	mls_ledger_close(&ledger);
	if (report->reason != NULL)
		ereport(LOG, errmsg("server \"%s\" did not take all of %d runs", round->worker->name, round->n),
				errdetail("%s", report->reason));
}

/* An error that was caught: all of the round is tried again. */
static void
note_error(Round *round, const ErrorData *error)
{
	round->report.pause = false;
	round->report.reason = pstrdup(error->message);
	round->retry_after_ms = -1;
	for (int i = 0; i < round->n; i++)
		round->report.items[i] = MLS_DELIVERY_RETRY;
}

/* Send the round's runs. */
static void
send_round_runs(void *arg)
{
	Round *round = arg;
	MemoryContext cxt = CurrentMemoryContext;
	MlsPrefetch *prefetch;

	mls_worker_begin();
	MemoryContextSwitchTo(cxt);
	prefetch = load_server(round);
	mls_worker_commit();
	MemoryContextSwitchTo(cxt);
	mls_prefetch_run(prefetch);

	mls_worker_begin();
	MemoryContextSwitchTo(cxt);
	open_server(round);
	mls_worker_commit();
	MemoryContextSwitchTo(cxt);
	send_runs(round);
}

/* Milliseconds until the next round; -1 when nothing is left to do. */
static int
send_round(const MlsWorker *worker, MemoryContext cxt)
{
	Round *round = palloc0(sizeof(Round));
	ErrorData *error;

	round->worker = worker;
	mls_worker_begin();
	read_due(round, cxt);
	mls_worker_commit();
	if (round->n == 0)
		return round->any_left ? POLL_MS : -1;
	error = mls_worker_try(send_round_runs, round, cxt);
	if (error != NULL)
		note_error(round, error);
	mls_worker_begin();
	note(round);
	mls_worker_commit();
	return 0;
}

static void
send_all(const MlsWorker *worker)
{
	mls_worker_rounds(worker, send_round, WaitEventExtensionNew("MlScoreTelemetryMain"));
}

static const MlsWorkerKind kind = {
	.name = "telemetry",
	.wanted = "SELECT d.id, d.server, d.owner::oid, 1, 0::bigint FROM ml_score.run_destination d "
			  "JOIN pg_roles r ON r.oid = d.owner JOIN pg_foreign_server s ON s.srvname = d.server "
			  "WHERE d.home = ml_score.home() AND EXISTS (SELECT FROM ml_score.run_forward f WHERE f.destination = "
			  "d.id AND f.state = 'pending')",
	.main = send_all};

void
mls_telemetry_init(void)
{
	mls_worker_register(&kind);
}
