/*
 * option.c - the options of servers and user mappings.
 *
 * The table below is the only list: the validator, the hints, and the reading of a server's options all follow it. An
 * option's value is checked in full at DDL time; reading it later runs the same code and so cannot find anything new.
 * Only where requests may go is looked at again, for each, because a superuser may change that.
 */
#include "catalog/option.h"

#include <ctype.h>

#include "access/reloptions.h"
#include "auth/reference.h"
#include "auth/scope.h"
#include "batch/location.h"
#include "batch/template.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "catalog/url.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "runs/workspace.h"
#include "stream/kafka.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

/* What an option's value is, and by that the type of its field in MlsServer. */
typedef enum OptionKind
{
	KIND_COUNT,			/* int */
	KIND_AUTO_OR_COUNT, /* int, MLS_AUTO for 'auto' */
	KIND_REAL,			/* double */
	KIND_DURATION,		/* int, ms */
	KIND_SIZE,			/* int, bytes */
	KIND_ENUM,			/* an enum */
	KIND_URL,			/* char *, where requests go */
	KIND_PROXY_URL,		/* char * */
	KIND_FILE,			/* char *, an absolute path */
	KIND_TEMPLATE,		/* char *, a URI with names in braces */
	KIND_BROKERS,		/* char *, host:port, comma-separated */
	KIND_PROPERTY,		/* one of librdkafka's; the name is "kafka." and its name */
	KIND_WORKSPACE,		/* char *, the ARM id of a workspace */
	KIND_TEXT,			/* char *, goes into an HTTP header */
	KIND_NAME,			/* char *, letters, digits, ".", "-" */
	KIND_SCOPE,			/* char *, of a token */
	KIND_ARM_ID,		/* char *, of an online endpoint */
	KIND_SECRET,		/* char *, goes into an HTTP header and is never shown; or where it is to be found */
	KIND_PEM			/* same, with line breaks */
} OptionKind;

typedef struct OptionWord
{
	const char *name;
	int value;
} OptionWord;

typedef struct Option
{
	const char *name;
	MlsOptionPlace place;
	unsigned types; /* bits of MlsServerType */
	OptionKind kind;
	double min; /* of numbers */
	double max;
	const OptionWord *words; /* of enums */
	bool superuser_only;
	size_t offset; /* of the field in MlsServer; a mapping's options have none */
} Option;

#define ONLINE (1U << MLS_SERVER_ONLINE)
#define BATCH (1U << MLS_SERVER_BATCH)
#define BLOB (1U << MLS_SERVER_BLOB)
#define REGISTRY (1U << MLS_SERVER_REGISTRY)
#define WORKSPACE (1U << MLS_SERVER_WORKSPACE)
#define APPINSIGHTS (1U << MLS_SERVER_APPINSIGHTS)
#define OTLP (1U << MLS_SERVER_OTLP)
#define HTTP (ONLINE | BATCH | BLOB | REGISTRY | WORKSPACE | APPINSIGHTS | OTLP) /* those talked to by HTTP */
#define EVENTHUBS (1U << MLS_SERVER_EVENTHUBS)
#define EVERY (HTTP | EVENTHUBS)

#define PROPERTY_PREFIX "kafka."
#define ANY_PROPERTY PROPERTY_PREFIX "*"

#define MAX_COUNT 1000000
#define MAX_DURATION_MS (24 * 60 * 60 * 1000)
#define MAX_BODY_BYTES (MaxAllocSize / 2)

#define AUTH(auth) (1U << (auth))

/* What a type of servers needs and takes, in the order of MlsServerType. */
typedef struct TypeRule
{
	const char *name;
	const char *needed; /* the option that must be given */
	const char *needed_hint;
	const char *alternative; /* an option that makes up for it, or NULL */
	unsigned auths;			 /* bits of MlsAuth */
} TypeRule;

