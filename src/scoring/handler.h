/*
 * handler.h - the language's call handler, for calls that no scan batches.
 */
#ifndef MLS_HANDLER_H
#define MLS_HANDLER_H

#include "ml_score.h"

extern PGDLLEXPORT Datum mls_call_handler(PG_FUNCTION_ARGS);

#endif
