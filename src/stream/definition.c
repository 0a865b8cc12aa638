/*
 * definition.c - ml_score.create_stream and ml_score.alter_stream.
 *
 * Everything is checked as it will be used: the server and its type, the decoder for the columns, the target.
 */
#include "stream/argument.h"

#include "auth/credential.h"
#include "catalog/namespace.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_type.h"
#include "catalog/server.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "stream/limit.h"
#include "stream/rows.h"
#include "stream/window.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/varlena.h"

/* What both functions write. */
#define CHANGING_COLUMNS                                                                                               \
	"owner, target, columns, query, format, format_options, consumer_group, workers, max_batch_rows, "                 \
	"max_batch_delay, "                                                                                                \
	"max_batch_bytes, on_error, on_offset_out_of_range, search_path"
#define CHANGING_VALUES "$2::regrole, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15"

/* Columns of ml_score.stream on their way there: the name, those that may change, and what create_stream adds. */
typedef struct StreamRow
{
	Oid types[21];
	Datum values[21];
	char nulls[22];
	int count;
} StreamRow;

/* What cannot be changed, and what to do instead. */
static const struct
{
	MlsStreamArg arg;
	const char *hint;
} fixed_arguments[] = {{MLS_ARG_SERVER, "Its offsets are those of a topic of this server: create another stream."},
					   {MLS_ARG_TOPIC, "Its offsets are those of this topic: create another stream."},
					   {MLS_ARG_START, "ml_score.seek_stream has it go on from another place."},
					   {MLS_ARG_PARTITIONS, "Create another stream for other partitions."},
					   {MLS_ARG_PAUSED, "See ml_score.pause_stream and ml_score.resume_stream."},
					   {MLS_ARG_WINDOW, "Events wait for the windows that it has: create another stream."},
					   {MLS_ARG_HOP, "Events wait for the windows that it has: create another stream."},
					   {MLS_ARG_EVENT_TIME, "Events wait for the windows that it has: create another stream."},
					   {MLS_ARG_LATE_EVENTS, "Events wait for the windows that it has: create another stream."}};

/* The stream could not log in; but who may make the mapping need not have done so yet. */
static void
warn_of_no_credential(const MlsServer *server, Oid userid)
{
	if (server->auth != MLS_AUTH_CONNECTION_STRING || mls_credential_has_option(server, userid, "connection_string"))
		return;
	ereport(WARNING, errcode(ERRCODE_WARNING),
			errmsg("no credentials for role \"%s\" on server \"%s\"", GetUserNameFromId(userid, false), server->name),
			errdetail("The stream waits until there are."),
			errhint("%s", mls_credential_hint(server, userid, list_make1("connection_string"))));
}

/* The owner must be able to use the server. */
static void
check_server(const char *name, Oid owner)
{
	MlsServer *server;
	Oid serverid;

	mls_server_keep(name);
	serverid = mls_server_oid_for(name, MLS_SERVER_EVENTHUBS);
	if (object_aclcheck(ForeignServerRelationId, serverid, owner, ACL_USAGE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_SERVER, name);
	server = mls_server_load(serverid);
	mls_server_require(server, MLS_SERVER_EVENTHUBS);
	warn_of_no_credential(server, owner);
}

/* The schema registry stays, too, if the stream's format has one. */
static void
keep_registry(const MlsStream *stream)
{
	char *name = mls_stream_registry(stream);

	if (name != NULL)
		mls_server_keep(name);
}

/* The target's name with its schema, so that it means the same to every session. */
static char *
canonical_target(char *name)
{
	RangeVar *range = makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(name)));
	Oid relid = RangeVarGetRelid(range, AccessShareLock, false); /* lest it be dropped meanwhile */

	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid));
}

static void
check_statement(MlsStream *stream)
{
	if ((stream->target == NULL) == (stream->query == NULL))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("give either \"target\" or \"query\""),
				errhint("A target is a table that the rows go into; a query reads them from \"batch\"."));
	if (stream->query != NULL && stream->columns == NULL)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a stream with a query needs \"columns\""),
				errhint("Say what an event holds: columns => 'id bigint, at timestamptz'."));
	if (stream->query != NULL && raw_parser(stream->query, RAW_PARSE_DEFAULT) == NIL)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the query is empty"));
}

