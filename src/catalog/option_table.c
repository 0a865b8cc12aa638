/*
 * option_table.c - the list of options of servers and user mappings.
 *
 * The table below is the only one: the validator, the hints, and the reading of a server's options all follow it.
 */
#include "catalog/option_table.h"

#include "lib/stringinfo.h"
#include "utils/memutils.h"

#define ONLINE (1U << MLS_SERVER_ONLINE)
#define BATCH (1U << MLS_SERVER_BATCH)
#define BLOB (1U << MLS_SERVER_BLOB)
#define REGISTRY (1U << MLS_SERVER_REGISTRY)
#define WORKSPACE (1U << MLS_SERVER_WORKSPACE)
#define APPINSIGHTS (1U << MLS_SERVER_APPINSIGHTS)
#define OTLP (1U << MLS_SERVER_OTLP)
#define WEBHOOK (1U << MLS_SERVER_WEBHOOK)
#define HTTP (ONLINE | BATCH | BLOB | REGISTRY | WORKSPACE | APPINSIGHTS | OTLP | WEBHOOK) /* those talked to by HTTP */
#define EVENTHUBS (1U << MLS_SERVER_EVENTHUBS)
#define EVERY (HTTP | EVENTHUBS)

#define ANY_PROPERTY MLS_PROPERTY_PREFIX "*"

#define MAX_DURATION_MS (24 * 60 * 60 * 1000)
#define MAX_RETENTION_MIN (100 * 366 * 24 * 60)
#define MAX_BODY_BYTES (MaxAllocSize / 2)

const MlsTypeRule mls_type_rules[] = {
	[MLS_SERVER_ONLINE] = {"online", "url", "Give the scoring URL of the endpoint: OPTIONS (url 'https://...').",
						   "endpoint_id",
						   MLS_AUTH_BIT(MLS_AUTH_NONE) | MLS_AUTH_BIT(MLS_AUTH_KEY) | MLS_AUTH_BIT(MLS_AUTH_AML_TOKEN) |
							   MLS_AUTH_BIT(MLS_AUTH_ENTRA)},
	[MLS_SERVER_BATCH] = {"batch", "url", "Give the URL that starts jobs: OPTIONS (url 'https://.../jobs').", NULL,
						  MLS_AUTH_BIT(MLS_AUTH_NONE) | MLS_AUTH_BIT(MLS_AUTH_KEY) | MLS_AUTH_BIT(MLS_AUTH_ENTRA)},
	[MLS_SERVER_BLOB] = {"blob", "url",
						 "Give the container's URL: OPTIONS (url 'https://ACCOUNT.blob.core.windows.net/CONTAINER').",
						 NULL,
						 MLS_AUTH_BIT(MLS_AUTH_NONE) | MLS_AUTH_BIT(MLS_AUTH_SAS) | MLS_AUTH_BIT(MLS_AUTH_SHARED_KEY) |
							 MLS_AUTH_BIT(MLS_AUTH_ENTRA)},
	[MLS_SERVER_EVENTHUBS] = {"eventhubs", "bootstrap_servers",
							  "Give the brokers: OPTIONS (bootstrap_servers 'NAMESPACE.servicebus.windows.net:9093').",
							  NULL,
							  MLS_AUTH_BIT(MLS_AUTH_NONE) | MLS_AUTH_BIT(MLS_AUTH_CONNECTION_STRING) |
								  MLS_AUTH_BIT(MLS_AUTH_ENTRA)},
	[MLS_SERVER_REGISTRY] = {"registry", "url", "Give the schema registry's URL: OPTIONS (url 'https://...').", NULL,
							 MLS_AUTH_BIT(MLS_AUTH_NONE) | MLS_AUTH_BIT(MLS_AUTH_BASIC)},
	[MLS_SERVER_WORKSPACE] = {"workspace", "arm_id",
							  "Give the workspace's ARM id: OPTIONS (arm_id '/subscriptions/ID/resourceGroups/NAME/"
							  "providers/Microsoft.MachineLearningServices/workspaces/NAME').",
							  NULL,
							  MLS_AUTH_BIT(MLS_AUTH_NONE) | MLS_AUTH_BIT(MLS_AUTH_KEY) | MLS_AUTH_BIT(MLS_AUTH_ENTRA)},
	[MLS_SERVER_APPINSIGHTS] = {"appinsights", "url",
								"Give the IngestionEndpoint of the connection string: OPTIONS (url 'https://...').",
								NULL, MLS_AUTH_BIT(MLS_AUTH_CONNECTION_STRING) | MLS_AUTH_BIT(MLS_AUTH_ENTRA)},
	[MLS_SERVER_OTLP] = {"otlp", "url", "Give the collector's URL without /v1/metrics: OPTIONS (url 'https://...').",
						 NULL, MLS_AUTH_BIT(MLS_AUTH_NONE) | MLS_AUTH_BIT(MLS_AUTH_KEY)},
	[MLS_SERVER_WEBHOOK] = {"webhook", "url", "Give the URL that alerts are posted to: OPTIONS (url 'https://...').",
							NULL, MLS_AUTH_BIT(MLS_AUTH_NONE) | MLS_AUTH_BIT(MLS_AUTH_KEY)},
};

