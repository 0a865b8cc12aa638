/*
 * history.h - the run-history API of a workspace.
 */
#ifndef MLS_HISTORY_H
#define MLS_HISTORY_H

#include "catalog/server.h"
#include "nodes/pg_list.h"
#include "runs/run_facts.h"
#include "transport/exchange.h"

/* A run that was asked for. */
typedef struct MlsHistoryRun
{
	char *run_id;	  /* in the server's encoding, as the others */
	char *experiment; /* its name */
	MlsExchange *run;
	MlsExchange *details;
	MlsRunFacts facts;	 /* what was answered */
	List *logs;			 /* of MlsHistoryLog */
	List *children;		 /* of MlsHistoryChild: of a pipeline run that is over */
	const char *problem; /* or why there is no answer; NULL: none */
	bool is_missing;	 /* because the history does not know the run */
} MlsHistoryRun;

/* A log file of a run, and where it is read without further credentials: names and URLs in the server's encoding. */
typedef struct MlsHistoryLog
{
	char *name;
	char *url;
} MlsHistoryLog;

/* A step that a pipeline run lists. */
typedef struct MlsHistoryChild
{
	char *run_id;
	MlsRunFacts facts;
} MlsHistoryChild;

/* Send the requests for a run; server is of TYPE 'workspace'. Raises where no request may go. */
extern void mls_history_ask(MlsEndpoint *endpoint, MlsHistoryRun *run);

/*
 * Wait for the answers, and ask for a pipeline's children; what comes of it is in run, palloc'd in the current context.
 * Needs no transaction. as_of: now, in microseconds since 2000-01-01 UTC.
 */
extern void mls_history_read(MlsEndpoint *endpoint, MlsHistoryRun *run, int64 as_of);

#endif
