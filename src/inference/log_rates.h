/*
 * log_rates.h - the option log_function_rates: what share of its requests is logged of which function.
 *
 *	schema.function=RATE, ...
 *
 * Names as SQL writes them; functions of one name share an entry.
 */
#ifndef MLS_LOG_RATES_H
#define MLS_LOG_RATES_H

#include "catalog/server.h"

/* What is wrong with the option's value, as a sentence; or NULL. palloc'd. */
extern char *mls_log_rates_problem(const char *rates);

/* The share (0..1) of fnoid's requests to server that is logged. */
extern double mls_log_rates_of(const MlsServer *server, Oid fnoid);

/* Tell of the functions in server's option that no function of the server is called. */
extern void mls_log_rates_notice(const MlsServer *server);

#endif
