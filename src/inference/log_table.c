/*
 * log_table.c - see log_table.h.
 *
 * Statements run with the search_path of the session, in which others may make operators: every name in them is qualified.
 *
 * Partitions are made on the side and attached, which does not wait for who reads the table; dropping one does, and so
 * gives up soon and is tried again later.
 */
#include "inference/log_table.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "codec/encoding.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "inference/log_layout.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#define LOCK_TIMEOUT "3s"
#define HASH_LEN 9 /* "_%08x" */

/* A period's word in date_trunc, and how the names of its partitions end. */
static const struct
{
	const char *word;
	const char *suffix;
} periods[] = {[MLS_LOG_HOUR] = {"hour", "_pYYYYMMDDHH24"},
			   [MLS_LOG_DAY] = {"day", "_pYYYYMMDD"},
			   [MLS_LOG_WEEK] = {"week", "_pYYYYMMDD"},
			   [MLS_LOG_MONTH] = {"month", "_pYYYYMM"}};

static void
split_name(const MlsServer *server, char **schema, char **table)
{
	List *names;

	if (!SplitIdentifierString(pstrdup(server->log_table), '.', &names) || list_length(names) != 2)
		elog(ERROR, "malformed name of a log table");
	*schema = linitial(names);
	*table = lsecond(names);
}

char *
mls_log_table_name(const MlsServer *server)
{
	char *schema;
	char *table;

	split_name(server, &schema, &table);
	return quote_qualified_identifier(schema, table);
}

static void
connect(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
}

static void
run(const char *sql, int expected)
{
	if (SPI_execute(sql, false, 0) != expected)
		elog(ERROR, "could not run \"%s\"", sql);
}

static Oid
owner_of(Oid relid)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* A table of someone else's may have triggers, which would run as who writes it. */
static void
check_table(const MlsServer *server, Oid relid)
{
	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("\"%s\" is no partitioned table", server->log_table),
						errdetail("It is the option \"log_table\" of server \"%s\".", server->name),
						errhint("Name a table that does not exist yet; it is made as it has to be.")));
	if (owner_of(relid) != GetUserId())
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("\"%s\" does not belong to the owner of server \"%s\"", server->log_table, server->name),
						errhint("Name a table that does not exist yet, or give it to the server's owner.")));
}

static void
create_table(const MlsServer *server)
{
	char *name = mls_log_table_name(server);

	run(psprintf("CREATE TABLE IF NOT EXISTS %s %s", name, mls_log_layout_definition()), SPI_OK_UTILITY);
	run(psprintf(
			"COMMENT ON TABLE %s IS %s", name,
			quote_literal_cstr(psprintf(
				"inference log of server %s, written by ml_score: a line for each row of a request", server->name))),
		SPI_OK_UTILITY);
	run(mls_log_layout_comments(name), SPI_OK_UTILITY);
}

/* Make the table unless it is there. It is locked, so that for the transaction nobody puts another one in its place. */
static void
make_table(const MlsServer *server)
{
	char *schema;
	char *table;
	RangeVar *name;
	Oid relid;

	split_name(server, &schema, &table);
	name = makeRangeVar(schema, table, -1);
	relid = RangeVarGetRelid(name, RowExclusiveLock, true);
	if (!OidIsValid(relid))
	{
		create_table(server);
		relid = RangeVarGetRelid(name, RowExclusiveLock, false);
	}
	check_table(server, relid);
}

/* What will keep the log from being written, as a sentence, or NULL. A table that is not there will be made. */
static char *
problem_of(const MlsServer *server)
{
	char *schema;
	char *table;
	Oid schema_oid;
	Oid relid;

	split_name(server, &schema, &table);
	schema_oid = get_namespace_oid(schema, true);
	if (!OidIsValid(schema_oid))
		return psprintf("Schema \"%s\" does not exist.", schema);
	if (object_aclcheck(NamespaceRelationId, schema_oid, server->owner, ACL_USAGE) != ACLCHECK_OK)
		return psprintf("The server's owner has no USAGE on schema \"%s\".", schema);
	if (object_aclcheck(NamespaceRelationId, schema_oid, server->owner, ACL_CREATE) != ACLCHECK_OK)
		return psprintf("The server's owner has no CREATE on schema \"%s\", where partitions are made.", schema);
	relid = get_relname_relid(table, schema_oid);
	if (!OidIsValid(relid))
		return NULL;
	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		return pstrdup("It is no partitioned table.");
	if (owner_of(relid) != server->owner)
		return pstrdup("It does not belong to the server's owner.");
	return mls_log_layout_problem(relid);
}

