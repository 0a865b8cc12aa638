/*
 * action.c - ml_score.create_monitor_action and what belongs to it: the actions of monitors, and the alerts that runs write
 * for them.
 */
#include "watch/action.h"

#include "auth/credential.h"
#include "batch/place.h"
#include "catalog/ledger.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "watch/monitor.h"

/* The arguments of ml_score.create_monitor_action. */
enum
{
	ARG_MONITOR,
	ARG_NAME,
	ARG_CHANNEL,
	ARG_WEBHOOK,
	ARG_STATEMENT,
	ARG_BATCH,
	ARG_EVENTS,
	ARG_SIGNALS,
	ARG_COOL_DOWN,
	ARGS
};

static MlsStatement insert_action = {
	"INSERT INTO ml_score.monitor_action (monitor, name, channel, webhook, statement, batch, events, signals, "
	"cool_down, "
	"search_path, time_zone) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
	ARGS + 2,
	{TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, TEXTARRAYOID, TEXTARRAYOID, INTERVALOID, TEXTOID, TEXTOID}};

static MlsStatement find_action = {
	"SELECT FROM ml_score.monitor_action WHERE monitor = $1 AND name = $2", 2, {TEXTOID, TEXTOID}};

static MlsStatement delete_action = {
	"DELETE FROM ml_score.monitor_action WHERE monitor = $1 AND name = $2", 2, {TEXTOID, TEXTOID}};

/* What the actions of a signal have announced: id, is it a breach, for how long not, cool-down, both in ms. */
static MlsStatement select_actions = {
	"SELECT a.id, coalesce(n.announced, false), "
	"coalesce(extract(epoch FROM $3 - n.at) * 1000, -1)::float8, (extract(epoch FROM a.cool_down) * 1000)::float8 "
	"FROM ml_score.monitor_action a LEFT JOIN ml_score.monitor_announced n ON n.action = a.id AND n.signal = $2 "
	"WHERE a.monitor = $1 AND (a.signals IS NULL OR $2 = ANY (a.signals)) ORDER BY a.id",
	3,
	{TEXTOID, TEXTOID, TIMESTAMPTZOID}};

static MlsStatement note_breach = {
	"INSERT INTO ml_score.monitor_announced (action, signal, announced, at) VALUES ($1, $2, true, $3) "
	"ON CONFLICT (action, signal) DO UPDATE SET announced = true, at = excluded.at",
	3,
	{INT8OID, TEXTOID, TIMESTAMPTZOID}};

static MlsStatement note_recovery = {
	"UPDATE ml_score.monitor_announced SET announced = false WHERE action = $1 AND signal = $2", 2, {INT8OID, TEXTOID}};

static MlsStatement insert_alert = {
	"INSERT INTO ml_score.alert (event_id, owner, monitor, action, signal, event, payload) "
	"SELECT e.id, m.owner, m.name, a.id, $2, $3, jsonb_build_object('id', e.id, 'type', 'ml_score.monitor.' || $3, "
	"'time', clock_timestamp(), 'data', jsonb_build_object('database', current_database(), 'monitor', m.name, "
	"'action', "
	"a.name, 'signal', $2, 'event', $3, 'run', r.id, 'at', r.at, 'window_start', r.window_start, 'window_end', "
	"r.window_end, 'breaches', "
	"(SELECT coalesce(jsonb_agg(jsonb_build_object('feature', v.feature, 'metric', v.metric, 'value', v.value, "
	"'threshold', v.threshold, 'bound', v.bound) ORDER BY v.feature, v.metric), '[]') "
	"FROM ml_score.monitor_result v WHERE v.run = r.id AND v.signal = $2 AND v.breached))) "
	"FROM ml_score.monitor_action a JOIN ml_score.monitor m ON m.name = a.monitor "
	"JOIN ml_score.monitor_run r ON r.id = $4, LATERAL (SELECT gen_random_uuid()) e (id) "
	"WHERE a.id = $1 AND $3 = ANY (a.events)",
	4,
	{INT8OID, TEXTOID, TEXTOID, INT8OID}};

static MlsStatement find_alert = {
	"SELECT owner::oid::bigint, state FROM ml_score.alert WHERE id = $1 FOR UPDATE", 1, {INT8OID}};

static MlsStatement retry_alert = {
	"UPDATE ml_score.alert SET state = 'pending', due_at = clock_timestamp(), give_up_at = clock_timestamp() + '1 day' "
	"WHERE id = $1",
	1,
	{INT8OID}};

