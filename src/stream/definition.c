/*
 * definition.c - ml_score.create_stream and the functions that change a stream.
 *
 * Everything is checked as it will be used: the server and its type, the decoder for the columns, the target. A change
 * gives the stream a new version, for which the supervisor ends its workers and starts new ones.
 */
#include "stream/stream.h"

#include "auth/credential.h"
#include "catalog/namespace.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_type.h"
#include "catalog/server.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "stream/rows.h"
#include "stream/window.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#define LONGEST_WINDOW_DAYS 366
#define MOST_WINDOWS 1000 /* that an event is in */

enum
{
	ARG_NAME,
	ARG_SERVER,
	ARG_TOPIC,
	ARG_TARGET,
	ARG_COLUMNS,
	ARG_QUERY,
	ARG_FORMAT,
	ARG_FORMAT_OPTIONS,
	ARG_CONSUMER_GROUP,
	ARG_START,
	ARG_PARTITIONS,
	ARG_WORKERS,
	ARG_MAX_BATCH_ROWS,
	ARG_MAX_BATCH_DELAY,
	ARG_MAX_BATCH_BYTES,
	ARG_ON_ERROR,
	ARG_ON_OFFSET_OUT_OF_RANGE,
	ARG_PAUSED,
	ARG_WINDOW,
	ARG_HOP,
	ARG_ALLOWED_LATENESS,
	ARG_EVENT_TIME,
	ARG_LATE_EVENTS,
	ARG_IDLE_TIMEOUT,
	ARG_COUNT
};

static const char *const arg_names[] = {"name",
										"server",
										"topic",
										"target",
										"columns",
										"query",
										"format",
										"format_options",
										"consumer_group",
										"start",
										"partitions",
										"workers",
										"max_batch_rows",
										"max_batch_delay",
										"max_batch_bytes",
										"on_error",
										"on_offset_out_of_range",
										"paused",
										"window",
										"hop",
										"allowed_lateness",
										"event_time",
										"late_events",
										"idle_timeout"};

pg_noreturn static void
raise_bad_argument(int arg, const char *value, const char *expected)
{
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("invalid value for argument \"%s\": \"%s\"", arg_names[arg], value), errdetail("%s", expected));
}

/* A text argument, or NULL. */
static char *
text_arg(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

/* An argument that is none of those which may be NULL. */
static void
check_not_null(FunctionCallInfo fcinfo)
{
	for (int i = 0; i < ARG_COUNT; i++)
	{
		bool optional = i == ARG_TARGET || i == ARG_COLUMNS || i == ARG_QUERY || i == ARG_FORMAT_OPTIONS ||
						i == ARG_PARTITIONS || i == ARG_WINDOW || i == ARG_HOP;

		if (PG_ARGISNULL(i) && !optional)
			ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("argument \"%s\" must not be null", arg_names[i]));
	}
}

static int
count_arg(FunctionCallInfo fcinfo, int arg, int max)
{
	int value = PG_GETARG_INT32(arg);

	if (value < 1 || value > max)
		raise_bad_argument(arg, psprintf("%d", value), psprintf("The value must be between 1 and %d.", max));
	return value;
}

/* A text with a unit, as settings take it. */
static int
unit_arg(FunctionCallInfo fcinfo, int arg, int flags, int max, const char *expected)
{
	char *text = text_arg(fcinfo, arg);
	int value;

	if (!parse_int(text, &value, flags, NULL) || value < 1 || value > max)
		raise_bad_argument(arg, text, expected);
	return value;
}

static char *
word_arg(FunctionCallInfo fcinfo, int arg, const char *first, const char *second, const char *third)
{
	char *word = text_arg(fcinfo, arg);

	if (strcmp(word, first) == 0 || strcmp(word, second) == 0 || (third != NULL && strcmp(word, third) == 0))
		return word;
	raise_bad_argument(arg, word,
					   third == NULL ? psprintf("Valid values are: '%s', '%s'.", first, second)
									 : psprintf("Valid values are: '%s', '%s', '%s'.", first, second, third));
}

