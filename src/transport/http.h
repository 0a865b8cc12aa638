/*
 * http.h - HTTP transfers of this backend: one attempt each, nothing known of retries or of rows.
 *
 * One curl multi handle is kept for the backend's life, so that connections, TLS sessions and resolved names outlive
 * statements. Nobody but http.c and reply.c calls libcurl. Nothing in here raises for network reasons.
 */
#ifndef MLS_HTTP_H
#define MLS_HTTP_H

#include <curl/curl.h>

#include "lib/ilist.h"
#include "transport/retry.h"

/* What to send. Everything pointed to must stay until the transfer is released. */
typedef struct MlsHttpRequest
{
	const MlsServer *server; /* connect_timeout, ca_file, proxy, compression */
	const char *url;
	const char *method;
	const char *body; /* of POST, PUT, PATCH and DELETE; NULL: none */
	size_t len;
	struct curl_slist *headers;
	int timeout_ms;
	bool of_this_machine;	/* may go to a link-local address, and not through a proxy */
	const char *thumbprint; /* of the certificate to accept, and no other; or NULL */
	bool keep_headers;		/* the reply's, for mls_reply_find_header */
	bool fresh_connection;	/* not one that was used before */
} MlsHttpRequest;

/* What came back. The strings are empty when there was nothing. */
typedef struct MlsHttpReply
{
	MlsWire wire;
	int status;
	int inner_status;
	char inner_reason[128];
	bool run_function_failed;
	int64 retry_after_ms; /* or -1 */
	char request_id[128];
	char redirect_host[256];
	char challenge[2048];		 /* WWW-Authenticate */
	char error[CURL_ERROR_SIZE]; /* libcurl's words when the wire did not hold */
	bool reused_connection;
	bool stalled;	  /* timed out while this backend was not looking (an idle cursor) */
	int64 latency_us; /* from start to end */
	int64 service_us; /* the same without the time to connect */
	int64 bytes_sent; /* of body */
	int64 bytes_received;
	char *body; /* malloc'd, a NUL behind it; NULL when empty */
	size_t len;
	size_t capacity;
	char *headers; /* malloc'd, the last reply's lines as they came, when they are kept; else NULL */
	size_t headers_len;
	size_t header_bytes;
	int64 retry_after_s_ms; /* from Retry-After; retry_after_ms has the winner at the end */
} MlsHttpReply;

typedef struct MlsTransfer
{
	CURL *easy;
	void *owner;
	bool on_wire;
	bool forbidden; /* the address was refused while connecting */
	bool body_too_large;
	bool headers_too_large;
	bool out_of_memory;
	bool keep_headers;
	bool of_this_machine;
	size_t body_limit;
	int64 started_at; /* us, monotonic */
	MlsHttpReply reply;
	slist_node node; /* among the idle or the finished */
} MlsTransfer;

/* Send request; the transfer's end shows in mls_http_next_finished. owner is for the caller. */
extern MlsTransfer *mls_http_start(const MlsHttpRequest *request, void *owner);

/* Give a transfer back: an unfinished one is cut, its connection closed. Its reply goes with it. */
extern void mls_http_release(MlsTransfer *transfer);

/* Do what can be done without waiting. */
extern void mls_http_drive(void);

/* A transfer that came to an end since the last time, or NULL. */
extern MlsTransfer *mls_http_next_finished(void);

extern bool mls_http_has_finished(void);

/*
 * Wait for the network, the latch or timeout_ms (-1: no limit), then drive. Serves interrupts, so it may raise.
 */
extern void mls_http_wait(long timeout_ms);

/* Do both URLs have the same scheme, host and port? */
extern bool mls_http_same_origin(const char *url, const char *other);

/* Is it the address of a cloud platform's metadata service, or may it be? Safe in any thread. */
extern bool mls_http_forbids(const struct sockaddr *address);

/* Microseconds on a clock that never jumps. */
extern int64 mls_http_now(void);

/* reply.c: libcurl's callbacks, which fill transfer->reply; no palloc, no ereport. */
extern void mls_reply_reset(MlsTransfer *transfer);
extern void mls_reply_finish(MlsTransfer *transfer, CURLcode code);
extern char *mls_reply_find_header(const MlsHttpReply *reply, const char *name); /* palloc'd, or NULL */
extern size_t mls_reply_header(char *line, size_t size, size_t nitems, void *transfer);
extern size_t mls_reply_body(char *data, size_t size, size_t nmemb, void *transfer);

#endif