static const TypeRule type_rules[] = {
	[MLS_SERVER_ONLINE] = {"online", "url", "Give the scoring URL of the endpoint: OPTIONS (url 'https://...').",
						   "endpoint_id",
						   AUTH(MLS_AUTH_NONE) | AUTH(MLS_AUTH_KEY) | AUTH(MLS_AUTH_AML_TOKEN) | AUTH(MLS_AUTH_ENTRA)},
	[MLS_SERVER_BATCH] = {"batch", "url", "Give the URL that starts jobs: OPTIONS (url 'https://.../jobs').", NULL,
						  AUTH(MLS_AUTH_NONE) | AUTH(MLS_AUTH_KEY) | AUTH(MLS_AUTH_ENTRA)},
	[MLS_SERVER_BLOB] = {"blob", "url",
						 "Give the container's URL: OPTIONS (url 'https://ACCOUNT.blob.core.windows.net/CONTAINER').",
						 NULL,
						 AUTH(MLS_AUTH_NONE) | AUTH(MLS_AUTH_SAS) | AUTH(MLS_AUTH_SHARED_KEY) | AUTH(MLS_AUTH_ENTRA)},
	[MLS_SERVER_EVENTHUBS] = {"eventhubs", "bootstrap_servers",
							  "Give the brokers: OPTIONS (bootstrap_servers 'NAMESPACE.servicebus.windows.net:9093').",
							  NULL, AUTH(MLS_AUTH_NONE) | AUTH(MLS_AUTH_CONNECTION_STRING) | AUTH(MLS_AUTH_ENTRA)},
	[MLS_SERVER_REGISTRY] = {"registry", "url", "Give the schema registry's URL: OPTIONS (url 'https://...').", NULL,
							 AUTH(MLS_AUTH_NONE) | AUTH(MLS_AUTH_BASIC)},
	[MLS_SERVER_WORKSPACE] = {"workspace", "arm_id",
							  "Give the workspace's ARM id: OPTIONS (arm_id '/subscriptions/ID/resourceGroups/NAME/"
							  "providers/Microsoft.MachineLearningServices/workspaces/NAME').",
							  NULL, AUTH(MLS_AUTH_NONE) | AUTH(MLS_AUTH_KEY) | AUTH(MLS_AUTH_ENTRA)},
	[MLS_SERVER_APPINSIGHTS] = {"appinsights", "url",
								"Give the IngestionEndpoint of the connection string: OPTIONS (url 'https://...').",
								NULL, AUTH(MLS_AUTH_CONNECTION_STRING) | AUTH(MLS_AUTH_ENTRA)},
	[MLS_SERVER_OTLP] = {"otlp", "url", "Give the collector's URL without /v1/metrics: OPTIONS (url 'https://...').",
						 NULL, AUTH(MLS_AUTH_NONE) | AUTH(MLS_AUTH_KEY)},
};

