/*
 * forward.c - ml_score.forward_runs, ml_score.stop_forward_runs: which servers runs are sent to.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_type.h"
#include "catalog/server.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "runs/forward.h"
#include "runs/run_store.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "worker/worker.h"

static MlsStatement select_destination = {
	"SELECT id, owner::oid::bigint FROM ml_score.run_destination WHERE server = $1", 1, {TEXTOID}};

static MlsStatement add_destination = {
	"INSERT INTO ml_score.run_destination (server, owner) VALUES ($1, $2) RETURNING id", 2, {TEXTOID, OIDOID}};

/* In a copy of the database: what was pending there is the original's to send. */
static MlsStatement take_destination = {
	"WITH taken AS (UPDATE ml_score.run_destination SET home = ml_score.home() "
	"WHERE id = $1 AND home <> ml_score.home() RETURNING id) "
	"DELETE FROM ml_score.run_forward f USING taken t WHERE f.destination = t.id AND f.state = 'pending'",
	1,
	{INT8OID}};

static MlsStatement add_past = {
	"INSERT INTO ml_score.run_forward (destination, workspace_id, run_id, due_at) "
	"SELECT $1, workspace_id, run_id, now() FROM ml_score.run_metric "
	"WHERE status IN ('Completed', 'Failed', 'Canceled') AND (looked_up_at IS NOT NULL OR NOT EXISTS "
	"(SELECT FROM ml_score.run_workspace w WHERE w.workspace_id = run_metric.workspace_id)) ON CONFLICT DO NOTHING",
	1,
	{INT8OID}};

static MlsStatement drop_destination = {"DELETE FROM ml_score.run_destination WHERE id = $1", 1, {INT8OID}};

void
mls_forward_check(const char *server_name, Oid userid)
{
	Oid serverid = mls_server_oid(server_name, false);
	Oid table = get_relname_relid("run_metric", get_namespace_oid(MLS_SCHEMA, false));
	AclResult result = object_aclcheck(ForeignServerRelationId, serverid, userid, ACL_USAGE);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FOREIGN_SERVER, server_name);
	result = pg_class_aclcheck(table, userid, ACL_SELECT);
	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_TABLE, "run_metric");
}

static void
check_server(const char *name)
{
	MlsServer *server = mls_server_load(mls_server_oid(name, false));

	if (server->type != MLS_SERVER_APPINSIGHTS && server->type != MLS_SERVER_OTLP)
		ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("runs cannot be sent to server \"%s\"", name),
				errhint("Name a server of TYPE 'appinsights' or 'otlp'."));
}

/* The destination's id, made if need be for userid; raises when it is another role's. */
static int64
destination_of(const char *name, Oid userid)
{
	Datum values[] = {CStringGetTextDatum(name), ObjectIdGetDatum(userid)};

	if (mls_ledger_run(&select_destination, values, NULL) == 0)
	{
		mls_ledger_run(&add_destination, values, NULL);
		return mls_ledger_int64(0, 1);
	}
	if (mls_ledger_int64(0, 2) != userid)
		ereport(ERROR, errcode(ERRCODE_DUPLICATE_OBJECT),
				errmsg("runs are sent to server \"%s\" by role \"%s\" already", name,
					   GetUserNameFromId((Oid) mls_ledger_int64(0, 2), false)),
				errhint("ml_score.stop_forward_runs ends that."));
	return mls_ledger_int64(0, 1);
}

PG_FUNCTION_INFO_V1(mls_forward_runs);

PGDLLEXPORT Datum
mls_forward_runs(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Oid userid = GetUserId();
	MlsLedger ledger;
	Datum id;
	int64 added = 0;

	mls_worker_require("forwarded runs");
	mls_server_keep(name);
	mls_forward_check(name, userid);
	check_server(name);
	mls_ledger_open(&ledger);
	mls_run_lock_all();
	id = Int64GetDatum(destination_of(name, userid));
	mls_ledger_run(&take_destination, &id, NULL);
	if (PG_GETARG_BOOL(1))
		added = (int64) mls_ledger_run(&add_past, &id, NULL);
	mls_ledger_close(&ledger);
	mls_worker_wake_at_commit();
	PG_RETURN_INT64(added);
}

PG_FUNCTION_INFO_V1(mls_stop_forward_runs);

PGDLLEXPORT Datum
mls_stop_forward_runs(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Datum key = CStringGetTextDatum(name);
	Oid userid = GetUserId();
	MlsLedger ledger;
	Datum id;

	mls_ledger_open(&ledger);
	mls_run_lock_all();
	if (mls_ledger_run(&select_destination, &key, NULL) == 0)
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("no runs are sent to server \"%s\"", name));
	if (!has_privs_of_role(userid, (Oid) mls_ledger_int64(0, 2)))
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("permission denied to end what another role sends to server \"%s\"", name));
	id = Int64GetDatum(mls_ledger_int64(0, 1));
	mls_ledger_run(&drop_destination, &id, NULL);
	mls_ledger_close(&ledger);
	mls_worker_wake_at_commit();
	PG_RETURN_VOID();
}
