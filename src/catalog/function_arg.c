/*
 * function_arg.c - functions as arguments of our SQL functions: also by name alone, which regprocedure does not take.
 */
#include "catalog/function_arg.h"

#include "utils/builtins.h"

Oid
mls_function_of_text(const text *name)
{
	char *str = text_to_cstring(name);
	Datum oid;

	if (strchr(str, '('))
		oid = DirectFunctionCall1(regprocedurein, CStringGetDatum(str));
	else
		oid = DirectFunctionCall1(regprocin, CStringGetDatum(str));
	return DatumGetObjectId(oid);
}
