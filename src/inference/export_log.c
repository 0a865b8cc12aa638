/*
 * export_log.c - ml_score.export_inference_log: an inference log as files of Azure ML's own data collector.
 *
 *	modelDataCollector/ENDPOINT/DEPLOYMENT/COLLECTION/yyyy/MM/dd/HH/ID.jsonl
 *
 * with a line for each request: an event whose data are its rows. COLLECTION is model_inputs or model_outputs; both have
 * the same requests and rows, under the same correlationid. Whole hours only, and the same content under the same name
 * each time, so that an export can be run again.
 */
#include "ml_score.h"

#include <ctype.h>

#include "batch/place.h"
#include "batch/upload.h"
#include "catalog/pg_type.h"
#include "codec/encoding.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "inference/log_table.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define FETCH_ROWS 100
#define BLOCK_BYTES (4 * 1024 * 1024)
#define PARALLEL 4
#define CONTENT_TYPE "application/x-ndjson"

typedef struct Export
{
	const MlsServer *server;
	const char *endpoint; /* its name in paths */
	MlsUpload *upload;
	ReturnSetInfo *result;
	char *path; /* of the file that is being written; or NULL */
	char *deployment;
	char *hour;
	int64 requests;
	int64 rows;
} Export;

/*
 * The lines of a collection ($3) in the order of their files: deployment, hour, line, rows in it. Outputs that are no
 * objects get a name ($6), as a data frame's column has. $5: the ARM id that deployments stand below.
 */
static const char lines_sql[] =
	"SELECT r.deployment, r.hour, (pg_catalog.json_build_object('specversion', '1.0', "
	"'id', pg_catalog.md5(r.request_id || r.traffic || $3)::uuid, "
	"'source', $5 || '/deployments/' || r.deployment, 'type', 'azureml.inference.' || $3, "
	"'datacontenttype', 'application/json', "
	"'time', pg_catalog.to_char(r.time AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), 'data', r.data, "
	"'contentrange', 'bytes 0-' || pg_catalog.octet_length(r.data::text) - 1 || '/' || "
	"pg_catalog.octet_length(r.data::text), 'correlationid', r.request_id, "
	"'xrequestid', coalesce(r.azure_request_id, r.request_id), 'modelversion', 'default', "
	"'collectdatatype', 'pandas.core.frame.DataFrame', 'agent', 'ml_score/1.0'))::text, r.n "
	"FROM (SELECT coalesce(l.deployment, 'default') AS deployment, l.request_id, l.traffic, l.azure_request_id, "
	"l.time, "
	"pg_catalog.to_char(l.time AT TIME ZONE 'UTC', 'YYYY/MM/DD/HH24') AS hour, pg_catalog.count(*) AS n, "
	"pg_catalog.json_agg(CASE WHEN $3 = 'model_inputs' THEN d.input "
	"WHEN pg_catalog.jsonb_typeof(d.output) = 'object' THEN d.output "
	"ELSE pg_catalog.jsonb_build_object($6, d.output) END ORDER BY l.request_row, d.ordinality) AS data "
	"FROM %s AS l, LATERAL ROWS FROM ("
	"pg_catalog.jsonb_array_elements(CASE pg_catalog.jsonb_typeof(l.inputs) WHEN 'array' THEN l.inputs "
	"ELSE pg_catalog.jsonb_build_array(l.inputs) END), "
	"pg_catalog.jsonb_array_elements(CASE pg_catalog.jsonb_typeof(l.inputs) WHEN 'array' THEN l.outputs "
	"ELSE pg_catalog.jsonb_build_array(l.outputs) END)) WITH ORDINALITY AS d (input, output, ordinality) "
	"WHERE l.time >= $1 AND l.time < $2 AND l.server = $4 AND l.outputs IS NOT NULL "
	"GROUP BY l.deployment, l.request_id, l.traffic, l.azure_request_id, l.time) AS r "
	"ORDER BY r.deployment, r.hour, r.time, r.request_id, r.traffic";

/* What an endpoint is called: the last part of its ARM id, else the first of its host. */
static char *
endpoint_name(const MlsServer *server)
{
	const char *start;

	if (server->endpoint_id != NULL)
		return pstrdup(strrchr(server->endpoint_id, '/') + 1);
	start = strstr(server->url, "://") + 3;
	return pnstrdup(start, strcspn(start, ".:/"));
}

static char *
endpoint_source(const Export *export)
{
	if (export->server->endpoint_id != NULL)
		return pstrdup(export->server->endpoint_id);
	return psprintf("/onlineEndpoints/%s", export->endpoint);
}

/* A part of a path, in what paths may have. */
static char *
path_part(const char *name)
{
	StringInfoData out;

	initStringInfo(&out);
	for (const unsigned char *c = (const unsigned char *) name; *c != '\0'; c++)
	{
		if (isalnum(*c) || strchr("-_.", *c) != NULL)
			appendStringInfoChar(&out, (char) *c);
		else
			appendStringInfo(&out, "%%%02X", *c);
	}
	return out.data;
}

/* This database's files have a name of their own, the same each time. */
static char *
file_path(const Export *export, const char *collection, const char *deployment, const char *hour)
{
	char *database = get_database_name(MyDatabaseId);

	return psprintf("modelDataCollector/%s/%s/%s/%s/ml_score-%s-%s.jsonl", path_part(export->endpoint),
					path_part(deployment), collection, hour, path_part(database), path_part(export->server->name));
}

