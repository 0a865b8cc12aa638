/*
 * server.h - a foreign server of ours, its options parsed.
 */
#ifndef MLS_SERVER_H
#define MLS_SERVER_H

#include "ml_score.h"

#include "nodes/pg_list.h"

typedef enum MlsServerType
{
	MLS_SERVER_ONLINE,
	MLS_SERVER_BATCH,
	MLS_SERVER_BLOB,
	MLS_SERVER_EVENTHUBS,
	MLS_SERVER_REGISTRY,
	MLS_SERVER_WORKSPACE,
	MLS_SERVER_APPINSIGHTS,
	MLS_SERVER_OTLP,
	MLS_SERVER_WEBHOOK
} MlsServerType;

typedef enum MlsAuth
{
	MLS_AUTH_NONE,
	MLS_AUTH_KEY,
	MLS_AUTH_BASIC,			   /* registry: HTTP's Basic */
	MLS_AUTH_AML_TOKEN,		   /* online: a token that the control plane gives out for the endpoint */
	MLS_AUTH_ENTRA,			   /* a token of Microsoft Entra */
	MLS_AUTH_SAS,			   /* blob: the mapping's sas_token in every URL */
	MLS_AUTH_SHARED_KEY,	   /* blob: every request signed with the account's key */
	MLS_AUTH_CONNECTION_STRING /* eventhubs: SASL PLAIN as $ConnectionString; appinsights: the key in the body */
} MlsAuth;

/* How brokers are talked to. */
typedef enum MlsSecurityProtocol
{
	MLS_PROTOCOL_DEFAULT, /* with a credential sasl_ssl, else ssl */
	MLS_PROTOCOL_PLAINTEXT,
	MLS_PROTOCOL_SSL,
	MLS_PROTOCOL_SASL_PLAINTEXT,
	MLS_PROTOCOL_SASL_SSL
} MlsSecurityProtocol;

/* As whom tokens are fetched. From MLS_CREDENTIAL_ENVIRONMENT on it is who the server's process is: superusers' choice. */
typedef enum MlsCredential
{
	MLS_CREDENTIAL_NONE,
	MLS_CREDENTIAL_CLIENT_SECRET, /* both of the user mapping */
	MLS_CREDENTIAL_CLIENT_CERTIFICATE,
	MLS_CREDENTIAL_ENVIRONMENT, /* AZURE_CLIENT_SECRET and the like */
	MLS_CREDENTIAL_WORKLOAD_IDENTITY,
	MLS_CREDENTIAL_MANAGED_IDENTITY,
	MLS_CREDENTIAL_AZURE_CLI,
	MLS_CREDENTIAL_DEFAULT /* what the Azure SDKs try one after the other: these four */
} MlsCredential;

/* How a client certificate signs. */
typedef enum MlsAssertion
{
	MLS_ASSERTION_PS256,
	MLS_ASSERTION_RS256
} MlsAssertion;

/* What a partition of an inference log holds. */
typedef enum MlsLogPeriod
{
	MLS_LOG_HOUR,
	MLS_LOG_DAY,
	MLS_LOG_WEEK,
	MLS_LOG_MONTH
} MlsLogPeriod;

typedef enum MlsCompression
{
	MLS_COMPRESSION_NONE,
	MLS_COMPRESSION_GZIP
} MlsCompression;

#define MLS_AUTO 0 /* max_batch_rows, max_parallel_requests: follow the measurements */

