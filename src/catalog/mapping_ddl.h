/*
 * mapping_ddl.h - user mappings as they are made and changed.
 */
#ifndef MLS_MAPPING_DDL_H
#define MLS_MAPPING_DDL_H

#include "ml_score.h"

#include "nodes/pg_list.h"

/* Warn of options of this mapping, just made or changed, that its server will not use, or lacks. */
extern void mls_mapping_check(Oid mapping);

/* The same of a mapping's options to be, if the statement that changes them has brought this library in. */
extern void mls_mapping_check_first(List *options);

/* Does a mapping for the server point to the server's environment, files or a key vault? Only a superuser made it so. */
extern bool mls_mapping_has_references(Oid serverid);

extern void mls_mapping_ddl_init(void);

#endif
