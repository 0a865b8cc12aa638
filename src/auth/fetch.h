/*
 * fetch.h - the ways to come by a token, and what they have in common. Each fills an MlsFetch and does not raise for
 * what others do or fail to do.
 */
#ifndef MLS_FETCH_H
#define MLS_FETCH_H

#include "auth/identity.h"
#include "transport/exchange.h"

/* entra.c: the token endpoint of Microsoft Entra. claims: or NULL. */
extern void mls_entra_fetch(const MlsIdentity *identity, const char *scope, const char *claims, MlsFetch *fetch);

/* managed_identity.c. probe: first see, quickly, whether there is a metadata service at all. */
extern void mls_managed_identity_fetch(const MlsIdentity *identity, const char *scope, bool probe, MlsFetch *fetch);

/* azure_cli.c. The first looks at the setting only, and fills fetch when it is off. */
extern bool mls_azure_cli_allowed(MlsFetch *fetch);
extern void mls_azure_cli_fetch(const MlsIdentity *identity, const char *scope, MlsFetch *fetch);

/* credential_chain.c: environment, workload identity, managed identity, Azure CLI. */
extern void mls_credential_chain_fetch(const MlsIdentity *identity, const char *scope, MlsFetch *fetch);

/*
 * fetch.c: send a request with an endpoint handle made for it, and wait. The exchange lives in the current context, as
 * does the handle. secrets: strings that no message may show (List of char *).
 */
extern MlsExchange *mls_fetch_send(const MlsIdentity *identity, const MlsRequestSpec *spec, List *secrets);

/*
 * fetch.c: the same as identity, with a token for scope; one that is not accepted is replaced once. NULL, with fetch filled
 * in, when there is no token. what: who is asked, for messages.
 */
extern MlsExchange *mls_fetch_as(const MlsIdentity *identity, const char *scope, const MlsRequestSpec *spec,
								 const char *what, MlsFetch *fetch);

/* Read a token reply, which exchange brought, or its failure, into fetch. source: a constant that names who gave it. */
extern void mls_fetch_read(MlsExchange *exchange, const char *source, MlsFetch *fetch);

/* The failure of exchange into fetch. */
extern void mls_fetch_fail(const MlsExchange *exchange, MlsFetch *fetch);

/* A way that is not there, or a failure of our own; detail is a whole sentence. */
extern void mls_fetch_unavailable(MlsFetch *fetch, char *detail);
extern void mls_fetch_refuse(MlsFetch *fetch, char *detail, const char *hint);

/* An environment variable of the server's process; NULL when it is not set or empty. */
extern const char *mls_fetch_env(const char *name);

#endif
