/*
 * sender.h - the worker that sends runs to Application Insights and OpenTelemetry.
 */
#ifndef MLS_TELEMETRY_SENDER_H
#define MLS_TELEMETRY_SENDER_H

/* From _PG_init, before mls_worker_init. */
extern void mls_telemetry_init(void);

#endif