static const OptionWord format_words[] = {{"auto", MLS_FORMAT_AUTO},
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

static const OptionWord on_error_words[] = {{"fail", MLS_ON_ERROR_FAIL}, {"null", MLS_ON_ERROR_NULL}, {NULL}};

static const OptionWord auth_words[] = {{"none", MLS_AUTH_NONE},
										{"key", MLS_AUTH_KEY},
										{"basic", MLS_AUTH_BASIC},
										{"aml_token", MLS_AUTH_AML_TOKEN},
										{"entra", MLS_AUTH_ENTRA},
										{"sas", MLS_AUTH_SAS},
										{"shared_key", MLS_AUTH_SHARED_KEY},
										{"connection_string", MLS_AUTH_CONNECTION_STRING},
										{NULL}};

static const OptionWord credential_words[] = {{"client_secret", MLS_CREDENTIAL_CLIENT_SECRET},
											  {"client_certificate", MLS_CREDENTIAL_CLIENT_CERTIFICATE},
											  {"environment", MLS_CREDENTIAL_ENVIRONMENT},
											  {"workload_identity", MLS_CREDENTIAL_WORKLOAD_IDENTITY},
											  {"managed_identity", MLS_CREDENTIAL_MANAGED_IDENTITY},
											  {"azure_cli", MLS_CREDENTIAL_AZURE_CLI},
											  {"default", MLS_CREDENTIAL_DEFAULT},
											  {NULL}};

static const OptionWord assertion_words[] = {{"PS256", MLS_ASSERTION_PS256}, {"RS256", MLS_ASSERTION_RS256}, {NULL}};

static const OptionWord bool_words[] = {{"false", false}, {"true", true}, {NULL}};

static const OptionWord protocol_words[] = {{"plaintext", MLS_PROTOCOL_PLAINTEXT},
											{"ssl", MLS_PROTOCOL_SSL},
											{"sasl_plaintext", MLS_PROTOCOL_SASL_PLAINTEXT},
											{"sasl_ssl", MLS_PROTOCOL_SASL_SSL},
											{NULL}};

static const OptionWord compression_words[] = {{"none", MLS_COMPRESSION_NONE}, {"gzip", MLS_COMPRESSION_GZIP}, {NULL}};

#define SERVER_OPTION(name, types, kind, ...)                                                                          \
	{                                                                                                                  \
#name, MLS_OPTION_OF_SERVER, types, kind, __VA_ARGS__                                                          \
	}
#define MAPPING_OPTION(name, types, kind, ...)                                                                         \
	{                                                                                                                  \
#name, MLS_OPTION_OF_MAPPING, types, kind, __VA_ARGS__                                                         \
	}
#define FIELD(field) .offset = offsetof(MlsServer, field)

static const Option option_table[] = {
	SERVER_OPTION(url, HTTP, KIND_URL, FIELD(url)),
	SERVER_OPTION(swagger_url, ONLINE, KIND_URL, FIELD(swagger_url)),
	SERVER_OPTION(deployment, ONLINE | BATCH, KIND_TEXT, FIELD(deployment)),
	SERVER_OPTION(request_format, ONLINE, KIND_ENUM, .words = format_words, FIELD(request_format)),
	SERVER_OPTION(max_batch_rows, ONLINE, KIND_AUTO_OR_COUNT, 1, MAX_COUNT, FIELD(max_batch_rows)),
	SERVER_OPTION(max_batch_bytes, ONLINE, KIND_SIZE, 1, MAX_BODY_BYTES, FIELD(max_batch_bytes)),
	SERVER_OPTION(max_parallel_requests, ONLINE, KIND_AUTO_OR_COUNT, 1, MAX_COUNT, FIELD(max_parallel_requests)),
	SERVER_OPTION(max_concurrent_requests, ONLINE, KIND_COUNT, 0, MAX_COUNT, FIELD(max_concurrent_requests)),
	SERVER_OPTION(requests_per_second, ONLINE, KIND_REAL, 0, MAX_COUNT, FIELD(requests_per_second)),
	SERVER_OPTION(on_error, ONLINE, KIND_ENUM, .words = on_error_words, FIELD(on_error)),
	SERVER_OPTION(auth, EVERY, KIND_ENUM, .words = auth_words, FIELD(auth)),
	SERVER_OPTION(timeout, HTTP, KIND_DURATION, 1, MAX_DURATION_MS, FIELD(timeout_ms)),
	SERVER_OPTION(connect_timeout, HTTP, KIND_DURATION, 1, MAX_DURATION_MS, FIELD(connect_timeout_ms)),
	SERVER_OPTION(max_attempts, HTTP, KIND_COUNT, 1, 100, FIELD(max_attempts)),
	SERVER_OPTION(retry_base_delay, HTTP, KIND_DURATION, 0, MAX_DURATION_MS, FIELD(retry_base_delay_ms)),
	SERVER_OPTION(retry_max_delay, HTTP, KIND_DURATION, 0, MAX_DURATION_MS, FIELD(retry_max_delay_ms)),
	SERVER_OPTION(ca_file, EVERY, KIND_FILE, .superuser_only = true, FIELD(ca_file)),
	SERVER_OPTION(proxy, HTTP, KIND_PROXY_URL, FIELD(proxy)),
	SERVER_OPTION(compression, ONLINE, KIND_ENUM, .words = compression_words, FIELD(compression)),
	SERVER_OPTION(storage, BATCH, KIND_TEXT, FIELD(storage)),
	SERVER_OPTION(input_uri, BATCH, KIND_TEMPLATE, FIELD(input_uri)),
	SERVER_OPTION(output_uri, BATCH, KIND_TEMPLATE, FIELD(output_uri)),
	SERVER_OPTION(jobs_url, BATCH, KIND_URL, FIELD(jobs_url)),
	SERVER_OPTION(workspace_url, BATCH, KIND_URL, FIELD(workspace_url)),
	SERVER_OPTION(poll_min_interval, BATCH, KIND_DURATION, 10, MAX_DURATION_MS, FIELD(poll_min_interval_ms)),
	SERVER_OPTION(poll_max_interval, BATCH, KIND_DURATION, 10, MAX_DURATION_MS, FIELD(poll_max_interval_ms)),
	SERVER_OPTION(account, BLOB, KIND_TEXT, FIELD(account)),
	SERVER_OPTION(arm_id, WORKSPACE, KIND_WORKSPACE, FIELD(arm_id)),
	SERVER_OPTION(bootstrap_servers, EVENTHUBS, KIND_BROKERS, FIELD(bootstrap_servers)),
	SERVER_OPTION(security_protocol, EVENTHUBS, KIND_ENUM, .words = protocol_words, FIELD(security_protocol)),
	{ANY_PROPERTY, MLS_OPTION_OF_SERVER, EVENTHUBS, KIND_PROPERTY, FIELD(kafka_properties)},
	MAPPING_OPTION(connection_string, EVENTHUBS | APPINSIGHTS, KIND_SECRET),
	SERVER_OPTION(credential, EVERY, KIND_ENUM, .words = credential_words, FIELD(credential)),
	SERVER_OPTION(authority_host, EVERY, KIND_URL, FIELD(authority_host)),
	SERVER_OPTION(authority_ca_file, EVERY, KIND_FILE, .superuser_only = true, FIELD(authority_ca_file)),
	SERVER_OPTION(scope, EVERY, KIND_SCOPE, FIELD(scope)),
	SERVER_OPTION(identity_client_id, EVERY, KIND_NAME, FIELD(identity_client_id)),
	SERVER_OPTION(identity_object_id, EVERY, KIND_NAME, FIELD(identity_object_id)),
	SERVER_OPTION(identity_resource_id, EVERY, KIND_TEXT, FIELD(identity_resource_id)),
	SERVER_OPTION(assertion_algorithm, EVERY, KIND_ENUM, .words = assertion_words, FIELD(assertion_algorithm)),
	SERVER_OPTION(send_certificate_chain, EVERY, KIND_ENUM, .words = bool_words, FIELD(send_certificate_chain)),
	SERVER_OPTION(endpoint_id, ONLINE, KIND_ARM_ID, FIELD(endpoint_id)),
	SERVER_OPTION(management_url, ONLINE, KIND_URL, FIELD(management_url)),
	MAPPING_OPTION(tenant_id, EVERY, KIND_NAME),
	MAPPING_OPTION(client_id, EVERY, KIND_NAME),
	MAPPING_OPTION(client_secret, EVERY, KIND_SECRET),
	MAPPING_OPTION(client_certificate, EVERY, KIND_PEM),
	MAPPING_OPTION(client_certificate_password, EVERY, KIND_SECRET),
	MAPPING_OPTION(secondary_key, ONLINE, KIND_SECRET),
	MAPPING_OPTION(key, ONLINE | BATCH | WORKSPACE | OTLP, KIND_SECRET),
	MAPPING_OPTION(token, ONLINE | BATCH | WORKSPACE | OTLP, KIND_SECRET),
	MAPPING_OPTION(username, REGISTRY, KIND_TEXT),
	MAPPING_OPTION(password, REGISTRY, KIND_SECRET),
	MAPPING_OPTION(sas_token, BLOB, KIND_SECRET),
	MAPPING_OPTION(account_key, BLOB, KIND_SECRET),
};

static const Option *
find_option(const char *name)
{
	if (strncmp(name, PROPERTY_PREFIX, strlen(PROPERTY_PREFIX)) == 0)
		name = ANY_PROPERTY;
	for (int i = 0; i < lengthof(option_table); i++)
		if (strcmp(option_table[i].name, name) == 0)
			return &option_table[i];
	return NULL;
}

static const OptionWord *
find_word(const OptionWord *words, const char *name)
{
	for (; words->name != NULL; words++)
		if (pg_strcasecmp(words->name, name) == 0)
			return words;
	return NULL;
}

static char *
list_words(const OptionWord *words)
{
	StringInfoData out;

	initStringInfo(&out);
	for (; words->name != NULL; words++)
		appendStringInfo(&out, "%s'%s'", out.len > 0 ? ", " : "", words->name);
	return out.data;
}

/* The options that may stand at place on servers of these types, comma-separated; "" when there are none. */
static char *
list_options(MlsOptionPlace place, unsigned types)
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
	for (int i = 0; name != NULL && i < lengthof(type_rules); i++)
		if (strcmp(type_rules[i].name, name) == 0)
		{
			*type = i;
			return true;
		}
	return false;
}

