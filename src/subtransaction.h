/*
 * subtransaction.h - trying something that may raise.
 */
#ifndef MLS_SUBTRANSACTION_H
#define MLS_SUBTRANSACTION_H

#include "postgres.h"

/*
 * Have action(arg) run in a subtransaction, in the current memory context. NULL; or the error, palloc'd there, and nothing
 * of what action did to the database has happened. It is for the caller to tell which errors are to go on (ReThrowError).
 */
extern ErrorData *mls_try(void (*action)(void *arg), void *arg);

#endif
