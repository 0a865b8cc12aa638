/*
 * schema_cache.h - beside mls_schema_get (codec/schema.h): why there is no schema.
 */
#ifndef MLS_SCHEMA_CACHE_H
#define MLS_SCHEMA_CACHE_H

#include "codec/schema.h"

/* Why there is no schema. */
typedef struct MlsSchemaRefusal
{
	char *reason; /* a sentence; NULL when there is a schema */
	bool denied;  /* the endpoint did not accept the credential */
} MlsSchemaRefusal;

/* mls_schema_get; when it returns NULL, *refusal says why. All palloc'd in the current context. */
extern const MlsSchema *mls_schema_get_reason(const MlsServer *server, Oid userid, MlsSchemaRefusal *refusal);

#endif
