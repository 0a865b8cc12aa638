/*
 * body.h - runs as requests of Application Insights (Breeze) and OTLP/HTTP, in JSON. Pure.
 */
#ifndef MLS_TELEMETRY_BODY_H
#define MLS_TELEMETRY_BODY_H

#include "lib/stringinfo.h"

/* Longest value of a property that Application Insights takes, in characters. */
#define MLS_TELEMETRY_MAX_VALUE 8192

/* One attribute of a run; both UTF-8. */
typedef struct MlsTelemetryAttribute
{
	const char *name;
	const char *value;
} MlsTelemetryAttribute;

/* A run that is over. */
typedef struct MlsTelemetryRun
{
	int nattributes;
	MlsTelemetryAttribute *attributes;
	int64 start_us; /* since 1970-01-01 UTC; 0: not known */
	int64 end_us;
	bool has_execution_time;
	int64 execution_time_ms;
	bool has_queue_time;
	int64 queue_time_ms;
} MlsTelemetryRun;

/* Append the body of POST /v2.1/track: an array with a custom event a run, in their order. */
extern void mls_telemetry_write_breeze(StringInfo out, const char *instrumentation_key, const MlsTelemetryRun *runs,
									   int n);

/* Append the body of POST /v1/metrics: an ExportMetricsServiceRequest. */
extern void mls_telemetry_write_otlp(StringInfo out, const MlsTelemetryRun *runs, int n);

/*
 * The instrumentation key of an Application Insights connection string, in lower case, palloc'd; NULL when there is none, or
 * it is no UUID.
 */
extern char *mls_telemetry_instrumentation_key(const char *connection_string);

#endif