static const MlsOptionWord format_words[] = {{"auto", MLS_FORMAT_AUTO},
											 {"records", MLS_FORMAT_RECORDS},
											 {"numpy", MLS_FORMAT_NUMPY},
											 {"designer", MLS_FORMAT_DESIGNER},
											 {"input_data", MLS_FORMAT_INPUT_DATA},
											 {"dataframe_split", MLS_FORMAT_DATAFRAME_SPLIT},
											 {"dataframe_records", MLS_FORMAT_DATAFRAME_RECORDS},
											 {"inputs", MLS_FORMAT_INPUTS},
											 {"instances", MLS_FORMAT_INSTANCES},
											 {"open_inference", MLS_FORMAT_OPEN_INFERENCE},
											 {NULL}};

static const MlsOptionWord on_error_words[] = {{"fail", MLS_ON_ERROR_FAIL}, {"null", MLS_ON_ERROR_NULL}, {NULL}};

const MlsOptionWord mls_auth_words[] = {{"none", MLS_AUTH_NONE},
										{"key", MLS_AUTH_KEY},
										{"basic", MLS_AUTH_BASIC},
										{"aml_token", MLS_AUTH_AML_TOKEN},
										{"entra", MLS_AUTH_ENTRA},
										{"sas", MLS_AUTH_SAS},
										{"shared_key", MLS_AUTH_SHARED_KEY},
										{"connection_string", MLS_AUTH_CONNECTION_STRING},
										{NULL}};

const MlsOptionWord mls_credential_words[] = {{"client_secret", MLS_CREDENTIAL_CLIENT_SECRET},
											  {"client_certificate", MLS_CREDENTIAL_CLIENT_CERTIFICATE},
											  {"environment", MLS_CREDENTIAL_ENVIRONMENT},
											  {"workload_identity", MLS_CREDENTIAL_WORKLOAD_IDENTITY},
											  {"managed_identity", MLS_CREDENTIAL_MANAGED_IDENTITY},
											  {"azure_cli", MLS_CREDENTIAL_AZURE_CLI},
											  {"default", MLS_CREDENTIAL_DEFAULT},
											  {NULL}};

static const MlsOptionWord assertion_words[] = {{"PS256", MLS_ASSERTION_PS256}, {"RS256", MLS_ASSERTION_RS256}, {NULL}};

static const MlsOptionWord bool_words[] = {{"false", false}, {"true", true}, {NULL}};

