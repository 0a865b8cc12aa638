/*
 * delegation.h - user delegation keys: what signs a SAS in the name of an Entra identity, where no account key is known.
 */
#ifndef MLS_DELEGATION_H
#define MLS_DELEGATION_H

#include "auth/token_cache.h"
#include "batch/blob.h"
#include "batch/blob_sign.h"

/* Whose key, of which account. */
typedef struct MlsDelegator MlsDelegator;

/* In a transaction: userid, as server knows it with auth 'entra', for the account at location. palloc'd. */
extern MlsDelegator *mls_delegator_open(const MlsServer *server, Oid userid, const MlsLocation *location);

/*
 * Its key: the cached one, or a new one that store's service is asked for. Signs for six days at least. Needs no
 * transaction; may wait for the network. palloc'd; overwrite value when it has signed. Raises when there is none to be
 * had, with the role that is missing.
 */
extern MlsDelegationKey *mls_delegation_key_get(MlsBlobStore *store, const MlsDelegator *delegator);

#endif
