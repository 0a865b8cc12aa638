/*
 * reference.h - secrets that a user mapping does not hold but point to: env:NAME, file:PATH, keyvault:URL.
 */
#ifndef MLS_REFERENCE_H
#define MLS_REFERENCE_H

#include "catalog/server.h"

/* Does value name a place instead of being a secret? And a key vault, so that opening it may wait for the network? */
extern bool mls_reference_is(const char *value);
extern bool mls_reference_is_remote(const char *value);

/* NULL when value, which mls_reference_is, is well-formed; else what it must be, a whole sentence. */
extern char *mls_reference_check(const char *value);

/* A value of a user mapping's option, be it the secret itself or where it is. */
typedef struct MlsReference MlsReference;

/*
 * In a transaction: value, of userid's mapping for server; palloc'd in the current context. server and option (for messages)
 * must stay until it is opened. Raises INVALID_AUTHORIZATION_SPECIFICATION when there is no identity to open a key vault with.
 */
extern MlsReference *mls_reference_make(const MlsServer *server, Oid userid, const char *option, const char *value);

/*
 * The secret, palloc'd in the current context; the reference is used up. Needs no transaction. A key vault is asked as
 * the mapping's identity, and its answer kept for some minutes in the token cache. Raises INVALID_AUTHORIZATION_SPECIFICATION
 * when it cannot be read.
 */
extern char *mls_reference_open(MlsReference *reference);

/* The endpoint did not accept this secret: if it is the one that a key vault gave, it is read anew. In a transaction. */
extern void mls_reference_reject(const MlsReference *reference, const char *secret);

/* The content of a file of the server's machine without white space at its end, palloc'd. NULL when it cannot be read. */
extern char *mls_reference_read_file(const char *path);

#endif
