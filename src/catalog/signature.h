/*
 * signature.h - schemas to SQL: the types that fit an endpoint's inputs and outputs, and the function made of them.
 */
#ifndef MLS_SIGNATURE_H
#define MLS_SIGNATURE_H

#include "codec/schema.h"

/* The SQL type that carries field. */
extern char *mls_signature_type(const MlsField *field);

/* Why no function can be made of schema, a sentence; NULL when one can. */
extern char *mls_signature_obstacle(const MlsSchema *schema);

/*
 * The CREATE FUNCTION for schema, and in *signature name and input types, as regprocedure takes it. name is quoted
 * already.
 */
extern char *mls_signature_statement(const MlsSchema *schema, const char *name, const char *server_name,
									 char **signature);

/* The same to fill in by hand, for a hint. */
extern char *mls_signature_template(const char *name, const char *server_name);

#endif
