/*
 * place.c - see place.h.
 */
#include "ml_score.h"

#include "batch/place.h"

#include "batch/template.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/reading.h"
#include "miscadmin.h"
#include "utils/acl.h"

/* The named server, of this type, which userid may use. */
static MlsServer *
load(const char *name, MlsServerType type, Oid userid)
{
	MlsServer *server = mls_server_load(mls_server_oid_for(name, type));

	mls_server_require(server, type);
	if (object_aclcheck(ForeignServerRelationId, server->serverid, userid, ACL_USAGE) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for foreign server %s", server->name),
				 errhint("GRANT USAGE ON FOREIGN SERVER %s TO %s;", server->name, GetUserNameFromId(userid, false))));
	return server;
}

MlsServer *
mls_place_server(const char *name, Oid userid)
{
	return load(name, MLS_SERVER_BATCH, userid);
}

MlsServer *
mls_place_blob(const char *name, Oid userid)
{
	return load(name, MLS_SERVER_BLOB, userid);
}

MlsServer *
mls_place_storage(const MlsServer *server, Oid userid)
{
	if (server->storage == NULL)
		ereport(ERROR, (errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
						errmsg("server \"%s\" needs the option \"storage\"", server->name),
						errdetail("A query's rows and the predictions go through Blob Storage."),
						errhint("Name a server of TYPE 'blob': ALTER SERVER ... OPTIONS (ADD storage '...').")));
	return mls_place_blob(server->storage, userid);
}

MlsBlobStore *
mls_place_open_storage(const MlsJob *job)
{
	MlsServer *storage;
	MlsReading reading;

	mls_reading_begin(&reading);
	storage = mls_place_storage(mls_place_server(job->server, job->owner), job->owner);
	mls_reading_end(&reading);
	return mls_blob_open(storage, job->owner);
}

MlsServer *
mls_place_workspace(const MlsServer *server, Oid userid)
{
	return load(server->workspace, MLS_SERVER_WORKSPACE, userid);
}

char *
mls_place_input(const MlsJob *job)
{
	return psprintf("%s/in", job->folder);
}

char *
mls_place_output(const MlsJob *job)
{
	return psprintf("%s/out", job->folder);
}

char *
mls_place_uri(const MlsJob *job, const MlsBlobStore *store, const char *template, const char *path, const char *sas)
{
	const MlsLocation *location = mls_blob_location(store);
	MlsTemplateValues values = {.account = location->account,
								.container = location->container,
								.path = mls_blob_full_path(store, path),
								.job = job->id,
								.sas = sas};

	if (template == NULL)
		return mls_blob_url(store, path);
	return mls_template_expand(template, &values);
}
