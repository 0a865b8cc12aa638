/*
 * function_arg.c - functions as arguments of our SQL functions: also by name alone, which regprocedure does not take.
 */
#include "catalog/function_arg.h"

#include "catalog/function.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"

/* PostgreSQL's error says only that there are several. */
static void
hint_at_types(void *arg)
{
	if (geterrcode() == ERRCODE_AMBIGUOUS_FUNCTION)
		errhint("Write its argument types too, as in \"%s(integer, text)\".", (const char *) arg);
}

Oid
mls_function_of_text(const text *name)
{
	char *str = text_to_cstring(name);
	ErrorContextCallback context = {error_context_stack, hint_at_types, str};
	Datum oid;

	error_context_stack = &context;

	if (strchr(str, '('))
		oid = DirectFunctionCall1(regprocedurein, CStringGetDatum(str));
	else
		oid = DirectFunctionCall1(regprocin, CStringGetDatum(str));
	error_context_stack = context.previous;
	return DatumGetObjectId(oid);
}

void
mls_function_check_callable(Oid function)
{
	AclResult result;

	if (!mls_is_model_function(function))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("%s is not a model function", format_procedure(function)),
				 errhint("Model functions are those of language ml_score.")));
	result = object_aclcheck(ProcedureRelationId, function, GetUserId(), ACL_EXECUTE);
	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FUNCTION, get_func_name(function));
}
