/*
 * managed_identity.c - tokens of the identity that Azure gives to the machine, the app or the cluster that the server
 * runs on. Where they come from shows in the environment of the server's process.
 *
 * Only requests made here may go to link-local addresses, and they never pass through a proxy.
 */
#include "postgres.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "auth/fetch.h"
#include "auth/imds_retry.h"
#include "auth/reference.h"
#include "auth/scope.h"
#include "batch/percent.h"
#include "catalog/url.h"
#include "lib/stringinfo.h"
#include "transport/retry.h"

#define IMDS_HOST "http://169.254.169.254"
#define IMDS_PATH "/metadata/identity/oauth2/token"
#define ARC_AGENT "/opt/azcmagent/bin/himds"
#define ARC_ENDPOINT "http://localhost:40342/metadata/identity/oauth2/token"
#define ARC_KEY_DIRECTORY "/var/opt/azcmagent/tokens/"
#define ARC_KEY_MAX_BYTES 4096

#define METADATA_HEADER "Metadata: true"

/* The metadata service is near; whatever takes longer than this is not it. */
#define CONNECT_TIMEOUT_MS 1000
#define PROBE_TIMEOUT_MS 500

/* A kind of identity endpoint, and how its request looks. */
typedef struct Source
{
	const char *name; /* for people; begins with "managed identity" */
	bool imds;
	bool arc;
	bool post; /* the resource in a form */
	const char *endpoint;
	const char *api_version; /* or NULL */
	const char *header;
	bool metadata;			 /* METADATA_HEADER beside it */
	const char *secret;		 /* in header, or NULL */
	const char *thumbprint;	 /* of the endpoint's certificate (Service Fabric), or NULL */
	const char *client_name; /* parameters that select an identity; NULL: cannot be selected that way */
	const char *object_name;
	const char *resource_name;
} Source;

static bool
choose_service_fabric(Source *source)
{
	const char *endpoint = mls_fetch_env("IDENTITY_ENDPOINT");
	const char *secret = mls_fetch_env("IDENTITY_HEADER");
	const char *thumbprint = mls_fetch_env("IDENTITY_SERVER_THUMBPRINT");

	if (endpoint == NULL || secret == NULL || thumbprint == NULL)
		return false;
	*source = (Source){.name = "managed identity, Service Fabric",
					   .endpoint = endpoint,
					   .api_version = "2019-07-01-preview",
					   .header = psprintf("Secret: %s", secret),
					   .secret = secret,
					   .thumbprint = thumbprint};
	return true;
}

static bool
choose_app_service(Source *source)
{
	const char *endpoint = mls_fetch_env("IDENTITY_ENDPOINT");
	const char *secret = mls_fetch_env("IDENTITY_HEADER");

	if (endpoint == NULL || secret == NULL)
		return false;
	*source = (Source){.name = "managed identity, App Service",
					   .endpoint = endpoint,
					   .api_version = "2019-08-01",
					   .header = psprintf("X-IDENTITY-HEADER: %s", secret),
					   .metadata = true,
					   .secret = secret,
					   .client_name = "client_id",
					   .object_name = "principal_id",
					   .resource_name = "mi_res_id"};
	return true;
}

/* App Service's older interface, which Azure ML's compute has too. */
static bool
choose_msi_secret(Source *source)
{
	const char *endpoint = mls_fetch_env("MSI_ENDPOINT");
	const char *secret = mls_fetch_env("MSI_SECRET");

	if (endpoint == NULL || secret == NULL)
		return false;
	*source = (Source){.name = "managed identity, MSI_ENDPOINT",
					   .endpoint = endpoint,
					   .api_version = "2017-09-01",
					   .header = psprintf("secret: %s", secret),
					   .secret = secret,
					   .client_name = "clientid"};
	return true;
}

static bool
choose_arc(Source *source)
{
	const char *endpoint = mls_fetch_env("IDENTITY_ENDPOINT");

	if (endpoint == NULL || mls_fetch_env("IMDS_ENDPOINT") == NULL)
	{
		if (access(ARC_AGENT, F_OK) != 0)
			return false;
		endpoint = ARC_ENDPOINT;
	}
	*source = (Source){.name = "managed identity, Azure Arc",
					   .arc = true,
					   .endpoint = endpoint,
					   .api_version = "2020-06-01",
					   .header = METADATA_HEADER};
	return true;
}