void
mls_log_table_warn(const MlsServer *server)
{
	char *problem = problem_of(server);

	if (problem != NULL)
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("requests to server \"%s\" cannot be logged in \"%s\"", server->name, server->log_table),
				 errdetail("%s", problem),
				 errhint("Name a table that does not exist yet: it is made as it has to be, with the first "
						 "request or by ml_score.create_inference_log(%s).",
						 quote_literal_cstr(server->name))));
}

/* The table's name and suffix, as one that PostgreSQL does not cut: what is cut here has a hash in its place. */
static char *
partition_name(const char *table, const char *suffix)
{
	int table_len = (int) strlen(table);
	int room = NAMEDATALEN - 1 - (int) strlen(suffix);

	if (table_len <= room)
		return psprintf("%s%s", table, suffix);
	return psprintf("%.*s_%08x%s", pg_mbcliplen(table, table_len, room - HASH_LEN), table,
					DatumGetUInt32(hash_any((const unsigned char *) table, table_len)), suffix);
}

static void
make_partition(const MlsServer *server, const char *suffix, const char *from, const char *to)
{
	char *schema;
	char *table;
	char *name;
	const char *parent;
	const char *partition;

	split_name(server, &schema, &table);
	name = partition_name(table, suffix);
	if (OidIsValid(RangeVarGetRelid(makeRangeVar(schema, name, -1), NoLock, true)))
		return;
	parent = quote_qualified_identifier(schema, table);
	partition = quote_qualified_identifier(schema, name);
	run(psprintf("CREATE TABLE %s (LIKE %s INCLUDING ALL)", partition, parent), SPI_OK_UTILITY);
	run(psprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM ('%s') TO ('%s')", parent, partition, from, to),
		SPI_OK_UTILITY);
}