const char *
mls_server_type_name(MlsServerType type)
{
	return type_rules[type].name;
}

char *
mls_server_type_list(void)
{
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < lengthof(type_rules); i++)
		appendStringInfo(&out, "%s'%s'", i > 0 ? ", " : "", type_rules[i].name);
	return out.data;
}

/* The word that stands for value. */
static const char *
word_of(const OptionWord *words, int value)
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
		{"key", AUTH(MLS_AUTH_KEY)},
		{"token", AUTH(MLS_AUTH_KEY)},
		{"secondary_key", AUTH(MLS_AUTH_KEY)},
		{"username", AUTH(MLS_AUTH_BASIC)},
		{"password", AUTH(MLS_AUTH_BASIC)},
		{"sas_token", AUTH(MLS_AUTH_SAS)},
		{"account_key", AUTH(MLS_AUTH_SHARED_KEY)},
		{"connection_string", AUTH(MLS_AUTH_CONNECTION_STRING)},
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
		if ((uses[i].auths & AUTH(server->auth)) != 0 ||
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
		return psprintf("The server has auth '%s'.", word_of(auth_words, server->auth));
	return psprintf("The server has auth '%s' and credential '%s'.", word_of(auth_words, server->auth),
					word_of(credential_words, server->credential));
}

const char *
mls_request_format_name(MlsRequestFormat format)
{
	return word_of(format_words, format);
}

