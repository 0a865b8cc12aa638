/*
 * ledger.c - see ledger.h.
 */
#include "catalog/ledger.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* They all have the same owner: CREATE EXTENSION made them. */
static Oid
tables_owner(void)
{
	Oid table = get_relname_relid("stream", get_namespace_oid(MLS_SCHEMA, false));
	HeapTuple tuple;
	Oid owner;

	if (!OidIsValid(table))
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE), errmsg("table ml_score.stream does not exist"),
				errhint("Run ALTER EXTENSION ml_score UPDATE."));
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", table);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* A plan is made anew where the search_path is not that of its making: it has to be ours as long as statements run. */
static void
become_owner(MlsLedger *ledger)
{
	Oid owner = tables_owner();

	GetUserIdAndSecContext(&ledger->userid, &ledger->context);
	ledger->nest_level = NewGUCNestLevel();
	mls_guc_set_for_level("search_path", "pg_catalog, pg_temp");
	SetUserIdAndSecContext(owner, ledger->context | SECURITY_LOCAL_USERID_CHANGE);
}

static void
become_caller(const MlsLedger *ledger)
{
	SetUserIdAndSecContext(ledger->userid, ledger->context);
	AtEOXact_GUC(false, ledger->nest_level);
}

void
mls_ledger_open(MlsLedger *ledger)
{
	become_owner(ledger);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
}

void
mls_ledger_close(const MlsLedger *ledger)
{
	SPI_finish();
	become_caller(ledger);
}

static void
prepare(MlsStatement *statement)
{
	SPIPlanPtr plan = SPI_prepare(statement->text, statement->nargs, statement->types);

	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "could not prepare \"%s\": %s", statement->text, SPI_result_code_string(SPI_result));
	statement->plan = plan;
}

/* Raise unless SPI's answer to the statement is a good one. */
static void
check_result(const char *statement, int result)
{
	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", statement, SPI_result_code_string(result));
}

uint64
mls_ledger_run(MlsStatement *statement, const Datum *values, const char *nulls)
{
	if (statement->plan == NULL)
		prepare(statement);
	check_result(statement->text, SPI_execute_plan(statement->plan, unconstify(Datum *, values), nulls, false, 0));
	return SPI_processed;
}

uint64
mls_ledger_run_texts(const char *statement, int n, const char *const *arguments)
{
	Oid *types = palloc(sizeof(Oid) * (n + 1));
	Datum *values = palloc0(sizeof(Datum) * (n + 1));
	char *nulls = palloc0(n + 1);

	for (int i = 0; i < n; i++)
	{
		types[i] = TEXTOID;
		nulls[i] = arguments[i] == NULL ? 'n' : ' ';
		if (arguments[i] != NULL)
			values[i] = CStringGetTextDatum(arguments[i]);
	}
	check_result(statement, SPI_execute_with_args(statement, n, types, values, nulls, false, 0));
	return SPI_processed;
}

void
mls_ledger_execute(const char *statement, int nargs, Oid *types, Datum *values, const char *nulls)
{
	MlsLedger ledger;

	become_owner(&ledger);
	check_result(statement, SPI_execute_with_args(statement, nargs, types, values, nulls, false, 0));
	become_caller(&ledger);
}

char *
mls_ledger_text(uint64 row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

int64
mls_ledger_int64(uint64 row, int column)
{
	bool isnull;
	Datum value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}
