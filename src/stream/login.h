/*
 * login.h - the Entra token with which a Kafka client logs in (SASL OAUTHBEARER), kept fresh for as long as the client
 * lives.
 */
#ifndef MLS_LOGIN_H
#define MLS_LOGIN_H

#include <librdkafka/rdkafka.h>

#include "catalog/server.h"

typedef struct MlsLogin MlsLogin;

/*
 * The login for a client of server as userid: reads the catalogs, so it needs a transaction. NULL for servers with another
 * auth, for which there is nothing to do. Raises INVALID_AUTHORIZATION_SPECIFICATION without a credential.
 */
extern MlsLogin *mls_login_open(const MlsServer *server, Oid userid);

/*
 * Give client a token if it has none or a newer one is to be had; NULL is nothing to do. May wait for the token service,
 * needs no transaction. When there is no token, client hears of it and reports it as any other trouble; that is tried
 * again some seconds later.
 */
extern void mls_login_keep(MlsLogin *login, rd_kafka_t *client);

/*
 * A broker did not take the token: nobody gets it any more, and the next mls_login_keep has another. No palloc: for
 * librdkafka's callbacks. NULL is nothing to do.
 */
extern void mls_login_refused(MlsLogin *login);

/* Forget it, secrets overwritten. */
extern void mls_login_close(MlsLogin *login);

/* Have conf's client log in with tokens. */
extern void mls_login_configure(rd_kafka_conf_t *conf);

#endif
