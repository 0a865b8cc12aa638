/*
 * purge.h - how old what is removed has to be: the argument older_than of the functions that do so.
 */
#ifndef MLS_PURGE_H
#define MLS_PURGE_H

#include "ml_score.h"

#include "datatype/timestamp.h"
#include "fmgr.h"

/* The first argument, an interval. Raises when it is NULL, or negative: what is yet to come cannot be removed. */
extern Interval *mls_purge_age(FunctionCallInfo fcinfo);

#endif
