/*
 * function.c - model functions in the catalog: which functions they are, and what scoring needs of them.
 *
 * The rules for what a model function may be are here, because they hold when it is created (validator.c) and when it
 * is called: ALTER FUNCTION asks no validator.
 */
#include "catalog/function.h"

#include <ctype.h>

#include "access/htup_details.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "catalog/server.h"
#include "catalog/function_server.h"
#include "commands/proclang.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "parser/parse_type.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* What this backend knows of functions: valid until pg_proc or pg_language changes. */
typedef struct KnownFunction
{
	Oid fnoid; /* key */
	bool is_model_function;
} KnownFunction;

static HTAB *known_functions;
static Oid language; /* InvalidOid: the extension is not in this database */
static bool known_valid;

static void
forget_known(Datum arg, int cacheid, uint32 hashvalue)
{
	known_valid = false;
}

/* Make the cache empty and the language's oid current. */
static void
renew_known(void)
{
	HASHCTL ctl = {.keysize = sizeof(Oid), .entrysize = sizeof(KnownFunction)};

	if (known_functions == NULL)
	{
		CacheRegisterSyscacheCallback(PROCOID, forget_known, (Datum) 0);
		CacheRegisterSyscacheCallback(LANGNAME, forget_known, (Datum) 0);
	}
	else
		hash_destroy(known_functions);
	known_functions = hash_create("ml_score known functions", 64, &ctl, HASH_ELEM | HASH_BLOBS);
	known_valid = true; /* before the look-up: what it invalidates must count */
	language = get_language_oid(MLS_LANGUAGE, true);
}

static bool
look_up_language(Oid fnoid)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(fnoid));
	bool ours;

	if (!HeapTupleIsValid(tuple))
		return false;
	ours = ((Form_pg_proc) GETSTRUCT(tuple))->prolang == language;
	ReleaseSysCache(tuple);
	return ours;
}

bool
mls_is_model_function(Oid fnoid)
{
	KnownFunction *known;
	bool found;
	bool ours;

	if (fnoid < FirstNormalObjectId)
		return false;
	if (!known_valid)
		renew_known();
	if (!OidIsValid(language))
		return false;
	known = hash_search(known_functions, &fnoid, HASH_FIND, NULL);
	if (known != NULL)
		return known->is_model_function;
	ours = look_up_language(fnoid);
	if (known_valid)
	{
		known = hash_search(known_functions, &fnoid, HASH_ENTER, &found);
		known->is_model_function = ours;
	}
	return ours;
}

/* Raise about fn, whose definition the language does not take. */
#define refuse(fn, ...)                                                                                                \
	ereport(ERROR, errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),                                                       \
			errmsg("function %s cannot be a model function", (fn)->name), __VA_ARGS__)

static void
check_properties(const MlsFunction *fn, HeapTuple tuple)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);

	if (form->prokind != PROKIND_FUNCTION)
		refuse(fn, errdetail("Only plain functions can be in language " MLS_LANGUAGE
							 ", not procedures or window functions."));
	if (form->provolatile == PROVOLATILE_IMMUTABLE)
		refuse(fn, errdetail("It is IMMUTABLE, so the planner would call the endpoint while it plans."),
			   errhint("Declare it STABLE."));
	if (OidIsValid(form->provariadic))
		refuse(fn, errdetail("It is VARIADIC, and a model's inputs are named one by one."),
			   errhint("Declare an array argument instead."));
	if (!heap_attisnull(tuple, Anum_pg_proc_proconfig, NULL))
		refuse(fn, errdetail("It has SET clauses, which do not hold for batched calls."),
			   errhint("Set options on the server, or in the session."));
}

static void
check_arguments(const MlsFunction *fn)
{
	for (int i = 0; i < fn->nargs; i++)
	{
		if (fn->arg_names[i] == NULL || fn->arg_names[i][0] == '\0')
			refuse(
				fn,
				errdetail(
					"Its argument %d has no name, and the names of the arguments are the names of the model's inputs.",
					i + 1));
		if (get_typtype(fn->arg_types[i]) == TYPTYPE_PSEUDO)
			refuse(fn, errdetail("Its argument \"%s\" has the pseudo-type %s, which cannot be sent.", fn->arg_names[i],
								 format_type_be(fn->arg_types[i])));
	}
}

static void
check_result(const MlsFunction *fn)
{
	if (fn->result_type == TRIGGEROID || fn->result_type == EVENT_TRIGGEROID)
		refuse(fn, errdetail("Triggers cannot be in language " MLS_LANGUAGE "."),
			   errhint("Call the model function from a trigger function in PL/pgSQL."));
	if (fn->result_type == RECORDOID && fn->result_desc == NULL)
		refuse(fn, errdetail("It returns record without saying which columns."),
			   errhint("Declare OUT arguments or RETURNS TABLE, named like the model's outputs."));
	if (fn->result_type != RECORDOID && get_typtype(fn->result_type) == TYPTYPE_PSEUDO)
		refuse(fn, errdetail("It returns the pseudo-type %s, which cannot be read from a reply.",
							 format_type_be(fn->result_type)));
	if (fn->result_desc != NULL && get_typtype(fn->result_type) == TYPTYPE_DOMAIN)
		refuse(fn, errdetail("It returns a domain over a composite type."),
			   errhint("Return the composite type itself."));
	for (int i = 0; fn->result_desc != NULL && i < fn->result_desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(fn->result_desc, i);

		if (!att->attisdropped && get_typtype(att->atttypid) == TYPTYPE_PSEUDO)
			refuse(fn, errdetail("Its result column \"%s\" has the pseudo-type %s, which cannot be read from a reply.",
								 NameStr(att->attname), format_type_be(att->atttypid)));
	}
}

