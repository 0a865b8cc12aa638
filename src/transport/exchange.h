/*
 * exchange.h - requests with everything that makes them reliable.
 *
 * An exchange is one request to one endpoint and one reply: attempts, backoff, Retry-After, the limit over all
 * backends, the breaker, statistics and the request log happen in here. Faults never raise: they come back as a
 * failure that the caller may answer (cut the batch, give NULL) or hand to mls_failure_raise.
 */
#ifndef MLS_EXCHANGE_H
#define MLS_EXCHANGE_H

#include "catalog/server.h"
#include "nodes/pg_list.h"
#include "transport/share.h"

typedef struct MlsEndpoint MlsEndpoint;
typedef struct MlsExchange MlsExchange;

typedef enum MlsFailureKind
{
	MLS_FAILURE_NONE,
	MLS_FAILURE_UNREACHABLE,  /* DNS, refused, TLS, cut connections, attempts used up */
	MLS_FAILURE_TIMEOUT,	  /* no answer in time (also HTTP 408): a smaller batch may pass */
	MLS_FAILURE_TOO_LARGE,	  /* 413: a smaller batch may pass */
	MLS_FAILURE_REJECTED,	  /* the model refused this body (400, 424 or 500 of the model): some row is bad */
	MLS_FAILURE_CONFIGURATION /* 401, 403, 404, 409, redirects, breaker open, ...: no other body would fare better */
} MlsFailureKind;

typedef struct MlsFailure
{
	MlsFailureKind kind;
	int sqlstate;
	int http_status;  /* 0: none came */
	char *message;	  /* primary, without the server's name's quoting rules: ready for errmsg("%s") */
	char *detail;	  /* first part of the body, status line; or NULL */
	char *hint;		  /* or NULL */
	char *request_id; /* for Azure's support; or NULL */
} MlsFailure;

/* What one endpoint handle has done so far: a scan's EXPLAIN ANALYZE figures. Plain data, fits in shared memory. */
typedef struct MlsCounters
{
	int64 requests; /* attempts sent */
	int64 retries;
	int64 throttled;
	int64 failed; /* exchanges that ended in a failure */
	int64 rows;	  /* model rows sent */
	int64 bytes_sent;
	int64 bytes_received;
	int64 latency_us_sum; /* of attempts */
	int64 latency_us_min;
	int64 latency_us_max;
	int max_in_flight;
} MlsCounters;

/* Add what other handles have done. */
extern void mls_counters_add(MlsCounters *into, const MlsCounters *from);

/*
 * Talk to server as userid. Lives in the current memory context: when that goes, transfers are cut and shared slots
 * given back, whatever raised. Raises for missing credentials and refused hosts. May wait for a token; background work calls
 * it outside of a transaction, so that none is open meanwhile.
 */
extern MlsEndpoint *mls_endpoint_open(const MlsServer *server, Oid userid);

/*
 * Same for requests to other hosts on server's behalf (token services and the like), without a credential. secrets: what
 * no message may show, of all that is sent (List of char *; copied).
 */
extern MlsEndpoint *mls_endpoint_open_plain(const MlsServer *server, List *secrets);
extern const MlsServer *mls_endpoint_server(const MlsEndpoint *endpoint);

/* Overwrite secret, too, wherever a reply repeats it: for what is in no Authorization header. */
extern void mls_endpoint_hide(MlsEndpoint *endpoint, const char *secret);
extern MlsCounters *mls_endpoint_counters(MlsEndpoint *endpoint);

/* Is the request that goes out next one of the share (0..1)? All backends take turns, by count (MLS_SHARE_CANARY, ...). */
extern bool mls_endpoint_takes(MlsEndpoint *endpoint, int count, double share);

/* Count something that happened to a request of endpoint beside its scoring. */
typedef enum MlsSideNote
{
	MLS_NOTE_LOGGED,
	MLS_NOTE_LOG_DROPPED,
	MLS_NOTE_SHADOW_DROPPED
} MlsSideNote;
extern void mls_endpoint_note(MlsEndpoint *endpoint, MlsSideNote note);

/* Rows a batch, and requests of one scan in flight, as of now: the server's numbers, or what the tuner found. */
extern int mls_endpoint_batch_rows(MlsEndpoint *endpoint);
extern int mls_endpoint_parallel(MlsEndpoint *endpoint);

/*
 * Start an exchange: POST body (len bytes, palloc'd, kept by the caller until the exchange is freed) to the scoring
 * URL. rows: model rows in it. Never waits, never raises for network reasons. The exchange lives in the endpoint's
 * context until freed.
 */