static const MlsOptionWord protocol_words[] = {{"plaintext", MLS_PROTOCOL_PLAINTEXT},
											   {"ssl", MLS_PROTOCOL_SSL},
											   {"sasl_plaintext", MLS_PROTOCOL_SASL_PLAINTEXT},
											   {"sasl_ssl", MLS_PROTOCOL_SASL_SSL},
											   {NULL}};

static const MlsOptionWord period_words[] = {
	{"hour", MLS_LOG_HOUR}, {"day", MLS_LOG_DAY}, {"week", MLS_LOG_WEEK}, {"month", MLS_LOG_MONTH}, {NULL}};

static const MlsOptionWord compression_words[] = {
	{"none", MLS_COMPRESSION_NONE}, {"gzip", MLS_COMPRESSION_GZIP}, {NULL}};

#define SERVER_OPTION(name, types, kind, ...)                                                                          \
	{                                                                                                                  \
#name, MLS_OPTION_OF_SERVER, types, kind, __VA_ARGS__                                                          \
	}
#define MAPPING_OPTION(name, types, kind, ...)                                                                         \
	{                                                                                                                  \
#name, MLS_OPTION_OF_MAPPING, types, kind, __VA_ARGS__                                                         \
	}
#define FIELD(field) .offset = offsetof(MlsServer, field)

