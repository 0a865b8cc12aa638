/*
 * outbox.c - ml_score.send_event and its kin: what a transaction wants sent goes into a table, and so is sent if it
 * commits, and only then.
 */
#include "stream/outbox.h"

#include "access/detoast.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_type.h"
#include "catalog/server.h"
#include "codec/encoding.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "select_query.h"
#include "stream/stream.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#define LARGEST_EVENT 1000000 /* Event Hubs drops connections over what is larger */
#define FETCH_ROWS 1000

/* An event as the table has it. */
typedef struct Outgoing
{
	Oid server;
	Datum topic;
	Datum key;
	Datum value;
	Datum headers;
	bool key_null;
	bool value_null;
	bool headers_null;
} Outgoing;

void
mls_outbox_init(void)
{
	mls_worker_register(&mls_outbox_kind);
}

/* The named server, which the caller may use. */
static Oid
server_to_send_to(const char *name)
{
	Oid serverid;
	AclResult acl;

	mls_worker_require("outgoing events");
	mls_server_keep(name);
	serverid = mls_server_oid_for(name, MLS_SERVER_EVENTHUBS);
	acl = object_aclcheck(ForeignServerRelationId, serverid, GetUserId(), ACL_USAGE);
	if (acl != ACLCHECK_OK)
		aclcheck_error(acl, OBJECT_FOREIGN_SERVER, name);
	mls_server_require(mls_server_load(serverid), MLS_SERVER_EVENTHUBS);
	return serverid;
}

static void
check_topic(const char *topic)
{
	if (*topic == '\0' || strlen(topic) > 249 ||
		strspn(topic, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != strlen(topic))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"%s\" is not the name of a topic", topic));
}

static void
check_size(const Outgoing *event)
{
	Size size = (event->value_null ? 0 : toast_raw_datum_size(event->value)) +
				(event->key_null ? 0 : toast_raw_datum_size(event->key));

	if (size > LARGEST_EVENT)
		ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("an event of %zu bytes is too large to be sent", size),
				errdetail("The limit is %d bytes, key and value together.", LARGEST_EVENT));
}

static void
check_headers(const Outgoing *event)
{
	if (!event->headers_null && !JB_ROOT_IS_OBJECT(DatumGetJsonbP(event->headers)))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("the headers of an event are not a JSON object"));
}

/* Put an event of the sender into the table; its number. Within a ledger. */
static int64
insert_event(const Outgoing *event, Oid sender)
{
	static MlsStatement insert = {"INSERT INTO ml_score.outbox_event (server, sender, topic, key, value, headers) "
								  "VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
								  6,
								  {OIDOID, OIDOID, TEXTOID, BYTEAOID, BYTEAOID, JSONBOID}};
	Datum values[] = {ObjectIdGetDatum(event->server),
					  ObjectIdGetDatum(sender),
					  event->topic,
					  event->key,
					  event->value,
					  event->headers};
	char nulls[] = {
		' ', ' ', ' ', event->key_null ? 'n' : ' ', event->value_null ? 'n' : ' ', event->headers_null ? 'n' : ' '};

	check_size(event);
	check_headers(event);
	(void) mls_ledger_run(&insert, values, nulls);
	return mls_ledger_int64(0, 1);
}

/* A text in UTF-8, as bytes. */
static Datum
text_as_bytes(text *given)
{
	int len = VARSIZE_ANY_EXHDR(given);
	const char *utf8 = mls_to_utf8(VARDATA_ANY(given), &len);

	return PointerGetDatum(cstring_to_text_with_len(utf8, len));
}