static void
add_value(StreamRow *row, Oid type, Datum value, bool isnull)
{
	row->types[row->count] = type;
	row->values[row->count] = value;
	row->nulls[row->count++] = isnull ? 'n' : ' ';
}

/* NULL is NULL. */
static void
add_text(StreamRow *row, const char *text)
{
	add_value(row, TEXTOID, text == NULL ? (Datum) 0 : CStringGetTextDatum(text), text == NULL);
}

static void
add_int(StreamRow *row, int value)
{
	add_value(row, INT4OID, Int32GetDatum(value), false);
}

/* The name and CHANGING_VALUES. */
static StreamRow
row_of(const MlsStream *stream)
{
	static const char *const out_of_range[] = {"stop", "earliest", "latest"};
	StreamRow row = {.count = 0};

	add_text(&row, stream->name);
	add_value(&row, OIDOID, ObjectIdGetDatum(stream->owner), false);
	add_text(&row, stream->target);
	add_text(&row, stream->columns);
	add_text(&row, stream->query);
	add_text(&row, stream->format);
	add_value(&row, JSONBOID, JsonbPGetDatum(stream->format_options), stream->format_options == NULL);
	add_text(&row, stream->consumer_group);
	add_int(&row, stream->workers);
	add_int(&row, stream->max_batch_rows);
	add_int(&row, stream->max_batch_delay_ms);
	add_int(&row, stream->max_batch_bytes);
	add_text(&row, stream->dead_letters ? "dead_letter" : "fail");
	add_text(&row, out_of_range[stream->out_of_range]);
	add_text(&row, stream->search_path);
	return row;
}

static void
insert_stream(FunctionCallInfo fcinfo, const MlsStream *stream)
{
	StreamRow row = row_of(stream);

	add_text(&row, stream->server);
	add_text(&row, stream->topic);
	add_text(&row, stream->start);
	add_value(&row, INT4ARRAYOID, PG_GETARG_DATUM(MLS_ARG_PARTITIONS), PG_ARGISNULL(MLS_ARG_PARTITIONS));
	add_text(&row, stream->state);
	add_text(&row, mls_worker_home());
	SPI_connect();
	mls_ledger_execute("INSERT INTO ml_score.stream (name, " CHANGING_COLUMNS
					   ", server, topic, start, partitions, state, home, version) "
					   "VALUES ($1, " CHANGING_VALUES ", $16, $17, $18, $19, $20, $21, 1)",
					   row.count, row.types, row.values, row.nulls);
	SPI_finish();
}

PG_FUNCTION_INFO_V1(mls_create_stream);

PGDLLEXPORT Datum
mls_create_stream(PG_FUNCTION_ARGS)
{
	MlsStream stream = {.owner = GetUserId(), .search_path = namespace_search_path};

	mls_worker_require("streams");
	mls_stream_arg_check_nulls(fcinfo);
	stream.state = PG_GETARG_BOOL(MLS_ARG_PAUSED) ? "paused" : "running";
	mls_stream_arg_take(fcinfo, &stream);
	check_server(stream.server, stream.owner);
	keep_registry(&stream);
	check_statement(&stream);
	if (stream.target != NULL)
		stream.target = canonical_target(stream.target);
	mls_row_maker_check(&stream);
	if (mls_stream_load(stream.name, true) != NULL)
		ereport(ERROR, errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("stream \"%s\" already exists", stream.name));
	mls_stream_check_workers(&stream);
	insert_stream(fcinfo, &stream);
	if (stream.window != NULL)
		mls_window_insert(stream.name, stream.window);
	mls_worker_wake_at_commit();
	PG_RETURN_VOID();
}

static void
refuse_fixed_arguments(FunctionCallInfo fcinfo, const MlsStream *stream)
{
	for (int i = 0; i < lengthof(fixed_arguments); i++)
		if (!PG_ARGISNULL(fixed_arguments[i].arg))
			ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("cannot change \"%s\" of stream \"%s\"", mls_stream_arg_name(fixed_arguments[i].arg),
						   stream->name),
					errhint("%s", fixed_arguments[i].hint));
	if (stream->window == NULL && (!PG_ARGISNULL(MLS_ARG_ALLOWED_LATENESS) || !PG_ARGISNULL(MLS_ARG_IDLE_TIMEOUT)))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("stream \"%s\" has no windows", stream->name),
				errdetail("Only streams with windows have \"allowed_lateness\" and \"idle_timeout\"."));
}

