/*
 * create_function.c - model functions made from what their endpoint declares, and that declaration shown.
 */
#include "auth/control_plane.h"
#include "catalog/schema_cache.h"

#include "catalog/namespace.h"
#include "catalog/option.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/signature.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/varlena.h"

/* The named server, for a caller who may use it. */
static MlsServer *
open_server(const char *name)
{
	Oid serverid = mls_server_oid_for(name, MLS_SERVER_ONLINE);
	AclResult acl = object_aclcheck(ForeignServerRelationId, serverid, GetUserId(), ACL_USAGE);
	MlsServer *server;

	if (acl != ACLCHECK_OK)
		aclcheck_error(acl, OBJECT_FOREIGN_SERVER, name);
	server = mls_server_load_online(serverid);
	mls_control_plane_complete(server, GetUserId());
	return server;
}

/* The function's name, quoted and with its schema: as given, else the server's. */
static char *
qualified_name(const MlsServer *server, text *name)
{
	List *names = name != NULL ? textToQualifiedNameList(name) : list_make1(makeString(server->name));
	char *function_name;
	Oid namespace = QualifiedNameGetCreationNamespace(names, &function_name);

	return quote_qualified_identifier(get_namespace_name(namespace), function_name);
}

/* The schema of which a function can be made; raises with the statement to fill in when there is none. */
static const MlsSchema *
require_schema(const MlsServer *server, const char *name)
{
	MlsSchemaRefusal refusal;
	const MlsSchema *schema = mls_schema_get_reason(server, GetUserId(), &refusal);
	const char *obstacle = schema == NULL ? refusal.reason : mls_signature_obstacle(schema);

	if (obstacle != NULL)
		ereport(ERROR, errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
				errmsg("could not infer a function's signature from server \"%s\"", server->name),
				errdetail("%s", obstacle),
				refusal.denied ? errhint("Scoring would be refused as well: see to the server's option auth and the "
										 "user mapping, then call this again.")
							   : errhint("Write it by hand, with the model's input names: %s",
										 mls_signature_template(name, server->name)));
	return schema;
}

/* ml_score.create_function(server name, name text) returns regprocedure */
PG_FUNCTION_INFO_V1(mls_create_function);

PGDLLEXPORT Datum
mls_create_function(PG_FUNCTION_ARGS)
{
	MlsServer *server;
	char *name;
	char *statement;
	char *signature;

	if (PG_ARGISNULL(0))
		ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument \"server\" must not be null"));
	server = open_server(NameStr(*PG_GETARG_NAME(0)));
	name = qualified_name(server, PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1));
	statement = mls_signature_statement(require_schema(server, name), name, server->name, &signature);
	SPI_connect();
	SPI_execute(statement, false, 0);
	SPI_finish();
	PG_RETURN_DATUM(DirectFunctionCall1(regprocedurein, CStringGetDatum(signature)));
}

/* One line of what describe returns; position 0 and absent or empty texts are NULL. */
static void
put_line(ReturnSetInfo *rsinfo, const char *kind, int position, const char *name, const MlsField *field)
{
	Datum values[6];
	bool nulls[6] = {false};

	values[0] = CStringGetTextDatum(kind);
	values[1] = Int32GetDatum(position);
	nulls[1] = position == 0;
	nulls[2] = name == NULL || *name == '\0';
	values[2] = nulls[2] ? (Datum) 0 : CStringGetTextDatum(name);
	nulls[3] = nulls[5] = field == NULL;
	nulls[4] = field == NULL || field->format == NULL;
	if (field != NULL)
	{
		values[3] = CStringGetTextDatum(mls_json_type_name(field->type));
		values[4] = field->format == NULL ? (Datum) 0 : CStringGetTextDatum(field->format);
		values[5] = CStringGetTextDatum(mls_signature_type(field));
	}
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static void
put_fields(ReturnSetInfo *rsinfo, const char *kind, const MlsField *fields, int n)
{
	for (int i = 0; i < n; i++)
		put_line(rsinfo, kind, i + 1, fields[i].name, &fields[i]);
}

/* ml_score.describe(server name) returns table (kind, position, name, json_type, format, sql_type) */
PG_FUNCTION_INFO_V1(mls_describe);

PGDLLEXPORT Datum
mls_describe(PG_FUNCTION_ARGS)
{
	MlsServer *server = open_server(NameStr(*PG_GETARG_NAME(0)));
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const MlsSchema *schema;
	MlsRequestFormat format = server->request_format;
	MlsSchemaRefusal refusal;
	const char *reason;

	InitMaterializedSRF(fcinfo, 0);
	schema = mls_schema_get_reason(server, GetUserId(), &refusal);
	reason = refusal.reason;
	if (schema != NULL && format == MLS_FORMAT_AUTO)
		format = schema->format;
	put_line(rsinfo, "request_format", 0, mls_request_format_name(format), NULL);
	if (schema != NULL)
	{
		put_fields(rsinfo, "input", schema->inputs, schema->ninputs);
		put_fields(rsinfo, "output", schema->outputs, schema->noutputs);
		reason = schema->inputs_known ? NULL : schema->reason;
	}
	if (reason != NULL)
		ereport(NOTICE, errmsg("server \"%s\" declares no inputs", server->name), errdetail("%s", reason));
	return (Datum) 0;
}
