/*
 * server.c - a foreign server of ours, read from the catalog.
 */
#include "catalog/server.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/option.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/url.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/syscache.h"

static const MlsServer defaults = {
	.log_sample_rate = 1,
	.log_partition = MLS_LOG_DAY,
	.request_format = MLS_FORMAT_AUTO,
	.max_batch_rows = MLS_AUTO,
	.max_batch_bytes = 1024 * 1024,
	.max_parallel_requests = MLS_AUTO,
	.on_error = MLS_ON_ERROR_FAIL,
	.auth = MLS_AUTH_NONE,
	.timeout_ms = 60 * 1000,
	.connect_timeout_ms = 10 * 1000,
	.max_attempts = 5,
	.retry_base_delay_ms = 200,
	.retry_max_delay_ms = 30 * 1000,
	.compression = MLS_COMPRESSION_NONE,
	.management_url = "https://management.azure.com",
	.poll_min_interval_ms = 2 * 1000,
	.poll_max_interval_ms = 60 * 1000,
};

/* Our wrapper's oid, or InvalidOid. */
static Oid
wrapper_oid(void)
{
	ForeignDataWrapper *wrapper = GetForeignDataWrapperByName(MLS_WRAPPER, true);

	return wrapper == NULL ? InvalidOid : wrapper->fdwid;
}

/* Is type NULL, or a server's? */
static bool
has_type(HeapTuple tuple, TupleDesc desc, const char *type)
{
	bool isnull;
	Datum value = heap_getattr(tuple, Anum_pg_foreign_server_srvtype, desc, &isnull);

	return type == NULL || (!isnull && strcmp(TextDatumGetCString(value), type) == 0);
}

/* The names of our servers, of this type unless it is NULL, in order, for a hint; NULL when there are none. */
static char *
list_servers(const char *type)
{
	Oid wrapper = wrapper_oid();
	Relation rel = table_open(ForeignServerRelationId, AccessShareLock);
	Relation by_name = index_open(ForeignServerNameIndexId, AccessShareLock);
	SysScanDesc scan = systable_beginscan_ordered(rel, by_name, NULL, 0, NULL);
	StringInfoData names;
	HeapTuple tuple;

	initStringInfo(&names);
	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		Form_pg_foreign_server form = (Form_pg_foreign_server) GETSTRUCT(tuple);

		if (form->srvfdw == wrapper && has_type(tuple, RelationGetDescr(rel), type))
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", quote_identifier(NameStr(form->srvname)));
	}
	systable_endscan_ordered(scan);
	index_close(by_name, AccessShareLock);
	table_close(rel, AccessShareLock);
	return names.len > 0 ? names.data : NULL;
}

pg_noreturn static void
raise_missing(const char *name, const char *type)
{
	char *known = list_servers(type);
	char *hint;

	if (known != NULL && type != NULL)
		hint = psprintf("Servers of TYPE '%s' are: %s.", type, known);
	else if (known != NULL)
		hint = psprintf("Servers of the foreign data wrapper " MLS_WRAPPER " are: %s.", known);
	else if (type == NULL || strcmp(type, mls_server_type_name(MLS_SERVER_ONLINE)) == 0)
		hint = "Create it with CREATE SERVER ... TYPE 'online' FOREIGN DATA WRAPPER " MLS_WRAPPER
			   " OPTIONS (url 'https://...').";
	else
		hint = psprintf("Create it with CREATE SERVER ... TYPE '%s' FOREIGN DATA WRAPPER " MLS_WRAPPER ".", type);
	ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("server \"%s\" does not exist", name),
			errhint("%s", hint));
}

Oid
mls_server_oid(const char *name, bool missing_ok)
{
	ForeignServer *server = GetForeignServerByName(name, true);

	if (server == NULL && !missing_ok)
		raise_missing(name, NULL);
	return server == NULL ? InvalidOid : server->serverid;
}

Oid
mls_server_oid_for(const char *name, MlsServerType type)
{
	ForeignServer *server = GetForeignServerByName(name, true);

	if (server == NULL)
		raise_missing(name, mls_server_type_name(type));
	return server->serverid;
}

/* Once the lock is held, the name may be another server's: then that one is locked. */
void
mls_server_keep(const char *name)
{
	Oid serverid = mls_server_oid(name, true);

	while (OidIsValid(serverid))
	{
		Oid locked = serverid;

		LockDatabaseObject(ForeignServerRelationId, locked, 0, AccessShareLock);
		serverid = mls_server_oid(name, true);
		if (serverid == locked)
			return;
		UnlockDatabaseObject(ForeignServerRelationId, locked, 0, AccessShareLock);
	}
}

