/*
 * endpoint.h - an endpoint handle and an exchange, as the files of transport/ see them.
 */
#ifndef MLS_ENDPOINT_H
#define MLS_ENDPOINT_H

#include "transport/http.h"
#include "transport/shmem.h"

struct MlsEndpoint
{
	MemoryContext cxt; /* everything of the handle; its reset callback cuts what is on the wire */
	MlsServer *server;
	struct curl_slist *headers_anonymous; /* our own nodes in cxt, which libcurl only reads */
	struct curl_slist *headers_get;
	struct curl_slist *headers_post;
	char *credential; /* what must not show in a message, or NULL */
	MlsEntry *entry;
	MlsTuner *tuner; /* in entry; NULL when both settings are numbers */
	MlsCounters counters;
	dlist_head exchanges;
	int in_flight;	 /* of this handle; each holds a slot of the entry's limiter */
	dlist_node node; /* among the backend's open handles */
	MemoryContextCallback callback;
};

typedef enum MlsExchangeState
{
	MLS_EXCHANGE_WAITING, /* for its time, the breaker, a slot */
	MLS_EXCHANGE_ON_WIRE,
	MLS_EXCHANGE_DONE
} MlsExchangeState;

struct MlsExchange
{
	MlsEndpoint *endpoint;
	MlsExchangeState state;
	bool scoring;	/* POST of rows; else GET of a document */
	bool anonymous; /* another host's document: no credential goes there */
	char *url;
	const char *body; /* as it is sent */
	size_t len;
	char *compressed; /* what body points to when it was compressed here, else NULL */
	int rows;
	int attempt;	  /* 1 = first */
	int64 not_before; /* us */
	bool fresh_connection;
	bool admitted;		   /* the breaker let it begin */
	bool probing;		   /* and waits to hear how it went */
	bool holds_slot;	   /* of the limiter */
	int own_in_flight;	   /* of the handle when the attempt began, itself included */
	int all_in_flight;	   /* of all backends */
	uint32 tuner_step;	   /* the tuner's at that time */
	MlsTransfer *transfer; /* on the wire, or holding the reply */
	struct curl_slist id_header;
	char id_line[64]; /* x-ms-client-request-id, new for each attempt */
	MlsFailure *failure;
	MemoryContext failure_cxt;
	dlist_node node;		 /* among the endpoint's */
	dlist_node waiting_node; /* among the backend's waiting, in that state */
};

/* endpoint.c: raises when no request may go to url. */
extern void mls_endpoint_check_url(const MlsServer *server, const char *url);

/* exchange.c: give everything of an exchange back but its memory, at the end of its handle. Never raises. */
extern void mls_exchange_abandon(MlsExchange *exchange);

/* failure.c: what went wrong with exchange; palloc'd in the current context. */
extern MlsFailure *mls_failure_of_reply(const MlsExchange *exchange, const MlsDecision *decision);
extern MlsFailure *mls_failure_of_breaker(const MlsExchange *exchange, int64 open_for_ms);

/*
 * secret.c: overwrite the endpoint's credential wherever text repeats it; true if it does. The other: in what the reply's
 * headers, and libcurl, said.
 */
extern bool mls_secret_mask(const MlsEndpoint *endpoint, char *text, size_t len);
extern void mls_secret_mask_headers(const MlsExchange *exchange);

/* log.c: the request's line in the server log, if ml_score.log_requests asks for one. */
extern void mls_log_attempt(const MlsExchange *exchange, const MlsDecision *decision);

#endif