static bool
choose_cloud_shell(Source *source)
{
	const char *endpoint = mls_fetch_env("MSI_ENDPOINT");

	if (endpoint == NULL)
		return false;
	*source = (Source){
		.name = "managed identity, Cloud Shell", .post = true, .endpoint = endpoint, .header = METADATA_HEADER};
	return true;
}

static void
choose_imds(Source *source)
{
	const char *host = mls_fetch_env("AZURE_POD_IDENTITY_AUTHORITY_HOST");

	if (host == NULL)
		host = IMDS_HOST;
	*source = (Source){.name = "managed identity, metadata service",
					   .imds = true,
					   .endpoint =
						   psprintf("%.*s%s", (int) (strlen(host) - (host[strlen(host) - 1] == '/')), host, IMDS_PATH),
					   .api_version = "2018-02-01",
					   .header = METADATA_HEADER,
					   .client_name = "client_id",
					   .object_name = "object_id",
					   .resource_name = "msi_res_id"};
}

static Source
choose_source(void)
{
	Source source;

	if (!choose_service_fabric(&source) && !choose_app_service(&source) && !choose_msi_secret(&source) &&
		!choose_arc(&source) && !choose_cloud_shell(&source))
		choose_imds(&source);
	return source;
}

static void
append_parameter(StringInfo out, const char *name, const char *value)
{
	if (out->len > 0)
		appendStringInfoChar(out, '&');
	appendStringInfo(out, "%s=", name);
	mls_percent_encode(out, value, "");
}

/* Append which identity is wanted. False, with fetch filled in, when source cannot be told. */
static bool
append_selector(StringInfo out, const Source *source, const MlsServer *server, MlsFetch *fetch)
{
	const struct
	{
		const char *value;
		const char *name;
		const char *option;
	} selectors[] = {{server->identity_client_id, source->client_name, "identity_client_id"},
					 {server->identity_object_id, source->object_name, "identity_object_id"},
					 {server->identity_resource_id, source->resource_name, "identity_resource_id"}};

	for (int i = 0; i < lengthof(selectors); i++)
	{
		if (selectors[i].value == NULL)
			continue;
		if (selectors[i].name == NULL)
		{
			mls_fetch_refuse(fetch,
							 psprintf("This machine's identity endpoint (%s) knows no option \"%s\".", source->name,
									  selectors[i].option),
							 "Drop the option from the server.");
			return false;
		}
		append_parameter(out, selectors[i].name, selectors[i].value);
	}
	return true;
}

/* A copy of identity whose requests connect directly and give up soon. */
static MlsIdentity *
make_local(const MlsIdentity *identity)
{
	MlsIdentity *local = palloc(sizeof(MlsIdentity));

	*local = *identity;
	local->server = palloc(sizeof(MlsServer));
	*local->server = *identity->server;
	local->server->proxy = NULL;
	local->server->connect_timeout_ms = Min(identity->server->connect_timeout_ms, CONNECT_TIMEOUT_MS);
	return local;
}

/* Send the request once. arc_key: to be shown, or NULL. bare: without the header that shows that a program asks. */
static MlsExchange *
ask_once(const MlsIdentity *local, const Source *source, char *parameters, char *arc_key, bool bare, int timeout_ms)
{
	MlsRequestSpec spec = {.method = source->post ? "POST" : "GET",
						   .url = source->endpoint,
						   .of_this_machine = true,
						   .thumbprint = source->thumbprint,
						   .idempotent = true,
						   .timeout_ms = timeout_ms,
						   .max_attempts = 1};
	List *secrets = source->secret == NULL ? NIL : list_make1(unconstify(char *, source->secret));

	if (source->post)
	{
		spec.body = parameters;
		spec.len = strlen(parameters);
		spec.headers = list_make1("Content-Type: application/x-www-form-urlencoded");
	}
	else
		spec.url = mls_url_add_query(source->endpoint, parameters);
	if (arc_key != NULL)
	{
		spec.headers = lappend(spec.headers, psprintf("Authorization: Basic %s", arc_key));
		secrets = lappend(secrets, arc_key);
	}
	if (!bare)
		spec.headers = lappend(spec.headers, unconstify(char *, source->header));
	if (source->metadata)
		spec.headers = lappend(spec.headers, METADATA_HEADER);
	return mls_fetch_send(local, &spec, secrets);
}

