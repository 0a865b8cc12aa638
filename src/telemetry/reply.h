/*
 * reply.h - what the answer to a telemetry request means for each item of it. Pure.
 */
#ifndef MLS_TELEMETRY_REPLY_H
#define MLS_TELEMETRY_REPLY_H

#include "c.h"

typedef enum MlsDelivery
{
	MLS_DELIVERY_SENT,	/* accepted, or not to be sent again whatever became of it */
	MLS_DELIVERY_RETRY, /* to be sent again after a while */
	MLS_DELIVERY_PAUSE, /* the same, but the destination takes nothing for a long while */
	MLS_DELIVERY_DROP	/* refused for good */
} MlsDelivery;

typedef struct MlsDeliveryReport
{
	MlsDelivery *items; /* as many as were sent */
	bool pause;			/* send nothing for a long while */
	char *reason;		/* the first thing that was wrong, UTF-8, palloc'd; NULL when nothing was */
} MlsDeliveryReport;

/*
 * Application Insights' answer: status 0 when none came; body UTF-8. 206 tells the items apart; of 307 and 308 nobody
 * follows, so they are tried again, with a reason that names location (may be NULL).
 */
extern void mls_telemetry_read_breeze(int status, const char *body, size_t len, const char *location, int n,
									  MlsDeliveryReport *report);

/* The same of an OTLP/HTTP receiver: what it took in part is never sent again. */
extern void mls_telemetry_read_otlp(int status, const char *body, size_t len, int n, MlsDeliveryReport *report);

/* Milliseconds to wait before the next try of what was tried so often (1: once), with random in [0, 1). */
extern int64 mls_telemetry_delay_ms(int attempts, double random);

#endif
