/*
 * function.h - a model function's catalog entry, in the shape that scoring needs.
 */
#ifndef MLS_FUNCTION_H
#define MLS_FUNCTION_H

#include "ml_score.h"

#include "access/htup.h"
#include "access/tupdesc.h"

typedef struct MlsFunction
{
	Oid fnoid;
	char *name; /* schema-qualified where needed, for messages */
	Oid owner;
	bool security_definer; /* calls go out as the owner */
	Oid serverid;
	char *server_name;
	bool strict;
	char volatility; /* PROVOLATILE_* */
	bool returns_set;
	int nargs;		  /* input arguments */
	char **arg_names; /* the model's input names */
	Oid *arg_types;
	Oid result_type;	   /* RECORDOID and named composites have result_desc too */
	char *result_name;	   /* of the only OUT column, or NULL */
	TupleDesc result_desc; /* several outputs, or NULL; blessed */
	int error_column;	   /* index of the "error text" column in result_desc, or -1 */
} MlsFunction;

/* Is fnoid a model function? Cheap: cached per backend, kept by syscache invalidation. */
extern bool mls_is_model_function(Oid fnoid);

/* Read fnoid's catalog entry; palloc'd in the current context. Raises what the validator would. */
extern MlsFunction *mls_function_load(Oid fnoid);

/*
 * Raise unless fnoid's definition is one of a model function. Returns the server that its body names; InvalidOid when
 * there is no such server and that is ok: while a dump is restored.
 */
extern Oid mls_function_check(Oid fnoid, bool missing_server_ok);

/* The body in a pg_proc tuple, without white space around it: a server's name; palloc'd. */
extern char *mls_function_body(HeapTuple tuple);

#endif