bool
mls_option_parse_auto(const char *value, int *result)
{
	int count;

	if (pg_strcasecmp(value, "auto") == 0)
	{
		*result = MLS_AUTO;
		return true;
	}
	if (!parse_int(value, &count, 0, NULL) || count < 1 || count > MAX_COUNT)
		return false;
	*result = count;
	return true;
}

/* May a message repeat the value? Not if it is a secret, or a URL that may have a password in it. */
static bool
may_be_shown(const Option *option, const char *value)
{
	if (option->kind == KIND_URL || option->kind == KIND_PROXY_URL)
		return strchr(value, '@') == NULL;
	return option->kind != KIND_SECRET && option->kind != KIND_PEM;
}

/* Raise about an option's value; expected is a whole sentence. */
pg_noreturn static void
raise_bad_value(const Option *option, const char *value, const char *expected)
{
	if (!may_be_shown(option, value))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("invalid value for option \"%s\"", option->name), errdetail("%s", expected));
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("invalid value for option \"%s\": \"%s\"", option->name, value), errdetail("%s", expected));
}

/* Does value hold anything that could end an HTTP header line, or is no text at all? */
static bool
has_control_characters(const char *value)
{
	for (const unsigned char *c = (const unsigned char *) value; *c != '\0'; c++)
		if (*c < ' ' || *c == 0x7f)
			return true;
	return false;
}

/* A number of the unit that flags say (GUC_UNIT_MS, ...), checked against the option's range. */
static int
parse_number(const Option *option, const char *value, int flags, const char *what)
{
	const char *hint = NULL;
	int result;

	if (!parse_int(value, &result, flags, &hint))
		raise_bad_value(option, value, hint != NULL ? hint : psprintf("The value must be %s.", what));
	if (result < option->min || result > option->max)
		raise_bad_value(option, value,
						psprintf("The value must be between %.0f and %.0f%s.", option->min, option->max,
								 flags == GUC_UNIT_MS ? " ms" : (flags == GUC_UNIT_BYTE ? " bytes" : "")));
	return result;
}

static double
parse_rate(const Option *option, const char *value)
{
	double result;

	if (!parse_real(value, &result, 0, NULL) || !(result >= option->min && result <= option->max))
		raise_bad_value(option, value,
						psprintf("The value must be a number between %.0f and %.0f.", option->min, option->max));
	return result;
}

static bool
consists_of(const char *value, const char *also)
{
	for (; *value != '\0'; value++)
		if (!isalnum((unsigned char) *value) && strchr(also, *value) == NULL)
			return false;
	return true;
}

/* Is value the PEM text of a certificate and its key? */
static bool
is_pem(const char *value)
{
	return strstr(value, "-----BEGIN CERTIFICATE-----") != NULL && strstr(value, "PRIVATE KEY-----") != NULL;
}

/* Check a secret's value, which may also say where the secret is. */
static void
check_secret(const Option *option, const char *value)
{
	char *problem = NULL;

	if (mls_reference_is(value))
		problem = mls_reference_check(value);
	else if (option->kind == KIND_PEM && !is_pem(value))
		problem = "The value must be the PEM text of a certificate and its private key, or file:/PATH.";
	else if (*value == '\0' || (option->kind == KIND_SECRET && has_control_characters(value)))
		problem = "The value must not be empty and must not contain control characters.";
	if (problem != NULL)
		raise_bad_value(option, value, problem);
}

/* An option's value, parsed; which member holds depends on its kind. */
typedef struct OptionValue
{
	int number;
	double real;
	char *text;
} OptionValue;

