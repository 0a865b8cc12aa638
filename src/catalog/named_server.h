/*
 * named_server.h - servers that other servers' options name: the storage and the workspace of a batch server.
 *
 * The option says the name, so that a dump has it; the binding is a dependency in pg_depend, as of a model function on its
 * server. So DROP SERVER refuses or cascades, pg_dump writes the named server first, and its new name goes into the option.
 */
#ifndef MLS_NAMED_SERVER_H
#define MLS_NAMED_SERVER_H

#include "catalog/server.h"
#include "nodes/pg_list.h"

/* Bind a server to those that its options (DefElems) name, and to no others; what is not there yet is bound when it comes. */
extern void mls_named_server_bind(Oid serverid, List *options);

/*
 * A server of this type was created or altered, and is called name now: those bound to it are to say so, and those that
 * name it are bound to it.
 */
extern void mls_named_server_follow(Oid serverid, MlsServerType type, const char *name);

#endif
