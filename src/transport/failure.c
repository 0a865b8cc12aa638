/*
 * failure.c - faults in words: message, detail, hint, SQLSTATE, and what to quote to Azure's support.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "transport/endpoint.h"

/* So much of a reply's body is shown. */
#define EXCERPT_BYTES 500

static bool
is_plain_ascii(unsigned char c)
{
	return c >= 0x20 && c < 0x7f;
}

/*
 * Append text that came over the network: what is not printable or not UTF-8 becomes '?', white space one space, so that
 * it is safe in any encoding and in a log line.
 */
static void
append_foreign_text(StringInfo out, const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *) text;
	const unsigned char *end = p + len;
	bool unicode = GetDatabaseEncoding() == PG_UTF8;

	while (p < end)
	{
		int width = pg_utf_mblen(p);

		if (is_plain_ascii(*p))
			appendStringInfoChar(out, (char) *p++);
		else if (*p == '\n' || *p == '\r' || *p == '\t')
		{
			if (out->len > 0 && out->data[out->len - 1] != ' ')
				appendStringInfoChar(out, ' ');
			p++;
		}
		else if (unicode && width > 1 && p + width <= end && pg_utf8_islegal(p, width))
		{
			appendBinaryStringInfo(out, (const char *) p, width);
			p += width;
		}
		else
		{
			appendStringInfoChar(out, '?');
			p++;
			while (p < end && (*p & 0xc0) == 0x80)
				p++;
		}
	}
}

/* The first part of the reply's body, fit to be shown; NULL when there is nothing. */
static char *
excerpt(const MlsExchange *exchange)
{
	const MlsHttpReply *reply = &exchange->transfer->reply;
	size_t len = Min(reply->len, EXCERPT_BYTES);
	StringInfoData out;

	if (reply->len == 0)
		return NULL;

	/* What begins in the excerpt may end behind it. */
	mls_secret_mask(exchange->endpoint, reply->body, Min(reply->len, len + mls_secret_longest(exchange->endpoint)));
	while (len < reply->len && len > 0 && ((unsigned char) reply->body[len] & 0xc0) == 0x80)
		len--;
	initStringInfo(&out);
	append_foreign_text(&out, reply->body, len);
	if (len < reply->len)
		appendStringInfoString(&out, "...");
	return out.data;
}

/* The end of " after 12 ms" or " after 12 milliseconds" at text, or NULL. */
static const char *
skip_duration(const char *text)
{
	size_t digits;

	if (strncmp(text, " after ", 7) != 0)
		return NULL;
	text += 7;
	digits = strspn(text, "0123456789");
	text += digits;
	if (digits > 0 && strncmp(text, " milliseconds", 13) == 0)
		return text + 13;
	if (digits > 0 && strncmp(text, " ms", 3) == 0)
		return text + 3;
	return NULL;
}

/* What happened on the wire: our words where we set the limit, else libcurl's without durations, which vary. */
static char *
wire_detail(const MlsExchange *exchange)
{
	const MlsTransfer *transfer = exchange->transfer;
	const char *error = transfer->reply.error;
	const char *after = strstr(error, " after ");
	const char *rest = after == NULL ? NULL : skip_duration(after);
	StringInfoData out;

	if (transfer->reply.wire == MLS_WIRE_TIMEOUT)
		return psprintf("No complete reply came within %d ms", exchange->timeout_ms);
	if (transfer->reply.wire == MLS_WIRE_REPLY_TOO_LARGE)
		return psprintf("It is longer than ml_score.max_response_size, %d kB", mls_max_response_size);
	if (transfer->headers_too_large)
		return pstrdup("Its headers do not end");

	initStringInfo(&out);
	append_foreign_text(&out, error, rest == NULL ? strlen(error) : after - error);
	if (rest != NULL)
		append_foreign_text(&out, rest, strlen(rest));
	while (out.len > 0 && out.data[out.len - 1] == ' ')
		out.data[--out.len] = '\0';
	return out.data;
}

