/*
 * function_arg.c - functions as arguments of our SQL functions: also by name alone, which regprocedure does not take.
 */
#include "catalog/function_arg.h"

#include "utils/builtins.h"

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
