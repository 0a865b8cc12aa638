/*
 * prefetch.h - what a credential needs from the network, fetched where no transaction is open.
 *
 * A user mapping is read in a transaction, and may point to a key vault or stand for a token. Background work first plans,
 * in a transaction, what that will ask for, then fetches it outside into the token cache, and then reads the mapping.
 */
#ifndef MLS_PREFETCH_H
#define MLS_PREFETCH_H

#include "catalog/server.h"

typedef struct MlsPrefetch MlsPrefetch;

/* What is to be fetched before userid's credential for server is read; palloc'd in the current context. In a transaction. */
extern MlsPrefetch *mls_prefetch_plan(const MlsServer *server, Oid userid);

/*
 * Fetch it, and overwrite the secrets in the plan. Needs no transaction. Raises as reading a key vault's secret does; of a
 * token that is not to be had its user is told.
 */
extern void mls_prefetch_run(MlsPrefetch *prefetch);

#endif
