/*
 * reply.c - what comes back over a transfer: libcurl's callbacks for headers and body, and the reading of its end.
 *
 * The callbacks run inside libcurl, so they neither palloc nor raise: buffers are malloc'd and capped, faults are flags.
 */
#include "postgres.h"

#include <time.h>

#include "transport/http.h"

/* libcurl's word for a header line that does not end. */
#if LIBCURL_VERSION_NUM >= 0x080600
#define LINE_TOO_LARGE CURLE_TOO_LARGE
#else
#define LINE_TOO_LARGE CURLE_OUT_OF_MEMORY
#endif

/* More headers than this are an attack or a mistake. */
#define MAX_HEADER_BYTES (256 * 1024)

/* A buffer that grew over this is not kept for the next reply. */
#define MAX_KEPT_BODY (1024 * 1024)

#define FIRST_BODY_CAPACITY (16 * 1024)

/* Make transfer's reply blank, keeping a body buffer of decent size. */
void
mls_reply_reset(MlsTransfer *transfer)
{
	MlsHttpReply *reply = &transfer->reply;
	char *body = reply->body;
	size_t capacity = reply->capacity;

	if (capacity > MAX_KEPT_BODY)
	{
		free(body);
		body = NULL;
		capacity = 0;
	}
	free(reply->headers);
	memset(reply, 0, sizeof(*reply));
	reply->retry_after_ms = -1;
	reply->retry_after_s_ms = -1;
	reply->body = body;
	reply->capacity = capacity;
	transfer->forbidden = false;
	transfer->body_too_large = false;
	transfer->headers_too_large = false;
	transfer->out_of_memory = false;
}