static uint64 generation;

static void
catalog_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	generation++;
}

uint64
mls_server_generation(void)
{
	if (generation == 0)
	{
		CacheRegisterSyscacheCallback(FOREIGNSERVEROID, catalog_changed, (Datum) 0);
		CacheRegisterSyscacheCallback(USERMAPPINGOID, catalog_changed, (Datum) 0);
		generation = 1;
	}
	return generation;
}

/* The session's settings hold over the server's options. */
static void
apply_settings(MlsServer *server)
{
	if (mls_max_batch_rows != NULL && *mls_max_batch_rows != '\0')
		mls_option_parse_auto(mls_max_batch_rows, &server->max_batch_rows);
	if (mls_max_batch_bytes > 0)
		server->max_batch_bytes = mls_max_batch_bytes;
	if (mls_max_parallel_requests != NULL && *mls_max_parallel_requests != '\0')
		mls_option_parse_auto(mls_max_parallel_requests, &server->max_parallel_requests);
	if (mls_timeout > 0)
		server->timeout_ms = mls_timeout;
	if (mls_on_error != MLS_UNSET)
		server->on_error = mls_on_error;
}

/* The URLs are looked at by the transport, at each connection; the proxy is not one of its destinations. */
static void
check_proxy(const MlsServer *server)
{
	char *refusal = server->proxy == NULL ? NULL : mls_url_proxy_refusal(server->proxy);

	if (refusal != NULL)
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("requests to server \"%s\" are not allowed to go through its proxy", server->name),
				errdetail("%s", refusal),
				errhint("Change the server's option \"proxy\", or have a superuser change ml_score.allowed_hosts."));
}

MlsServer *
mls_server_load(Oid serverid)
{
	ForeignServer *foreign = GetForeignServerExtended(serverid, FSV_MISSING_OK);
	MlsServer *server;

	if (foreign == NULL)
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("server with OID %u does not exist", serverid),
				errhint("It was dropped meanwhile; run the statement again."));
	if (foreign->fdwid != wrapper_oid())
		ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE),
				errmsg("server \"%s\" is not one of the foreign data wrapper " MLS_WRAPPER, foreign->servername),
				errhint("Create it with CREATE SERVER ... TYPE 'online' FOREIGN DATA WRAPPER " MLS_WRAPPER "."));
	server = palloc(sizeof(MlsServer));
	*server = defaults;
	if (!mls_server_type_parse(foreign->servertype, &server->type))
		ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE),
				errmsg("server \"%s\" has no type that this version of ml_score knows", foreign->servername),
				errhint("Valid types are: %s.", mls_server_type_list()));
	if (server->type == MLS_SERVER_APPINSIGHTS)
		server->auth = MLS_AUTH_CONNECTION_STRING;
	server->serverid = serverid;
	server->name = foreign->servername;
	server->owner = foreign->owner;
	mls_option_read(server, foreign->options);
	server->swagger_url_given = server->swagger_url != NULL;
	if (server->type == MLS_SERVER_ONLINE && !server->swagger_url_given && server->url != NULL)
		server->swagger_url = mls_url_sibling(server->url, "swagger.json");
	check_proxy(server);
	if (server->type == MLS_SERVER_ONLINE)
		apply_settings(server);
	return server;
}

void
mls_server_require(const MlsServer *server, MlsServerType type)
{
	if (server->type != type)
		ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE),
				errmsg("server \"%s\" is of type '%s', not '%s'", server->name, mls_server_type_name(server->type),
					   mls_server_type_name(type)),
				errhint("Name a server of TYPE '%s'.", mls_server_type_name(type)));
}

MlsServer *
mls_server_load_online(Oid serverid)
{
	MlsServer *server = mls_server_load(serverid);

	mls_server_require(server, MLS_SERVER_ONLINE);
	return server;
}

MlsServer *
mls_server_copy(const MlsServer *server)
{
	MlsServer *copy = palloc(sizeof(MlsServer));

	*copy = *server;
	copy->name = pstrdup(server->name);
	mls_option_copy_texts(copy);
	copy->kafka_properties = copyObject(server->kafka_properties);
	return copy;
}
