/*
 * server_ddl.c - what CREATE SERVER and ALTER SERVER must not leave behind.
 *
 * A foreign data wrapper's validator is given options alone: neither the server's TYPE nor whether a needed option is
 * missing. The object access hook sees the server as it was just written, and so can refuse the statement. It is there
 * whenever it is needed: the wrapper's validator, which runs before it, has loaded the library.
 */
#include "catalog/server.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "catalog/function_server.h"
#include "catalog/mapping_ddl.h"
#include "catalog/named_server.h"
#include "catalog/objectaccess.h"
#include "catalog/option.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "foreign/foreign.h"
#include "inference/log_rates.h"
#include "inference/log_table.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "worker/worker.h"

static object_access_hook_type next_object_access_hook;

/*
 * Warn about a log that cannot be written: afterwards, only counters would tell. And tell of names that no function has,
 * but not when a server is made, whose functions come later.
 */
static void
check_log(Form_pg_foreign_server form, List *options, bool altered)
{
	MlsServer server = {0};

	mls_option_read(&server, options);
	server.serverid = form->oid;
	server.name = pstrdup(NameStr(form->srvname));
	server.owner = form->srvowner;
	if (server.log_table != NULL)
		mls_log_table_warn(&server);
	if (altered && server.log_function_rates != NULL)
		mls_log_rates_notice(&server);
}

/* Raise unless the server in tuple has a type of ours, and the options that type needs; bind it to others, and others to it. */
static void
check_server(Relation rel, HeapTuple tuple, bool altered)
{
	Form_pg_foreign_server form = (Form_pg_foreign_server) GETSTRUCT(tuple);
	const char *name = NameStr(form->srvname);
	Datum type_text;
	Datum options_text;
	List *options;
	bool isnull;
	MlsServerType type;

	type_text = heap_getattr(tuple, Anum_pg_foreign_server_srvtype, RelationGetDescr(rel), &isnull);
	if (isnull)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("server \"%s\" has no TYPE", name),
				errhint("Say what it is: CREATE SERVER %s TYPE ... Valid types are: %s.", quote_identifier(name),
						mls_server_type_list()));
	if (!mls_server_type_parse(TextDatumGetCString(type_text), &type))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("server \"%s\" has the unknown TYPE '%s'", name, TextDatumGetCString(type_text)),
				errhint("Valid types are: %s.", mls_server_type_list()));
	if (altered && !superuser() && mls_mapping_has_references(form->oid))
		ereport(
			ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("permission denied to alter server \"%s\"", name),
			errdetail("A user mapping for it points to a secret of the database server (env:, file:, keyvault:), which "
					  "only a superuser may direct elsewhere."));
	options_text = heap_getattr(tuple, Anum_pg_foreign_server_srvoptions, RelationGetDescr(rel), &isnull);
	options = isnull ? NIL : untransformRelOptions(options_text);
	mls_option_check_type(name, type, options);
	mls_named_server_bind(form->oid, options);
	mls_named_server_follow(form->oid, type, name);
	if (type == MLS_SERVER_ONLINE)
	{
		check_log(form, options, altered);
		mls_worker_wake_at_commit(); /* perhaps to log, or no longer */
	}
}

/*
 * Look at the server that the running command wrote; only SnapshotSelf sees it. A new name goes into the bodies of its
 * functions.
 */
static void
follow_server(Oid serverid, bool altered)
{
	ForeignDataWrapper *wrapper = GetForeignDataWrapperByName(MLS_WRAPPER, true);
	Relation rel = table_open(ForeignServerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key, Anum_pg_foreign_server_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(serverid));
	scan = systable_beginscan(rel, ForeignServerOidIndexId, true, SnapshotSelf, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple) && wrapper != NULL &&
		((Form_pg_foreign_server) GETSTRUCT(tuple))->srvfdw == wrapper->fdwid)
	{
		check_server(rel, tuple, altered);
		mls_function_follow_server(serverid, NameStr(((Form_pg_foreign_server) GETSTRUCT(tuple))->srvname));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

static void
on_object_access(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *arg)
{
	if (next_object_access_hook != NULL)
		next_object_access_hook(access, class_id, object_id, sub_id, arg);
	if (class_id == ForeignServerRelationId && (access == OAT_POST_CREATE || access == OAT_POST_ALTER))
		follow_server(object_id, access == OAT_POST_ALTER);
	if (class_id == UserMappingRelationId && access == OAT_POST_CREATE)
		mls_mapping_check(object_id);
}

void
mls_catalog_init(void)
{
	next_object_access_hook = object_access_hook;
	object_access_hook = on_object_access;
	mls_mapping_ddl_init();
}