/* The words that a start may be are not known to timestamptz_in, whose error it is. */
static void
explain_start(void *arg)
{
	errdetail("The value must be 'earliest', 'latest' or a finite timestamp.");
}

static Datum
parse_start(const char *text)
{
	ErrorContextCallback callback = {error_context_stack, explain_start, NULL};
	Datum value;

	error_context_stack = &callback;
	value = DirectFunctionCall3(timestamptz_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	error_context_stack = callback.previous;
	return value;
}

/* A timestamp as every session reads it; earliest and latest as they are. */
static char *
canonical_start(const char *text)
{
	Datum value;

	if (strcmp(text, "earliest") == 0 || strcmp(text, "latest") == 0)
		return pstrdup(text);
	value = parse_start(text);
	if (TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(value)))
		raise_bad_argument(ARG_START, text, "The value must be 'earliest', 'latest' or a finite timestamp.");
	return pstrdup(timestamptz_to_str(DatumGetTimestampTz(value)));
}

/* The stream could not log in; but who may make the mapping need not have done so yet. */
static void
warn_of_no_credential(const MlsServer *server)
{
	Oid userid = GetUserId();

	if (server->auth != MLS_AUTH_CONNECTION_STRING || mls_credential_has_option(server, userid, "connection_string"))
		return;
	ereport(WARNING, errcode(ERRCODE_WARNING),
			errmsg("no credentials for role \"%s\" on server \"%s\"", GetUserNameFromId(userid, false), server->name),
			errdetail("The stream waits until there are."),
			errhint("%s", mls_credential_hint(server, userid, list_make1("connection_string"))));
}

/* The caller must be able to use the server, now and as its owner later. */
static void
check_server(const char *name)
{
	Oid serverid = mls_server_oid(name, false);
	MlsServer *server;

	if (object_aclcheck(ForeignServerRelationId, serverid, GetUserId(), ACL_USAGE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_SERVER, name);
	server = mls_server_load(serverid);
	mls_server_require(server, MLS_SERVER_EVENTHUBS);
	warn_of_no_credential(server);
}

/* The target's name with its schema, so that it means the same to every session. */
static char *
canonical_target(char *name)
{
	RangeVar *range = makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(name)));
	Oid relid = RangeVarGetRelid(range, NoLock, false);

	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid));
}

static void
check_statement(MlsStream *stream)
{
	if ((stream->target == NULL) == (stream->query == NULL))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("either \"target\" or \"query\" must be given"),
				errhint("A target is a table that the rows go into; a query reads them from \"batch\"."));
	if (stream->query != NULL && stream->columns == NULL)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a stream with a query needs \"columns\""),
				errhint("Say what an event holds: columns => 'id bigint, at timestamptz'."));
	if (stream->query != NULL && raw_parser(stream->query, RAW_PARSE_DEFAULT) == NIL)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the query is empty"));
}

static void
check_partitions(ArrayType *partitions)
{
	Datum *elements;
	bool *nulls;
	int count;

	deconstruct_array(partitions, INT4OID, sizeof(int32), true, TYPALIGN_INT, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
		if (nulls[i] || DatumGetInt32(elements[i]) < 0)
			raise_bad_argument(ARG_PARTITIONS, "...", "Partitions are numbers from 0.");
	if (count == 0)
		raise_bad_argument(ARG_PARTITIONS, "{}", "Name at least one partition, or leave it out to read all.");
}

/* An interval of a fixed length, in microseconds. */
static int64
length_arg(FunctionCallInfo fcinfo, int arg, int64 min)
{
	Interval *interval = PG_GETARG_INTERVAL_P(arg);
	int64 length = interval->day * USECS_PER_DAY + interval->time;

	if (interval->month != 0 || abs(interval->day) > LONGEST_WINDOW_DAYS || length < min ||
		length > LONGEST_WINDOW_DAYS * USECS_PER_DAY)
		raise_bad_argument(arg, DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(interval))),
						   psprintf("The value must be an interval without months, from %g seconds to %d days.",
									min / 1e6, LONGEST_WINDOW_DAYS));
	return length;
}

