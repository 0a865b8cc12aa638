/*
 * check_server.c - ml_score.check_server: what a server can be asked to do, tried, step by step.
 *
 * Nothing is started that costs more than a few requests: a batch endpoint is asked about a job that does not exist, which
 * only those may do who may look at jobs.
 */
#include "ml_score.h"

#include "auth/control_plane.h"
#include "batch/job_logs.h"
#include "batch/template.h"
#include "catalog/pg_foreign_server.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "subtransaction.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

typedef struct Check
{
	ReturnSetInfo *result;
	const MlsServer *server; /* of the step */
	Oid user;
	MlsBlobStore *store;
	char *path; /* of the blob that is tried */
	MlsService *service;
} Check;

static const char probe[] = "ml_score";

static void
put_row(Check *check, const char *step, const ErrorData *error)
{
	Datum values[5];
	bool nulls[5] = {false};
	char *message = NULL;

	if (error != NULL)
		message = error->detail == NULL ? error->message : psprintf("%s: %s", error->message, error->detail);
	values[0] = CStringGetTextDatum(check->server->name);
	values[1] = CStringGetTextDatum(step);
	values[2] = BoolGetDatum(error == NULL);
	nulls[3] = message == NULL;
	values[3] = message == NULL ? (Datum) 0 : CStringGetTextDatum(message);
	nulls[4] = error == NULL || error->hint == NULL;
	values[4] = nulls[4] ? (Datum) 0 : CStringGetTextDatum(error->hint);
	tuplestore_putvalues(check->result->setResult, check->result->setDesc, values, nulls);
}

typedef struct Step
{
	Check *check;
	void (*action)(Check *check);
} Step;

static void
run_step(void *arg)
{
	const Step *step = arg;

	step->action(step->check);
}

/* Try a step, in a subtransaction, and say how it went. */
static bool
try_step(Check *check, const char *name, void (*action)(Check *))
{
	Step step = {check, action};
	ErrorData *error = mls_try(run_step, &step);

	if (error != NULL && error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		ReThrowError(error);
	put_row(check, name, error);
	return error == NULL;
}

static void
open_store(Check *check)
{
	check->store = mls_blob_open(check->server, check->user);
}

static void
write_blob(Check *check)
{
	char md5[MLS_MD5_SIZE];
	MlsExchange *put = mls_blob_put(check->store, check->path, "text/plain", probe, strlen(probe));

	mls_blob_md5(probe, strlen(probe), md5);
	mls_blob_finish_put(check->store, put, check->path, md5);
	mls_exchange_free(put);
}

static void
list_blobs(Check *check)
{
	MlsBlobListing listing;

	mls_blob_list(check->store, check->path, &listing);
	if (listing.n != 1)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("the blob that was written is not listed")));
}

static void
read_blob(Check *check)
{
	MlsExchange *get = mls_blob_get(check->store, check->path, 0, strlen(probe));
	const char *body = mls_blob_finish_get(check->store, get, check->path, strlen(probe));

	if (memcmp(body, probe, strlen(probe)) != 0)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("the blob is not what was written")));
	mls_exchange_free(get);
}

static void
delete_blob(Check *check)
{
	(void) mls_blob_delete(check->store, check->path);
}

static void
check_blob(Check *check)
{
	bool written;

	check->path = psprintf("ml_score/check-%d-" INT64_FORMAT, MyProcPid, GetCurrentTimestamp());
	if (!try_step(check, "credential", open_store))
		return;
	written = try_step(check, "write", write_blob);
	if (written)
		(void) try_step(check, "list", list_blobs);
	if (written)
		(void) try_step(check, "read", read_blob);
	if (written)
		(void) try_step(check, "delete", delete_blob);
}

/* For templates that pass one on. */
static void
make_sas(Check *check)
{
	if (mls_blob_sas_query(check->store, true, MLS_JOB_SAS_SECONDS) == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no SAS can be had of this server"),
						errhint("Set its option auth to 'sas', 'shared_key' or 'entra'.")));
}

static void
open_service(Check *check)
{
	check->service = mls_service_open(check->server, check->user);
}

