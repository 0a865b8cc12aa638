/*
 * kafka.c - see kafka.h.
 *
 * Properties are checked by librdkafka itself, in a configuration that nobody uses. Those refused here would take
 * exactly-once, the credential or the machine out of our hands.
 */
#include "stream/kafka.h"

#include <sys/socket.h>

#include "auth/credential.h"
#include "catalog/url.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "stream/login.h"
#include "transport/http.h"
#include "utils/builtins.h"

#define CONNECTION_STRING_USER "$ConnectionString"

/* Set by this extension, from the server's and the stream's own settings. */
static const char *const own_properties[] = {"bootstrap.servers",
											 "metadata.broker.list",
											 "security.protocol",
											 "group.id",
											 "enable.auto.commit",
											 "auto.commit.enable",
											 "auto.offset.reset",
											 "client.id",
											 "enable.partition.eof",
											 "enable.auto.offset.store",
											 "enable.sasl.oauthbearer.unsecure.jwt",
											 "sasl.oauthbearer.config",
											 "sasl.mechanisms",
											 "sasl.mechanism",
											 "queued.min.messages",
											 "builtin.features",
											 "isolation.level",
											 "enable.ssl.certificate.verification",
											 "ssl.endpoint.identification.algorithm",
											 "consume.callback.max.messages",
											 "opaque",
											 "default_topic_conf",
											 "debug",
											 "log_level",
											 "test.mock.num.brokers",
											 "test.mock.broker.rtt",
											 "plugin.library.paths"};

/* Whoever can read a server's options would see them. */
static const char *const secret_words[] = {"password", "username", "pem", "secret", "sasl.oauthbearer.client"};

/* Files, programs and libraries. */
static const char *const local_words[] = {"location", "path",  "cmd",		"plugin",	  "engine",
										  "keytab",	  "kinit", "providers", "interceptor"};

static char *allowed_hosts;		 /* of this client and the last; malloc'd */
static char broker_reason[512];	 /* of a broker's host, written once by a thread of the client's */
static volatile bool is_refused; /* that it was */

static bool
contains_any(const char *name, const char *const *words, int n)
{
	for (int i = 0; i < n; i++)
		if (strstr(name, words[i]) != NULL)
			return true;
	return false;
}

static bool
is_own(const char *name)
{
	for (int i = 0; i < lengthof(own_properties); i++)
		if (strcmp(name, own_properties[i]) == 0)
			return true;
	return false;
}

/* What librdkafka says of a property. */
static rd_kafka_conf_res_t
try_property(const char *name, const char *value, char *error, size_t size)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, error, size);

	rd_kafka_conf_destroy(conf);
	return result;
}

char *
mls_kafka_property_check(const char *name, const char *value, MlsKafkaProperty *verdict)
{
	char error[512];

	if (is_own(name))
	{
		*verdict = MLS_PROPERTY_REFUSED;
		return pstrdup("ml_score sets this property itself, from the options of the server and of the stream.");
	}
	if (contains_any(name, secret_words, lengthof(secret_words)))
	{
		*verdict = MLS_PROPERTY_REFUSED;
		return pstrdup("Everybody can read a server's options; credentials belong in user mappings.");
	}
	/* Before it is tried: to try some of them is to use the file. */
	if (contains_any(name, local_words, lengthof(local_words)) && !superuser())
	{
		*verdict = MLS_PROPERTY_FOR_SUPERUSERS;
		return pstrdup("Only a superuser may name files, programs or libraries of the database server's machine.");
	}
	switch (try_property(name, value, error, sizeof(error)))
	{
		case RD_KAFKA_CONF_OK:
			break;
		case RD_KAFKA_CONF_UNKNOWN:
			*verdict = MLS_PROPERTY_UNKNOWN;
			return pstrdup(error);
		case RD_KAFKA_CONF_INVALID:
			*verdict = MLS_PROPERTY_MALFORMED;
			return pstrdup(error);
	}
	*verdict = MLS_PROPERTY_OK;
	return NULL;
}

/* May one broker be connected to over scheme? */
static char *
broker_refusal(const char *scheme, const char *broker)
{
	const char *colon = strrchr(broker, ':');

	if (colon == NULL || colon == broker || strspn(colon + 1, "0123456789") != strlen(colon + 1) || colon[1] == '\0' ||
		strpbrk(broker, "/@?# \t\r\n") != NULL)
		return pstrdup("The value must be a list of host:port, separated by commas, without spaces.");
	return mls_url_refusal(psprintf("%s://%s/", scheme, broker));
}