/* Send (server, topic, value, key, headers); a text's bytes, or a jsonb's text. */
static int64
send_event(FunctionCallInfo fcinfo, bool texts)
{
	Outgoing event = {.key_null = PG_ARGISNULL(3), .value_null = PG_ARGISNULL(2), .headers_null = PG_ARGISNULL(4)};
	Oid sender = GetUserId();
	MlsLedger ledger;
	int64 id;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("server and topic must not be null"));
	event.server = server_to_send_to(NameStr(*PG_GETARG_NAME(0)));
	event.topic = PG_GETARG_DATUM(1);
	check_topic(TextDatumGetCString(event.topic));
	if (!event.value_null)
		event.value = texts ? text_as_bytes(PG_GETARG_TEXT_PP(2)) : PG_GETARG_DATUM(2);
	if (!event.key_null)
		event.key = texts ? text_as_bytes(PG_GETARG_TEXT_PP(3)) : PG_GETARG_DATUM(3);
	event.headers = PG_GETARG_DATUM(4);
	mls_ledger_open(&ledger);
	id = insert_event(&event, sender);
	mls_ledger_close(&ledger);
	mls_worker_tell_at_commit(&mls_outbox_kind, mls_outbox_key(event.server, sender));
	return id;
}

PG_FUNCTION_INFO_V1(mls_send_event);

PGDLLEXPORT Datum
mls_send_event(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(send_event(fcinfo, false));
}

PG_FUNCTION_INFO_V1(mls_send_event_text);

PGDLLEXPORT Datum
mls_send_event_text(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(send_event(fcinfo, true));
}

/* The query around the user's that gives value, key and headers of each row. */
static char *
wrap_query(const char *query, TupleDesc desc)
{
	StringInfoData sql;
	StringInfoData members;
	const char *value = NULL;
	const char *key = "NULL::pg_catalog.bytea";
	const char *headers = "NULL::pg_catalog.jsonb";

	initStringInfo(&members);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		const char *name = NameStr(att->attname);
		const char *bytes = att->atttypid == BYTEAOID ? psprintf("q.%s", quote_identifier(name))
													  : psprintf("pg_catalog.convert_to(q.%s::pg_catalog.text, 'UTF8')",
																 quote_identifier(name));

		if (strcmp(name, "_value") == 0)
			value = bytes;
		else if (strcmp(name, "_key") == 0)
			key = bytes;
		else if (strcmp(name, "_headers") == 0)
			headers = "q._headers::pg_catalog.jsonb";
		else
			appendStringInfo(&members, "%sq.%s", members.len > 0 ? ", " : "", quote_identifier(name));
	}
	if (value && members.len > 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("the query has column \"_value\", which is the whole event, and others"),
				errhint("Beside _value there may be _key and _headers."));
	if (!value && members.len == 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the query has no column to be sent"));
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s, %s, %s FROM (%s\n) q",
					 value ? value : "pg_catalog.convert_to(pg_catalog.row_to_json(r)::pg_catalog.text, 'UTF8')", key,
					 headers, mls_select_body(query));
	if (!value)
		appendStringInfo(&sql, ", LATERAL (SELECT %s) r", members.data);
	return sql.data;
}

/* The columns that the query gives; raises when it gives none. */
static TupleDesc
describe_query(const char *query)
{
	SPIPlanPtr plan = SPI_prepare(query, 0, NULL);
	Portal portal;
	TupleDesc desc;

	if (plan == NULL || !SPI_is_cursor_plan(plan))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("what is to be sent is not a query that gives rows"));
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, false);
	desc = CreateTupleDescCopy(portal->tupDesc);
	SPI_cursor_close(portal);
	return desc;
}

/* Send rows that were fetched: value, key, headers. */
static void
send_fetched(const SPITupleTable *rows, uint64 count, Oid server, Datum topic, Oid sender)
{
	MlsLedger ledger;

	mls_ledger_open(&ledger);
	for (uint64 i = 0; i < count; i++)
	{
		Outgoing event = {.server = server, .topic = topic};

		event.value = SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &event.value_null);
		event.key = SPI_getbinval(rows->vals[i], rows->tupdesc, 2, &event.key_null);
		event.headers = SPI_getbinval(rows->vals[i], rows->tupdesc, 3, &event.headers_null);
		(void) insert_event(&event, sender);
		SPI_freetuptable(SPI_tuptable);
		CHECK_FOR_INTERRUPTS();
	}
	mls_ledger_close(&ledger);
}