/* The windows that the arguments want; NULL when none. */
static MlsWindow *
read_window(FunctionCallInfo fcinfo, const MlsStream *stream)
{
	MlsWindow *window;

	if (PG_ARGISNULL(ARG_WINDOW))
	{
		if (!PG_ARGISNULL(ARG_HOP))
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("argument \"hop\" needs \"window\""));
		return NULL;
	}
	if (stream->query == NULL)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a stream with windows needs \"query\""),
				errhint("It runs once per window, over the relation \"batch\"."));
	window = palloc0(sizeof(MlsWindow));
	window->size = length_arg(fcinfo, ARG_WINDOW, 1000);
	window->hop = PG_ARGISNULL(ARG_HOP) ? window->size : length_arg(fcinfo, ARG_HOP, 1000);
	if (window->hop > window->size || window->size / window->hop > MOST_WINDOWS)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("\"hop\" must be at most as long as \"window\", and at least a %dth of it", MOST_WINDOWS));
	window->lateness = length_arg(fcinfo, ARG_ALLOWED_LATENESS, 0);
	window->idle = length_arg(fcinfo, ARG_IDLE_TIMEOUT, 1000);
	window->event_time = text_arg(fcinfo, ARG_EVENT_TIME);
	window->update = strcmp(word_arg(fcinfo, ARG_LATE_EVENTS, "dead_letter", "update", NULL), "update") == 0;
	return window;
}

static MlsStream *
read_arguments(FunctionCallInfo fcinfo)
{
	MlsStream *stream = palloc0(sizeof(MlsStream));

	(void) word_arg(fcinfo, ARG_ON_OFFSET_OUT_OF_RANGE, "stop", "earliest", "latest");
	stream->name = text_arg(fcinfo, ARG_NAME);
	if (*stream->name == '\0' || strlen(stream->name) >= NAMEDATALEN)
		raise_bad_argument(ARG_NAME, stream->name, psprintf("A name has 1 to %d bytes.", NAMEDATALEN - 1));
	stream->server = text_arg(fcinfo, ARG_SERVER);
	stream->topic = text_arg(fcinfo, ARG_TOPIC);
	if (*stream->topic == '\0')
		raise_bad_argument(ARG_TOPIC, stream->topic,
						   "Give the name of the topic, which Event Hubs calls an event hub.");
	stream->target = text_arg(fcinfo, ARG_TARGET);
	stream->columns = text_arg(fcinfo, ARG_COLUMNS);
	stream->query = text_arg(fcinfo, ARG_QUERY);
	stream->format = text_arg(fcinfo, ARG_FORMAT);
	stream->format_options = PG_ARGISNULL(ARG_FORMAT_OPTIONS) ? NULL : PG_GETARG_JSONB_P(ARG_FORMAT_OPTIONS);
	stream->owner = GetUserId();
	stream->start = canonical_start(text_arg(fcinfo, ARG_START));
	if (!PG_ARGISNULL(ARG_PARTITIONS))
		check_partitions(PG_GETARG_ARRAYTYPE_P(ARG_PARTITIONS));
	stream->workers = count_arg(fcinfo, ARG_WORKERS, 64);
	stream->max_batch_rows = count_arg(fcinfo, ARG_MAX_BATCH_ROWS, 1000000);
	stream->max_batch_delay_ms = unit_arg(fcinfo, ARG_MAX_BATCH_DELAY, GUC_UNIT_MS, 3600 * 1000,
										  "The value must be a time such as '50ms' or '5s', up to an hour.");
	stream->max_batch_bytes = unit_arg(fcinfo, ARG_MAX_BATCH_BYTES, GUC_UNIT_BYTE, 512 * 1024 * 1024,
									   "The value must be a size such as '1MB', up to 512 MB.");
	stream->window = read_window(fcinfo, stream);
	return stream;
}

