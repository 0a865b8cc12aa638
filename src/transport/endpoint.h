/*
 * endpoint.h - an endpoint handle and an exchange, as the files of transport/ see them.
 */
#ifndef MLS_ENDPOINT_H
#define MLS_ENDPOINT_H

#include "auth/auth.h"
#include "transport/http.h"
#include "transport/shmem.h"

struct MlsEndpoint
{
	MemoryContext cxt; /* everything of the handle; its reset callback cuts what is on the wire */
	MlsServer *server;
	struct curl_slist *headers_anonymous; /* our own nodes in cxt, which libcurl only reads */
	struct curl_slist *headers_get;
	struct curl_slist *headers_post;
	Oid userid;
	MlsAuthorization authorization; /* in the lists of headers */
	uint32 auth_serial;				/* how many there were before */
	List *secrets;					/* char *, what must not show in a message */
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

typedef enum MlsExchangeKind
{
	MLS_EXCHANGE_SCORING,  /* POST of rows */
	MLS_EXCHANGE_DOCUMENT, /* GET of what the endpoint says of itself */
	MLS_EXCHANGE_REQUEST   /* any other */
} MlsExchangeKind;

struct MlsExchange
{
	MlsEndpoint *endpoint;
	MlsExchangeState state;
	MlsExchangeKind kind;
	bool elsewhere;		  /* to another host than the server's: neither its credential nor its breaker */
	bool send_credential; /* in the request's headers */
	bool idempotent;
	const char *method;
	char *url;
	const char *body; /* as it is sent */
	size_t len;
	int timeout_ms; /* of an attempt */
	int max_attempts;
	MlsRequestSpec *spec;	   /* of other requests, with strings of its own; else NULL */
	MemoryContext cxt;		   /* what spec is in */
	MemoryContext attempt_cxt; /* headers that spec's sign made for the attempt */
	char *compressed;		   /* what body points to when it was compressed here, else NULL */
	int rows;
	int attempt;	  /* 1 = first */
	int64 not_before; /* us */
	bool fresh_connection;
	uint32 auth_serial;		/* of the credential that the attempt carried */
	int renewals;			/* credentials that were not accepted */
	bool awaits_credential; /* while it waits: for a new one; transfer then has the refusal, if there was one */
	bool admitted;			/* the breaker let it begin */
	bool probing;			/* and waits to hear how it went */
	bool holds_slot;		/* of the limiter */
	int own_in_flight;		/* of the handle when the attempt began, itself included */
	int all_in_flight;		/* of all backends */
	uint32 tuner_step;		/* the tuner's at that time */
	MlsTransfer *transfer;	/* on the wire, or holding the reply */
	struct curl_slist id_header;
	char id_line[64]; /* x-ms-client-request-id, new for each attempt */
	MlsFailure *failure;
	MemoryContext failure_cxt;
	dlist_node node;		 /* among the endpoint's */
	dlist_node waiting_node; /* among the backend's waiting, in that state */
};

/* endpoint.c: get another credential; was_refused: with challenge. True if there is another. Waits; raises. */
extern bool mls_endpoint_renew(MlsEndpoint *endpoint, bool was_refused, const char *challenge);

/* endpoint.c: raises when no request may go to url. */
extern void mls_endpoint_check_url(const MlsServer *server, const char *url);

/* exchange.c: a blank exchange; and pump.c: have it on its way, at once if it may. */
extern MlsExchange *mls_exchange_make(MlsEndpoint *endpoint, MlsExchangeKind kind, const char *url);
extern void mls_exchange_begin(MlsExchange *exchange);

/* pump.c: exchange is in this state from now on; and has made its end, which whoever pumps is to hear of. */
extern void mls_exchange_enter(MlsExchange *exchange, MlsExchangeState state);
extern void mls_exchange_end(MlsExchange *exchange);

typedef enum MlsAdmission
{
	MLS_ADMISSION_GO,
	MLS_ADMISSION_ASK_AGAIN,	 /* at *ask_at */
	MLS_ADMISSION_WAIT_FOR_SLOT, /* until one comes free */
	MLS_ADMISSION_REFUSED		 /* until *ask_at */
} MlsAdmission;

#define MLS_SLOT_POLL_US (100 * 1000) /* how often one who waits for a slot asks again when nobody wakes it */

/*
 * admission.c: may exchange's next attempt go out now? If so it holds a slot afterwards; and give that back, telling the
 * next in line, in whatever backend.
 */
extern MlsAdmission mls_exchange_admit(MlsExchange *exchange, int64 now, int64 *ask_at);
extern void mls_exchange_give_slot(MlsExchange *exchange);

/*
 * attempt.c: put the next attempt on the wire; it came off it, which is the end of its exchange, or not yet. End exchange
 * without a request, the breaker being open; and as it was refused, there being no other credential.
 */
extern void mls_exchange_start_attempt(MlsExchange *exchange);
extern void mls_exchange_end_attempt(MlsExchange *exchange);
extern void mls_exchange_refuse(MlsExchange *exchange, int64 open_for_us);
extern void mls_exchange_end_refused(MlsExchange *exchange);

/* attempt.c: may exchange be sent with another credential? Give the attempt's reply back, if there is one. */
extern bool mls_exchange_may_renew(const MlsExchange *exchange);
extern void mls_exchange_drop_transfer(MlsExchange *exchange);

static inline bool
mls_exchange_is_scoring(const MlsExchange *exchange)
{
	return exchange->kind == MLS_EXCHANGE_SCORING;
}

/* compress.c: replace exchange's body by its gzip'd form, in the endpoint's context. */
extern void mls_exchange_compress(MlsExchange *exchange);

/*
 * account.c: an attempt that ended. For its handle's and everybody's counters; for the tuner, if it can learn from it; for
 * the breaker: did the endpoint answer at all? Another host's document says nothing of that.
 */
extern void mls_account_attempt(MlsExchange *exchange, const MlsDecision *decision);
extern void mls_account_tuner(MlsExchange *exchange, const MlsDecision *decision);
extern void mls_account_breaker(MlsExchange *exchange, const MlsDecision *decision);

/* request.c: the headers of an attempt of mls_exchange_request, but its id. */
extern struct curl_slist *mls_request_headers(MlsExchange *exchange);

/* exchange.c: give everything of an exchange back but its memory, at the end of its handle. Never raises. */
extern void mls_exchange_abandon(MlsExchange *exchange);

/* failure.c: what went wrong with exchange; palloc'd in the current context. */
extern MlsFailure *mls_failure_of_reply(const MlsExchange *exchange, const MlsDecision *decision);
extern MlsFailure *mls_failure_of_breaker(const MlsExchange *exchange, int64 open_for_ms);

/*
 * secret.c: overwrite the endpoint's secrets wherever text repeats them; true if it does. In what the reply's headers,
 * and libcurl, said. How many bytes a secret may take at most, as a reply may spell it.
 */
extern bool mls_secret_mask(const MlsEndpoint *endpoint, char *text, size_t len);
extern void mls_secret_mask_headers(const MlsExchange *exchange);
extern size_t mls_secret_longest(const MlsEndpoint *endpoint);

/* log.c: the request's line in the server log, if ml_score.log_requests asks for one. */
extern void mls_log_attempt(const MlsExchange *exchange, const MlsDecision *decision);

#endif
