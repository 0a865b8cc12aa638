/*
 * reply.c - see reply.h.
 */
#include "postgres.h"

#include "codec/json_number.h"
#include "codec/json_read.h"
#include "telemetry/reply.h"

#define FIRST_DELAY_MS 2000
#define LONGEST_DELAY_MS (15 * 60 * 1000)
#define MAX_REASON 500

static void
set_all(MlsDeliveryReport *report, int n, MlsDelivery delivery)
{
	for (int i = 0; i < n; i++)
		report->items[i] = delivery;
	report->pause = n > 0 && delivery == MLS_DELIVERY_PAUSE;
}

static void
set_reason(MlsDeliveryReport *report, char *reason)
{
	if (report->reason == NULL)
		report->reason = reason;
}

/* What Application Insights' status means, of a whole request or of an item of it. */
static MlsDelivery
breeze_delivery(int status)
{
	switch (status)
	{
		case 200:
			return MLS_DELIVERY_SENT;
		case 402:
		case 439:
			return MLS_DELIVERY_PAUSE;
		case 0:
		case 307:
		case 308:
		case 401:
		case 403:
		case 408:
		case 429:
		case 500:
		case 502:
		case 503:
		case 504:
			return MLS_DELIVERY_RETRY;
		default:
			return MLS_DELIVERY_DROP;
	}
}

static MlsSpan
member(const MlsSpan *object, const char *name)
{
	if (object->kind != MLS_SPAN_OBJECT)
		return (MlsSpan){.kind = MLS_SPAN_NONE};
	return mls_json_member(object, name, strlen(name));
}

/* A whole number among an object's members, as a number or a string of digits; otherwise when there is none. */
static int64
int_member(const MlsSpan *object, const char *name, int64 otherwise)
{
	MlsSpan value = member(object, name);
	int64 number;

	if (value.kind != MLS_SPAN_NUMBER &&
		!(value.kind == MLS_SPAN_STRING && !value.escaped && mls_number_valid(value.start, value.len)))
		return otherwise;
	return mls_number_to_int64(value.start, value.len, &number) == MLS_NUMBER_OK ? number : otherwise;
}

/* A text among an object's members, cut where it is long; palloc'd, "" when there is none. */
static char *
text_member(const MlsSpan *object, const char *name)
{
	MlsSpan value = member(object, name);
	char *text;
	int len;

	if (value.kind != MLS_SPAN_STRING)
		return pstrdup("");
	text = palloc(value.len + 1);
	len = mls_json_unescape(&value, text);
	if (len < 0)
		len = 0;
	if (len > MAX_REASON)
	{
		len = MAX_REASON;
		while (len > 0 && (text[len] & 0xC0) == 0x80)
			len--;
	}
	text[len] = '\0';
	return text;
}

static bool
read_document(const char *body, size_t len, MlsSpan *document)
{
	MlsJsonReader r;

	mls_json_start(&r, body, len);
	return mls_json_value(&r, document) && mls_json_finish(&r) && document->kind == MLS_SPAN_OBJECT;
}

static void
read_item(const MlsSpan *error, int n, MlsDeliveryReport *report)
{
	int64 index = int_member(error, "index", -1);
	int status = (int) int_member(error, "statusCode", 400);

	if (index < 0 || index >= n)
		return;
	report->items[index] = breeze_delivery(status);
	report->pause |= report->items[index] == MLS_DELIVERY_PAUSE;
	if (report->items[index] != MLS_DELIVERY_SENT)
		set_reason(report, psprintf("status %d of a run: %s", status, text_member(error, "message")));
}

/* 206: all were accepted but those that errors lists. */
static void
read_partial(const char *body, size_t len, int n, MlsDeliveryReport *report)
{
	MlsSpan document;
	MlsSpan errors;
	MlsSpan error;
	MlsJsonReader r;

	set_all(report, n, MLS_DELIVERY_SENT);
	if (!read_document(body, len, &document) || (errors = member(&document, "errors")).kind != MLS_SPAN_ARRAY)
	{
		/* Which were accepted is not known: twice is better than never. */
		set_all(report, n, MLS_DELIVERY_RETRY);
		set_reason(report, pstrdup("status 206 without a list of errors"));
		return;
	}
	mls_json_inside(&r, &errors);
	while (mls_json_next(&r, NULL, &error))
		read_item(&error, n, report);
}

void
mls_telemetry_read_breeze(int status, const char *body, size_t len, const char *location, int n,
						  MlsDeliveryReport *report)
{
	report->pause = false;
	report->reason = NULL;
	if (status == 206)
	{
		read_partial(body, len, n, report);
		return;
	}
	set_all(report, n, breeze_delivery(status));
	if (status == 307 || status == 308)
		set_reason(report,
				   psprintf("status %d: the endpoint has moved to %s", status, location ? location : "nowhere"));
	else if (status != 200)
		set_reason(report, psprintf("status %d", status));
}

/* What may be sent again is a short list, which lacks 408 and 500. */
static MlsDelivery
otlp_failure(int status)
{
	switch (status)
	{
		case 0:
		case 429:
		case 502:
		case 503:
		case 504:
			return MLS_DELIVERY_RETRY;
		case 401:
		case 403:
			return MLS_DELIVERY_PAUSE; /* the credential was refused, not the runs */
		default:
			return MLS_DELIVERY_DROP;
	}
}

void
mls_telemetry_read_otlp(int status, const char *body, size_t len, int n, MlsDeliveryReport *report)
{
	MlsSpan document;
	MlsSpan partial;
	int64 rejected;

	report->pause = false;
	report->reason = NULL;
	if (status >= 200 && status <= 299)
	{
		set_all(report, n, MLS_DELIVERY_SENT);
		if (!read_document(body, len, &document))
			return;
		partial = member(&document, "partialSuccess");
		rejected = int_member(&partial, "rejectedDataPoints", 0);
		if (rejected > 0)
			set_reason(report, psprintf(INT64_FORMAT " data points were rejected: %s", rejected,
										text_member(&partial, "errorMessage")));
		return;
	}
	set_all(report, n, otlp_failure(status));
	set_reason(report, psprintf("status %d", status));
}

int64
mls_telemetry_delay_ms(int attempts, double random)
{
	int64 delay = FIRST_DELAY_MS;

	for (int i = 1; i < attempts && delay < LONGEST_DELAY_MS; i++)
		delay *= 2;
	delay = Min(delay, LONGEST_DELAY_MS);
	return delay / 2 + (int64) (random * (double) (delay / 2));
}