/* Parse and check value; raises when it is malformed. */
static OptionValue
parse_value(const Option *option, char *value)
{
	OptionValue result = {0};
	const OptionWord *word;
	char *problem;

	switch (option->kind)
	{
		case KIND_COUNT:
			result.number = parse_number(option, value, 0, "a whole number");
			break;
		case KIND_AUTO_OR_COUNT:
			if (!mls_option_parse_auto(value, &result.number))
				raise_bad_value(option, value,
								psprintf("The value must be 'auto' or a whole number from %.0f to %.0f.", option->min,
										 option->max));
			break;
		case KIND_REAL:
			result.real = parse_rate(option, value);
			break;
		case KIND_DURATION:
			result.number = parse_number(option, value, GUC_UNIT_MS, "a time such as '20ms', '60s' or '2min'");
			break;
		case KIND_SIZE:
			result.number = parse_number(option, value, GUC_UNIT_BYTE, "a size such as '512kB' or '1MB'");
			break;
		case KIND_ENUM:
			word = find_word(option->words, value);
			if (word == NULL)
				raise_bad_value(option, value, psprintf("Valid values are: %s.", list_words(option->words)));
			result.number = word->value;
			break;
		case KIND_URL:
		case KIND_PROXY_URL:
		case KIND_BROKERS:
		case KIND_PROPERTY:
			break;
		case KIND_FILE:
			if (!is_absolute_path(value))
				raise_bad_value(option, value, "The value must be an absolute path on the database server.");
			break;
		case KIND_WORKSPACE:
			if (!mls_workspace_is_id(value) || has_control_characters(value) || strpbrk(value, " %?#\\") != NULL)
				raise_bad_value(option, value,
								"The value must be like /subscriptions/ID/resourceGroups/NAME/providers/"
								"Microsoft.MachineLearningServices/workspaces/NAME.");
			break;
		case KIND_TEMPLATE:
			problem = mls_template_check(value);
			if (problem != NULL)
				raise_bad_value(option, value, problem);
			break;
		case KIND_TEXT:
			if (*value == '\0' || has_control_characters(value))
				raise_bad_value(option, value, "The value must not be empty and must not contain control characters.");
			break;
		case KIND_NAME:
			if (*value == '\0' || !consists_of(value, ".-"))
				raise_bad_value(option, value, "The value must consist of letters, digits, \".\" and \"-\".");
			break;
		case KIND_SCOPE:
			if (!consists_of(value, ".:/_-") || !mls_scope_has_resource(value))
				raise_bad_value(option, value,
								"The value must be a resource and \"/.default\", such as "
								"'https://ml.azure.com/.default'.");
			break;
		case KIND_ARM_ID:
			if (!consists_of(value, "/._-()") || !mls_arm_id_is_endpoint(value))
				raise_bad_value(option, value,
								"The value must be like /subscriptions/ID/resourceGroups/NAME/providers/"
								"Microsoft.MachineLearningServices/workspaces/NAME/onlineEndpoints/NAME.");
			break;
		case KIND_SECRET:
		case KIND_PEM:
			check_secret(option, value);
			break;
	}
	result.text = value;
	return result;
}

/* Raise when requests must not go where value points. Not part of its parsing: the rules may change later. */
static void
check_url(const Option *option, const char *value)
{
	char *refusal = NULL;

	if (option->kind == KIND_URL)
		refusal = mls_url_refusal(value);
	else if (option->kind == KIND_PROXY_URL)
		refusal = mls_url_proxy_refusal(value);
	else if (option->kind == KIND_BROKERS)
		refusal = mls_kafka_brokers_refusal(value);
	if (refusal != NULL)
		raise_bad_value(option, value, refusal);
}

/* Raise unless librdkafka takes the property, and a server may have it. */
static void
check_property(DefElem *def)
{
	MlsKafkaProperty verdict;
	char *problem = mls_kafka_property_check(def->defname + strlen(PROPERTY_PREFIX), defGetString(def), &verdict);

	switch (verdict)
	{
		case MLS_PROPERTY_OK:
			break;
		case MLS_PROPERTY_FOR_SUPERUSERS:
			ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					errmsg("permission denied to use the option \"%s\"", def->defname), errdetail("%s", problem));
		case MLS_PROPERTY_MALFORMED:
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("invalid value for option \"%s\"", def->defname), errdetail("librdkafka says: %s", problem));
		case MLS_PROPERTY_UNKNOWN:
			ereport(ERROR, errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("invalid option \"%s\"", def->defname),
					errdetail("librdkafka says: %s", problem));
		case MLS_PROPERTY_REFUSED:
			ereport(ERROR, errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					errmsg("option \"%s\" cannot be set", def->defname), errdetail("%s", problem));
	}
}

/* Put a parsed value into its field of server. */
static void
store_value(MlsServer *server, const Option *option, const OptionValue *value)
{
	void *field = (char *) server + option->offset;

	switch (option->kind)
	{
		case KIND_COUNT:
		case KIND_AUTO_OR_COUNT:
		case KIND_DURATION:
		case KIND_SIZE:
		case KIND_ENUM:
			*(int *) field = value->number;
			break;
		case KIND_REAL:
			*(double *) field = value->real;
			break;
		case KIND_URL:
		case KIND_PROXY_URL:
		case KIND_FILE:
		case KIND_WORKSPACE:
		case KIND_TEMPLATE:
		case KIND_BROKERS:
		case KIND_TEXT:
		case KIND_NAME:
		case KIND_SCOPE:
		case KIND_ARM_ID:
		case KIND_SECRET:
		case KIND_PEM:
			*(char **) field = value->text;
			break;
		case KIND_PROPERTY:
			break; /* mls_option_read has its name */
	}
}

StaticAssertDecl(sizeof(MlsRequestFormat) == sizeof(int), "enums are stored through int pointers");