typedef struct MlsServer
{
	Oid serverid;
	char *name;
	MlsServerType type;
	char *url;				  /* NULL for types that have none, and until an endpoint_id is looked up */
	char *swagger_url;		  /* of online servers: beside the URL unless given */
	bool swagger_url_given;	  /* by the option */
	char *deployment;		  /* or NULL: the endpoint's own traffic split */
	char *canary_deployment;  /* takes canary_percent of the requests; or NULL */
	double canary_percent;	  /* 0..100 */
	char *shadow_deployment;  /* gets copies of requests; or NULL */
	bool is_shadow;			  /* not an option: the requests are copies, for a shadow deployment */
	char *log_table;		  /* where requests are logged, as "schema.table"; or NULL */
	double log_sample_rate;	  /* 0..1: the share of requests that are */
	char *log_function_rates; /* of which functions it is another (inference/log_rates.h); or NULL */
	MlsLogPeriod log_partition;
	int log_retention_min; /* 0: for ever */
	Oid owner;
	MlsRequestFormat request_format;
	int max_batch_rows;			 /* MLS_AUTO or 1.. */
	int max_batch_bytes;		 /* bytes of a request body */
	int max_parallel_requests;	 /* MLS_AUTO or 1..; one scan's requests in flight */
	int max_concurrent_requests; /* all backends together; 0 = no limit */
	double requests_per_second;	 /* all backends together; 0 = no limit */
	MlsOnError on_error;
	MlsAuth auth;
	bool auth_given; /* by the option; else a server with an endpoint_id has it looked up */
	MlsCredential credential;
	char *authority_host;	  /* URL, or NULL: the public cloud's */
	char *authority_ca_file;  /* for the authority, the control plane, key vaults; or NULL: the system's */
	char *scope;			  /* or NULL: the type's */
	char *identity_client_id; /* which managed identity: at most one of the three */
	char *identity_object_id;
	char *identity_resource_id;
	MlsAssertion assertion_algorithm;
	int send_certificate_chain; /* bool */
	char *endpoint_id;			/* ARM id, or NULL */
	char *management_url;
	int timeout_ms;
	int connect_timeout_ms;
	int max_attempts;
	int retry_base_delay_ms;
	int retry_max_delay_ms;
	char *ca_file;				/* or NULL: the system's */
	char *proxy;				/* or NULL */
	MlsCompression compression; /* of bodies, both ways */
	char *storage;				/* of batch servers: name of a blob server; or NULL */
	char *workspace;			/* of batch servers: name of a workspace server; or NULL */
	char *input_uri;			/* templates (batch/template.h); NULL: the blob's URL */
	char *output_uri;
	char *jobs_url;		 /* where jobs are listed; NULL: url */
	char *workspace_url; /* of the workspace in Azure's resource manager; or NULL */
	int poll_min_interval_ms;
	int poll_max_interval_ms;
	char *account;			 /* of blob servers; NULL: as the url says */
	char *arm_id;			 /* of workspace servers */
	char *bootstrap_servers; /* of eventhubs servers */
	MlsSecurityProtocol security_protocol;
	List *kafka_properties; /* of DefElem, names without "kafka." */
} MlsServer;

/*
 * Read server's catalog entry and options, the session's settings applied on top; of any type. The result is palloc'd
 * in the current context. Raises UNDEFINED_OBJECT when it is gone, WRONG_OBJECT_TYPE when it is not one of ours.
 */
extern MlsServer *mls_server_load(Oid serverid);

/* Raise WRONG_OBJECT_TYPE unless server is of this type. */
extern void mls_server_require(const MlsServer *server, MlsServerType type);

/* Both, for what model functions need: a server of type 'online'. */
extern MlsServer *mls_server_load_online(Oid serverid);

/* All of it, in the current context. */
extern MlsServer *mls_server_copy(const MlsServer *server);

/* A number that changes when any server or user mapping does. */
extern uint64 mls_server_generation(void);

/* The named server's oid. Raises UNDEFINED_OBJECT (with the list of our servers in the hint), or InvalidOid if missing_ok. */
extern Oid mls_server_oid(const char *name, bool missing_ok);

/* The same where a server of this type is wanted: the hint lists those. It may be of another: see mls_server_require. */
extern Oid mls_server_oid_for(const char *name, MlsServerType type);

/*
 * Until the transaction's end nobody drops or renames the server of this name, if there is one: for who writes the name
 * down, where DROP SERVER looks for it (uses.c).
 */
extern void mls_server_keep(const char *name);

/*
 * May a request go to url? NULL when it may, else a palloc'd reason: scheme, loopback rule or ml_score.allowed_hosts.
 * Called at DDL time, and by the transport for every connection.
 */
extern char *mls_url_refusal(const char *url);

/* From _PG_init: have CREATE SERVER and ALTER SERVER look at the server's TYPE (server_ddl.c). */
extern void mls_catalog_init(void);

#endif
