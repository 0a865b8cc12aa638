/*
 * scope.h - what tokens are asked for, and the names of what is asked about. Pure.
 */
#ifndef MLS_SCOPE_H
#define MLS_SCOPE_H

#define MLS_SCOPE_MANAGEMENT "https://management.azure.com/.default"
#define MLS_SCOPE_VAULT "https://vault.azure.net/.default"

/* Is scope a resource followed by "/.default"? */
extern bool mls_scope_has_resource(const char *scope);

/* The resource of such a scope, as identity endpoints want it; palloc'd. */
extern char *mls_scope_resource(const char *scope);

/* Is id the ARM id of an online endpoint? */
extern bool mls_arm_id_is_endpoint(const char *id);

#endif