static void
insert_stream(FunctionCallInfo fcinfo, const MlsStream *stream)
{
	static Oid types[] = {TEXTOID, OIDOID,	 TEXTOID, TEXTOID, TEXTOID,		 TEXTOID, TEXTOID,
						  TEXTOID, JSONBOID, TEXTOID, TEXTOID, INT4ARRAYOID, INT4OID, INT4OID,
						  INT4OID, INT4OID,	 TEXTOID, TEXTOID, TEXTOID,		 TEXTOID, TEXTOID};
	Datum values[lengthof(types)];
	char nulls[lengthof(types) + 1];
	const char *texts[] = {stream->name,	NULL,		   stream->server, stream->topic, stream->target,
						   stream->columns, stream->query, stream->format};

	memset(nulls, ' ', sizeof(nulls));
	for (int i = 0; i < lengthof(texts); i++)
	{
		nulls[i] = texts[i] == NULL ? 'n' : ' ';
		values[i] = texts[i] == NULL ? (Datum) 0 : CStringGetTextDatum(texts[i]);
	}
	values[1] = ObjectIdGetDatum(stream->owner);
	nulls[1] = ' ';
	values[8] = JsonbPGetDatum(stream->format_options);
	nulls[8] = stream->format_options == NULL ? 'n' : ' ';
	values[9] = PG_GETARG_DATUM(ARG_CONSUMER_GROUP);
	values[10] = CStringGetTextDatum(stream->start);
	values[11] = PG_GETARG_DATUM(ARG_PARTITIONS);
	nulls[11] = PG_ARGISNULL(ARG_PARTITIONS) ? 'n' : ' ';
	values[12] = Int32GetDatum(stream->workers);
	values[13] = Int32GetDatum(stream->max_batch_rows);
	values[14] = Int32GetDatum(stream->max_batch_delay_ms);
	values[15] = Int32GetDatum(stream->max_batch_bytes);
	values[16] = CStringGetTextDatum(word_arg(fcinfo, ARG_ON_ERROR, "dead_letter", "fail", NULL));
	values[17] = PG_GETARG_DATUM(ARG_ON_OFFSET_OUT_OF_RANGE);
	values[18] = CStringGetTextDatum(namespace_search_path);
	values[19] = CStringGetTextDatum(PG_GETARG_BOOL(ARG_PAUSED) ? "paused" : "running");
	values[20] = CStringGetTextDatum(mls_stream_home_name());

	SPI_connect();
	mls_stream_execute(
		"INSERT INTO ml_score.stream (name, owner, server, topic, target, columns, query, format, "
		"format_options, consumer_group, start, partitions, workers, max_batch_rows, max_batch_delay, "
		"max_batch_bytes, on_error, on_offset_out_of_range, search_path, state, home, version) "
		"VALUES ($1, $2::regrole, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, "
		"$19, $20, $21, 1)",
		lengthof(types), types, values, nulls);
	SPI_finish();
}

PG_FUNCTION_INFO_V1(mls_create_stream);

PGDLLEXPORT Datum
mls_create_stream(PG_FUNCTION_ARGS)
{
	MlsStream *stream;

	mls_worker_require("streams");
	check_not_null(fcinfo);
	stream = read_arguments(fcinfo);
	check_server(stream->server);
	check_statement(stream);
	if (stream->target != NULL)
		stream->target = canonical_target(stream->target);
	mls_row_maker_check(stream);
	if (mls_stream_load(stream->name, true) != NULL)
		ereport(ERROR, errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("stream \"%s\" already exists", stream->name));
	insert_stream(fcinfo, stream);
	if (stream->window != NULL)
		mls_window_insert(stream->name, stream->window);
	mls_worker_wake_at_commit();
	PG_RETURN_VOID();
}