typedef struct Words
{
	const char *message; /* %s stands for the server's name */
	const char *hint;
} Words;

static Words
words_without_reply(MlsWire wire)
{
	switch (wire)
	{
		case MLS_WIRE_UNRESOLVED:
			return (Words){"could not resolve the host of server \"%s\"",
						   "Check the server's option url, and that this machine can resolve the name."};
		case MLS_WIRE_UNTRUSTED:
			return (Words){
				"could not verify the certificate of server \"%s\"",
				"If the endpoint has a certificate of a private authority, name that authority's file in the "
				"server's option ca_file. Check that the certificate is for the URL's host and has not expired."};
		case MLS_WIRE_TLS:
			return (Words){"could not establish TLS with server \"%s\"",
						   "The endpoint must speak TLS 1.2 or later on the URL's port."};
		case MLS_WIRE_CUT:
			return (Words){
				"server \"%s\" closed the connection before its reply was complete",
				"The model's process may have died: see the deployment's log. A smaller max_batch_rows may help."};
		case MLS_WIRE_TIMEOUT:
			return (Words){"server \"%s\" did not answer in time",
						   "Raise the server's option timeout, or lower max_batch_rows."};
		case MLS_WIRE_REPLY_TOO_LARGE:
			return (Words){"reply of server \"%s\" is too large",
						   "Lower max_batch_rows, or have a superuser raise ml_score.max_response_size."};
		case MLS_WIRE_MALFORMED:
			return (Words){"server \"%s\" sent a malformed HTTP reply",
						   "Check that the server's option url points to a scoring endpoint."};
		case MLS_WIRE_FORBIDDEN:
			return (Words){
				"requests to the address of server \"%s\" are not allowed",
				"The address is link-local or a cloud platform's metadata service. Change the server's option url."};
		case MLS_WIRE_LOCAL:
			return (Words){"could not send a request to server \"%s\"",
						   "Check the server's options url, ca_file and proxy."};
		default:
			return (Words){
				"could not connect to server \"%s\"",
				"Check that the endpoint is running, and the server's options url, proxy and connect_timeout."};
	}
}

/* Without a reply to a request that scores nothing; the rest is as for those that do. */
static Words
request_words_without_reply(MlsWire wire)
{
	switch (wire)
	{
		case MLS_WIRE_CUT:
			return (Words){"server \"%s\" closed the connection before its reply was complete",
						   "Run it again; if it stays so, see the log of the service or of what stands before it."};
		case MLS_WIRE_TIMEOUT:
			return (Words){"server \"%s\" did not answer in time", "Raise the server's option timeout."};
		case MLS_WIRE_REPLY_TOO_LARGE:
			return (Words){"reply of server \"%s\" is too large", "Have a superuser raise ml_score.max_response_size."};
		case MLS_WIRE_MALFORMED:
			return (Words){"server \"%s\" sent a malformed HTTP reply", "Check the server's option url."};
		default:
			return words_without_reply(wire);
	}
}

/* What a status says of a request that scores nothing. */
static Words
request_words_of_status(const MlsExchange *exchange, int status, const MlsDecision *decision)
{
	if (decision->throttled)
		return (Words){"server \"%s\" keeps refusing requests as too many", "Run it again later."};
	switch (status)
	{
		case 401:
			return exchange->send_credential
					   ? (Words){"server \"%s\" did not accept the credential",
								 "Check the server's option auth and the credential in the user mapping."}
					   : (Words){"server \"%s\" requires a credential, but none was sent",
								 "Check the server's option auth."};
		case 403:
			return (Words){"server \"%s\" denied access",
						   "The credential needs a role that may do this, and the service must allow this machine's "
						   "network."};
		case 404:
			return (Words){"server \"%s\" does not have what was asked for", "Check the server's option url."};
		case 407:
			return (Words){"the proxy of server \"%s\" wants authentication", "Check the server's option proxy."};
		case 408:
			return (Words){"server \"%s\" did not answer in time", "Run it again later."};
		case 409:
		case 412:
			return (Words){"server \"%s\" is not in the state that the request needs",
						   "Something else changed it, or is at work on it."};
		case 413:
			return (Words){"server \"%s\" refused a request as too large", "Send less at once."};
	}
	if (status >= 300 && status < 400)
		return (Words){"server \"%s\" redirects requests elsewhere",
					   "Redirects are not followed, so that no credential goes to another place. Set the server's "
					   "option url to the final address."};
	if (decision->kind == MLS_FAILURE_UNREACHABLE)
		return (Words){"server \"%s\" is not available", "Run it again later."};
	return (Words){"server \"%s\" refused the request", "The detail has what it says."};
}