void
mls_option_read(MlsServer *server, List *options)
{
	ListCell *lc;

	foreach (lc, options)
	{
		DefElem *def = lfirst(lc);
		const Option *option = find_option(def->defname);
		OptionValue value;

		if (option == NULL || option->place != MLS_OPTION_OF_SERVER)
			continue; /* not of this version of the library: the validator would not have let it in */
		value = parse_value(option, defGetString(def));
		store_value(server, option, &value);
		if (option->kind == KIND_PROPERTY)
			server->kafka_properties =
				lappend(server->kafka_properties, makeDefElem(def->defname + strlen(PROPERTY_PREFIX), def->arg, -1));
		server->auth_given |= strcmp(option->name, "auth") == 0;
	}
}

/* Raise unless servers of this type can have the auth that value names. */
static void
check_auth(const char *name, MlsServerType type, const char *value)
{
	const TypeRule *rule = &type_rules[type];
	StringInfoData valid;

	if (rule->auths & AUTH(find_word(auth_words, value)->value))
		return;
	initStringInfo(&valid);
	for (const OptionWord *word = auth_words; word->name != NULL; word++)
		if (rule->auths & AUTH(word->value))
			appendStringInfo(&valid, "%s'%s'", valid.len > 0 ? ", " : "", word->name);
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("server \"%s\" of type '%s' cannot have auth '%s'", name, rule->name, value),
			errhint("Valid values for this type are: %s.", valid.data));
}

/* Raise unless a blob server's url names a container. */
static void
check_location(const char *name, const char *url, const char *account)
{
	MlsLocation location;

	if (url != NULL && !mls_location_parse(url, account, &location))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("option \"url\" of server \"%s\" names no container", name),
				errhint("%s", type_rules[MLS_SERVER_BLOB].needed_hint));
}

/* Raise unless an eventhubs server's security_protocol and auth fit each other, and the brokers are where it may go. */
static void
check_protocol(const char *name, List *options)
{
	MlsServer server = {0};
	char *refusal;

	mls_option_read(&server, options);
	refusal = mls_kafka_protocol_refusal(&server);
	if (refusal != NULL)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("option \"security_protocol\" of server \"%s\" does not fit", name), errdetail("%s", refusal));
}

static char *
option_value(List *options, const char *name)
{
	ListCell *lc;

	foreach (lc, options)
	{
		DefElem *def = lfirst(lc);

		if (strcmp(def->defname, name) == 0)
			return defGetString(def);
	}
	return NULL;
}

pg_noreturn static void
raise_needs(const char *name, const char *what, const char *needed, const char *hint)
{
	ereport(ERROR, errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
			errmsg("server \"%s\" with %s needs the option \"%s\"", name, what, needed), errhint("%s", hint));
}

/* Raise about options of identities that miss another, or exclude each other. */
static void
check_identity(const char *name, List *options)
{
	char *auth = option_value(options, "auth");
	char *credential = option_value(options, "credential");
	int nselectors = (option_value(options, "identity_client_id") != NULL) +
					 (option_value(options, "identity_object_id") != NULL) +
					 (option_value(options, "identity_resource_id") != NULL);
	char *hint = psprintf("Say as whom tokens are fetched. Valid values are: %s.", list_words(credential_words));

	if (auth != NULL && strcmp(auth, "entra") == 0 && credential == NULL)
		raise_needs(name, "auth 'entra'", "credential", hint);
	if (auth != NULL && strcmp(auth, "aml_token") == 0 && option_value(options, "endpoint_id") == NULL)
		raise_needs(name, "auth 'aml_token'", "endpoint_id", "Give the ARM id of the online endpoint.");
	if (option_value(options, "endpoint_id") != NULL && credential == NULL)
		raise_needs(name, "an endpoint_id", "credential", hint);
	if (nselectors > 1)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("server \"%s\" names more than one managed identity", name),
				errhint("Give one of identity_client_id, identity_object_id and identity_resource_id."));
	if (nselectors > 0 &&
		(credential == NULL || (strcmp(credential, "managed_identity") != 0 && strcmp(credential, "default") != 0)))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("server \"%s\" names a managed identity without using one", name),
				errhint("It goes with credential 'managed_identity' or 'default'."));
}

