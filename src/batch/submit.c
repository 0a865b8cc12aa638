/*
 * submit.c - ml_score.submit_batch: a job is written down, for the workers to do once that is committed.
 *
 * All that can be found wrong without the network is found here, in the submitter's own session.
 */
#include "ml_score.h"

#include "batch/place.h"
#include "batch/target.h"
#include "catalog/index.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "worker/worker.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_index.h"

/* The arguments, in the function's order. */
enum
{
	ARG_SERVER,
	ARG_QUERY,
	ARG_INPUT,
	ARG_TARGET,
	ARG_KEY,
	ARG_SEND_KEY,
	ARG_FORMAT,
	ARG_ROWS_PER_FILE,
	ARG_GZIP,
	ARG_RESULT_FORMAT,
	ARG_RESULT_COLUMNS,
	ARG_COLUMNS,
	ARG_ON_CONFLICT,
	ARG_ON_MISSING,
	ARG_ON_ERROR,
	ARG_PARAMETERS,
	ARG_OUTPUTS,
	ARG_OVERRIDES,
	ARG_TAGS,
	ARG_EXPERIMENT,
	ARG_TIMEOUT,
	ARG_RETAIN,
	ARGS
};

static const char *const argument_names[ARGS] = {
	"server",		 "query",	   "input",			"target",		  "key",	 "send_key",	"format",
	"rows_per_file", "gzip",	   "result_format", "result_columns", "columns", "on_conflict", "on_missing",
	"on_error",		 "parameters", "outputs",		"overrides",	  "tags",	 "experiment",	"timeout",
	"retain"};

/* An argument as text, or NULL. */
static char *
text_argument(FunctionCallInfo fcinfo, int arg)
{
	Oid type = get_fn_expr_argtype(fcinfo->flinfo, arg);
	Oid output;
	bool varlena;

	if (PG_ARGISNULL(arg))
		return NULL;
	getTypeOutputInfo(type, &output, &varlena);
	return OidOutputFunctionCall(output, PG_GETARG_DATUM(arg));
}

/* Raise unless the argument is one of the words. */
static void
check_word(const char *name, const char *value, const char *const *words)
{
	StringInfoData valid;

	initStringInfo(&valid);
	for (; *words != NULL; words++)
	{
		if (strcmp(value, *words) == 0)
			return;
		appendStringInfo(&valid, "%s'%s'", valid.len > 0 ? ", " : "", *words);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid value for argument \"%s\": \"%s\"", name, value),
			 errdetail("Valid values are: %s.", valid.data)));
}

static void
check_words(char **values)
{
	static const char *const formats[] = {"csv", "csv_no_header", "json_lines", NULL};
	static const char *const results[] = {"auto", "csv", "csv_header", "spaces", "json_lines", NULL};
	static const char *const conflicts[] = {"update", "nothing", NULL};
	static const char *const missing[] = {"record", "fail", NULL};
	static const char *const errors[] = {"dead_letter", "fail", NULL};
	static const char *const retains[] = {"none", "failed", "all", NULL};
	static const struct
	{
		int arg;
		const char *const *words;
	} checks[] = {{ARG_FORMAT, formats},	 {ARG_RESULT_FORMAT, results}, {ARG_ON_CONFLICT, conflicts},
				  {ARG_ON_MISSING, missing}, {ARG_ON_ERROR, errors},	   {ARG_RETAIN, retains}};

	for (int i = 0; i < lengthof(checks); i++)
	{
		if (values[checks[i].arg] != NULL)
			check_word(argument_names[checks[i].arg], values[checks[i].arg], checks[i].words);
	}
}

/* Raise unless the JSON argument is an object. */
static void
check_objects(char **values)
{
	static const int args[] = {ARG_COLUMNS, ARG_PARAMETERS, ARG_OUTPUTS, ARG_OVERRIDES, ARG_TAGS};

	for (int i = 0; i < lengthof(args); i++)
	{
		const char *value = values[args[i]];

		if (value != NULL && value[0] != '{')
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("argument \"%s\" must be a JSON object", argument_names[args[i]])));
	}
}

static void
check_given(FunctionCallInfo fcinfo)
{
	static const int needed[] = {ARG_SERVER,		ARG_SEND_KEY,	ARG_FORMAT,	  ARG_ROWS_PER_FILE, ARG_GZIP,
								 ARG_RESULT_FORMAT, ARG_ON_MISSING, ARG_ON_ERROR, ARG_RETAIN};

	for (int i = 0; i < lengthof(needed); i++)
	{
		if (PG_ARGISNULL(needed[i]))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("argument \"%s\" must not be null", argument_names[needed[i]])));
	}
	if (PG_ARGISNULL(ARG_QUERY) == PG_ARGISNULL(ARG_INPUT))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("give either \"query\" or \"input\""),
				 errhint("A query's rows are exported for the job; input is the URI of data that is there already.")));
	if (PG_GETARG_INT32(ARG_ROWS_PER_FILE) < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("rows_per_file must be at least 1")));
	if (!PG_ARGISNULL(ARG_INPUT) && !PG_ARGISNULL(ARG_KEY))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"key\" needs a query")));
	if (!PG_ARGISNULL(ARG_ON_CONFLICT) && PG_ARGISNULL(ARG_TARGET))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"on_conflict\" needs a target")));
}

