/*
 * function_arg.h - functions as arguments of our SQL functions.
 */
#ifndef MLS_FUNCTION_ARG_H
#define MLS_FUNCTION_ARG_H

#include "ml_score.h"

/*
 * The function that text names: a name, schema-qualified or not, that stands for one function, or a signature as
 * regprocedure takes it. Raises UNDEFINED_FUNCTION, AMBIGUOUS_FUNCTION, or what the syntax asks for.
 */
extern Oid mls_function_of_text(const text *name);

/* Raise unless function is a model function that the current user may call. */
extern void mls_function_check_callable(Oid function);

#endif
