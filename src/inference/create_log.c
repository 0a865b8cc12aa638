/*
 * create_log.c - ml_score.create_inference_log: the table of a server's log before the first request, to grant it or look at it.
 */
#include "ml_score.h"

#include "commands/defrem.h"
#include "inference/log_table.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(mls_create_inference_log);

/* The table belongs to whom the worker writes it as. */
static void
check_owner(const MlsServer *server)
{
	if (GetUserId() != server->owner)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("inference logs are made by the owner of their server"),
						errhint("SET ROLE %s first.", quote_identifier(GetUserNameFromId(server->owner, false)))));
}

/* create_inference_log(server name) returns regclass */
PGDLLEXPORT Datum
mls_create_inference_log(PG_FUNCTION_ARGS)
{
	MlsServer *server = mls_server_load_online(mls_server_oid_for(NameStr(*PG_GETARG_NAME(0)), MLS_SERVER_ONLINE));
	TimestampTz now = GetCurrentTimestamp();
	int nest = NewGUCNestLevel();

	check_owner(server);
	if (server->log_table == NULL)
		ereport(ERROR, (errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
						errmsg("server \"%s\" needs the option \"log_table\"", server->name),
						errhint("Name the table: ALTER SERVER %s OPTIONS (ADD log_table 'public.%s_log').",
								quote_identifier(server->name), server->name)));
	mls_log_table_prepare(server, now, now);
	AtEOXact_GUC(false, nest); /* what is for the worker's transactions is not for the caller's */
	PG_RETURN_DATUM(DirectFunctionCall1(regclassin, CStringGetDatum(mls_log_table_name(server))));
}
