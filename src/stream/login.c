/*
 * login.c - see login.h.
 *
 * librdkafka asks for a token by a callback, in which nothing can be fetched. It needs none in fact: a token is given to it
 * before it asks, and again whenever the worker comes by and a newer one is to be had. Brokers look at it when a connection
 * begins.
 */
#include "stream/login.h"

#include "auth/identity.h"
#include "stream/kafka.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* After no token was to be had. */
#define AGAIN_MS 5000

/* A broker that refuses one token may refuse all: a new one is fetched no more often on that account. */
#define REFUSED_AGAIN_MS 60000

struct MlsLogin
{
	MemoryContext cxt;
	MlsIdentity *identity;
	char *scope;
	TimestampTz renew_at;
	char *bearer;		 /* that client has; NULL: none */
	bool refused;		 /* by a broker */
	TimestampTz drop_at; /* a refused one is not dropped before */
};

MlsLogin *
mls_login_open(const MlsServer *server, Oid userid)
{
	MemoryContext cxt;
	MemoryContext old;
	MlsLogin *login;

	if (server->auth != MLS_AUTH_ENTRA)
		return NULL;
	cxt = AllocSetContextCreate(TopMemoryContext, "ml_score login", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(cxt);
	login = palloc0(sizeof(MlsLogin));
	login->cxt = cxt;
	PG_TRY();
	{
		login->identity = mls_identity_load(server, userid);
	}
	PG_CATCH();
	{
		MemoryContextDelete(cxt);
		PG_RE_THROW();
	}
	PG_END_TRY();
	login->scope = mls_identity_scope(server);
	MemoryContextSwitchTo(old);
	return login;
}

/* librdkafka's clock: milliseconds since 1970. */
static int64
epoch_ms(TimestampTz time)
{
	return time / 1000 + ((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * 1000);
}

/* Give client the token, or say why it does not take it. */
static void
give_token(const MlsLogin *login, rd_kafka_t *client, const MlsFetch *fetch)
{
	const char *principal = mls_identity_principal(login->identity);
	char error[256];

	if (rd_kafka_oauthbearer_set_token(client, fetch->value, epoch_ms(fetch->expires_at), principal, NULL, 0, error,
									   sizeof(error)) != RD_KAFKA_RESP_ERR_NO_ERROR)
		rd_kafka_oauthbearer_set_token_failure(client, error);
}

static void
forget_token(MlsLogin *login)
{
	mls_secret_wipe(login->bearer);
	login->bearer = NULL;
	login->refused = false;
}

void
mls_login_keep(MlsLogin *login, rd_kafka_t *client)
{
	TimestampTz now = GetCurrentTimestamp();
	MlsTokenRefusal refusal = {0};
	MemoryContext scratch;
	MemoryContext old;
	MlsFetch fetch;

	if (login == NULL || (now < login->renew_at && !(login->refused && now >= login->drop_at)))
		return;
	if (login->refused && now >= login->drop_at)
	{
		refusal.bearer = login->bearer;
		login->drop_at = TimestampTzPlusMilliseconds(now, REFUSED_AGAIN_MS);
	}
	scratch = AllocSetContextCreate(login->cxt, "ml_score login's token", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(scratch);
	mls_identity_fetch(login->identity, login->scope, refusal.bearer == NULL ? NULL : &refusal, &fetch);
	forget_token(login);
	now = GetCurrentTimestamp();
	login->renew_at = TimestampTzPlusMilliseconds(now, AGAIN_MS);
	if (fetch.outcome == MLS_FETCH_OK)
	{
		give_token(login, client, &fetch);
		login->renew_at = Max(fetch.refresh_at, login->renew_at);
		login->bearer = MemoryContextStrdup(login->cxt, fetch.value);
		explicit_bzero(fetch.value, strlen(fetch.value));
	}
	else
		rd_kafka_oauthbearer_set_token_failure(client, fetch.detail);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

void
mls_login_refused(MlsLogin *login)
{
	if (login != NULL && login->bearer != NULL)
		login->refused = true;
}

void
mls_login_close(MlsLogin *login)
{
	if (login == NULL)
		return;
	forget_token(login);
	mls_identity_wipe(login->identity);
	MemoryContextDelete(login->cxt);
}

/* oauthbearer_token_refresh_cb: see the file's header. */
static void
ask_nobody(rd_kafka_t *client, const char *config, void *opaque)
{
}

void
mls_login_configure(rd_kafka_conf_t *conf)
{
	mls_kafka_set(conf, "sasl.mechanism", "OAUTHBEARER");
	rd_kafka_conf_set_oauthbearer_token_refresh_cb(conf, ask_nobody);
}
