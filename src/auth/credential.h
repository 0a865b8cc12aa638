/*
 * credential.h - a user's credentials for a server: what the user mapping holds, and the tokens made of it.
 */
#ifndef MLS_CREDENTIAL_H
#define MLS_CREDENTIAL_H

#include "auth/reference.h"

/*
 * The option of userid's mapping for server, else of PUBLIC's when userid has none; palloc'd in the current context.
 * NULL when there is no mapping, or no such option in it. Where the mapping points to a secret (env:, file:,
 * keyvault:) it is the secret; that may wait for the network, and raises INVALID_AUTHORIZATION_SPECIFICATION when it
 * cannot be read. Overwrite it after use (mls_secret_wipe).
 */
extern char *mls_credential_option(const MlsServer *server, Oid userid, const char *option);

/*
 * The two steps of that: the first reads the catalogs, the second is mls_reference_open, which may wait and needs no
 * transaction.
 */
extern MlsReference *mls_credential_find(const MlsServer *server, Oid userid, const char *option);

/* All options of that mapping as they stand in it (List of DefElem); NIL when there is none. */
extern List *mls_credential_options(const MlsServer *server, Oid userid);

/* Is the option there? */
extern bool mls_credential_has_option(const MlsServer *server, Oid userid, const char *option);

/* Has userid, or else PUBLIC, a mapping for server? */
extern bool mls_credential_has_mapping(const MlsServer *server, Oid userid);

/*
 * For a HINT: the statement that gives userid these options (List of char *), all of them with a new mapping, or those
 * that the mapping in force does not have; when it has all, one that changes them. palloc'd.
 */
extern char *mls_credential_hint(const MlsServer *server, Oid userid, List *options);

#endif
