/* sources: src/telemetry/body.c src/telemetry/reply.c src/codec/json_read.c src/codec/json_write.c src/codec/json_number.c
 *
 * test_telemetry.c - bodies for Application Insights and OTLP, and what the answers to them mean.
 */
#include "postgres.h"

#include "codec/json_read.h"
#include "tap.h"
#include "telemetry/body.h"
#include "telemetry/reply.h"

#define N 4

static char
letter(MlsDelivery delivery)
{
	return "SRPD"[delivery];
}

/* The items as letters: Sent, Retry, Pause, Dropped; "!" after them when all is to pause. */
static char *
outcome(MlsDeliveryReport *report)
{
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < N; i++)
		appendStringInfoChar(&out, letter(report->items[i]));
	if (report->pause)
		appendStringInfoChar(&out, '!');
	return out.data;
}

static void
breeze(int status, const char *body, const char *expected, const char *reason)
{
	MlsDelivery items[N];
	MlsDeliveryReport report = {items};
	char *got;

	mls_telemetry_read_breeze(status, body, strlen(body), "https://moved/", N, &report);
	got = outcome(&report);
	ok(strcmp(got, expected) == 0, "Application Insights, %d %s: %s", status, body, got);
	ok(reason == NULL ? report.reason == NULL : report.reason != NULL && strcmp(report.reason, reason) == 0,
	   "the reason: %s", report.reason == NULL ? "none" : report.reason);
}

static void
otlp(int status, const char *body, const char *expected, const char *reason)
{
	MlsDelivery items[N];
	MlsDeliveryReport report = {items};
	char *got;

	mls_telemetry_read_otlp(status, body, strlen(body), N, &report);
	got = outcome(&report);
	ok(strcmp(got, expected) == 0, "OTLP, %d %s: %s", status, body, got);
	ok(reason == NULL ? report.reason == NULL : report.reason != NULL && strcmp(report.reason, reason) == 0,
	   "the reason: %s", report.reason == NULL ? "none" : report.reason);
}

static void
check_breeze(void)
{
	static const int retried[] = {0, 401, 403, 408, 429, 500, 502, 503, 504};

	breeze(200, "{\"itemsReceived\":4,\"itemsAccepted\":4,\"errors\":[]}", "SSSS", NULL);
	breeze(206,
		   "{\"itemsReceived\":4,\"itemsAccepted\":1,\"errors\":[{\"index\":1,\"statusCode\":500,\"message\":\"busy\"},"
		   "{\"index\":3,\"statusCode\":400,\"message\":\"bad\"}]}",
		   "SRSD", "status 500 of a run: busy");
	breeze(206, "{\"errors\":[{\"index\":0,\"statusCode\":439},{\"index\":9,\"statusCode\":400},{\"index\":-1}]}",
		   "PSSS!", "status 439 of a run: ");
	breeze(206, "{\"errors\":[]}", "SSSS", NULL);
	breeze(206, "", "RRRR", "status 206 without a list of errors");
	breeze(206, "{\"errors\":7}", "RRRR", "status 206 without a list of errors");
	breeze(402, "", "PPPP!", "status 402");
	breeze(439, "", "PPPP!", "status 439");
	breeze(400, "", "DDDD", "status 400");
	breeze(413, "", "DDDD", "status 413");
	breeze(308, "", "RRRR", "status 308: the endpoint has moved to https://moved/");
	for (int i = 0; i < lengthof(retried); i++)
		breeze(retried[i], "x", "RRRR", psprintf("status %d", retried[i]));
}

static void
check_otlp(void)
{
	static const int retried[] = {0, 429, 502, 503, 504};
	static const int dropped[] = {400, 404, 408, 413, 500, 501};

	otlp(200, "{}", "SSSS", NULL);
	otlp(200, "", "SSSS", NULL);
	otlp(200, "{\"partialSuccess\":{}}", "SSSS", NULL);
	otlp(200, "{\"partialSuccess\":{\"rejectedDataPoints\":\"3\",\"errorMessage\":\"too old\"}}", "SSSS",
		 "3 data points were rejected: too old");
	otlp(200, "{\"partialSuccess\":{\"rejectedDataPoints\":2}}", "SSSS", "2 data points were rejected: ");
	for (int i = 0; i < lengthof(retried); i++)
		otlp(retried[i], "x", "RRRR", psprintf("status %d", retried[i]));
	for (int i = 0; i < lengthof(dropped); i++)
		otlp(dropped[i], "x", "DDDD", psprintf("status %d", dropped[i]));
	otlp(401, "", "PPPP!", "status 401");
}