/* Does the header line start with name and a colon? If so its trimmed value goes to value, '?' for what is not ASCII. */
static bool
header_is(const char *line, size_t len, const char *name, char *value, size_t value_size)
{
	size_t name_len = strlen(name);
	const char *start;
	const char *end = line + len;

	if (len <= name_len || line[name_len] != ':' || pg_strncasecmp(line, name, name_len) != 0)
		return false;
	start = line + name_len + 1;
	while (start < end && (*start == ' ' || *start == '\t'))
		start++;
	while (end > start && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t'))
		end--;
	len = Min((size_t) (end - start), value_size - 1);
	for (size_t i = 0; i < len; i++)
		value[i] = start[i] >= 0x20 && start[i] < 0x7f ? start[i] : '?';
	value[len] = '\0';
	return true;
}

static void
read_header(MlsHttpReply *reply, const char *line, size_t len)
{
	char value[128];

	if (header_is(line, len, "retry-after-ms", value, sizeof(value)) ||
		header_is(line, len, "x-ms-retry-after-ms", value, sizeof(value)))
		reply->retry_after_ms = mls_retry_after_ms_parse(value);
	else if (header_is(line, len, "retry-after", value, sizeof(value)))
		reply->retry_after_s_ms = mls_retry_after_parse(value, (int64) time(NULL));
	else if (header_is(line, len, "x-ms-request-id", value, sizeof(value)))
		strlcpy(reply->request_id, value, sizeof(reply->request_id));
	else if (header_is(line, len, "x-request-id", value, sizeof(value)))
	{
		if (reply->request_id[0] == '\0')
			strlcpy(reply->request_id, value, sizeof(reply->request_id));
	}
	else if (header_is(line, len, "x-ms-run-function-failed", value, sizeof(value)))
		reply->run_function_failed = pg_strcasecmp(value, "true") == 0;
	else if (header_is(line, len, "www-authenticate", reply->challenge, sizeof(reply->challenge)))
		return;
	else if (header_is(line, len, "ms-azureml-model-error-statuscode", value, sizeof(value)))
		reply->inner_status = atoi(value);
	else if (header_is(line, len, "ms-azureml-model-error-reason", value, sizeof(value)))
		strlcpy(reply->inner_reason, value, sizeof(reply->inner_reason));
}

/* Append line to the headers that are kept; those of an interim reply (100) go. */
static bool
keep_header(MlsHttpReply *reply, const char *line, size_t len)
{
	char *headers;

	if (len > 5 && memcmp(line, "HTTP/", 5) == 0)
		reply->headers_len = 0;
	headers = realloc(reply->headers, reply->headers_len + len + 1);
	if (headers == NULL)
		return false;
	memcpy(headers + reply->headers_len, line, len);
	reply->headers = headers;
	reply->headers_len += len;
	headers[reply->headers_len] = '\0';
	return true;
}

char *
mls_reply_find_header(const MlsHttpReply *reply, const char *name)
{
	const char *end = reply->headers + reply->headers_len;
	const char *next;

	for (const char *line = reply->headers; line != NULL && line < end; line = next)
	{
		char *value;
		size_t len;

		next = memchr(line, '\n', end - line);
		next = next == NULL ? end : next + 1;
		len = next - line;
		value = palloc(len + 1);
		if (header_is(line, len, name, value, len + 1))
			return value;
		pfree(value);
	}
	return NULL;
}

/* CURLOPT_HEADERFUNCTION */
size_t
mls_reply_header(char *line, size_t size, size_t nitems, void *arg)
{
	MlsTransfer *transfer = arg;
	MlsHttpReply *reply = &transfer->reply;
	size_t len = size * nitems;

	reply->header_bytes += len;
	if (reply->header_bytes > MAX_HEADER_BYTES)
	{
		transfer->headers_too_large = true;
		return 0;
	}

	if (transfer->keep_headers && !keep_header(reply, line, len))
	{
		transfer->out_of_memory = true;
		return 0;
	}

	/* Only these letters start a header that is read; most lines cost no more than this. */
	if (len > 0 && strchr("rRxXmMwW", line[0]) != NULL && line[0] != '\0')
		read_header(reply, line, len);
	return len;
}

/* CURLOPT_WRITEFUNCTION */
size_t
mls_reply_body(char *data, size_t size, size_t nmemb, void *arg)
{
	MlsTransfer *transfer = arg;
	MlsHttpReply *reply = &transfer->reply;
	size_t len = size * nmemb;
	size_t needed = reply->len + len + 1;

	if (needed - 1 > transfer->body_limit)
	{
		transfer->body_too_large = true;
		return 0;
	}
	if (needed > reply->capacity)
	{
		size_t capacity = Max(reply->capacity, FIRST_BODY_CAPACITY);
		char *body;

		while (capacity < needed)
			capacity *= 2;
		body = realloc(reply->body, capacity);
		if (body == NULL)
		{
			transfer->out_of_memory = true;
			return 0;
		}
		reply->body = body;
		reply->capacity = capacity;
	}
	memcpy(reply->body + reply->len, data, len);
	reply->len += len;
	reply->body[reply->len] = '\0';
	return len;
}

/* libcurl's result as one of ours. connected: the request had a connection to go over. */
static MlsWire
read_wire(const MlsTransfer *transfer, CURLcode code, bool connected)
{
	if (transfer->forbidden)
		return MLS_WIRE_FORBIDDEN;
	if (transfer->body_too_large)
		return MLS_WIRE_REPLY_TOO_LARGE;
	if (transfer->headers_too_large)
		return MLS_WIRE_MALFORMED;
	if (transfer->out_of_memory)
		return MLS_WIRE_LOCAL;

	switch (code)
	{
		case CURLE_OK:
			return MLS_WIRE_REPLY;
		case CURLE_COULDNT_RESOLVE_HOST:
		case CURLE_COULDNT_RESOLVE_PROXY:
			return MLS_WIRE_UNRESOLVED;
		case CURLE_COULDNT_CONNECT:
		case CURLE_PROXY:
			return MLS_WIRE_UNREACHABLE;
		case CURLE_OPERATION_TIMEDOUT:
			return connected ? MLS_WIRE_TIMEOUT : MLS_WIRE_UNREACHABLE;
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_ISSUER_ERROR:
		case CURLE_SSL_INVALIDCERTSTATUS:
			return MLS_WIRE_UNTRUSTED;
		case CURLE_SSL_CONNECT_ERROR:
			return MLS_WIRE_TLS;
		case CURLE_SEND_ERROR:
		case CURLE_RECV_ERROR:
		case CURLE_GOT_NOTHING:
		case CURLE_PARTIAL_FILE:
		case CURLE_HTTP2:
		case CURLE_HTTP2_STREAM:
			return MLS_WIRE_CUT;
		case CURLE_UNSUPPORTED_PROTOCOL:
		case CURLE_WEIRD_SERVER_REPLY:
		case CURLE_BAD_CONTENT_ENCODING:
		case CURLE_WRITE_ERROR:
			return MLS_WIRE_MALFORMED;
		default:
			return MLS_WIRE_LOCAL;
	}
}

/* Where a redirect points: the host alone, as path and query may hold secrets. */
static void
read_redirect(MlsTransfer *transfer)
{
	char *url = NULL;
	CURLU *parts;
	char *host = NULL;

	if (curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &url) != CURLE_OK || url == NULL)
		return;
	parts = curl_url();
	if (parts == NULL)
		return;
	if (curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
		curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK)
	{
		strlcpy(transfer->reply.redirect_host, host, sizeof(transfer->reply.redirect_host));
		curl_free(host);
	}
	curl_url_cleanup(parts);
}

/* The transfer is over: read what libcurl knows of it. */
void
mls_reply_finish(MlsTransfer *transfer, CURLcode code)
{
	MlsHttpReply *reply = &transfer->reply;
	CURL *easy = transfer->easy;
	long status = 0;
	long connects = 0;
	curl_off_t total = 0;
	curl_off_t before_sending = 0;
	curl_off_t sent = 0;
	curl_off_t received = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
	curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &total);
	curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &before_sending);
	curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &received);

	if (code == LINE_TOO_LARGE && before_sending > 0)
		transfer->headers_too_large = true;
	reply->wire = read_wire(transfer, code, before_sending > 0);
	reply->status = code == CURLE_OK ? (int) status : 0;
	reply->reused_connection = connects == 0 && before_sending > 0;
	reply->latency_us = total;
	reply->service_us = total - before_sending;
	reply->bytes_sent = sent;
	reply->bytes_received = received;
	if (reply->retry_after_ms < 0)
		reply->retry_after_ms = reply->retry_after_s_ms;
	if (status >= 300 && status < 400)
		read_redirect(transfer);
	if (code != CURLE_OK && reply->error[0] == '\0')
		strlcpy(reply->error, curl_easy_strerror(code), sizeof(reply->error));
}
