/*
 * uses.h - who uses a server or a role without PostgreSQL knowing: streams, batch jobs, destinations, events to be sent.
 *
 * They name servers, so that a dump has them. A server or a role that one of them needs cannot be dropped, as if it were a
 * dependency, and a server's new name is theirs, too. Only this database is looked at; and only where the library is
 * loaded, as it is everywhere when it is preloaded, without which none of them does anything.
 */
#ifndef MLS_USES_H
#define MLS_USES_H

#include "postgres.h"

#include "nodes/parsenodes.h"

/* Does the statement name the extension, or its schema, among what it drops? */
extern bool mls_uses_names_extension(const DropStmt *statement);

/* From _PG_init. */
extern void mls_uses_init(void);

#endif
