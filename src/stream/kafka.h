/*
 * kafka.h - librdkafka's configuration: what a server of TYPE 'eventhubs' says, checked and put into a client.
 */
#ifndef MLS_KAFKA_H
#define MLS_KAFKA_H

#include <librdkafka/rdkafka.h>

#include "catalog/server.h"

typedef enum MlsKafkaProperty
{
	MLS_PROPERTY_OK,
	MLS_PROPERTY_UNKNOWN,		 /* to librdkafka */
	MLS_PROPERTY_MALFORMED,		 /* its value */
	MLS_PROPERTY_REFUSED,		 /* ours to set, or a secret */
	MLS_PROPERTY_FOR_SUPERUSERS, /* names files or programs of this machine, and the caller is no superuser */
} MlsKafkaProperty;

/* May a server have the client property, with this value? The palloc'd reason if not: a sentence, or librdkafka's words. */
extern char *mls_kafka_property_check(const char *name, const char *value, MlsKafkaProperty *verdict);

/* Is value a list of host:port that may be connected to? NULL, or the reason; palloc'd. */
extern char *mls_kafka_brokers_refusal(const char *value);

/* Do a server's security_protocol, auth and brokers go together? NULL, or the reason; palloc'd. */
extern char *mls_kafka_protocol_refusal(const MlsServer *server);

/*
 * The configuration of a client that talks to server as userid, with Event Hubs' recommended settings and the server's
 * own properties over them. malloc'd by librdkafka: give it to rd_kafka_new, or rd_kafka_conf_destroy. Raises
 * INVALID_AUTHORIZATION_SPECIFICATION without the credential, INSUFFICIENT_PRIVILEGE when the brokers may no longer be
 * connected to.
 */
extern rd_kafka_conf_t *mls_kafka_configure(const MlsServer *server, Oid userid);

/* Was ml_score.allowed_hosts changed since a client was configured? Then another one is needed. */
extern bool mls_kafka_hosts_changed(void);

/* That a broker sent us to a host that is not among ml_score.allowed_hosts, and nothing was sent there: words, or NULL. */
extern const char *mls_kafka_refusal(void);

/* rd_kafka_conf_set that raises what librdkafka says. Never for secrets. */
extern void mls_kafka_set(rd_kafka_conf_t *conf, const char *name, const char *value);

#endif