/* What the model's own refusals come with, however they are wrapped. */
static const char rejected_hint[] =
	"Check the rows' values and the function's arguments against what the model expects: "
	"ml_score.describe() shows what the endpoint declares, the deployment's log says what failed.";

static Words
words_of_status(const MlsExchange *exchange, int status, const MlsDecision *decision)
{
	if (decision->throttled)
		return (Words){
			"server \"%s\" keeps refusing requests as too many",
			"Lower max_parallel_requests or set max_concurrent_requests or requests_per_second on the server, or "
			"give the deployment more instances."};
	switch (status)
	{
		case 401:
			if (exchange->elsewhere || exchange->endpoint->server->auth == MLS_AUTH_NONE)
				return (Words){"server \"%s\" requires a credential, but none was sent",
							   "Set the server's option auth to key, and give the key in a user mapping."};
			return (Words){"server \"%s\" did not accept the credential",
						   "Set the key or token with ALTER USER MAPPING; a token may have expired."};
		case 403:
			return (Words){
				"server \"%s\" denied access",
				"The credential needs a role that may score, and the endpoint must allow this machine's network."};
		case 404:
			return (Words){"server \"%s\" has no such endpoint or deployment",
						   "Check the server's options url and deployment, and that a deployment gets traffic."};
		case 407:
			return (Words){"the proxy of server \"%s\" wants authentication", "Check the server's option proxy."};
		case 408:
			return (Words){"the model of server \"%s\" did not answer in time",
						   "Lower max_batch_rows, or raise the deployment's request_timeout_ms."};
		case 409:
			return (Words){"server \"%s\" is busy with an operation on the endpoint",
						   "Wait until the deployment's update is done, then run the statement again."};
		case 413:
			return (Words){"server \"%s\" refused a request as too large", "Lower max_batch_rows or max_batch_bytes."};
		case 415:
			return (Words){"server \"%s\" does not take the request's content type",
						   "Check the server's option url; with compression, that the endpoint takes gzip."};
	}
	if (decision->kind == MLS_FAILURE_REJECTED)
		return (Words){"the model of server \"%s\" refused the request", rejected_hint};
	if (status >= 300 && status < 400)
		return (Words){
			"server \"%s\" redirects requests elsewhere",
			"Redirects are not followed, so that no credential goes to another place. Set the server's option "
			"url to the final address."};
	if (decision->kind == MLS_FAILURE_UNREACHABLE)
		return (Words){"server \"%s\" is not available",
					   "See the deployment's state and log, then run the statement again."};
	return (Words){"server \"%s\" answered with an unexpected HTTP status",
				   "Check that the server's option url points to a scoring endpoint."};
}