/* The periods, in UTC, that the times from first to last are in, and the next: suffix, from, to. Left in SPI_tuptable. */
static void
list_periods(const MlsServer *server, TimestampTz first, TimestampTz last)
{
	static const char sql[] = "SELECT pg_catalog.to_char(b, $4), pg_catalog.to_char(b, $5), "
							  "pg_catalog.to_char(b OPERATOR(pg_catalog.+) s, $5) "
							  "FROM (SELECT ('1 ' OPERATOR(pg_catalog.||) $3)::pg_catalog.interval AS s) AS step, "
							  "LATERAL pg_catalog.generate_series(pg_catalog.date_trunc($3, $1 AT TIME ZONE 'UTC'), "
							  "($2 AT TIME ZONE 'UTC') OPERATOR(pg_catalog.+) s, s) AS b";
	Oid types[] = {TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID};
	Datum values[] = {
		TimestampTzGetDatum(first), TimestampTzGetDatum(last), CStringGetTextDatum(periods[server->log_partition].word),
		CStringGetTextDatum(periods[server->log_partition].suffix), CStringGetTextDatum("YYYY-MM-DD HH24:MI:SS+00")};

	if (SPI_execute_with_args(sql, lengthof(types), types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not reckon the periods of a log");
}

void
mls_log_table_prepare(const MlsServer *server, TimestampTz first, TimestampTz last)
{
	SPITupleTable *found;

	mls_guc_set_for_transaction("lock_timeout", LOCK_TIMEOUT); /* do not wait for others for long */
	connect();
	make_table(server);
	list_periods(server, first, last);
	found = SPI_tuptable;
	for (uint64 i = 0; i < found->numvals; i++)
		make_partition(server, SPI_getvalue(found->vals[i], found->tupdesc, 1),
					   SPI_getvalue(found->vals[i], found->tupdesc, 2),
					   SPI_getvalue(found->vals[i], found->tupdesc, 3));
	SPI_finish();
}

enum
{
	COLUMN_TIME,
	COLUMN_FUNCTION,
	COLUMN_DEPLOYMENT,
	COLUMN_TRAFFIC,
	COLUMN_REQUEST_ID,
	COLUMN_AZURE_REQUEST_ID,
	COLUMN_ROW,
	COLUMN_INPUTS,
	COLUMN_OUTPUTS,
	COLUMN_ERROR,
	COLUMN_LATENCY,
	COLUMN_COUNT
};

static const Oid column_types[COLUMN_COUNT] = {TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,	TEXTOID,
											   INT4OID,		   TEXTOID, TEXTOID, TEXTOID, FLOAT8OID};

/* Rows on their way into the table, by column. */
typedef struct Rows
{
	int n;
	int capacity;
	Datum *values[COLUMN_COUNT];
	bool *nulls[COLUMN_COUNT];
} Rows;

static Rows *
make_rows(List *records)
{
	Rows *rows = palloc0(sizeof(Rows));
	ListCell *lc;

	foreach (lc, records)
		rows->capacity += ((MlsRecord *) lfirst(lc))->ntuples;
	for (int i = 0; i < COLUMN_COUNT; i++)
	{
		rows->values[i] = palloc_extended(sizeof(Datum) * Max(rows->capacity, 1), MCXT_ALLOC_HUGE);
		rows->nulls[i] = palloc_extended(sizeof(bool) * Max(rows->capacity, 1), MCXT_ALLOC_HUGE);
	}
	return rows;
}

static void
set_text(Rows *rows, int column, const char *text)
{
	rows->nulls[column][rows->n] = *text == '\0';
	rows->values[column][rows->n] = *text == '\0' ? (Datum) 0 : CStringGetTextDatum(text);
}

/* JSON, which is UTF-8. */
static void
set_json(Rows *rows, int column, const char *json)
{
	char *text;
	int len;
	char *problem = mls_from_utf8(json, (int) strlen(json), &text, &len);

	if (problem != NULL)
		ereport(ERROR, (errcode(ERRCODE_UNTRANSLATABLE_CHARACTER), errmsg("%s", problem)));
	set_text(rows, column, text);
}

static const char *
traffic_word(MlsTraffic traffic)
{
	switch (traffic)
	{
		case MLS_TRAFFIC_LIVE:
			return "live";
		case MLS_TRAFFIC_CANARY:
			return "canary";
		case MLS_TRAFFIC_SHADOW:
			return "shadow";
	}
	pg_unreachable();
}

/* The function's name with its schema; its number once it is gone. */
static char *
function_name(Oid fnoid)
{
	char *name = get_func_name(fnoid);

	if (name == NULL)
		return psprintf("%u", fnoid);
	return quote_qualified_identifier(get_namespace_name(get_func_namespace(fnoid)), name);
}

/* What all of a record's rows have. */
static void
set_record(Rows *rows, const MlsRecord *record, const char *function, const char *error)
{
	rows->values[COLUMN_TIME][rows->n] = TimestampTzGetDatum(record->time);
	rows->values[COLUMN_LATENCY][rows->n] = Float8GetDatum(record->latency_us / 1000.0);
	rows->nulls[COLUMN_TIME][rows->n] = rows->nulls[COLUMN_LATENCY][rows->n] = false;
	set_text(rows, COLUMN_FUNCTION, function);
	set_text(rows, COLUMN_DEPLOYMENT, record->deployment);
	set_text(rows, COLUMN_TRAFFIC, traffic_word(record->traffic));
	rows->nulls[COLUMN_REQUEST_ID][rows->n] = false;
	rows->values[COLUMN_REQUEST_ID][rows->n] = CStringGetTextDatum(record->id);
	set_text(rows, COLUMN_AZURE_REQUEST_ID, record->azure_id);
	set_text(rows, COLUMN_ERROR, error);
}

static void
add_record(Rows *rows, const MlsRecord *record)
{
	char *function = function_name(record->fnoid);
	const char *error;
	const char *inputs;
	const char *outputs;
	int model_rows;
	MlsRecordReader reader;

	mls_record_start(&reader, record);
	for (int i = 0; i < record->ntuples; i++)
		mls_record_read(&reader, &model_rows, &inputs, &outputs);
	error = mls_record_error(&reader);

	mls_record_start(&reader, record);
	for (int i = 0; i < record->ntuples; i++)
	{
		mls_record_read(&reader, &model_rows, &inputs, &outputs);
		set_record(rows, record, function, error);
		rows->values[COLUMN_ROW][rows->n] = Int32GetDatum(i + 1);
		rows->nulls[COLUMN_ROW][rows->n] = false;
		set_json(rows, COLUMN_INPUTS, inputs);
		set_json(rows, COLUMN_OUTPUTS, outputs);
		rows->n++;
	}
}

static Datum
column_array(const Rows *rows, int column)
{
	int16 len;
	bool byval;
	char align;
	int lower = 1;

	get_typlenbyvalalign(column_types[column], &len, &byval, &align);
	return PointerGetDatum(construct_md_array(rows->values[column], rows->nulls[column], 1, unconstify(int *, &rows->n),
											  &lower, column_types[column], len, byval, align));
}

int64
mls_log_table_insert(const MlsServer *server, List *records)
{
	Rows *rows;
	Oid types[COLUMN_COUNT + 1];
	Datum values[COLUMN_COUNT + 1];
	ListCell *lc;
	int64 written;

	connect();
	rows = make_rows(records);
	foreach (lc, records)
		add_record(rows, lfirst(lc));
	for (int i = 0; i < COLUMN_COUNT; i++)
	{
		types[i] = get_array_type(column_types[i]);
		values[i] = column_array(rows, i);
	}
	types[COLUMN_COUNT] = TEXTOID;
	values[COLUMN_COUNT] = CStringGetTextDatum(server->name);
	if (SPI_execute_with_args(
			psprintf("INSERT INTO %s (time, function, server, deployment, traffic, request_id, azure_request_id, "
					 "request_row, inputs, outputs, error, latency_ms) "
					 "SELECT t, f, $12, d, k, i, a, r, n::pg_catalog.jsonb, o::pg_catalog.jsonb, e, l "
					 "FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), "
					 "pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7), "
					 "pg_catalog.unnest($8), pg_catalog.unnest($9), pg_catalog.unnest($10), pg_catalog.unnest($11)) "
					 "AS u (t, f, d, k, i, a, r, n, o, e, l)",
					 mls_log_table_name(server)),
			lengthof(types), types, values, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not write an inference log");
	written = SPI_processed;
	SPI_finish();
	return written;
}

/* The partitions that end before the time $2, as quoted names. Left in SPI_tuptable. */
static void
list_expired(const MlsServer *server)
{
	static const char sql[] =
		"SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_inherits i "
		"JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.inhrelid "
		"JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace "
		"WHERE i.inhparent OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1)::pg_catalog.oid "
		"AND NOT i.inhdetachpending AND c.relpartbound IS NOT NULL "
		"AND pg_catalog.substring(pg_catalog.pg_get_expr(c.relpartbound, c.oid), 'TO \\(''([^'']+)''\\)')"
		"::pg_catalog.timestamptz OPERATOR(pg_catalog.<=) "
		"(pg_catalog.now() OPERATOR(pg_catalog.-) pg_catalog.make_interval(mins => $2))";
	Oid types[] = {TEXTOID, INT4OID};
	Datum values[] = {CStringGetTextDatum(mls_log_table_name(server)), Int32GetDatum(server->log_retention_min)};

	if (SPI_execute_with_args(sql, lengthof(types), types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not look for partitions of a log");
}

int
mls_log_table_expire(const MlsServer *server)
{
	SPITupleTable *found;
	int n;

	if (server->log_retention_min == 0)
		return 0;
	mls_guc_set_for_transaction("lock_timeout", LOCK_TIMEOUT);
	/* Bounds are read back as they are written, with their offset from UTC. */
	mls_guc_set_for_transaction("datestyle", "ISO");
	connect();
	list_expired(server);
	found = SPI_tuptable;
	n = (int) found->numvals;
	for (int i = 0; i < n; i++)
		run(psprintf("DROP TABLE %s", SPI_getvalue(found->vals[i], found->tupdesc, 1)), SPI_OK_UTILITY);
	SPI_finish();
	return n;
}
