/*
 * entra.c - tokens of Microsoft Entra's token endpoint: client credentials, with a secret, a certificate, or a token
 * that someone else (Kubernetes) gives for us.
 */
#include "postgres.h"

#include <time.h>

#include "auth/assertion.h"
#include "auth/fetch.h"
#include "auth/reference.h"
#include "batch/percent.h"
#include "lib/stringinfo.h"

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

/* What goes into the form. One of secret, certificate and assertion is there. */
typedef struct Login
{
	const char *tenant_id;
	const char *client_id;
	const char *secret;
	const char *certificate; /* PEM */
	const char *password;	 /* of its key */
	char *assertion;
	const char *source;
} Login;

static void
append_field(StringInfo form, const char *name, const char *value)
{
	appendStringInfo(form, "%s%s=", form->len > 0 ? "&" : "", name);
	mls_percent_encode(form, value, "");
}

/* The environment's credential: a secret, else a certificate's file. False, with fetch filled in, when it has none. */
static bool
login_of_environment(Login *login, MlsFetch *fetch)
{
	const char *path = mls_fetch_env("AZURE_CLIENT_CERTIFICATE_PATH");

	login->tenant_id = mls_fetch_env("AZURE_TENANT_ID");
	login->client_id = mls_fetch_env("AZURE_CLIENT_ID");
	login->secret = mls_fetch_env("AZURE_CLIENT_SECRET");
	login->source = "environment";
	if (login->tenant_id == NULL || login->client_id == NULL || (login->secret == NULL && path == NULL))
	{
		mls_fetch_unavailable(fetch, pstrdup("The server's environment does not have AZURE_TENANT_ID, AZURE_CLIENT_ID "
											 "and AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH."));
		return false;
	}
	if (login->secret != NULL)
		return true;
	login->password = mls_fetch_env("AZURE_CLIENT_CERTIFICATE_PASSWORD");
	login->certificate = mls_reference_read_file(path);
	if (login->certificate == NULL)
		mls_fetch_refuse(fetch, pstrdup("The file that AZURE_CLIENT_CERTIFICATE_PATH names cannot be read."), NULL);
	return login->certificate != NULL;
}

/* What Kubernetes gives a pod; the file is read each time, because it is renewed. */
static bool
login_of_workload(Login *login, MlsFetch *fetch)
{
	const char *path = mls_fetch_env("AZURE_FEDERATED_TOKEN_FILE");

	login->tenant_id = mls_fetch_env("AZURE_TENANT_ID");
	login->client_id = mls_fetch_env("AZURE_CLIENT_ID");
	login->source = "workload identity";
	if (login->tenant_id == NULL || login->client_id == NULL || path == NULL)
	{
		mls_fetch_unavailable(fetch, pstrdup("The server's environment does not have AZURE_TENANT_ID, AZURE_CLIENT_ID "
											 "and AZURE_FEDERATED_TOKEN_FILE."));
		return false;
	}
	login->assertion = mls_reference_read_file(path);
	if (login->assertion == NULL)
		mls_fetch_refuse(fetch, pstrdup("The file that AZURE_FEDERATED_TOKEN_FILE names cannot be read."), NULL);
	return login->assertion != NULL;
}

static bool
make_login(const MlsIdentity *identity, Login *login, MlsFetch *fetch)
{
	memset(login, 0, sizeof(*login));
	if (identity->credential == MLS_CREDENTIAL_ENVIRONMENT)
		return login_of_environment(login, fetch);
	if (identity->credential == MLS_CREDENTIAL_WORKLOAD_IDENTITY)
		return login_of_workload(login, fetch);
	login->tenant_id = identity->tenant_id;
	login->client_id = identity->client_id;
	if (identity->credential == MLS_CREDENTIAL_CLIENT_SECRET)
	{
		login->secret = identity->secret;
		login->source = "client secret";
		return true;
	}
	login->certificate = identity->secret;
	login->password = identity->password;
	login->source = "client certificate";
	return true;
}

/* Sign for a login with a certificate. */
static bool
make_assertion(const MlsIdentity *identity, Login *login, const char *url, MlsFetch *fetch)
{
	char *id = mls_exchange_make_uuid();
	MlsAssertionSpec spec = {.pem = login->certificate,
							 .password = login->password,
							 .rs256 = identity->server->assertion_algorithm == MLS_ASSERTION_RS256,
							 .send_chain = identity->server->send_certificate_chain,
							 .client_id = login->client_id,
							 .audience = url,
							 .id = id,
							 .now = (int64) time(NULL)};
	const char *problem;

	login->assertion = mls_assertion_make(&spec, &problem);
	if (login->assertion == NULL)
		mls_fetch_refuse(fetch, pstrdup(problem), "Set client_certificate again with ALTER USER MAPPING.");
	return login->assertion != NULL;
}

static char *
make_form(const Login *login, const char *scope, const char *claims)
{
	StringInfoData form;

	initStringInfo(&form);
	append_field(&form, "client_id", login->client_id);
	append_field(&form, "scope", scope);
	if (login->secret != NULL)
		append_field(&form, "client_secret", login->secret);
	else
	{
		append_field(&form, "client_assertion_type", ASSERTION_TYPE);
		append_field(&form, "client_assertion", login->assertion);
	}
	append_field(&form, "grant_type", "client_credentials");
	if (claims != NULL)
		append_field(&form, "claims", claims);
	return form.data;
}

/* Is a name of the environment's fit to be part of a URL? The mapping's were checked. */
static bool
is_name(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == strlen(text);
}

void
mls_entra_fetch(const MlsIdentity *identity, const char *scope, const char *claims, MlsFetch *fetch)
{
	MlsRequestSpec spec = {.method = "POST", .idempotent = true};
	MlsExchange *exchange;
	Login login;
	char *url;
	char *form;

	if (!make_login(identity, &login, fetch))
		return;
	if (!is_name(login.tenant_id) || !is_name(login.client_id))
	{
		mls_fetch_refuse(fetch, pstrdup("AZURE_TENANT_ID or AZURE_CLIENT_ID has characters that no id has."), NULL);
		return;
	}
	url = psprintf("%s/%s/oauth2/v2.0/token", identity->authority, login.tenant_id);
	if (login.certificate != NULL && !make_assertion(identity, &login, url, fetch))
		return;
	form = make_form(&login, scope, claims);
	spec.url = url;
	spec.body = form;
	spec.len = strlen(form);
	spec.headers = list_make2("Content-Type: application/x-www-form-urlencoded", "Accept: application/json");
	exchange = mls_fetch_send(identity, &spec,
							  list_make1(unconstify(char *, login.secret != NULL ? login.secret : login.assertion)));
	mls_fetch_read(exchange, login.source, fetch);
	mls_secret_wipe(form);
	mls_secret_wipe(login.assertion);
	if (login.certificate != identity->secret)
		mls_secret_wipe(unconstify(char *, login.certificate));
}