static const MlsOption option_table[] = {
	SERVER_OPTION(url, HTTP, MLS_KIND_URL, FIELD(url)),
	SERVER_OPTION(swagger_url, ONLINE, MLS_KIND_URL, FIELD(swagger_url)),
	SERVER_OPTION(deployment, ONLINE | BATCH, MLS_KIND_TEXT, FIELD(deployment)),
	SERVER_OPTION(canary_deployment, ONLINE, MLS_KIND_NAME, FIELD(canary_deployment)),
	SERVER_OPTION(canary_percent, ONLINE, MLS_KIND_REAL, 0, 100, FIELD(canary_percent)),
	SERVER_OPTION(shadow_deployment, ONLINE, MLS_KIND_NAME, FIELD(shadow_deployment)),
	SERVER_OPTION(log_table, ONLINE, MLS_KIND_TABLE, FIELD(log_table)),
	SERVER_OPTION(log_sample_rate, ONLINE, MLS_KIND_REAL, 0, 1, FIELD(log_sample_rate)),
	SERVER_OPTION(log_function_rates, ONLINE, MLS_KIND_FUNCTION_RATES, FIELD(log_function_rates)),
	SERVER_OPTION(log_partition, ONLINE, MLS_KIND_ENUM, .words = period_words, FIELD(log_partition)),
	SERVER_OPTION(log_retention, ONLINE, MLS_KIND_MINUTES, 0, MAX_RETENTION_MIN, FIELD(log_retention_min)),
	SERVER_OPTION(request_format, ONLINE, MLS_KIND_ENUM, .words = format_words, FIELD(request_format)),
	SERVER_OPTION(max_batch_rows, ONLINE, MLS_KIND_AUTO_OR_COUNT, 1, MLS_OPTION_MAX_COUNT, FIELD(max_batch_rows)),
	SERVER_OPTION(max_batch_bytes, ONLINE, MLS_KIND_SIZE, 1, MAX_BODY_BYTES, FIELD(max_batch_bytes)),
	SERVER_OPTION(max_parallel_requests, ONLINE, MLS_KIND_AUTO_OR_COUNT, 1, MLS_OPTION_MAX_COUNT,
				  FIELD(max_parallel_requests)),
	SERVER_OPTION(max_concurrent_requests, ONLINE, MLS_KIND_COUNT, 0, MLS_OPTION_MAX_COUNT,
				  FIELD(max_concurrent_requests)),
	SERVER_OPTION(requests_per_second, ONLINE, MLS_KIND_REAL, 0, MLS_OPTION_MAX_COUNT, FIELD(requests_per_second)),
	SERVER_OPTION(on_error, ONLINE, MLS_KIND_ENUM, .words = on_error_words, FIELD(on_error)),
	SERVER_OPTION(auth, EVERY, MLS_KIND_ENUM, .words = mls_auth_words, FIELD(auth)),
	SERVER_OPTION(timeout, HTTP, MLS_KIND_DURATION, 1, MAX_DURATION_MS, FIELD(timeout_ms)),
	SERVER_OPTION(connect_timeout, HTTP, MLS_KIND_DURATION, 1, MAX_DURATION_MS, FIELD(connect_timeout_ms)),
	SERVER_OPTION(max_attempts, HTTP, MLS_KIND_COUNT, 1, 100, FIELD(max_attempts)),
	SERVER_OPTION(retry_base_delay, HTTP, MLS_KIND_DURATION, 0, MAX_DURATION_MS, FIELD(retry_base_delay_ms)),
	SERVER_OPTION(retry_max_delay, HTTP, MLS_KIND_DURATION, 0, MAX_DURATION_MS, FIELD(retry_max_delay_ms)),
	SERVER_OPTION(ca_file, EVERY, MLS_KIND_FILE, .superuser_only = true, FIELD(ca_file)),
	SERVER_OPTION(proxy, HTTP, MLS_KIND_PROXY_URL, FIELD(proxy)),
	SERVER_OPTION(compression, ONLINE, MLS_KIND_ENUM, .words = compression_words, FIELD(compression)),
	SERVER_OPTION(storage, BATCH, MLS_KIND_TEXT, FIELD(storage)),
	SERVER_OPTION(workspace, BATCH, MLS_KIND_TEXT, FIELD(workspace)),
	SERVER_OPTION(input_uri, BATCH, MLS_KIND_TEMPLATE, FIELD(input_uri)),
	SERVER_OPTION(output_uri, BATCH, MLS_KIND_TEMPLATE, FIELD(output_uri)),
	SERVER_OPTION(jobs_url, BATCH, MLS_KIND_URL, FIELD(jobs_url)),
	SERVER_OPTION(workspace_url, BATCH, MLS_KIND_URL, FIELD(workspace_url)),
	SERVER_OPTION(poll_min_interval, BATCH, MLS_KIND_DURATION, 10, MAX_DURATION_MS, FIELD(poll_min_interval_ms)),
	SERVER_OPTION(poll_max_interval, BATCH, MLS_KIND_DURATION, 10, MAX_DURATION_MS, FIELD(poll_max_interval_ms)),
	SERVER_OPTION(account, BLOB, MLS_KIND_TEXT, FIELD(account)),
	SERVER_OPTION(arm_id, WORKSPACE, MLS_KIND_WORKSPACE, FIELD(arm_id)),
	SERVER_OPTION(bootstrap_servers, EVENTHUBS, MLS_KIND_BROKERS, FIELD(bootstrap_servers)),
	SERVER_OPTION(security_protocol, EVENTHUBS, MLS_KIND_ENUM, .words = protocol_words, FIELD(security_protocol)),
	{ANY_PROPERTY, MLS_OPTION_OF_SERVER, EVENTHUBS, MLS_KIND_PROPERTY, FIELD(kafka_properties)},
	MAPPING_OPTION(connection_string, EVENTHUBS | APPINSIGHTS, MLS_KIND_SECRET),
	SERVER_OPTION(credential, EVERY, MLS_KIND_ENUM, .words = mls_credential_words, FIELD(credential)),
	SERVER_OPTION(authority_host, EVERY, MLS_KIND_URL, FIELD(authority_host)),
	SERVER_OPTION(authority_ca_file, EVERY, MLS_KIND_FILE, .superuser_only = true, FIELD(authority_ca_file)),
	SERVER_OPTION(scope, EVERY, MLS_KIND_SCOPE, FIELD(scope)),
	SERVER_OPTION(identity_client_id, EVERY, MLS_KIND_NAME, FIELD(identity_client_id)),
	SERVER_OPTION(identity_object_id, EVERY, MLS_KIND_NAME, FIELD(identity_object_id)),
	SERVER_OPTION(identity_resource_id, EVERY, MLS_KIND_TEXT, FIELD(identity_resource_id)),
	SERVER_OPTION(assertion_algorithm, EVERY, MLS_KIND_ENUM, .words = assertion_words, FIELD(assertion_algorithm)),
	SERVER_OPTION(send_certificate_chain, EVERY, MLS_KIND_ENUM, .words = bool_words, FIELD(send_certificate_chain)),
	SERVER_OPTION(endpoint_id, ONLINE, MLS_KIND_ARM_ID, FIELD(endpoint_id)),
	SERVER_OPTION(management_url, ONLINE, MLS_KIND_URL, FIELD(management_url)),
	MAPPING_OPTION(tenant_id, EVERY, MLS_KIND_NAME),
	MAPPING_OPTION(client_id, EVERY, MLS_KIND_NAME),
	MAPPING_OPTION(client_secret, EVERY, MLS_KIND_SECRET),
	MAPPING_OPTION(client_certificate, EVERY, MLS_KIND_PEM),
	MAPPING_OPTION(client_certificate_password, EVERY, MLS_KIND_SECRET),
	MAPPING_OPTION(secondary_key, ONLINE, MLS_KIND_SECRET),
	MAPPING_OPTION(key, ONLINE | BATCH | WORKSPACE | OTLP | WEBHOOK, MLS_KIND_SECRET),
	MAPPING_OPTION(token, ONLINE | BATCH | WORKSPACE | OTLP | WEBHOOK, MLS_KIND_SECRET),
	MAPPING_OPTION(username, REGISTRY, MLS_KIND_TEXT),
	MAPPING_OPTION(password, REGISTRY, MLS_KIND_SECRET),
	MAPPING_OPTION(secret, WEBHOOK, MLS_KIND_SECRET),
	MAPPING_OPTION(sas_token, BLOB, MLS_KIND_SECRET),
	MAPPING_OPTION(account_key, BLOB, MLS_KIND_SECRET),
};

