/*
 * body.c - see body.h.
 *
 * Application Insights gets a custom event a run ("AzureML.Run": properties and measurements), because an envelope of it
 * is accepted or refused as a whole, as a row of the outbox is. OTLP gets three metrics with a data point a run: gauges of
 * the times that are known, and a delta sum that counts runs.
 */
#include "postgres.h"

#include <time.h>

#include "codec/json_write.h"
#include "telemetry/body.h"

#define SERVICE_NAME "ml_score"
#define USECS 1000000

static void
write_literal(StringInfo out, const char *text)
{
	mls_json_write_raw(out, text, (int) strlen(text));
}

static void
write_string(StringInfo out, const char *text)
{
	mls_json_write_string(out, text, (int) strlen(text));
}

/* At most so many characters of text, which is valid UTF-8. */
static void
write_clipped(StringInfo out, const char *text, int max)
{
	const char *end = text;

	for (; *end != '\0'; end++)
		if ((*end & 0xC0) != 0x80 && max-- == 0)
			break;
	mls_json_write_string(out, text, (int) (end - text));
}

/* The time as Breeze wants it: UTC, milliseconds. */
static void
write_iso_time(StringInfo out, int64 us)
{
	time_t seconds = (time_t) (us / USECS);
	struct tm parts;
	char text[64];
	int n;

	gmtime_r(&seconds, &parts);
	n = snprintf(text, sizeof(text), "\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\"", parts.tm_year + 1900, parts.tm_mon + 1,
				 parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, (int) (us % USECS / 1000));
	mls_json_write_raw(out, text, n);
}

static void
write_measurements(StringInfo out, const MlsTelemetryRun *run)
{
	write_literal(out, ",\"measurements\":{");
	if (run->has_execution_time)
	{
		write_literal(out, "\"execution_time_ms\":");
		mls_json_write_int(out, run->execution_time_ms);
	}
	if (run->has_queue_time)
	{
		write_literal(out, run->has_execution_time ? ",\"queue_time_ms\":" : "\"queue_time_ms\":");
		mls_json_write_int(out, run->queue_time_ms);
	}
	mls_json_write_char(out, '}');
}

static void
write_envelope(StringInfo out, const char *instrumentation_key, const MlsTelemetryRun *run)
{
	write_literal(out, "{\"name\":\"Microsoft.ApplicationInsights.Event\",\"time\":");
	write_iso_time(out, run->end_us);
	write_literal(out, ",\"iKey\":");
	write_string(out, instrumentation_key);
	write_literal(out, ",\"tags\":{\"ai.cloud.role\":\"" SERVICE_NAME "\"},\"data\":{\"baseType\":\"EventData\","
					   "\"baseData\":{\"ver\":2,\"name\":\"AzureML.Run\",\"properties\":{");
	for (int i = 0; i < run->nattributes; i++)
	{
		if (i > 0)
			mls_json_write_char(out, ',');
		write_string(out, run->attributes[i].name);
		mls_json_write_char(out, ':');
		write_clipped(out, run->attributes[i].value, MLS_TELEMETRY_MAX_VALUE);
	}
	mls_json_write_char(out, '}');
	write_measurements(out, run);
	write_literal(out, "}}}");
}

void
mls_telemetry_write_breeze(StringInfo out, const char *instrumentation_key, const MlsTelemetryRun *runs, int n)
{
	mls_json_write_char(out, '[');
	for (int i = 0; i < n; i++)
	{
		if (i > 0)
			mls_json_write_char(out, ',');
		write_envelope(out, instrumentation_key, &runs[i]);
	}
	mls_json_write_char(out, ']');
}

/* Nanoseconds as OTLP's JSON has them: a string. */
static void
write_nano(StringInfo out, const char *name, int64 us)
{
	write_literal(out, name);
	mls_json_write_char(out, '"');
	mls_json_write_int(out, us);
	write_literal(out, "000\"");
}

static void
write_point(StringInfo out, const MlsTelemetryRun *run, int64 value)
{
	mls_json_write_char(out, '{');
	write_nano(out, "\"startTimeUnixNano\":", run->start_us > 0 ? run->start_us : run->end_us);
	write_nano(out, ",\"timeUnixNano\":", run->end_us);
	write_literal(out, ",\"asInt\":\"");
	mls_json_write_int(out, value);
	write_literal(out, "\",\"attributes\":[");
	for (int i = 0; i < run->nattributes; i++)
	{
		write_literal(out, i > 0 ? ",{\"key\":" : "{\"key\":");
		write_string(out, run->attributes[i].name);
		write_literal(out, ",\"value\":{\"stringValue\":");
		write_clipped(out, run->attributes[i].value, MLS_TELEMETRY_MAX_VALUE);
		write_literal(out, "}}");
	}
	write_literal(out, "]}");
}

/* A run's figure for a metric; false when it has none. */
typedef bool (*Figure)(const MlsTelemetryRun *run, int64 *value);

static bool
execution_time(const MlsTelemetryRun *run, int64 *value)
{
	*value = run->execution_time_ms;
	return run->has_execution_time;
}

static bool
queue_time(const MlsTelemetryRun *run, int64 *value)
{
	*value = run->queue_time_ms;
	return run->has_queue_time;
}

static bool
one(const MlsTelemetryRun *run, int64 *value)
{
	*value = 1;
	return true;
}

static void
write_points(StringInfo out, const MlsTelemetryRun *runs, int n, Figure figure)
{
	bool first = true;
	int64 value;

	write_literal(out, "\"dataPoints\":[");
	for (int i = 0; i < n; i++)
	{
		if (!figure(&runs[i], &value))
			continue;
		if (!first)
			mls_json_write_char(out, ',');
		first = false;
		write_point(out, &runs[i], value);
	}
	mls_json_write_char(out, ']');
}

void
mls_telemetry_write_otlp(StringInfo out, const MlsTelemetryRun *runs, int n)
{
	write_literal(out,
				  "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":"
				  "{\"stringValue\":\"" SERVICE_NAME "\"}}]},\"scopeMetrics\":[{\"scope\":{\"name\":\"" SERVICE_NAME
				  "\"},\"metrics\":[{\"name\":\"azureml.run.execution_time\",\"unit\":\"ms\",\"gauge\":{");
	write_points(out, runs, n, execution_time);
	write_literal(out, "}},{\"name\":\"azureml.run.queue_time\",\"unit\":\"ms\",\"gauge\":{");
	write_points(out, runs, n, queue_time);
	write_literal(out, "}},{\"name\":\"azureml.run.finished\",\"unit\":\"{run}\",\"sum\":{\"aggregationTemporality\":1,"
					   "\"isMonotonic\":true,");
	write_points(out, runs, n, one);
	write_literal(out, "}}]}]}]}");
}

static bool
is_uuid(const char *text, size_t len)
{
	if (len != 36)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : strchr("0123456789abcdefABCDEF", text[i]) == NULL)
			return false;
	}
	return true;
}

char *
mls_telemetry_instrumentation_key(const char *connection_string)
{
	static const char name[] = "InstrumentationKey=";

	for (const char *part = connection_string; *part != '\0'; part += strcspn(part, ";"))
	{
		const char *value;
		char *key;

		part += strspn(part, "; ");
		value = part + strlen(name);
		if (pg_strncasecmp(part, name, strlen(name)) != 0)
			continue;
		if (!is_uuid(value, strcspn(value, ";")))
			return NULL;
		key = pnstrdup(value, 36);
		for (char *c = key; *c != '\0'; c++)
			*c = pg_ascii_tolower((unsigned char) *c);
		return key;
	}
	return NULL;
}
