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

/* What is to be done to come by an authorization, once the catalogs are read. */
typedef struct MlsAuthPlan MlsAuthPlan;

/*
 * In a transaction: how userid shows who it is to server, which must stay. The mapping is userid's own, else PUBLIC's. After a
 * refusal (else NULL) it is something else if there is anything else to be had. palloc'd in the current context. Raises
 * INVALID_AUTHORIZATION_SPECIFICATION, with the CREATE USER MAPPING to type, when there is no credential.
 */
extern MlsAuthPlan *mls_auth_plan(const MlsServer *server, Oid userid, const MlsAuthRefusal *refusal);

/*
 * What the plan comes to, in the current context; the plan is used up. May wait for the network, and needs no transaction.
 * Raises INVALID_AUTHORIZATION_SPECIFICATION or CONNECTION_FAILURE when it cannot be had.
 */
extern MlsAuthorization mls_auth_take(MlsAuthPlan *plan);

#endif
