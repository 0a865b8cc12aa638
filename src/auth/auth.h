/*
 * auth.h - who we are to an endpoint.
 *
 * The one seam between a server's auth option and a request: everything above asks for a header and never sees how it
 * was come by.
 */
#ifndef MLS_AUTH_H
#define MLS_AUTH_H

#include "catalog/server.h"

/*
 * The Authorization header ("Authorization: Bearer ...") with which userid may talk to server, palloc'd in the current
 * context; NULL for auth 'none'. The mapping is userid's own, else PUBLIC's. Raises
 * INVALID_AUTHORIZATION_SPECIFICATION, with the CREATE USER MAPPING to type, when there is none.
 */
extern char *mls_auth_header(const MlsServer *server, Oid userid);

#endif
