/*
 * action.h - what actions do, as statements and requests.
 */
#ifndef MLS_ACTION_H
#define MLS_ACTION_H

#include "ml_score.h"

#include "catalog/server.h"
#include "utils/jsonb.h"

/* The call of ml_score.submit_batch with these arguments, an object; palloc'd. */
extern char *mls_action_batch_call(Jsonb *arguments);

/* The named server of TYPE 'webhook', which userid may use; raises. In a transaction. */
extern MlsServer *mls_action_webhook(const char *name, Oid userid);

#endif
