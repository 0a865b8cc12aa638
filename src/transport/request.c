/*
 * request.c - exchanges that score nothing: tokens, blobs, jobs, secrets, whatever is asked by HTTP.
 */
#include "postgres.h"

#include <time.h>

#include "transport/endpoint.h"
#include "utils/memutils.h"

/* Clocks that differ by less are no matter to anybody. */
#define CLOCK_TOLERANCE_S 240

/* Put a header in front of list, in the current context. */
static struct curl_slist *
push_header(struct curl_slist *list, char *line)
{
	struct curl_slist *node = palloc(sizeof(struct curl_slist));

	node->data = line;
	node->next = list;
	return node;
}

struct curl_slist *
mls_request_headers(MlsExchange *exchange)
{
	MlsEndpoint *endpoint = exchange->endpoint;
	const MlsRequestSpec *spec = exchange->spec;
	struct curl_slist *list = exchange->send_credential ? endpoint->headers_get : endpoint->headers_anonymous;
	MemoryContext old;
	ListCell *lc;

	if (exchange->attempt_cxt == NULL)
		exchange->attempt_cxt = AllocSetContextCreate(exchange->cxt, "ml_score attempt", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(exchange->attempt_cxt);
	old = MemoryContextSwitchTo(exchange->attempt_cxt);

	/* libcurl would say what it takes the body for, and ask leave (100-continue) before it sends a long one. */
	list = push_header(push_header(list, "Expect:"), "Content-Type:");
	foreach (lc, spec->headers)
		list = push_header(list, lfirst(lc));
	if (spec->sign != NULL)
		foreach (lc, spec->sign(spec, exchange->id_line, spec->sign_arg))
			list = push_header(list, lfirst(lc));
	MemoryContextSwitchTo(old);
	return list;
}

/* Raise unless line can be a header: what could end it would smuggle in another. */
static void
check_header(const MlsServer *server, const char *line)
{
	for (const char *c = line; *c != '\0'; c++)
		if ((unsigned char) *c < 0x20 || *c == 0x7f)
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("header of a request to server \"%s\" contains a control character", server->name));
}

/* A copy of spec with strings of its own, but the body, in exchange's context. */
static void
copy_spec(MlsExchange *exchange, const MlsRequestSpec *spec)
{
	MemoryContext old;
	ListCell *lc;

	exchange->cxt = AllocSetContextCreate(exchange->endpoint->cxt, "ml_score request", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(exchange->cxt);
	exchange->spec = palloc(sizeof(MlsRequestSpec));
	*exchange->spec = *spec;
	exchange->spec->method = pstrdup(spec->method);
	exchange->spec->url = exchange->url;
	exchange->spec->thumbprint = spec->thumbprint == NULL ? NULL : pstrdup(spec->thumbprint);
	exchange->spec->headers = NIL;
	foreach (lc, spec->headers)
	{
		check_header(exchange->endpoint->server, lfirst(lc));
		exchange->spec->headers = lappend(exchange->spec->headers, pstrdup(lfirst(lc)));
	}
	MemoryContextSwitchTo(old);
}

MlsExchange *
mls_exchange_request(MlsEndpoint *endpoint, const MlsRequestSpec *spec)
{
	MlsExchange *exchange;

	if (!spec->of_this_machine)
		mls_endpoint_check_url(endpoint->server, spec->url);
	exchange = mls_exchange_make(endpoint, MLS_EXCHANGE_REQUEST, spec->url);
	copy_spec(exchange, spec);
	if (spec->send_credential && exchange->elsewhere)
		elog(ERROR, "the credential of server \"%s\" would go to another host", endpoint->server->name);
	exchange->send_credential = spec->send_credential;
	exchange->method = exchange->spec->method;
	exchange->idempotent = spec->idempotent;
	exchange->body = spec->body;
	exchange->len = spec->len;
	if (spec->timeout_ms > 0)
		exchange->timeout_ms = spec->timeout_ms;
	if (spec->max_attempts > 0)
		exchange->max_attempts = spec->max_attempts;
	mls_exchange_begin(exchange);
	return exchange;
}

int
mls_exchange_status(const MlsExchange *exchange)
{
	return exchange->transfer == NULL ? 0 : exchange->transfer->reply.status;
}

char *
mls_exchange_header(const MlsExchange *exchange, const char *name)
{
	return exchange->transfer == NULL ? NULL : mls_reply_find_header(&exchange->transfer->reply, name);
}

char *
mls_exchange_clock_hint(const MlsExchange *exchange)
{
	char *date = mls_exchange_header(exchange, "Date");
	time_t theirs = date == NULL ? -1 : curl_getdate(date, NULL);
	long ahead = theirs < 0 ? 0 : (long) (time(NULL) - theirs);

	if (labs(ahead) < CLOCK_TOLERANCE_S)
		return NULL;
	return psprintf("This machine's clock is %ld s %s the service's: set it right.", labs(ahead),
					ahead > 0 ? "ahead of" : "behind");
}
