/*
 * control_plane.c - see control_plane.h. What is fetched goes through the token cache, so that all backends share it.
 */
#include "postgres.h"

#include <time.h>

#include "auth/control_plane.h"

#include "auth/fetch.h"
#include "auth/token_reply.h"
#include "catalog/url.h"
#include "utils/timestamp.h"

#define API_VERSION "api-version=2023-04-01"

/* Where an endpoint is, and its keys, are asked for again after this time, and used for twice as long if that fails. */
#define REFRESH_S 600

typedef struct ControlPlaneArg
{
	const MlsIdentity *identity;
	const char *endpoint_id;
	const char *action; /* below the endpoint, with the slash; "" for itself */
} ControlPlaneArg;

/* Ask the resource manager. NULL, with fetch filled in, when there is no token for it. */
static MlsExchange *
ask(const ControlPlaneArg *what, MlsFetch *fetch)
{
	const MlsServer *server = what->identity->server;
	char *scope = psprintf("%s/.default", server->management_url);
	char *url =
		mls_url_add_query(psprintf("%s%s%s", server->management_url, what->endpoint_id, what->action), API_VERSION);
	MlsRequestSpec spec = {.method = *what->action == '\0' ? "GET" : "POST", .url = url, .idempotent = true};

	spec.headers = list_make1("Accept: application/json");
	return mls_fetch_as(what->identity, scope, &spec, "Azure's resource manager", fetch);
}

/* Put lines into fetch as its value, good for some minutes. */
static void
keep_lines(MlsFetch *fetch, char *lines)
{
	pg_time_t now = (pg_time_t) time(NULL);

	memset(fetch, 0, sizeof(*fetch));
	fetch->value = lines;
	fetch->source = "resource manager";
	fetch->fetched_at = time_t_to_timestamptz(now);
	fetch->refresh_at = time_t_to_timestamptz(now + REFRESH_S);
	fetch->expires_at = time_t_to_timestamptz(now + 2 * REFRESH_S);
}

/* Two or three members of the reply as lines; those that are missing are empty. The first must be there. */
static void
read_members(MlsExchange *exchange, const char *const *paths, MlsFetch *fetch)
{
	StringInfoData lines;
	size_t len;
	const char *body;

	if (exchange == NULL)
		return;
	if (mls_exchange_failure(exchange) != NULL)
	{
		mls_fetch_fail(exchange, fetch);
		return;
	}
	body = mls_exchange_body(exchange, &len);
	initStringInfo(&lines);
	for (int i = 0; paths[i] != NULL; i++)
	{
		char *value = mls_token_reply_string(body, len, paths[i]);

		if (i == 0 && (value == NULL || *value == '\0'))
		{
			mls_fetch_refuse(fetch, psprintf("The resource manager's reply has no %s.", paths[i]), NULL);
			return;
		}
		appendStringInfo(&lines, "%s%s", i > 0 ? "\n" : "", value == NULL || strchr(value, '\n') ? "" : value);
		mls_secret_wipe(value);
	}
	mls_exchange_wipe_body(exchange);
	keep_lines(fetch, lines.data);
}

static void
fetch_description(void *arg, MlsFetch *fetch)
{
	static const char *const paths[] = {"properties.scoringUri", "properties.swaggerUri", "properties.authMode", NULL};

	read_members(ask(arg, fetch), paths, fetch);
}

static void
fetch_keys(void *arg, MlsFetch *fetch)
{
	static const char *const paths[] = {"primaryKey", "secondaryKey", NULL};

	read_members(ask(arg, fetch), paths, fetch);
}

static void
fetch_endpoint_token(void *arg, MlsFetch *fetch)
{
	MlsExchange *exchange = ask(arg, fetch);

	if (exchange != NULL)
		mls_fetch_read(exchange, "resource manager", fetch);
}

/*
 * Through the cache: what action on server's endpoint gives. rejected: first forget this value ("": whatever it is).
 * what: for the error message.
 */
static MlsFetch
get(const MlsServer *server, const MlsIdentity *identity, const char *kind, const char *action, MlsFetcher fetcher,
	const char *rejected, const char *what)
{
	char *scope = psprintf("%s%s", server->endpoint_id, action);
	MlsCacheKey key = mls_identity_key(identity, kind, psprintf("%s%s", server->management_url, scope));
	MlsCacheLabel label = {
		.kind = kind, .authority = identity->authority, .identity = mls_identity_principal(identity), .scope = scope};
	ControlPlaneArg arg = {.identity = identity, .endpoint_id = server->endpoint_id, .action = action};
	MlsFetch fetch;

	if (rejected != NULL)
		mls_cache_drop(&key, *rejected == '\0' ? NULL : rejected);
	mls_cache_get(&key, &label, fetcher, &arg, &fetch);
	if (fetch.outcome != MLS_FETCH_OK)
		mls_fetch_raise(server, what, &fetch);
	return fetch;
}

/* Cut the first line off *text; NULL when it is empty. */
static char *
next_line(char **text)
{
	char *line = *text;
	size_t len = strcspn(line, "\n");

	*text = line[len] == '\n' ? line + len + 1 : line + len;
	return len == 0 ? NULL : pnstrdup(line, len);
}

static MlsAuth
auth_of_mode(const MlsServer *server, const char *mode)
{
	if (mode != NULL && pg_strcasecmp(mode, "Key") == 0)
		return MLS_AUTH_KEY;
	if (mode != NULL && pg_strcasecmp(mode, "AMLToken") == 0)
		return MLS_AUTH_AML_TOKEN;
	if (mode != NULL && pg_strcasecmp(mode, "AADToken") == 0)
		return MLS_AUTH_ENTRA;
	ereport(ERROR, errcode(ERRCODE_PROTOCOL_VIOLATION),
			errmsg("the endpoint of server \"%s\" has an authentication mode that is not known", server->name),
			errhint("Give the server's option auth."));
}

void
mls_control_plane_complete(MlsServer *server, Oid userid)
{
	MlsIdentity *identity;
	MlsFetch fetch;
	char *rest;
	char *url;
	char *swagger_url;
	char *mode;

	if (server->endpoint_id == NULL || (server->url != NULL && server->auth_given))
		return;
	identity = mls_identity_load(server, userid);
	fetch = get(server, identity, "endpoint", "", fetch_description, NULL, "the endpoint's description");
	mls_identity_wipe(identity);
	rest = fetch.value;
	url = next_line(&rest);
	swagger_url = next_line(&rest);
	mode = next_line(&rest);
	if (server->url == NULL)
	{
		server->url = url;
		if (!server->swagger_url_given)
			server->swagger_url = swagger_url != NULL ? swagger_url : mls_url_sibling(url, "swagger.json");
	}
	if (!server->auth_given)
		server->auth = auth_of_mode(server, mode);
}

void
mls_control_plane_keys(const MlsServer *server, const MlsIdentity *identity, bool fresh, char **primary,
					   char **secondary)
{
	MlsFetch fetch = get(server, identity, "key", "/listkeys", fetch_keys, fresh ? "" : NULL, "the endpoint's keys");
	char *rest = fetch.value;

	*primary = next_line(&rest);
	*secondary = next_line(&rest);
	mls_secret_wipe(fetch.value);
}

MlsToken
mls_control_plane_token(const MlsServer *server, const MlsIdentity *identity, const char *refused)
{
	MlsFetch fetch = get(server, identity, "token", "/token", fetch_endpoint_token, refused, "a token of the endpoint");

	return (MlsToken){.bearer = fetch.value, .expires_at = fetch.expires_at, .refresh_at = fetch.refresh_at};
}