const MlsOption *
mls_option_at(int i)
{
	return i < lengthof(option_table) ? &option_table[i] : NULL;
}

const MlsOption *
mls_option_find(const char *name)
{
	if (strncmp(name, MLS_PROPERTY_PREFIX, strlen(MLS_PROPERTY_PREFIX)) == 0)
		name = ANY_PROPERTY;
	for (int i = 0; i < lengthof(option_table); i++)
		if (strcmp(option_table[i].name, name) == 0)
			return &option_table[i];
	return NULL;
}

const MlsOptionWord *
mls_option_find_word(const MlsOptionWord *words, const char *name)
{
	for (; words->name != NULL; words++)
		if (pg_strcasecmp(words->name, name) == 0)
			return words;
	return NULL;
}

char *
mls_option_list_words(const MlsOptionWord *words)
{
	StringInfoData out;

	initStringInfo(&out);
	for (; words->name != NULL; words++)
		appendStringInfo(&out, "%s'%s'", out.len > 0 ? ", " : "", words->name);
	return out.data;
}

char *
mls_option_list(MlsOptionPlace place, unsigned types)
{
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < lengthof(option_table); i++)
		if (option_table[i].place == place && (option_table[i].types & types) != 0)
			appendStringInfo(&out, "%s%s", out.len > 0 ? ", " : "", option_table[i].name);
	return out.data;
}

bool
mls_server_type_parse(const char *name, MlsServerType *type)
{
	for (int i = 0; name != NULL && i < lengthof(mls_type_rules); i++)
		if (strcmp(mls_type_rules[i].name, name) == 0)
		{
			*type = i;
			return true;
		}
	return false;
}

const char *
mls_server_type_name(MlsServerType type)
{
	return mls_type_rules[type].name;
}