/* Fill in the input arguments: those of mode IN, INOUT and VARIADIC. */
static void
read_arguments(MlsFunction *fn, HeapTuple tuple)
{
	Oid *types;
	char **names;
	char *modes;
	int nall = get_func_arg_info(tuple, &types, &names, &modes);

	fn->arg_types = palloc(sizeof(Oid) * Max(nall, 1));
	fn->arg_names = palloc(sizeof(char *) * Max(nall, 1));
	for (int i = 0; i < nall; i++)
	{
		char mode = modes == NULL ? PROARGMODE_IN : modes[i];

		if (mode == PROARGMODE_IN || mode == PROARGMODE_INOUT || mode == PROARGMODE_VARIADIC)
		{
			fn->arg_types[fn->nargs] = types[i];
			fn->arg_names[fn->nargs] = names == NULL ? NULL : names[i];
			fn->nargs++;
		}
		else if (names != NULL && names[i][0] != '\0')
			fn->result_name = names[i];
	}
}

/* The text column "error" beside others: where a row's failure goes. */
static int
find_error_column(TupleDesc desc)
{
	if (desc == NULL || desc->natts < 2)
		return -1;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && att->atttypid == TEXTOID && strcmp(NameStr(att->attname), "error") == 0)
			return i;
	}
	return -1;
}

static void
read_result(MlsFunction *fn, HeapTuple tuple)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);

	fn->returns_set = form->proretset;
	fn->result_type = form->prorettype;
	if (fn->result_type == RECORDOID)
		fn->result_desc = build_function_result_tupdesc_t(tuple);
	else if (type_is_rowtype(fn->result_type))
		fn->result_desc = lookup_rowtype_tupdesc_domain(fn->result_type, -1, false);
	if (fn->result_desc != NULL)
	{
		TupleDesc desc = CreateTupleDescCopy(fn->result_desc);

		if (fn->result_desc->tdrefcount >= 0)
			ReleaseTupleDesc(fn->result_desc);
		fn->result_desc = BlessTupleDesc(desc);
		fn->result_name = NULL;
	}
	fn->error_column = find_error_column(fn->result_desc);
}

/* Fill in fn but for its server, and check it. */
static void
read_function(MlsFunction *fn, HeapTuple tuple)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);

	fn->name = format_procedure(fn->fnoid);
	if (form->prolang != get_language_oid(MLS_LANGUAGE, true))
		ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE),
				errmsg("function %s is not in language " MLS_LANGUAGE, fn->name));
	fn->owner = form->proowner;
	fn->security_definer = form->prosecdef;
	fn->strict = form->proisstrict;
	fn->volatility = form->provolatile;
	read_arguments(fn, tuple);
	read_result(fn, tuple);
	check_properties(fn, tuple);
	check_arguments(fn);
	check_result(fn);
}

char *
mls_function_body(HeapTuple tuple)
{
	bool isnull;
	Datum source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
	char *name = isnull ? pstrdup("") : TextDatumGetCString(source);
	char *end = name + strlen(name);

	while (end > name && isspace((unsigned char) end[-1]))
		*--end = '\0';
	while (isspace((unsigned char) *name))
		name++;
	return name;
}

/*
 * The server must be an online one of ours, and the function's owner may use it: a server made after the function was
 * restored is no different from one that was there.
 */
static void
use_server(MlsFunction *fn, Oid serverid)
{
	AclResult acl;

	fn->serverid = serverid;
	fn->server_name = mls_server_load_online(serverid)->name;
	acl = object_aclcheck(ForeignServerRelationId, serverid, fn->owner, ACL_USAGE);
	if (acl != ACLCHECK_OK)
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("permission denied for foreign server %s", fn->server_name),
				errdetail("Role \"%s\" owns the function %s and has no USAGE on its server.",
						  GetUserNameFromId(fn->owner, false), fn->name),
				errhint("GRANT USAGE ON FOREIGN SERVER %s TO %s;", quote_identifier(fn->server_name),
						quote_identifier(GetUserNameFromId(fn->owner, false))));
}

/* All of fn but its server; *body is the server's name as the function has it. */
static MlsFunction *
read_catalog_entry(Oid fnoid, char **body)
{
	MlsFunction *fn = palloc0(sizeof(MlsFunction));
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(fnoid));

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_FUNCTION), errmsg("function with OID %u does not exist", fnoid));
	fn->fnoid = fnoid;
	read_function(fn, tuple);
	*body = mls_function_body(tuple);
	ReleaseSysCache(tuple);
	if (**body == '\0')
		refuse(fn, errdetail("Its body is empty, and has to name a server."));
	return fn;
}

MlsFunction *
mls_function_load(Oid fnoid)
{
	char *body;
	MlsFunction *fn = read_catalog_entry(fnoid, &body);
	Oid bound = mls_function_server(fnoid);

	use_server(fn, OidIsValid(bound) ? bound : mls_server_oid_for(body, MLS_SERVER_ONLINE));
	return fn;
}

Oid
mls_function_check(Oid fnoid, bool missing_server_ok)
{
	char *body;
	MlsFunction *fn = read_catalog_entry(fnoid, &body);
	Oid serverid = missing_server_ok ? mls_server_oid(body, true) : mls_server_oid_for(body, MLS_SERVER_ONLINE);

	if (OidIsValid(serverid))
		use_server(fn, serverid);
	return serverid;
}