/* Change the caller's stream by a statement that has its name as $1, home or start as $2. */
static void
change_stream(const char *name, const char *sql, const char *second)
{
	Oid types[] = {TEXTOID, TEXTOID};
	Datum values[] = {CStringGetTextDatum(name), CStringGetTextDatum(second)};

	mls_stream_load_own(name);
	SPI_connect();
	mls_stream_execute(sql, 2, types, values, NULL);
	SPI_finish();
	mls_worker_wake_at_commit();
}

PG_FUNCTION_INFO_V1(mls_pause_stream);

PGDLLEXPORT Datum
mls_pause_stream(PG_FUNCTION_ARGS)
{
	change_stream(text_to_cstring(PG_GETARG_TEXT_PP(0)),
				  "UPDATE ml_score.stream SET state = 'paused', stop_reason = NULL, version = version + 1 "
				  "WHERE name = $1 AND state <> $2",
				  "paused");
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(mls_resume_stream);

PGDLLEXPORT Datum
mls_resume_stream(PG_FUNCTION_ARGS)
{
	mls_worker_require("streams");
	change_stream(text_to_cstring(PG_GETARG_TEXT_PP(0)),
				  "UPDATE ml_score.stream SET state = 'running', stop_reason = NULL, home = $2, version = version + 1 "
				  "WHERE name = $1 AND (state <> 'running' OR home <> $2)",
				  mls_stream_home_name());
	PG_RETURN_VOID();
}

static void
seek_stream(const char *name, const char *start)
{
	change_stream(name, "UPDATE ml_score.stream SET start = $2, version = version + 1 WHERE name = $1",
				  canonical_start(start));
	change_stream(name,
				  "UPDATE ml_score.stream_offset SET next_offset = NULL, updated_at = now() "
				  "WHERE stream = $1 AND $2 IS NOT NULL",
				  start);
	mls_window_forget(name);
}

PG_FUNCTION_INFO_V1(mls_seek_stream);

PGDLLEXPORT Datum
mls_seek_stream(PG_FUNCTION_ARGS)
{
	seek_stream(text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(1)));
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(mls_seek_stream_time);

PGDLLEXPORT Datum
mls_seek_stream_time(PG_FUNCTION_ARGS)
{
	TimestampTz start = PG_GETARG_TIMESTAMPTZ(1);

	seek_stream(text_to_cstring(PG_GETARG_TEXT_PP(0)),
				TIMESTAMP_NOT_FINITE(start) ? "infinity" : timestamptz_to_str(start));
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(mls_drop_stream);

PGDLLEXPORT Datum
mls_drop_stream(PG_FUNCTION_ARGS)
{
	change_stream(text_to_cstring(PG_GETARG_TEXT_PP(0)),
				  "DELETE FROM ml_score.stream WHERE name = $1 AND $2 IS NOT NULL", "");
	PG_RETURN_VOID();
}

int64
mls_stream_purge(Interval *older_than, const char *stream)
{
	Oid types[] = {INTERVALOID, TEXTOID, OIDOID};
	Datum values[] = {IntervalPGetDatum(older_than), stream == NULL ? (Datum) 0 : CStringGetTextDatum(stream),
					  ObjectIdGetDatum(GetUserId())};
	char nulls[] = {' ', stream == NULL ? 'n' : ' ', ' '};
	int64 count;

	if (stream != NULL)
		mls_stream_load_own(stream);
	SPI_connect();
	mls_stream_execute("DELETE FROM ml_score.dead_letter d USING ml_score.stream s WHERE s.name = d.stream "
					   "AND d.created_at <= now() - $1 AND ($2 IS NULL OR d.stream = $2) "
					   "AND pg_has_role($3, s.owner, 'USAGE')",
					   3, types, values, nulls);
	count = (int64) SPI_processed;
	SPI_finish();
	return count;
}
