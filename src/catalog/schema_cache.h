/*
 * schema_cache.h - beside mls_schema_get (codec/schema.h): why there is no schema.
 */
#ifndef MLS_SCHEMA_CACHE_H
#define MLS_SCHEMA_CACHE_H

#include "codec/schema.h"

/* mls_schema_get; when it returns NULL, *reason is a sentence that says why. All palloc'd in the current context. */
extern const MlsSchema *mls_schema_get_reason(const MlsServer *server, Oid userid, char **reason);

#endif
