/*
 * reference.h - secrets that a user mapping does not hold but point to: env:NAME, file:PATH, keyvault:URL.
 */
#ifndef MLS_REFERENCE_H
#define MLS_REFERENCE_H

#include "catalog/server.h"

/* Does value name a place instead of being a secret? */
extern bool mls_reference_is(const char *value);

/* NULL when value, which mls_reference_is, is well-formed; else what it must be, a whole sentence. */
extern char *mls_reference_check(const char *value);

/*
 * What value points to, palloc'd in the current context. A key vault is asked as userid's identity on server, and its
 * answer kept for some minutes in the token cache. Raises INVALID_AUTHORIZATION_SPECIFICATION when it cannot be read.
 * option: for messages.
 */
extern char *mls_reference_resolve(const MlsServer *server, Oid userid, const char *option, const char *value);

/*
 * The two steps of that for a key vault. The first reads the catalogs, and returns NULL when value points elsewhere; the second
 * asks the vault, overwrites the identity's secrets, and needs no transaction. server must stay in between.
 */
typedef struct MlsVaultSecret MlsVaultSecret;
extern MlsVaultSecret *mls_reference_vault(const MlsServer *server, Oid userid, const char *option, const char *value);
extern char *mls_reference_open_vault(MlsVaultSecret *secret);

/* Have what value points to read anew if it is this secret: the endpoint did not accept it. */
extern void mls_reference_rejected(const MlsServer *server, Oid userid, const char *value, const char *secret);

/* The content of a file of the server's machine without white space at its end, palloc'd. NULL when it cannot be read. */
extern char *mls_reference_read_file(const char *path);

#endif