/* The first reason against any of the brokers. */
static char *
any_broker_refusal(const char *scheme, const char *brokers)
{
	char *list = pstrdup(brokers);
	char *refusal = NULL;

	if (*brokers == '\0')
		return broker_refusal(scheme, brokers);
	for (char *broker = list, *next; broker != NULL && refusal == NULL; broker = next)
	{
		next = strchr(broker, ',');
		if (next != NULL)
			*next++ = '\0';
		refusal = broker_refusal(scheme, broker);
	}
	pfree(list);
	return refusal;
}

char *
mls_kafka_brokers_refusal(const char *value)
{
	return any_broker_refusal("https", value);
}

static MlsSecurityProtocol
protocol_of(const MlsServer *server)
{
	if (server->security_protocol != MLS_PROTOCOL_DEFAULT)
		return server->security_protocol;
	return server->auth == MLS_AUTH_NONE ? MLS_PROTOCOL_SSL : MLS_PROTOCOL_SASL_SSL;
}

char *
mls_kafka_protocol_refusal(const MlsServer *server)
{
	MlsSecurityProtocol protocol = protocol_of(server);
	bool sasl = protocol == MLS_PROTOCOL_SASL_PLAINTEXT || protocol == MLS_PROTOCOL_SASL_SSL;
	bool tls = protocol == MLS_PROTOCOL_SSL || protocol == MLS_PROTOCOL_SASL_SSL;

	if (sasl && server->auth == MLS_AUTH_NONE)
		return pstrdup("A protocol with SASL needs a credential: set the option \"auth\".");
	if (!sasl && server->auth != MLS_AUTH_NONE)
		return pstrdup("A credential is sent with SASL only: leave the option out, or set it to 'sasl_ssl'.");
	if (!tls && server->bootstrap_servers != NULL && any_broker_refusal("http", server->bootstrap_servers) != NULL)
		return pstrdup("Connections without TLS are for loopback addresses only, unless a superuser turns on "
					   "ml_score.allow_http.");
	return NULL;
}

void
mls_kafka_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char error[512];

	if (rd_kafka_conf_set(conf, name, value, error, sizeof(error)) == RD_KAFKA_CONF_OK)
		return;
	rd_kafka_conf_destroy(conf);
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("librdkafka does not take the property \"%s\"", name), errdetail("librdkafka says: %s", error));
}

static const char *
protocol_name(MlsSecurityProtocol protocol)
{
	switch (protocol)
	{
		case MLS_PROTOCOL_PLAINTEXT:
			return "plaintext";
		case MLS_PROTOCOL_SASL_PLAINTEXT:
			return "sasl_plaintext";
		case MLS_PROTOCOL_SASL_SSL:
			return "sasl_ssl";
		case MLS_PROTOCOL_SSL:
		case MLS_PROTOCOL_DEFAULT:
			break;
	}
	return "ssl";
}

/* What Microsoft recommends for Event Hubs; it does no harm elsewhere. */
static void
set_defaults(rd_kafka_conf_t *conf)
{
	mls_kafka_set(conf, "client.id", "ml_score");
	mls_kafka_set(conf, "socket.keepalive.enable", "true");
	mls_kafka_set(conf, "metadata.max.age.ms", "180000");
	mls_kafka_set(conf, "topic.metadata.refresh.interval.ms", "60000");
	mls_kafka_set(conf, "connections.max.idle.ms", "180000");
	mls_kafka_set(conf, "socket.timeout.ms", "60000");
	mls_kafka_set(conf, "reconnect.backoff.max.ms", "5000");
}

/*
 * The host in "protocol://host:port/number", which is what librdkafka calls a broker; "" of the group's coordinator, of
 * which it tells only that.
 */
static void
host_of(const char *id, char *host, size_t size)
{
	const char *start = strstr(id, "://");
	const char *colon;

	start = start == NULL ? id : start + 3;
	colon = strrchr(start, ':');
	if (colon == NULL)
		colon = start;
	else if (*start == '[' && colon[-1] == ']')
	{
		start++;
		colon--;
	}
	strlcpy(host, start, Min(size, (size_t) (colon - start) + 1));
}

/*
 * Wherever the brokers say that the others are: no host that a superuser did not allow, no cloud's metadata service. Called
 * by librdkafka's threads.
 */