/* A JSON value as text that an argument's type takes; NULL for null. */
static char *
value_as_text(JsonbValue *value)
{
	Jsonb *part;

	if (value->type == jbvNull)
		return NULL;
	if (value->type == jbvString)
		return pnstrdup(value->val.string.val, value->val.string.len);
	part = JsonbValueToJsonb(value);
	return JsonbToCString(NULL, &part->root, VARSIZE(part));
}

/* The same for an array of them. */
static char *
array_as_text(JsonbContainer *array)
{
	int n = (int) JsonContainerSize(array);
	Datum *elements = palloc(sizeof(Datum) * (n + 1));
	bool *nulls = palloc(sizeof(bool) * (n + 1));
	int dims[] = {n};
	int lower[] = {1};
	Oid output;
	bool varlena;

	for (int i = 0; i < n; i++)
	{
		char *text = value_as_text(getIthJsonbValueFromContainer(array, i));

		nulls[i] = text == NULL;
		elements[i] = text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
	}
	getTypeOutputInfo(TEXTARRAYOID, &output, &varlena);
	return OidOutputFunctionCall(
		output, PointerGetDatum(construct_md_array(elements, nulls, 1, dims, lower, TEXTOID, -1, false, TYPALIGN_INT)));
}

char *
mls_action_batch_call(Jsonb *arguments)
{
	JsonbIterator *iterator = JsonbIteratorInit(&arguments->root);
	JsonbIteratorToken token;
	StringInfoData sql;
	JsonbValue key;
	JsonbValue value;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ml_score.submit_batch(");
	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		char *name;
		char *text;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(key.val.string.val, key.val.string.len);
		(void) JsonbIteratorNext(&iterator, &value, true);
		if (value.type == jbvBinary && JsonContainerIsArray(value.val.binary.data))
			text = array_as_text(value.val.binary.data);
		else
			text = value_as_text(&value);
		appendStringInfo(&sql, "%s%s => %s", sql.data[sql.len - 1] == '(' ? "" : ", ", quote_identifier(name),
						 text == NULL ? "NULL" : quote_literal_cstr(text));
	}
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

MlsServer *
mls_action_webhook(const char *name, Oid userid)
{
	MlsServer *server = mls_server_load(mls_server_oid_for(name, MLS_SERVER_WEBHOOK));

	mls_server_require(server, MLS_SERVER_WEBHOOK);
	if (object_aclcheck(ForeignServerRelationId, server->serverid, userid, ACL_USAGE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_SERVER, server->name);
	return server;
}

/* The alert could not be signed; but who may make the mapping need not have done so yet. */
static void
check_webhook(const char *name, Oid userid)
{
	MlsServer *server;

	mls_server_keep(name);
	server = mls_action_webhook(name, userid);
	if (mls_credential_has_option(server, userid, "secret"))
		return;
	ereport(WARNING, errcode(ERRCODE_WARNING),
			errmsg("no secret for role \"%s\" on server \"%s\"", GetUserNameFromId(userid, false), server->name),
			errdetail("Alerts are signed with it, and wait until there is one."),
			errhint("%s", mls_credential_hint(server, userid, list_make1("secret"))));
}

/* The named server of the batch job must be one, and the arguments such as ml_score.submit_batch has. */
static void
check_batch(const MlsMonitor *monitor, Jsonb *arguments)
{
	JsonbValue *server = NULL;
	JsonbValue buffer;
	MlsAsOwner before;
	char *name;

	if (JB_ROOT_IS_OBJECT(arguments))
		server = getKeyJsonValueFromContainer(&arguments->root, "server", strlen("server"), &buffer);
	if (server == NULL || server->type != jbvString)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("\"batch\" must be an object that names a server"),
				errhint("It has the arguments of ml_score.submit_batch, such as {\"server\": \"train\", \"input\": "
						"\"azureml://...\"}."));
	name = pnstrdup(server->val.string.val, server->val.string.len);
	mls_server_keep(name);
	(void) mls_place_server(name, monitor->owner);
	mls_monitor_become_owner(monitor, &before);
	SPI_connect();
	(void) SPI_prepare(mls_action_batch_call(arguments), 0, NULL);
	SPI_finish();
	mls_monitor_unbecome_owner(&before);
}

static void
check_what(FunctionCallInfo fcinfo, const MlsMonitor *monitor)
{
	int given = 0;

	for (int arg = ARG_CHANNEL; arg <= ARG_BATCH; arg++)
		given += !PG_ARGISNULL(arg);
	if (given != 1)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("give one of \"channel\", \"webhook\", \"statement\" and \"batch\""));
	if (!PG_ARGISNULL(ARG_CHANNEL))
	{
		char *channel = text_to_cstring(PG_GETARG_TEXT_PP(ARG_CHANNEL));

		if (*channel == '\0' || strlen(channel) >= NAMEDATALEN)
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("\"%s\" is not the name of a channel", channel));
	}
	if (!PG_ARGISNULL(ARG_WEBHOOK))
		check_webhook(text_to_cstring(PG_GETARG_TEXT_PP(ARG_WEBHOOK)), monitor->owner);
	if (!PG_ARGISNULL(ARG_STATEMENT) &&
		raw_parser(text_to_cstring(PG_GETARG_TEXT_PP(ARG_STATEMENT)), RAW_PARSE_DEFAULT) == NIL)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the statement is empty"));
	if (!PG_ARGISNULL(ARG_BATCH))
		check_batch(monitor, PG_GETARG_JSONB_P(ARG_BATCH));
}