/* "HTTP status 424 (model: 400 Bad Request) after 3 attempts: body", as far as there is anything to say. */
static char *
status_detail(const MlsExchange *exchange)
{
	const MlsHttpReply *reply = &exchange->transfer->reply;
	char *body = excerpt(exchange);
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, "HTTP status %d", reply->status);
	if (reply->inner_status != 0)
	{
		appendStringInfo(&out, " (the model's: %d", reply->inner_status);
		if (reply->inner_reason[0] != '\0')
		{
			appendStringInfoChar(&out, ' ');
			append_foreign_text(&out, reply->inner_reason, strlen(reply->inner_reason));
		}
		appendStringInfoChar(&out, ')');
	}
	if (reply->redirect_host[0] != '\0')
	{
		appendStringInfoString(&out, " to host \"");
		append_foreign_text(&out, reply->redirect_host, strlen(reply->redirect_host));
		appendStringInfoChar(&out, '"');
	}
	if (exchange->attempt > 1)
		appendStringInfo(&out, " after %d attempts", exchange->attempt);
	if (body != NULL && reply->redirect_host[0] == '\0')
		appendStringInfo(&out, ": %s", body);
	else
		appendStringInfoChar(&out, '.');
	return out.data;
}

MlsFailure *
mls_failure_of_reply(const MlsExchange *exchange, const MlsDecision *decision)
{
	const MlsHttpReply *reply = &exchange->transfer->reply;
	MlsFailure *failure = palloc0(sizeof(MlsFailure));
	bool replied = reply->wire == MLS_WIRE_REPLY;
	Words words;
	StringInfoData message;

	if (exchange->kind == MLS_EXCHANGE_REQUEST)
		words = replied ? request_words_of_status(exchange, reply->status, decision)
						: request_words_without_reply(reply->wire);
	else
		words = replied ? words_of_status(exchange, reply->status, decision) : words_without_reply(reply->wire);
	initStringInfo(&message);
	appendStringInfo(&message, words.message, exchange->endpoint->server->name);
	failure->kind = decision->kind;
	failure->sqlstate = decision->sqlstate;
	failure->http_status = reply->status;
	failure->message = message.data;
	failure->hint = pstrdup(words.hint);
	if (replied)
		failure->detail = status_detail(exchange);
	else if (exchange->attempt > 1)
		failure->detail = psprintf("%s (after %d attempts).", wire_detail(exchange), exchange->attempt);
	else
		failure->detail = psprintf("%s.", wire_detail(exchange));
	if (reply->request_id[0] != '\0')
	{
		StringInfoData id;

		initStringInfo(&id);
		append_foreign_text(&id, reply->request_id, strlen(reply->request_id));
		failure->request_id = id.data;
	}
	return failure;
}

MlsFailure *
mls_failure_of_breaker(const MlsExchange *exchange, int64 open_for_ms)
{
	MlsEntry *entry = exchange->endpoint->entry;
	MlsFailure *failure = palloc0(sizeof(MlsFailure));
	char last_error[sizeof(entry->statistics.last_error)];

	SpinLockAcquire(&entry->mutex);
	memcpy(last_error, entry->statistics.last_error, sizeof(last_error));
	SpinLockRelease(&entry->mutex);

	failure->kind = MLS_FAILURE_CONFIGURATION;
	failure->sqlstate = ERRCODE_CONNECTION_FAILURE;
	failure->message = psprintf("server \"%s\" is not asked for now: it could not be reached several times in a row",
								exchange->endpoint->server->name);
	failure->detail =
		psprintf("It will be tried again in %d seconds.%s%s%s", (int) ((open_for_ms + 999) / 1000),
				 last_error[0] != '\0' ? " The last error was: " : "", last_error, last_error[0] != '\0' ? "." : "");
	failure->hint = pstrdup("Check that the endpoint is running; ml_score.stat_endpoint shows the server's state.");
	return failure;
}

void
mls_failure_raise(const MlsServer *server, const MlsFailure *failure)
{
	char *detail = failure->detail;

	if (failure->request_id != NULL)
		detail = psprintf("%s%sRequest id, for Azure's support: %s.", detail == NULL ? "" : detail,
						  detail == NULL ? "" : "\n", failure->request_id);
	ereport(ERROR, (errcode(failure->sqlstate), errmsg_internal("%s", failure->message),
					detail == NULL ? 0 : errdetail_internal("%s", detail),
					failure->hint == NULL ? 0 : errhint("%s", failure->hint)));
}