static void
check_bodies(void)
{
	char *longer = palloc0(2 * 8200 + 1);
	MlsTelemetryAttribute attributes[] = {{"run_id", "r\"1"}, {"error", longer}};
	MlsTelemetryRun runs[] = {
		{2, attributes, 0, INT64CONST(1772445600123456), true, 12, false, 0},
		{1, attributes, INT64CONST(1772445600000000), INT64CONST(1772445601000000), false, 0, true, 5}};
	StringInfoData out;
	MlsJsonReader r;
	MlsSpan value;

	for (int i = 0; i < 8200; i++)
		memcpy(longer + 2 * i, "\xc3\xa9", 2);
	initStringInfo(&out);
	mls_telemetry_write_breeze(&out, "key", runs, 2);
	mls_json_start(&r, out.data, out.len);
	ok(mls_json_value(&r, &value) && mls_json_finish(&r) && mls_json_count(&value) == 2, "an envelope a run");
	out.data[out.len] = '\0';
	ok(strstr(out.data, "\"time\":\"2026-03-02T10:00:00.123Z\",\"iKey\":\"key\"") != NULL, "with time and key");
	ok(strstr(out.data, "\"run_id\":\"r\\\"1\"") != NULL, "with properties");
	ok(strstr(out.data, "\"measurements\":{\"execution_time_ms\":12}") != NULL &&
		   strstr(out.data, "\"measurements\":{\"queue_time_ms\":5}") != NULL,
	   "with the times that are known");
	ok(out.len > 2 * 8192 && out.len < 2 * 8192 + 1000, "properties are cut at 8192 characters, not within one: %d",
	   out.len);

	resetStringInfo(&out);
	mls_telemetry_write_otlp(&out, runs, 2);
	mls_json_start(&r, out.data, out.len);
	ok(mls_json_value(&r, &value) && mls_json_finish(&r), "OTLP's body is JSON");
	out.data[out.len] = '\0';
	ok(strstr(out.data, "\"startTimeUnixNano\":\"1772445600123456000\",\"timeUnixNano\":\"1772445600123456000\","
						"\"asInt\":\"12\"") != NULL,
	   "a run without a start begins when it ends");
	pfree(out.data);
}

static void
check_key(const char *connection_string, const char *expected)
{
	char *key = mls_telemetry_instrumentation_key(connection_string);

	ok(expected == NULL ? key == NULL : key != NULL && strcmp(key, expected) == 0, "the key of \"%s\": %s",
	   connection_string, key == NULL ? "none" : key);
}

int
main(void)
{
	check_breeze();
	check_otlp();
	check_bodies();
	check_key("InstrumentationKey=0b3c0000-0000-0000-0000-00000000000A", "0b3c0000-0000-0000-0000-00000000000a");
	check_key("IngestionEndpoint=https://x/; instrumentationkey=0b3c0000-0000-0000-0000-000000000001;a=b",
			  "0b3c0000-0000-0000-0000-000000000001");
	check_key("", NULL);
	check_key("InstrumentationKey=", NULL);
	check_key("InstrumentationKey=0b3c0000000000000000000000000000", NULL);
	check_key("InstrumentationKey=0b3c0000-0000-0000-0000-00000000000g", NULL);
	check_key("XInstrumentationKey=0b3c0000-0000-0000-0000-000000000001", NULL);
	ok(mls_telemetry_delay_ms(1, 0) == 1000 && mls_telemetry_delay_ms(3, 0.5) == 6000 &&
		   mls_telemetry_delay_ms(1000, 0) == 450000,
	   "delays grow to a quarter of an hour");
	return done_testing();
}