/* The columns that the query gives, as the submitter sees it now. */
static TupleDesc
describe_query(const char *query)
{
	MemoryContext cxt = CurrentMemoryContext;
	SPIPlanPtr plan;
	List *sources;
	TupleDesc desc;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	plan = SPI_prepare(query, 0, NULL);
	if (plan == NULL || !SPI_is_cursor_plan(plan))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_CURSOR_DEFINITION), errmsg("the query gives no rows: it is no SELECT")));
	sources = SPI_plan_get_plan_sources(plan);
	MemoryContextSwitchTo(cxt);
	desc = CreateTupleDescCopy(((CachedPlanSource *) linitial(sources))->resultDesc);
	SPI_finish();
	return desc;
}

static bool
has_column(TupleDesc desc, const char *name)
{
	for (int i = 0; i < desc->natts; i++)
	{
		if (strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) == 0)
			return true;
	}
	return false;
}

/* Is a new row's column left empty by all but who stores it? */
static bool
must_be_given(Relation rel, AttrNumber attnum)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), attnum - 1);

	return !attribute->atthasdef && attribute->attidentity == '\0';
}

/* The target's primary key, names of its columns, palloc'd; *lacking is the first that only the query could give, or NULL. */
static ArrayType *
primary_key(Oid target, TupleDesc desc, char **lacking)
{
	Relation rel = table_open(target, AccessShareLock);
	Datum names[INDEX_MAX_KEYS];
	int n = 0;
	bool all = true;

	*lacking = NULL;
	(void) RelationGetIndexList(rel);
	if (OidIsValid(rel->rd_pkindex))
	{
		Relation index = index_open(rel->rd_pkindex, AccessShareLock);

		for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
		{
			AttrNumber attnum = index->rd_index->indkey.values[i];
			char *name = get_attname(target, attnum, false);

			if (!has_column(desc, name))
			{
				all = false;
				if (*lacking == NULL && must_be_given(rel, attnum))
					*lacking = name;
			}
			names[n++] = CStringGetTextDatum(name);
		}
		index_close(index, AccessShareLock);
	}
	table_close(rel, AccessShareLock);
	return n == 0 || !all || n >= desc->natts ? NULL : construct_array_builtin(names, n, TEXTOID);
}

/*
 * The key when none is given: the target's primary key, when the query gives all of it and more. Else NULL. Raises when
 * the results, which are known by their place alone, could never be stored.
 */
static ArrayType *
default_key(Oid target, TupleDesc desc, char **values)
{
	char *lacking;
	ArrayType *key = primary_key(target, desc, &lacking);
	bool by_place = values[ARG_COLUMNS] == NULL && values[ARG_RESULT_COLUMNS] == NULL &&
					strcmp(values[ARG_RESULT_FORMAT], "auto") == 0;

	if (lacking != NULL && by_place)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("the query does not give the key column \"%s\" of the target \"%s\"", lacking,
							   get_rel_name(target)),
						errdetail("It is in the target's primary key and has no default."),
						errhint("Select it in the query beside the model's inputs; it is not sent. If the model gives "
								"it, say where with \"columns\".")));
	return key;
}

/* The query's columns, for a message; palloc'd. */
static char *
list_columns(TupleDesc desc)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < desc->natts; i++)
		appendStringInfo(&list, "%s%s", i > 0 ? ", " : "", NameStr(TupleDescAttr(desc, i)->attname));
	return list.data;
}

/* Raise unless each key is a column of the query, and of the target when it is stored there. */
static void
check_key(ArrayType *key, TupleDesc desc, Oid target, bool send_key)
{
	Datum *names;
	int n;

	deconstruct_array_builtin(key, TEXTOID, &names, NULL, &n);
	for (int i = 0; i < n; i++)
	{
		char *name = TextDatumGetCString(names[i]);

		if (!has_column(desc, name))
			ereport(
				ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN), errmsg("the query has no key column \"%s\"", name),
				 errdetail("It has the columns: %s.", list_columns(desc)),
				 errhint("Select \"%s\" in the query, beside the model's inputs, or correct the argument key.", name)));
		if (OidIsValid(target) && !send_key && get_attnum(target, name) <= 0)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("the target \"%s\" has no key column \"%s\"", get_rel_name(target), name),
							errdetail("Key columns are stored beside the predictions, in columns of the same names."),
							errhint("Give the target such a column, or correct the argument key.")));
	}
	if (!send_key && n >= desc->natts)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the query has no column beside the key"),
				 errhint("Key columns stay in the database. Give the model's inputs as further columns, or send the "
						 "key as well with send_key.")));
}