/* A job that does not exist: 404 says that we may look. */
static void
look_at_job(Check *check)
{
	MlsExchange *look = mls_service_look(check->service, "ml-score-check-00000000");

	mls_exchange_wait(look);
	if (mls_exchange_failure(look) != NULL && mls_exchange_status(look) != 404)
		mls_service_raise(check->service, look, "look at a job");
	mls_exchange_free(look);
}

static void
list_jobs(Check *check)
{
	MlsRun run;

	(void) mls_service_find(check->service, "ml-score-check-00000000", &run);
}

/* Cancelling what does not exist: 403 would be a role that is missing. */
static void
cancel_job(Check *check)
{
	MlsExchange *cancel = mls_service_cancel(check->service, "ml-score-check-00000000");

	if (cancel == NULL)
		ereport(ERROR, (errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
						errmsg("jobs cannot be cancelled in Azure: the server has no option \"workspace_url\""),
						errhint("Give the workspace's URL in Azure's resource manager: "
								"https://management.azure.com/subscriptions/.../workspaces/NAME.")));
	mls_exchange_wait(cancel);
	if (mls_exchange_failure(cancel) != NULL &&
		(mls_exchange_status(cancel) == 401 || mls_exchange_status(cancel) == 403 || mls_exchange_status(cancel) == 0 ||
		 mls_exchange_status(cancel) >= 500))
		mls_service_raise(check->service, cancel, "cancel a job");
	mls_exchange_free(cancel);
}

static void
read_history(Check *check)
{
	MlsServer *workspace = mls_place_workspace(check->server, check->user);

	mls_job_logs_check(mls_job_logs_open(workspace, check->service, check->user));
}

static void
check_batch(Check *check)
{
	const MlsServer *server = check->server;

	if (try_step(check, "credential", open_service))
	{
		(void) try_step(check, "look at a job", look_at_job);
		(void) try_step(check, "list jobs", list_jobs);
		(void) try_step(check, "cancel a job", cancel_job);
		if (server->workspace != NULL)
			(void) try_step(check, "read the run history", read_history);
	}
	if (server->storage != NULL)
	{
		check->server = mls_place_storage(server, check->user);
		check_blob(check);
		if (check->store != NULL && ((server->input_uri != NULL && mls_template_uses_sas(server->input_uri)) ||
									 (server->output_uri != NULL && mls_template_uses_sas(server->output_uri))))
			(void) try_step(check, "make a SAS", make_sas);
	}
}

static void
find_endpoint(Check *check)
{
	MlsServer *server = mls_server_load_online(check->server->serverid);

	mls_control_plane_complete(server, check->user);
	check->server = server;
}

static void
read_swagger(Check *check)
{
	MlsEndpoint *endpoint = mls_endpoint_open(check->server, check->user);
	MlsExchange *get = mls_exchange_get(endpoint, check->server->swagger_url);

	mls_exchange_wait(get);
	if (mls_exchange_failure(get) != NULL && mls_exchange_failure(get)->http_status != 404)
		mls_failure_raise(check->server, mls_exchange_failure(get));
	mls_exchange_free(get);
}

static void
check_online(Check *check)
{
	if (check->server->endpoint_id != NULL && !try_step(check, "look the endpoint up", find_endpoint))
		return;
	(void) try_step(check, "look at the endpoint", read_swagger);
}

/* ml_score.check_server(server name) */
PG_FUNCTION_INFO_V1(mls_check_server);

PGDLLEXPORT Datum
mls_check_server(PG_FUNCTION_ARGS)
{
	Check check = {.result = (ReturnSetInfo *) fcinfo->resultinfo, .user = GetUserId()};
	const MlsServer *server = mls_server_load(mls_server_oid(NameStr(*PG_GETARG_NAME(0)), false));

	if (object_aclcheck(ForeignServerRelationId, server->serverid, check.user, ACL_USAGE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_SERVER, server->name);
	InitMaterializedSRF(fcinfo, 0);
	check.server = server;
	switch (server->type)
	{
		case MLS_SERVER_ONLINE:
			check_online(&check);
			break;
		case MLS_SERVER_BATCH:
			check_batch(&check);
			break;
		case MLS_SERVER_BLOB:
			check_blob(&check);
			break;
		default:
			ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
							errmsg("servers of the type of \"%s\" cannot be checked", server->name),
							errhint("Name a server of TYPE 'online', 'batch' or 'blob'.")));
	}
	PG_RETURN_NULL();
}
