/*
 * auth.h - who we are to an endpoint.
 *
 * The one seam between a server's auth option and a request: everything above asks for a header and never sees how it
 * was come by.
 */
#ifndef MLS_AUTH_H
#define MLS_AUTH_H

#include "catalog/server.h"
#include "datatype/timestamp.h"

typedef struct MlsAuthorization
{
	char *header;		  /* "Authorization: Bearer ...", palloc'd; NULL when there is none */
	TimestampTz renew_at; /* a newer one is to be had from then on; DT_NOEND: never */
} MlsAuthorization;

/* A header that the endpoint did not accept (401), and its WWW-Authenticate header or "". */
typedef struct MlsAuthRefusal
{
	const char *header;
	const char *challenge;
} MlsAuthRefusal;

/*
 * What userid shows to server. The mapping is userid's own, else PUBLIC's. After a refusal (else NULL) it is something
 * else if there is anything else to be had. May wait for the network. Raises INVALID_AUTHORIZATION_SPECIFICATION, with
 * the CREATE USER MAPPING to type, when there is no credential.
 */
extern MlsAuthorization mls_auth_get(const MlsServer *server, Oid userid, const MlsAuthRefusal *refusal);

#endif
