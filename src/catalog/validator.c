/*
 * validator.c - what CREATE FUNCTION ... LANGUAGE ml_score does beside writing pg_proc.
 */
#include "catalog/function.h"

#include "catalog/function_server.h"
#include "utils/guc.h"

/*
 * ml_score.function_validator(function oid): the language's validator. Quiet about a missing server while
 * check_function_bodies is off, as in a restore.
 */
PG_FUNCTION_INFO_V1(mls_function_validator);

PGDLLEXPORT Datum
mls_function_validator(PG_FUNCTION_ARGS)
{
	Oid fnoid = PG_GETARG_OID(0);

	if (!CheckFunctionValidatorAccess(fcinfo->flinfo->fn_oid, fnoid))
		PG_RETURN_VOID();
	mls_function_bind(fnoid, mls_function_check(fnoid, !check_function_bodies));
	PG_RETURN_VOID();
}