/* The events that are given, else those that the kind of action has by default. */
static Datum
events_of(FunctionCallInfo fcinfo)
{
	Datum both[] = {CStringGetTextDatum("breach"), CStringGetTextDatum("recovery")};
	Datum *words;
	bool *nulls;
	int nwords;

	if (PG_ARGISNULL(ARG_EVENTS))
		return PointerGetDatum(
			construct_array(both, PG_ARGISNULL(ARG_BATCH) ? 2 : 1, TEXTOID, -1, false, TYPALIGN_INT));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(ARG_EVENTS), TEXTOID, -1, false, TYPALIGN_INT, &words, &nulls, &nwords);
	for (int i = 0; i < nwords; i++)
	{
		char *word = nulls[i] ? "NULL" : TextDatumGetCString(words[i]);

		if (strcmp(word, "breach") != 0 && strcmp(word, "recovery") != 0)
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown event \"%s\"", word),
					errdetail("Events are: breach, recovery."));
	}
	if (nwords == 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the action has no event"));
	return PG_GETARG_DATUM(ARG_EVENTS);
}

/* Every signal that is named must be one of the monitor's. */
static void
check_signals(MlsMonitor *monitor, ArrayType *names)
{
	Datum *words;
	bool *nulls;
	int nwords;

	mls_monitor_check(monitor);
	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &words, &nulls, &nwords);
	for (int i = 0; i < nwords; i++)
	{
		char *word = nulls[i] ? "NULL" : TextDatumGetCString(words[i]);
		MlsSignal signal;

		if (!mls_signal_parse(word, &signal) || (monitor->signals & MLS_SIGNAL_BIT(signal)) == 0)
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("monitor \"%s\" has no signal \"%s\"", monitor->name, word));
	}
}

static void
check_cool_down(FunctionCallInfo fcinfo)
{
	Interval *interval = PG_GETARG_INTERVAL_P(ARG_COOL_DOWN);

	if (INTERVAL_NOT_FINITE(interval) || interval->month < 0 || interval->day < 0 || interval->time < 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"cool_down\" must not be negative"));
}

/* It is in what is announced, of which NOTIFY takes only so much. */
static void
check_name(const char *name)
{
	if (*name == '\0' || strlen(name) >= NAMEDATALEN)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"%s\" is not the name of an action", name),
				errdetail("A name has 1 to %d bytes.", NAMEDATALEN - 1));
}

PG_FUNCTION_INFO_V1(mls_create_monitor_action);

PGDLLEXPORT Datum
mls_create_monitor_action(PG_FUNCTION_ARGS)
{
	Datum values[ARGS + 2];
	char nulls[ARGS + 2];
	MlsMonitor *monitor;
	MlsLedger ledger;

	mls_worker_require("alerts");
	if (PG_ARGISNULL(ARG_MONITOR) || PG_ARGISNULL(ARG_NAME) || PG_ARGISNULL(ARG_COOL_DOWN))
		ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("monitor, name and cool_down must not be null"));
	monitor = mls_monitor_load_own(text_to_cstring(PG_GETARG_TEXT_PP(ARG_MONITOR)),
								   GetCurrentTransactionStartTimestamp(), false);
	check_name(text_to_cstring(PG_GETARG_TEXT_PP(ARG_NAME)));
	check_what(fcinfo, monitor);
	check_cool_down(fcinfo);
	if (!PG_ARGISNULL(ARG_SIGNALS))
		check_signals(monitor, PG_GETARG_ARRAYTYPE_P(ARG_SIGNALS));
	for (int arg = 0; arg < ARGS; arg++)
	{
		values[arg] = PG_ARGISNULL(arg) ? (Datum) 0 : PG_GETARG_DATUM(arg);
		nulls[arg] = PG_ARGISNULL(arg) ? 'n' : ' ';
	}
	values[ARG_EVENTS] = events_of(fcinfo);
	values[ARGS] = CStringGetTextDatum(GetConfigOption("search_path", false, false));
	values[ARGS + 1] = CStringGetTextDatum(GetConfigOption("TimeZone", false, false));
	nulls[ARG_EVENTS] = nulls[ARGS] = nulls[ARGS + 1] = ' ';
	mls_ledger_open(&ledger);
	if (mls_ledger_run(&find_action, values, NULL) > 0)
		ereport(ERROR, errcode(ERRCODE_DUPLICATE_OBJECT),
				errmsg("monitor \"%s\" already has an action \"%s\"", monitor->name,
					   text_to_cstring(PG_GETARG_TEXT_PP(ARG_NAME))));
	(void) mls_ledger_run(&insert_action, values, nulls);
	mls_ledger_close(&ledger);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(mls_drop_monitor_action);