/* Raise unless the submitter may fill the target; what COPY and INSERT check again later. */
static void
check_target(Oid target, Oid user)
{
	if (pg_class_aclcheck(target, user, ACL_INSERT) != ACLCHECK_OK &&
		pg_attribute_aclcheck_all(target, user, ACL_INSERT, ACLMASK_ANY) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(get_rel_relkind(target)), get_rel_name(target));
}

/* Write the job down; its number. */
static int64
insert_job(char **values, Oid user)
{
	static const char statement[] =
		"INSERT INTO ml_score.batch_job (id, server, query, input, target, key, send_key, format, rows_per_file, gzip, "
		"result_format, result_columns, columns, on_conflict, on_missing, on_error, parameters, outputs, overrides, "
		"tags, "
		"experiment, timeout, retain, owner, search_path, time_zone, state, request_id, folder, folders, deadline) "
		"SELECT t.id, $1, $2, $3, $4::oid, $5::text[], $6::boolean, $7, $8::integer, $9::boolean, $10, $11::text[], "
		"$12::jsonb, "
		"$13, $14, $15, $16::jsonb, $17::jsonb, $18::jsonb, $19::jsonb, $20, $21::interval, $22, $23::oid, $24, $25, "
		"$26, "
		"t.uuid, 'ml_score/' || t.id || '-' || t.uuid, ARRAY['ml_score/' || t.id || '-' || t.uuid], "
		"clock_timestamp() + $21::interval "
		"FROM (SELECT nextval('ml_score.batch_job_id_seq') AS id, gen_random_uuid() AS uuid) t RETURNING id";
	const char *arguments[ARGS + 4];
	MlsLedger ledger;
	int64 id;
	bool isnull;

	for (int i = 0; i < ARGS; i++)
		arguments[i] = values[i];
	arguments[ARGS] = psprintf("%u", user);
	arguments[ARGS + 1] = GetConfigOption("search_path", false, false);
	arguments[ARGS + 2] = GetConfigOption("TimeZone", false, false);
	arguments[ARGS + 3] = mls_job_state_name(values[ARG_QUERY] != NULL ? MLS_JOB_EXPORTING : MLS_JOB_SUBMITTING);
	mls_ledger_open(&ledger);
	mls_ledger_run_texts(statement, ARGS + 4, arguments);
	id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	mls_ledger_close(&ledger);
	mls_job_note(id, arguments[ARGS + 3], "submitted");
	mls_worker_wake_at_commit();
	return id;
}

/* ml_score.submit_batch(...): see the SQL. */
PG_FUNCTION_INFO_V1(mls_submit_batch);

PGDLLEXPORT Datum
mls_submit_batch(PG_FUNCTION_ARGS)
{
	Oid user = GetUserId();
	Oid target = PG_ARGISNULL(ARG_TARGET) ? InvalidOid : PG_GETARG_OID(ARG_TARGET);
	char *values[ARGS];
	MlsServer *server;

	PreventCommandIfReadOnly("ml_score.submit_batch()");
	mls_worker_require("batch jobs");
	check_given(fcinfo);
	for (int i = 0; i < ARGS; i++)
		values[i] = text_argument(fcinfo, i);
	if (OidIsValid(target))
		values[ARG_TARGET] = psprintf("%u", target);
	check_words(values);
	check_objects(values);

	mls_server_keep(values[ARG_SERVER]);
	server = mls_place_server(values[ARG_SERVER], user);
	if (values[ARG_QUERY] != NULL || OidIsValid(target))
		(void) mls_place_storage(server, user);
	if (OidIsValid(target))
		check_target(target, user);
	if (values[ARG_QUERY] != NULL)
	{
		TupleDesc desc = describe_query(values[ARG_QUERY]);
		ArrayType *key =
			PG_ARGISNULL(ARG_KEY)
				? (OidIsValid(target) && !PG_GETARG_BOOL(ARG_SEND_KEY) ? default_key(target, desc, values) : NULL)
				: PG_GETARG_ARRAYTYPE_P(ARG_KEY);

		if (key != NULL)
		{
			check_key(key, desc, target, PG_GETARG_BOOL(ARG_SEND_KEY));
			values[ARG_KEY] = OidOutputFunctionCall(F_ARRAY_OUT, PointerGetDatum(key));
		}
	}
	PG_RETURN_INT64(insert_job(values, user));
}
