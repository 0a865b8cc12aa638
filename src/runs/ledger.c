/*
 * ledger.c - see ledger.h.
 */
#include "runs/ledger.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "codec/encoding.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static Oid
runs_table(void)
{
	Oid table = get_relname_relid("run_metric", get_namespace_oid(MLS_SCHEMA, false));

	if (!OidIsValid(table))
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE), errmsg("table ml_score.run_metric does not exist"),
				errhint("Run ALTER EXTENSION ml_score UPDATE."));
	return table;
}

static Oid
tables_owner(void)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(runs_table()));
	Oid owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for table ml_score.run_metric");
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* A plan is made anew where the search_path is not that of its making: it has to be ours as long as statements run. */
void
mls_ledger_open(MlsLedger *ledger)
{
	Oid owner = tables_owner();

	GetUserIdAndSecContext(&ledger->userid, &ledger->context);
	ledger->nest_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
							 false);
	SetUserIdAndSecContext(owner, ledger->context | SECURITY_LOCAL_USERID_CHANGE);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
}

void
mls_ledger_close(const MlsLedger *ledger)
{
	SPI_finish();
	SetUserIdAndSecContext(ledger->userid, ledger->context);
	AtEOXact_GUC(false, ledger->nest_level);
}

static void
prepare(MlsStatement *statement)
{
	SPIPlanPtr plan = SPI_prepare(statement->text, statement->nargs, statement->types);

	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "could not prepare \"%s\": %s", statement->text, SPI_result_code_string(SPI_result));
	statement->plan = plan;
}

uint64
mls_ledger_run(MlsStatement *statement, const Datum *values, const char *nulls)
{
	int result;

	if (statement->plan == NULL)
		prepare(statement);
	result = SPI_execute_plan(statement->plan, unconstify(Datum *, values), nulls, false, 0);
	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", statement->text, SPI_result_code_string(result));
	return SPI_processed;
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

void
mls_ledger_lock_runs(void)
{
	LockDatabaseObject(RelationRelationId, runs_table(), 1, ExclusiveLock);
}

Datum
mls_ledger_utf8(const char *text)
{
	char *converted;
	int len;
	char *reason = mls_from_utf8(text, (int) strlen(text), &converted, &len);

	if (reason != NULL)
		ereport(ERROR, errcode(ERRCODE_UNTRANSLATABLE_CHARACTER), errmsg("could not store what is known of a run"),
				errdetail("%s", reason));
	return CStringGetTextDatum(converted);
}
