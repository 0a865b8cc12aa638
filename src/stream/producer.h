/*
 * producer.h - sending events with librdkafka, each with its delivery report.
 */
#ifndef MLS_PRODUCER_H
#define MLS_PRODUCER_H

#include "stream/kafka.h"
#include "stream/login.h"

typedef struct MlsProducer MlsProducer;

typedef enum MlsDelivery
{
	MLS_DELIVERY_PENDING,
	MLS_DELIVERED,
	MLS_DELIVERY_FAILED, /* may be tried again */
	MLS_DELIVERY_REFUSED /* this event will never be taken */
} MlsDelivery;

/* An event to be sent. What it points to is copied when it is handed over. */
typedef struct MlsOutEvent
{
	int64 id;
	const char *topic;
	const char *key; /* NULL: it has none */
	size_t key_len;
	const char *value; /* NULL: a tombstone */
	size_t value_len;
	rd_kafka_headers_t *headers; /* taken over; or NULL */

	MlsDelivery delivery; /* set by the report */
	rd_kafka_resp_err_t error;
} MlsOutEvent;

/*
 * A client with this configuration and login (or NULL), which it takes over, connected in the background. malloc'd; closed by
 * mls_producer_close, or as the process exits. Raises what librdkafka does not like of the configuration.
 */
extern MlsProducer *mls_producer_open(rd_kafka_conf_t *conf, MlsLogin *login);
extern void mls_producer_close(MlsProducer *producer);

/*
 * Send n events and wait until there is a report for each, cancellably. The events must stay where they are until this
 * returns; if it raises, close the producer before they go.
 */
extern void mls_producer_send(MlsProducer *producer, MlsOutEvent *events, int n, uint32 wait_event);

/* What librdkafka said last of its connections; "" when nothing. */
extern const char *mls_producer_trouble(MlsProducer *producer);

/* Must the client be made anew? */
extern bool mls_producer_is_broken(MlsProducer *producer);

#endif
