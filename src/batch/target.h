/*
 * target.h - lines of COPY's text format into a table, many at a time, the bad ones sorted out.
 */
#ifndef MLS_TARGET_H
#define MLS_TARGET_H

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

typedef struct MlsTarget MlsTarget;

/* A line could not be stored. Called in the transaction that stores the others. */
typedef void (*MlsTargetRefused)(int line, int sqlstate, const char *reason, void *arg);

/*
 * Open relid for lines with these columns. on_conflict: "update", "nothing" or NULL; conflict: the columns that tell
 * rows apart. In a transaction, as the role that must be able to insert. Raises when the target does not take them.
 */
extern MlsTarget *mls_target_open(Oid relid, char *const *columns, int ncolumns, const char *on_conflict,
								  char *const *conflict, int nconflict);

/*
 * Store n lines, whose beginnings (and the last one's end) are in starts. Lines that the table refuses go to refused,
 * or are raised when that is NULL. How many were stored.
 */
extern int64 mls_target_store(MlsTarget *target, StringInfo lines, const int *starts, int n, MlsTargetRefused refused,
							  void *arg);

/* The target's columns that a user may give values to, without those of except; palloc'd. */
extern List *mls_target_columns(Oid relid, char *const *except, int nexcept);

extern void mls_target_close(MlsTarget *target);

#endif