char *
mls_server_type_list(void)
{
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < lengthof(mls_type_rules); i++)
		appendStringInfo(&out, "%s'%s'", i > 0 ? ", " : "", mls_type_rules[i].name);
	return out.data;
}

char *
mls_option_list_auths(unsigned types)
{
	unsigned auths = 0;
	StringInfoData out;

	for (int type = 0; type < lengthof(mls_type_rules); type++)
		if (types & (1U << type))
			auths |= mls_type_rules[type].auths;
	initStringInfo(&out);
	for (const MlsOptionWord *word = mls_auth_words; word->name != NULL; word++)
		if (auths & MLS_AUTH_BIT(word->value))
			appendStringInfo(&out, "%s'%s'", out.len > 0 ? ", " : "", word->name);
	return out.data;
}

const char *
mls_option_word(const MlsOptionWord *words, int value)
{
	while (words->value != value)
		words++;
	return words->name;
}

/* Does a server with this auth (and credential) look for the mapping's option? */
static bool
is_used(const MlsServer *server, const char *name)
{
	static const struct
	{
		const char *name;
		unsigned auths;
		MlsCredential credential;
	} uses[] = {
		{"key", MLS_AUTH_BIT(MLS_AUTH_KEY)},
		{"token", MLS_AUTH_BIT(MLS_AUTH_KEY)},
		{"secondary_key", MLS_AUTH_BIT(MLS_AUTH_KEY)},
		{"username", MLS_AUTH_BIT(MLS_AUTH_BASIC)},
		{"password", MLS_AUTH_BIT(MLS_AUTH_BASIC)},
		{"sas_token", MLS_AUTH_BIT(MLS_AUTH_SAS)},
		{"account_key", MLS_AUTH_BIT(MLS_AUTH_SHARED_KEY)},
		{"connection_string", MLS_AUTH_BIT(MLS_AUTH_CONNECTION_STRING)},
		{"client_secret", 0, MLS_CREDENTIAL_CLIENT_SECRET},
		{"client_certificate", 0, MLS_CREDENTIAL_CLIENT_CERTIFICATE},
		{"client_certificate_password", 0, MLS_CREDENTIAL_CLIENT_CERTIFICATE},
		{"tenant_id", 0, MLS_CREDENTIAL_CLIENT_SECRET},
		{"tenant_id", 0, MLS_CREDENTIAL_CLIENT_CERTIFICATE},
		{"client_id", 0, MLS_CREDENTIAL_CLIENT_SECRET},
		{"client_id", 0, MLS_CREDENTIAL_CLIENT_CERTIFICATE},
	};
	bool known = false;

	for (int i = 0; i < lengthof(uses); i++)
	{
		if (strcmp(uses[i].name, name) != 0)
			continue;
		if ((uses[i].auths & MLS_AUTH_BIT(server->auth)) != 0 ||
			(uses[i].credential != MLS_CREDENTIAL_NONE && uses[i].credential == server->credential))
			return true;
		known = true;
	}
	return !known;
}

bool
mls_option_is_idle(const MlsServer *server, const char *name)
{
	/* What the control plane will say of a looked-up endpoint is not known here. */
	if (server->endpoint_id != NULL && !server->auth_given)
		return false;
	/* Application Insights is told the key in any case. */
	if (server->type == MLS_SERVER_APPINSIGHTS && strcmp(name, "connection_string") == 0)
		return false;
	return !is_used(server, name);
}

char *
mls_option_auth_words(const MlsServer *server)
{
	if (server->credential == MLS_CREDENTIAL_NONE)
		return psprintf("The server has auth '%s'.", mls_option_word(mls_auth_words, server->auth));
	return psprintf("The server has auth '%s' and credential '%s'.", mls_option_word(mls_auth_words, server->auth),
					mls_option_word(mls_credential_words, server->credential));
}

const char *
mls_request_format_name(MlsRequestFormat format)
{
	return mls_option_word(format_words, format);
}
