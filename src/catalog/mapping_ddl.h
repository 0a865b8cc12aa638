/*
 * mapping_ddl.h - user mappings as they are made and changed.
 */
#ifndef MLS_MAPPING_DDL_H
#define MLS_MAPPING_DDL_H

#include "ml_score.h"

/* Warn of options of this mapping, just made or changed, that its server will not use. */
extern void mls_mapping_check(Oid mapping);

/* Does a mapping for the server point to the server's environment, files or a key vault? Only a superuser made it so. */
extern bool mls_mapping_has_references(Oid serverid);

extern void mls_mapping_ddl_init(void);

#endif