/* Send the request until it has an answer that counts. */
static MlsExchange *
ask(const MlsIdentity *local, const Source *source, char *parameters, char *arc_key)
{
	for (int n = 1;; n++)
	{
		MlsExchange *exchange = ask_once(local, source, parameters, arc_key, false, 0);
		char *asked = mls_exchange_header(exchange, "Retry-After");
		int delay = mls_imds_retry_ms(source->imds, mls_exchange_status(exchange), n,
									  asked == NULL ? -1 : mls_retry_after_parse(asked, (int64) time(NULL)));

		if (delay < 0)
			return exchange;
		mls_exchange_free(exchange);
		mls_exchange_sleep(delay);
	}
}

/*
 * The secret that Arc's agent wants to see again: the content of the file it named, which only who may use the identity
 * can read. It could name any file, so only one in its own directory is read. NULL, with fetch filled in, on a fault.
 */
static char *
read_arc_key(const char *challenge, MlsFetch *fetch)
{
	const char *path = challenge == NULL ? NULL : strchr(challenge, '=');
	struct stat info;
	size_t len;
	char *key;

	if (path == NULL || strchr(++path, '=') != NULL || pg_strncasecmp(challenge, "Basic ", 6) != 0)
	{
		mls_fetch_refuse(fetch, pstrdup("The Arc agent's challenge names no file."), NULL);
		return NULL;
	}
	len = strlen(path);
	if (strncmp(path, ARC_KEY_DIRECTORY, strlen(ARC_KEY_DIRECTORY)) != 0 ||
		strchr(path + strlen(ARC_KEY_DIRECTORY), '/') != NULL || len < 4 || strcmp(path + len - 4, ".key") != 0)
	{
		mls_fetch_refuse(fetch, pstrdup("The Arc agent's challenge names a file outside of " ARC_KEY_DIRECTORY "."),
						 NULL);
		return NULL;
	}
	if (lstat(path, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size > ARC_KEY_MAX_BYTES ||
		(key = mls_reference_read_file(path)) == NULL)
	{
		mls_fetch_refuse(fetch, pstrdup("The key file of the Arc agent cannot be read."),
						 "Make the server's operating system user a member of the group himds.");
		return NULL;
	}
	return key;
}

/* Arc's second step, if the first answer was the challenge. */
static MlsExchange *
answer_challenge(const MlsIdentity *local, const Source *source, char *parameters, MlsExchange *first, MlsFetch *fetch)
{
	MlsExchange *second;
	char *key;

	if (!source->arc || mls_exchange_status(first) != 401)
		return first;
	key = read_arc_key(mls_exchange_header(first, "WWW-Authenticate"), fetch);
	if (key == NULL)
		return NULL;
	mls_exchange_free(first);
	second = ask(local, source, parameters, key);
	mls_secret_wipe(key);
	return second;
}

/* Is there a metadata service? Asked without the header that it wants, so that it refuses at once. */
static bool
probe_imds(const MlsIdentity *local, const Source *source, char *parameters)
{
	MlsExchange *exchange = ask_once(local, source, parameters, NULL, true, PROBE_TIMEOUT_MS);

	return mls_exchange_status(exchange) != 0;
}

void
mls_managed_identity_fetch(const MlsIdentity *identity, const char *scope, bool probe, MlsFetch *fetch)
{
	MlsIdentity *local = make_local(identity);
	Source source = choose_source();
	MlsExchange *exchange;
	StringInfoData parameters;

	initStringInfo(&parameters);
	if (source.api_version != NULL)
		append_parameter(&parameters, "api-version", source.api_version);
	append_parameter(&parameters, "resource", mls_scope_resource(scope));
	if (!append_selector(&parameters, &source, identity->server, fetch))
		return;
	if (probe && source.imds && !probe_imds(local, &source, parameters.data))
	{
		mls_fetch_unavailable(fetch, pstrdup("There is no metadata service: this is no virtual machine of Azure."));
		return;
	}
	exchange = ask(local, &source, parameters.data, NULL);
	exchange = answer_challenge(local, &source, parameters.data, exchange, fetch);
	if (exchange == NULL)
		return;
	mls_fetch_read(exchange, source.name, fetch);

	/* 400: the machine has no such identity. */
	if (fetch->outcome != MLS_FETCH_OK && source.imds &&
		(mls_exchange_status(exchange) == 0 || mls_exchange_status(exchange) == 400))
		fetch->outcome = MLS_FETCH_UNAVAILABLE;
}
