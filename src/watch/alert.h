/*
 * alert.h - an alert that is being done.
 */
#ifndef MLS_ALERT_H
#define MLS_ALERT_H

#include "ml_score.h"

#include "transport/exchange.h"
#include "utils/jsonb.h"

typedef struct MlsAlert
{
	int64 id;
	Oid owner;
	char *event_id;
	Jsonb *payload;
	int attempts;  /* that failed before */
	char *channel; /* one of these four */
	char *webhook;
	char *statement;
	Jsonb *batch;
	char *search_path;
	char *time_zone;

	/* What became of it. */
	bool delivered;
	char *error;		  /* or why it is not */
	bool for_good;		  /* trying again is of no use */
	int64 retry_after_ms; /* or -1 */

	/* Of a webhook under way. */
	MlsExchange *exchange;
	char *secret;
	char *body;
} MlsAlert;

/*
 * Do what an alert says in the database, and note that it is done: NOTIFY, a statement, a batch job. As its owner, in a
 * transaction of its own.
 */
extern void mls_alert_do(MlsAlert *alert);

/* Send a webhook; in the current memory context, which lives on. Outside of a transaction. */
extern void mls_alert_send(MlsAlert *alert);

/* Wait for what became of it; gives the exchange back. */
extern void mls_alert_wait(MlsAlert *alert);

#endif