void
mls_option_check_type(const char *name, MlsServerType type, List *options)
{
	const TypeRule *rule = &type_rules[type];
	bool has_needed = false;
	char *url = NULL;
	char *account = NULL;
	ListCell *lc;

	foreach (lc, options)
	{
		DefElem *def = lfirst(lc);
		const Option *option = find_option(def->defname);

		if (option == NULL || (option->types & (1U << type)) == 0)
			ereport(ERROR, errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					errmsg("server \"%s\" of type '%s' has no option \"%s\"", name, rule->name, def->defname),
					errhint("Valid options for this type are: %s.", list_options(MLS_OPTION_OF_SERVER, 1U << type)));
		if (strcmp(def->defname, "auth") == 0)
			check_auth(name, type, defGetString(def));
		if (strcmp(def->defname, "url") == 0)
			url = defGetString(def);
		if (strcmp(def->defname, "account") == 0)
			account = defGetString(def);
		has_needed |= strcmp(def->defname, rule->needed) == 0 ||
					  (rule->alternative != NULL && strcmp(def->defname, rule->alternative) == 0);
	}
	if (!has_needed)
		ereport(ERROR, errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				errmsg("server \"%s\" needs the option \"%s\"", name, rule->needed), errhint("%s", rule->needed_hint));
	check_identity(name, options);
	if (type == MLS_SERVER_BLOB)
		check_location(name, url, account);
	if (type == MLS_SERVER_EVENTHUBS)
		check_protocol(name, options);
	if (type == MLS_SERVER_WORKSPACE && url == NULL)
		ereport(ERROR, errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				errmsg("server \"%s\" needs the option \"url\"", name),
				errhint("Give the region's API: OPTIONS (url 'https://REGION.api.azureml.ms')."));
}

/* Raise about an option that is unknown, or known at another place. */
pg_noreturn static void
raise_unknown(const char *name, const Option *option, const MlsOptionPlace *place)
{
	char *valid = place == NULL ? "" : list_options(*place, ~0U);

	if (option != NULL && option->place == MLS_OPTION_OF_MAPPING)
		ereport(ERROR, errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("option \"%s\" belongs to user mappings", name),
				errhint("Credentials go into CREATE USER MAPPING ... OPTIONS (%s '...').", name));
	if (option != NULL)
		ereport(ERROR, errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("option \"%s\" belongs to servers", name),
				*valid == '\0' ? errhint("There are no valid options in this context.")
							   : errhint("Valid options in this context are: %s.", valid));
	ereport(ERROR, errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("invalid option \"%s\"", name),
			*valid == '\0' ? errhint("There are no valid options in this context.")
						   : errhint("Valid options in this context are: %s.", valid));
}

/* Raise unless the option may have this value without being a superuser's. */
static void
check_privilege(const Option *option, const char *value)
{
	const OptionWord *word = option->words == NULL ? NULL : find_word(option->words, value);

	if (option->superuser_only)
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("permission denied to use the option \"%s\"", option->name),
				errdetail("Only a superuser may name a file of the database server's machine."));
	if (option->words == credential_words && word != NULL && word->value >= MLS_CREDENTIAL_ENVIRONMENT)
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("permission denied to use credential '%s'", value),
				errdetail("It is the identity of the database server itself, which only a superuser may lend."));
	if ((option->kind == KIND_SECRET || option->kind == KIND_PEM) && mls_reference_is(value))
		ereport(
			ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			errmsg("permission denied to use the option \"%s\" with a reference", option->name),
			errdetail("Only a superuser may have the database server read its environment, its files or a key vault."));
}

/* Check one option as DDL gives it. place is NULL where no option may stand. */
static const Option *
check_option(DefElem *def, const MlsOptionPlace *place)
{
	const Option *option = find_option(def->defname);

	if (option == NULL || place == NULL || option->place != *place)
		raise_unknown(def->defname, option, place);
	if (!superuser())
		check_privilege(option, defGetString(def));
	parse_value(option, defGetString(def));
	check_url(option, defGetString(def));
	if (option->kind == KIND_PROPERTY)
		check_property(def);
	return option;
}

/*
 * ml_score.option_validator(options text[], catalog oid): the foreign data wrapper's validator. Sees the options as they
 * will be, after ADD, SET and DROP, but not the server's type; server_ddl.c looks at that.
 */
PG_FUNCTION_INFO_V1(mls_option_validator);

PGDLLEXPORT Datum
mls_option_validator(PG_FUNCTION_ARGS)
{
	List *options = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid catalog = PG_GETARG_OID(1);
	MlsOptionPlace place = catalog == UserMappingRelationId ? MLS_OPTION_OF_MAPPING : MLS_OPTION_OF_SERVER;
	bool may_have = catalog == ForeignServerRelationId || catalog == UserMappingRelationId;
	bool has_key = false;
	bool has_token = false;
	ListCell *lc;

	foreach (lc, options)
	{
		const Option *option = check_option(lfirst(lc), may_have ? &place : NULL);

		has_key |= strcmp(option->name, "key") == 0;
		has_token |= strcmp(option->name, "token") == 0;
	}
	if (has_key && has_token)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("options \"key\" and \"token\" exclude each other"),
				errhint("Give the endpoint's key, or a token that you have fetched, but not both."));
	PG_RETURN_VOID();
}