/* Send the rows of an open cursor; how many they are. */
static int64
send_rows(Portal portal, Oid server, Datum topic)
{
	int64 sent = 0;
	uint64 count;

	do
	{
		SPITupleTable *rows;

		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		rows = SPI_tuptable;
		count = SPI_processed;
		send_fetched(rows, count, server, topic, GetUserId());
		SPI_freetuptable(rows);
		sent += count;
	} while (count == FETCH_ROWS);
	return sent;
}

PG_FUNCTION_INFO_V1(mls_send_query);

PGDLLEXPORT Datum
mls_send_query(PG_FUNCTION_ARGS)
{
	Oid server = server_to_send_to(NameStr(*PG_GETARG_NAME(0)));
	Datum topic = PG_GETARG_DATUM(1);
	char *query = text_to_cstring(PG_GETARG_TEXT_PP(2));
	SPIPlanPtr plan;
	Portal portal;
	int64 sent;

	check_topic(TextDatumGetCString(topic));
	SPI_connect();
	query = wrap_query(query, describe_query(query));
	plan = SPI_prepare(query, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\"", query);
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, false);
	sent = send_rows(portal, server, topic);
	SPI_cursor_close(portal);
	SPI_finish();
	if (sent > 0)
		mls_worker_tell_at_commit(&mls_outbox_kind, mls_outbox_key(server, GetUserId()));
	PG_RETURN_INT64(sent);
}

/* The oid of the server that is named, or InvalidOid for all. */
static Datum
named_server(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		return ObjectIdGetDatum(InvalidOid);
	return ObjectIdGetDatum(mls_server_oid_for(NameStr(*PG_GETARG_NAME(0)), MLS_SERVER_EVENTHUBS));
}

PG_FUNCTION_INFO_V1(mls_resume_outbox);

PGDLLEXPORT Datum
mls_resume_outbox(PG_FUNCTION_ARGS)
{
	Oid types[] = {OIDOID, OIDOID};
	Datum values[] = {named_server(fcinfo), ObjectIdGetDatum(GetUserId())};
	int64 resumed;

	mls_worker_require("outgoing events");
	SPI_connect();
	mls_ledger_execute("UPDATE ml_score.outbox_event SET home = ml_score.home() "
					   "WHERE home <> ml_score.home() AND server = coalesce(nullif($1, 0), server) "
					   "AND EXISTS (SELECT FROM pg_roles r WHERE r.oid = sender) AND pg_has_role($2, sender, 'USAGE')",
					   lengthof(types), types, values, NULL);
	resumed = SPI_processed;
	SPI_finish();
	if (resumed > 0)
		mls_worker_wake_at_commit();
	PG_RETURN_INT64(resumed);
}

PG_FUNCTION_INFO_V1(mls_purge_outbox);

PGDLLEXPORT Datum
mls_purge_outbox(PG_FUNCTION_ARGS)
{
	Oid types[] = {OIDOID, OIDOID, BOOLOID};
	Datum values[] = {named_server(fcinfo), ObjectIdGetDatum(GetUserId()), PG_GETARG_DATUM(1)};
	int64 removed;

	if (PG_ARGISNULL(1))
		ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument \"waiting\" must not be null"));
	SPI_connect();
	mls_ledger_execute(
		"DELETE FROM ml_score.outbox_event o WHERE server = coalesce(nullif($1, 0), server) "
		"AND ($3 OR failed_at IS NOT NULL OR NOT EXISTS (SELECT FROM pg_foreign_server s WHERE s.oid = o.server) "
		"OR NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = o.sender)) "
		"AND (pg_has_role($2, sender, 'USAGE') "
		"OR EXISTS (SELECT FROM pg_foreign_server s WHERE s.oid = o.server AND pg_has_role($2, s.srvowner, 'USAGE')))",
		lengthof(types), types, values, NULL);
	removed = SPI_processed;
	SPI_finish();
	PG_RETURN_INT64(removed);
}
