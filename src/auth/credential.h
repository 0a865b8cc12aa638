/*
 * credential.h - a user's credentials for a server: what the user mapping holds, and the tokens made of it.
 */
#ifndef MLS_CREDENTIAL_H
#define MLS_CREDENTIAL_H

#include "catalog/server.h"

/*
 * The option of userid's mapping for server, else of PUBLIC's when userid has none; palloc'd in the current context.
 * NULL when there is no mapping, or no such option in it. A secret: overwrite it after use where that is possible.
 */
extern char *mls_credential_option(const MlsServer *server, Oid userid, const char *option);

/* Has userid, or else PUBLIC, a mapping for server? */
extern bool mls_credential_has_mapping(const MlsServer *server, Oid userid);

#endif
