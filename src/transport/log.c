/*
 * log.c - a line in the server log for each request, as ml_score.log_requests asks.
 */
#include "postgres.h"

#include "transport/endpoint.h"

void
mls_log_attempt(const MlsExchange *exchange, const MlsDecision *decision)
{
	const MlsHttpReply *reply = &exchange->transfer->reply;
	char outcome[CURL_ERROR_SIZE + 16];

	if (mls_log_requests == MLS_LOG_OFF || (mls_log_requests == MLS_LOG_FAILED && decision->verdict == MLS_VERDICT_OK))
		return;

	if (reply->wire == MLS_WIRE_REPLY)
		snprintf(outcome, sizeof(outcome), "status %d", reply->status);
	else
		snprintf(outcome, sizeof(outcome), "no reply (%s)", reply->error);

	/* The statement and its context may quote the rows. */
	ereport(LOG_SERVER_ONLY,
			(errmsg("ml_score request: server \"%s\", %d rows, %lld bytes out, %lld bytes in, %s, attempt %d, %.3f ms, "
					"request id %s",
					exchange->endpoint->server->name, exchange->rows, (long long) reply->bytes_sent,
					(long long) reply->bytes_received, outcome, exchange->attempt, reply->latency_us / 1000.0,
					reply->request_id[0] != '\0' ? reply->request_id : "none"),
			 errhidestmt(true), errhidecontext(true)));
}
