/*
 * forward.h - which servers runs are sent to, and who may have them sent.
 */
#ifndef MLS_FORWARD_H
#define MLS_FORWARD_H

#include "ml_score.h"

/* Raise unless userid may send runs to the server: USAGE on it, SELECT on ml_score.run_metric. In a transaction. */
extern void mls_forward_check(const char *server_name, Oid userid);

#endif
