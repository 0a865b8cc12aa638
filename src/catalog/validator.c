/*
 * validator.c - what CREATE FUNCTION ... LANGUAGE ml_score does beside writing pg_proc.
 */
#include "catalog/function.h"

#include "catalog/dependency.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_proc.h"
#include "utils/guc.h"

/*
 * Let the function depend on its server and on no other: DROP SERVER then refuses or cascades, and pg_dump writes the
 * server first.
 */
static void
record_server(const MlsFunction *fn)
{
	ObjectAddress function;
	ObjectAddress server;

	ObjectAddressSet(function, ProcedureRelationId, fn->fnoid);
	deleteDependencyRecordsForClass(ProcedureRelationId, fn->fnoid, ForeignServerRelationId, DEPENDENCY_NORMAL);
	if (!OidIsValid(fn->serverid))
		return;
	ObjectAddressSet(server, ForeignServerRelationId, fn->serverid);
	recordDependencyOn(&function, &server, DEPENDENCY_NORMAL);
}

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
	record_server(mls_function_read(fnoid, !check_function_bodies));
	PG_RETURN_VOID();
}
