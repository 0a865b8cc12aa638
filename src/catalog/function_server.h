/*
 * function_server.h - the dependency of a model function on its server.
 */
#ifndef MLS_FUNCTION_SERVER_H
#define MLS_FUNCTION_SERVER_H

#include "ml_score.h"

/* The server that fnoid is bound to, or InvalidOid: it was restored before its server was there. */
extern Oid mls_function_server(Oid fnoid);

/* Bind fnoid to serverid (InvalidOid: to none) and to no other. */
extern void mls_function_bind(Oid fnoid, Oid serverid);

/* The server is called name now: let the bodies of the functions bound to it say so. */
extern void mls_function_follow_server(Oid serverid, const char *name);

#endif