extern MlsExchange *mls_exchange_post(MlsEndpoint *endpoint, const char *body, size_t len, int rows);

/* Same for GET of another document on the same server (swagger); not counted as scoring. */
extern MlsExchange *mls_exchange_get(MlsEndpoint *endpoint, const char *url);

typedef struct MlsRequestSpec MlsRequestSpec;

/*
 * Headers ("Name: value", palloc'd in the current context) that an attempt carries beside the others: those that depend
 * on the time, such as a signature. Called right before each attempt; must neither raise nor wait. id_header is the
 * attempt's "x-ms-client-request-id: ...", which is sent as well and may have to be signed.
 */
typedef List *(*MlsRequestSign)(const MlsRequestSpec *spec, const char *id_header, void *arg);

/* Any other request, for mls_exchange_request. Zero is the ordinary choice for all after url. */
struct MlsRequestSpec
{
	const char *method; /* GET, POST, PUT, HEAD, DELETE or PATCH */
	const char *url;
	const char *body; /* palloc'd, kept by the caller until the exchange is freed; or NULL */
	size_t len;
	List *headers; /* char *, "Name: value"; copied */
	MlsRequestSign sign;
	void *sign_arg;
	bool send_credential; /* the server's Authorization; url must have the origin of the server's url */
	bool idempotent;	  /* may be sent again though an earlier attempt may have been carried out */
	bool
		of_this_machine; /* auth/managed_identity.c's alone: an identity endpoint, whose address no other request may use */
	const char *thumbprint; /* same: SHA-1 of the certificate, in hex, that holds whoever signed it; or NULL */
	int timeout_ms;			/* of an attempt; 0: the server's */
	int max_attempts;		/* 0: the server's */
};

/*
 * Start an exchange of any kind; not counted as scoring. A status of 2xx is success, every other a failure after which
 * status, headers and body can be read all the same. A body is sent as it is, without a Content-Type unless headers
 * has one. What is not idempotent is repeated only when it cannot have been carried out: no connection, 429 or 503.
 * Raises for hosts where no request may go.
 */
extern MlsExchange *mls_exchange_request(MlsEndpoint *endpoint, const MlsRequestSpec *spec);

/* After done, of mls_exchange_request: the HTTP status, 0 when no reply came. */
extern int mls_exchange_status(const MlsExchange *exchange);

/* Same: the reply's header of this name, palloc'd in the current context; NULL when there is none. */
extern char *mls_exchange_header(const MlsExchange *exchange, const char *name);

/*
 * Same: a sentence about this machine's clock when the reply's own says that it is wrong by minutes, palloc'd; else NULL.
 * For hints about credentials that are good for some time only.
 */
extern char *mls_exchange_clock_hint(const MlsExchange *exchange);

/* Drive all exchanges until this one is done, so long, or as far as they go without waiting. */
extern void mls_exchange_wait(const MlsExchange *exchange);
extern void mls_exchange_sleep(int ms);
extern void mls_exchange_drive(void);

/* A version 4 UUID, palloc'd. */
extern char *mls_exchange_make_uuid(void);

extern bool mls_exchange_done(const MlsExchange *exchange);

/* After done: NULL and the body, or the failure. Both live until the exchange is freed. */
extern const MlsFailure *mls_exchange_failure(const MlsExchange *exchange);
extern const char *mls_exchange_body(const MlsExchange *exchange, size_t *len);

/* Overwrite the request's credential in the reply's body, of which something is to be shown. False if it is not in it. */
extern bool mls_exchange_mask_body(MlsExchange *exchange);

/* Overwrite the reply's body, which was a secret. */
extern void mls_exchange_wipe_body(MlsExchange *exchange);
extern const char *mls_exchange_request_id(const MlsExchange *exchange); /* or NULL */

/* The id that the last attempt was sent with, and how long it took (us); 0 when none was sent. */
extern const char *mls_exchange_client_id(const MlsExchange *exchange);
extern int64 mls_exchange_latency_us(const MlsExchange *exchange);

/* Drop it: an attempt on the wire is cut. */
extern void mls_exchange_free(MlsExchange *exchange);

/*
 * Drive every exchange of this backend. Without wait: do what can be done now. With wait: return once some exchange
 * made an end (or none is open). Cancel, statement_timeout and postmaster death act at once.
 */
extern void mls_exchange_pump(bool wait);

/* Raise failure as an error; context names the function for errcontext, may be NULL. */
pg_noreturn extern void mls_failure_raise(const MlsServer *server, const MlsFailure *failure);

extern void mls_transport_init(void); /* from _PG_init */

#endif