/* Give the stream to another role, as ALTER ... OWNER TO gives other things. */
static void
take_owner(MlsStream *stream, const char *name)
{
	Oid owner = get_role_oid(name, false);

	if (owner == stream->owner)
		return;
	check_can_set_role(GetUserId(), owner);
	check_server(stream->server, owner);
	stream->owner = owner;
}

/* A target takes the place of a query, and the other way round; empty columns are those of the target. */
static void
settle_statement(FunctionCallInfo fcinfo, MlsStream *stream)
{
	if (PG_ARGISNULL(MLS_ARG_TARGET) && !PG_ARGISNULL(MLS_ARG_QUERY))
		stream->target = NULL;
	if (PG_ARGISNULL(MLS_ARG_QUERY) && !PG_ARGISNULL(MLS_ARG_TARGET))
		stream->query = NULL;
	if (stream->columns != NULL && *stream->columns == '\0')
		stream->columns = NULL;
	check_statement(stream);
	if (stream->window != NULL && stream->query == NULL)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a stream with windows needs \"query\""));
	if (!PG_ARGISNULL(MLS_ARG_TARGET))
		stream->target = canonical_target(stream->target);
}

/*
 * Statements and names mean what they mean in the session that gave them: with any of these, all are taken to be of this
 * one; else they are looked at with the search_path that the stream has. As the owner: planning a default may run code.
 */
static void
check_content(FunctionCallInfo fcinfo, MlsStream *stream)
{
	int level = NewGUCNestLevel();
	Oid userid;
	int context;

	settle_statement(fcinfo, stream);
	keep_registry(stream);
	if (!PG_ARGISNULL(MLS_ARG_TARGET) || !PG_ARGISNULL(MLS_ARG_COLUMNS) || !PG_ARGISNULL(MLS_ARG_QUERY))
		stream->search_path = pstrdup(namespace_search_path);
	mls_guc_set_for_level("search_path", stream->search_path);
	GetUserIdAndSecContext(&userid, &context);
	SetUserIdAndSecContext(stream->owner, context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	mls_row_maker_check(stream);
	SetUserIdAndSecContext(userid, context);
	AtEOXact_GUC(false, level);
}

static void
update_stream(const MlsStream *stream)
{
	StreamRow row = row_of(stream);

	if (stream->window != NULL)
		mls_window_update(stream->name, stream->window);
	SPI_connect();
	mls_ledger_execute("UPDATE ml_score.stream SET (" CHANGING_COLUMNS ", version) = ROW(" CHANGING_VALUES
					   ", version + 1) WHERE name = $1",
					   row.count, row.types, row.values, row.nulls);
	SPI_finish();
}

PG_FUNCTION_INFO_V1(mls_alter_stream);

PGDLLEXPORT Datum
mls_alter_stream(PG_FUNCTION_ARGS)
{
	MlsStream *stream;

	if (PG_ARGISNULL(MLS_ARG_NAME))
		ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument \"name\" must not be null"));
	stream = mls_stream_lock_own(text_to_cstring(PG_GETARG_TEXT_PP(MLS_ARG_NAME)));
	refuse_fixed_arguments(fcinfo, stream);
	mls_stream_arg_take(fcinfo, stream);
	if (!PG_ARGISNULL(MLS_ARG_OWNER))
		take_owner(stream, text_to_cstring(PG_GETARG_TEXT_PP(MLS_ARG_OWNER)));
	if (!PG_ARGISNULL(MLS_ARG_TARGET) || !PG_ARGISNULL(MLS_ARG_COLUMNS) || !PG_ARGISNULL(MLS_ARG_QUERY) ||
		!PG_ARGISNULL(MLS_ARG_FORMAT) || !PG_ARGISNULL(MLS_ARG_FORMAT_OPTIONS) || !PG_ARGISNULL(MLS_ARG_OWNER))
		check_content(fcinfo, stream);
	mls_stream_check_workers(stream);
	update_stream(stream);
	mls_worker_wake_at_commit();
	PG_RETURN_VOID();
}