PGDLLEXPORT Datum
mls_drop_monitor_action(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Datum values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	MlsLedger ledger;

	(void) mls_monitor_load_own(name, GetCurrentTransactionStartTimestamp(), false);
	mls_ledger_open(&ledger);
	if (mls_ledger_run(&delete_action, values, NULL) == 0)
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("monitor \"%s\" has no action \"%s\"", name, text_to_cstring(PG_GETARG_TEXT_PP(1))));
	mls_ledger_close(&ledger);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(mls_retry_alert);

PGDLLEXPORT Datum
mls_retry_alert(PG_FUNCTION_ARGS)
{
	Oid userid = GetUserId();
	Datum id = PG_GETARG_DATUM(0);
	MlsLedger ledger;
	Oid owner;

	mls_ledger_open(&ledger);
	if (mls_ledger_run(&find_alert, &id, NULL) == 0)
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("alert " INT64_FORMAT " does not exist", PG_GETARG_INT64(0)));
	owner = (Oid) mls_ledger_int64(0, 1);
	if (!has_privs_of_role(userid, owner))
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("alert " INT64_FORMAT " is another role's", PG_GETARG_INT64(0)));
	if (strcmp(mls_ledger_text(0, 2), "delivered") == 0)
		ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("alert " INT64_FORMAT " is delivered", PG_GETARG_INT64(0)));
	(void) mls_ledger_run(&retry_alert, &id, NULL);
	mls_ledger_close(&ledger);
	mls_worker_tell_at_commit(&mls_alert_kind, owner);
	PG_RETURN_VOID();
}

/* What an action has announced of the signal. */
typedef struct Announced
{
	int64 action;
	bool breach;
	double since_ms;
	double cool_down_ms;
} Announced;

static Announced *
read_announced(const Datum *key, int *n)
{
	Announced *result;
	bool isnull;

	*n = (int) mls_ledger_run(&select_actions, key, NULL);
	result = palloc((*n + 1) * sizeof(Announced));
	for (int i = 0; i < *n; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		TupleDesc desc = SPI_tuptable->tupdesc;

		result[i].action = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
		result[i].breach = DatumGetBool(SPI_getbinval(row, desc, 2, &isnull));
		result[i].since_ms = DatumGetFloat8(SPI_getbinval(row, desc, 3, &isnull));
		result[i].cool_down_ms = DatumGetFloat8(SPI_getbinval(row, desc, 4, &isnull));
	}
	return result;
}

/* Note it, and write the alert if the action wants to know. */
static void
announce(int64 action, MlsAnnouncement what, Datum signal, int64 run, TimestampTz at)
{
	bool breach = what == MLS_ANNOUNCE_BREACH;
	Datum note[] = {Int64GetDatum(action), signal, TimestampTzGetDatum(at)};
	Datum alert[] = {Int64GetDatum(action), signal, CStringGetTextDatum(breach ? "breach" : "recovery"),
					 Int64GetDatum(run)};

	(void) mls_ledger_run(breach ? &note_breach : &note_recovery, note, NULL);
	(void) mls_ledger_run(&insert_alert, alert, NULL);
}

void
mls_monitor_announce(const MlsMonitor *monitor, int64 run, MlsSignal signal, MlsOutcome outcome, TimestampTz at)
{
	Datum key[] = {CStringGetTextDatum(monitor->name), CStringGetTextDatum(mls_signal_name(signal)),
				   TimestampTzGetDatum(at)};
	int n;
	Announced *actions = read_announced(key, &n);

	for (int i = 0; i < n; i++)
	{
		MlsAnnouncement what = mls_announce(actions[i].breach, actions[i].since_ms, outcome, actions[i].cool_down_ms);

		if (what == MLS_ANNOUNCE_NOTHING)
			continue;
		announce(actions[i].action, what, key[1], run, at);
		mls_worker_tell_at_commit(&mls_alert_kind, monitor->owner);
	}
}
