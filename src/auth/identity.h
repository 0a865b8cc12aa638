/*
 * identity.h - as whom a server is talked to, and the tokens that prove it.
 *
 * An identity is loaded once, which reads the catalogs; its tokens may then be asked for again and again, also where
 * there is no transaction.
 */
#ifndef MLS_IDENTITY_H
#define MLS_IDENTITY_H

#include "auth/token_cache.h"
#include "catalog/server.h"

typedef struct MlsIdentity
{
	MlsServer *server; /* as requests to Azure's services need it: no url, their CA file */
	MlsCredential credential;
	char *authority; /* URL without a slash at the end */
	char *tenant_id; /* the user mapping's; NULL where the environment says */
	char *client_id;
	char *secret;	/* client_secret or client_certificate */
	char *password; /* of the certificate's key; or NULL */
} MlsIdentity;

/* What an identity may be used with: a token. Overwrite bearer (mls_secret_wipe) when it is not needed any more. */
typedef struct MlsToken
{
	char *bearer;
	TimestampTz expires_at;
	TimestampTz refresh_at; /* a newer one is to be had from then on */
	char *principal;		/* who it is, as far as we know: a client id */
} MlsToken;

/* A token that was not accepted, and what the service said with that. */
typedef struct MlsTokenRefusal
{
	const char *bearer;
	const char *claims; /* what a new one must prove (a JSON text), or NULL */
} MlsTokenRefusal;

/*
 * Who userid is to server. palloc'd in the current context. Raises INVALID_AUTHORIZATION_SPECIFICATION when the server
 * has no credential, or the user mapping not what it needs.
 */
extern MlsIdentity *mls_identity_load(const MlsServer *server, Oid userid);

/* Overwrite its secrets. */
extern void mls_identity_wipe(MlsIdentity *identity);

/* The cache's key for what this identity gets: kind, and which. */
extern MlsCacheKey mls_identity_key(const MlsIdentity *identity, const char *kind, const char *what);

/* Who it is, for people: a client id, or words. */
extern const char *mls_identity_principal(const MlsIdentity *identity);

/* The scope that server's type needs, or its option says; palloc'd. */
extern char *mls_identity_scope(const MlsServer *server);

/*
 * A token for scope: the cached one, or a new one. After a refusal, one that is not the refused. Needs no transaction.
 * Raises INVALID_AUTHORIZATION_SPECIFICATION or CONNECTION_FAILURE when there is none to be had.
 */
extern MlsToken mls_identity_token(const MlsIdentity *identity, const char *scope, const MlsTokenRefusal *refusal);

/* Same without raising: see outcome. */
extern void mls_identity_fetch(const MlsIdentity *identity, const char *scope, const MlsTokenRefusal *refusal,
							   MlsFetch *fetch);

/* Raise the failed fetch of what ("a token") for server. */
pg_noreturn extern void mls_fetch_raise(const MlsServer *server, const char *what, const MlsFetch *fetch);

/* Both steps at once: a token with which userid may use server. scope NULL: the server's. */
extern MlsToken mls_token_get(const MlsServer *server, Oid userid, const char *scope);

/* bearer was not accepted: nobody gets it any more. */
extern void mls_token_rejected(const MlsServer *server, Oid userid, const char *scope, const char *bearer);

#endif