static void
close_file(Export *export)
{
	Datum values[4];
	bool nulls[4] = {false};

	if (export->path == NULL)
		return;
	values[0] = CStringGetTextDatum(export->path);
	values[1] = Int64GetDatum(export->requests);
	values[2] = Int64GetDatum(export->rows);
	values[3] = Int64GetDatum(mls_upload_close(export->upload));
	tuplestore_putvalues(export->result->setResult, export->result->setDesc, values, nulls);
	export->path = NULL;
}

/* Go on with the file of this deployment and hour, which may be the one that is being written. */
static void
need_file(Export *export, const char *collection, char *deployment, char *hour)
{
	if (export->path != NULL && strcmp(export->deployment, deployment) == 0 && strcmp(export->hour, hour) == 0)
	{
		pfree(deployment);
		pfree(hour);
		return;
	}
	close_file(export);
	export->path = file_path(export, collection, deployment, hour);
	export->deployment = deployment;
	export->hour = hour;
	export->requests = 0;
	export->rows = 0;
	mls_upload_open(export->upload, export->path, CONTENT_TYPE);
}

static void
write_line(Export *export, const char *collection, HeapTuple tuple, TupleDesc desc)
{
	char *line = SPI_getvalue(tuple, desc, 3);
	int len = (int) strlen(line);
	const char *utf8;
	StringInfo buffer;
	bool isnull;

	need_file(export, collection, SPI_getvalue(tuple, desc, 1), SPI_getvalue(tuple, desc, 2));
	buffer = mls_upload_buffer(export->upload);
	utf8 = mls_to_utf8(line, &len);
	appendBinaryStringInfo(buffer, utf8, len);
	appendStringInfoChar(buffer, '\n');
	mls_upload_filled(export->upload);
	export->requests++;
	export->rows += DatumGetInt64(SPI_getbinval(tuple, desc, 4, &isnull));
	if (utf8 != line)
		pfree(unconstify(char *, utf8));
	pfree(line);
}

/* Write the files of a collection. SPI is connected. */
static void
export_collection(Export *export, const char *collection, TimestampTz from, TimestampTz to, const char *output)
{
	Oid types[] = {TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID};
	Datum values[] = {TimestampTzGetDatum(from),
					  TimestampTzGetDatum(to),
					  CStringGetTextDatum(collection),
					  CStringGetTextDatum(export->server->name),
					  CStringGetTextDatum(endpoint_source(export)),
					  CStringGetTextDatum(output)};
	char *sql = psprintf(lines_sql, mls_log_table_name(export->server));
	Portal portal =
		SPI_cursor_open_with_args(NULL, sql, lengthof(types), types, values, NULL, true, CURSOR_OPT_NO_SCROLL);

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < SPI_processed; i++)
			write_line(export, collection, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	close_file(export);
}

/* The beginning of the hour that time is in; of UTC, as the folders are. */
static TimestampTz
hour_of(TimestampTz time)
{
	TimestampTz rest = time % USECS_PER_HOUR;

	if (TIMESTAMP_NOT_FINITE(time))
		return time;
	return time - (rest < 0 ? rest + USECS_PER_HOUR : rest);
}

static const MlsServer *
logged_server(const char *name)
{
	MlsServer *server = mls_server_load_online(mls_server_oid_for(name, MLS_SERVER_ONLINE));

	if (server->log_table == NULL)
		ereport(ERROR, (errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
						errmsg("server \"%s\" needs the option \"log_table\"", server->name),
						errhint("Without it there is no inference log to export.")));
	return server;
}

/* export_inference_log(server name, storage name, since, until, endpoint, output_name) returns table (...) */
PG_FUNCTION_INFO_V1(mls_export_inference_log);

PGDLLEXPORT Datum
mls_export_inference_log(PG_FUNCTION_ARGS)
{
	Export export = {.result = (ReturnSetInfo *) fcinfo->resultinfo};
	TimestampTz from;
	TimestampTz to;
	char *output;

	for (int i = 0; i < 6; i++)
	{
		if (i != 4 && PG_ARGISNULL(i))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("only the argument \"endpoint\" of export_inference_log may be null")));
	}
	InitMaterializedSRF(fcinfo, 0);
	from = hour_of(PG_GETARG_TIMESTAMPTZ(2));
	to = hour_of(PG_GETARG_TIMESTAMPTZ(3));
	output = text_to_cstring(PG_GETARG_TEXT_PP(5));
	export.server = logged_server(NameStr(*PG_GETARG_NAME(0)));
	export.endpoint = PG_ARGISNULL(4) ? endpoint_name(export.server) : text_to_cstring(PG_GETARG_TEXT_PP(4));
	export.upload =
		mls_upload_begin(mls_blob_open(mls_place_blob(NameStr(*PG_GETARG_NAME(1)), GetUserId()), GetUserId()),
						 BLOCK_BYTES, PARALLEL, false);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	export_collection(&export, "model_inputs", from, to, output);
	export_collection(&export, "model_outputs", from, to, output);
	mls_upload_finish(export.upload);
	SPI_finish();
	return (Datum) 0;
}