static int
connect_if_allowed(int fd, const struct sockaddr *address, int len, const char *id, void *opaque)
{
	char host[256];

	if (mls_http_forbids(address))
		return EACCES;
	host_of(id, host, sizeof(host));
	if (!mls_url_host_allowed(allowed_hosts, host))
	{
		if (host[0] != '\0' && !is_refused)
		{
			snprintf(broker_reason, sizeof(broker_reason),
					 "the hub's broker \"%s\" is not among ml_score.allowed_hosts", host);
			pg_write_barrier();
			is_refused = true;
		}
		return EACCES;
	}
	return connect(fd, address, len) == 0 || errno == EINPROGRESS ? 0 : errno;
}

/* Whatever librdkafka would log has reached us as an error, or is of no use; it may not write to the server's log. */
static void
drop_log(const rd_kafka_t *client, int level, const char *facility, const char *line)
{
}

/* For the threads, which may not read the setting while it changes: a copy that stays for ever. */
static void
keep_allowed_hosts(void)
{
	is_refused = false;
	if (allowed_hosts != NULL && strcmp(allowed_hosts, mls_allowed_hosts) == 0)
		return;
	allowed_hosts = strdup(mls_allowed_hosts);
	if (allowed_hosts == NULL)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
}

bool
mls_kafka_hosts_changed(void)
{
	return allowed_hosts != NULL && strcmp(allowed_hosts, mls_allowed_hosts) != 0;
}

const char *
mls_kafka_refusal(void)
{
	if (!is_refused)
		return NULL;
	pg_read_barrier();
	return broker_reason;
}

/* The server may have been made before a superuser forbade its hosts. */
static void
check_allowed(const MlsServer *server)
{
	char *refusal = mls_kafka_brokers_refusal(server->bootstrap_servers);

	if (refusal == NULL)
		refusal = mls_kafka_protocol_refusal(server);
	if (refusal != NULL)
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("connections to server \"%s\" are not allowed", server->name), errdetail("%s", refusal));
}

/* The connection string goes nowhere but into the client. */
static void
set_connection_string(rd_kafka_conf_t *conf, const MlsServer *server, Oid userid)
{
	char *secret = mls_credential_option(server, userid, "connection_string");
	rd_kafka_conf_res_t result;

	if (secret == NULL)
	{
		rd_kafka_conf_destroy(conf);
		ereport(
			ERROR, errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			errmsg("no credentials for role \"%s\" on server \"%s\"", GetUserNameFromId(userid, false), server->name),
			errdetail("The server has auth 'connection_string', and no user mapping for the role or for PUBLIC has "
					  "the option \"connection_string\"."),
			errhint("%s", mls_credential_hint(server, userid, list_make1("connection_string"))));
	}
	mls_kafka_set(conf, "sasl.mechanism", "PLAIN");
	mls_kafka_set(conf, "sasl.username", CONNECTION_STRING_USER);
	result = rd_kafka_conf_set(conf, "sasl.password", secret, NULL, 0);
	explicit_bzero(secret, strlen(secret));
	if (result != RD_KAFKA_CONF_OK)
	{
		rd_kafka_conf_destroy(conf);
		ereport(ERROR, errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				errmsg("librdkafka does not take the connection string of server \"%s\"", server->name));
	}
}

rd_kafka_conf_t *
mls_kafka_configure(const MlsServer *server, Oid userid)
{
	rd_kafka_conf_t *conf;
	ListCell *lc;

	check_allowed(server);
	keep_allowed_hosts();
	conf = rd_kafka_conf_new();
	set_defaults(conf);
	foreach (lc, server->kafka_properties)
	{
		DefElem *def = lfirst(lc);

		mls_kafka_set(conf, def->defname, defGetString(def));
	}
	mls_kafka_set(conf, "bootstrap.servers", server->bootstrap_servers);
	mls_kafka_set(conf, "security.protocol", protocol_name(protocol_of(server)));
	rd_kafka_conf_set_connect_cb(conf, connect_if_allowed);
	rd_kafka_conf_set_log_cb(conf, drop_log);
	if (server->ca_file != NULL)
		mls_kafka_set(conf, "ssl.ca.location", server->ca_file);
	if (server->auth == MLS_AUTH_CONNECTION_STRING)
		set_connection_string(conf, server, userid);
	if (server->auth == MLS_AUTH_ENTRA)
		mls_login_configure(conf);
	return conf;
}
