/*
 * service.c - see service.h.
 *
 * The endpoint's url starts jobs by POST and shows one at url/NAME. Where it lists them is another place of Azure
 * (jobs_url), and stopping one is a matter of the workspace in the resource manager (workspace_url).
 */
#include "ml_score.h"

#include "batch/service.h"

#include "auth/scope.h"
#include "batch/percent.h"
#include "batch/template.h"
#include "codec/encoding.h"
#include "codec/json_write.h"
#include "lib/stringinfo.h"

/* The name of the output when the user gives none, and of its file. */
#define OUTPUT_NAME "score"
#define OUTPUT_FILE "predictions.csv"

#define SAS_SLACK_SECONDS (60 * 60)

#define CANCEL_VERSION "2023-04-01"
#define LIST_VERSION "2020-09-01-dataplanepreview"
#define MAX_LIST_PAGES 100

struct MlsService
{
	const MlsServer *server;
	MlsEndpoint *endpoint;
	MlsEndpoint *jobs;		/* of jobs_url; the same when that is NULL */
	MlsEndpoint *workspace; /* or NULL */
};

/* The same server at another of its URLs; scope: of its tokens there, NULL for the same. */
static MlsEndpoint *
open_at(const MlsServer *server, char *url, char *scope, Oid userid)
{
	MlsServer other = *server;

	other.url = url;
	if (scope != NULL)
		other.scope = scope;
	return mls_endpoint_open(&other, userid);
}

MlsService *
mls_service_open(const MlsServer *server, Oid userid)
{
	MlsService *service = palloc0(sizeof(MlsService));

	service->server = server;
	service->endpoint = mls_endpoint_open(server, userid);
	service->jobs = service->endpoint;
	if (server->jobs_url != NULL)
		service->jobs = open_at(server, server->jobs_url, NULL, userid);
	if (server->workspace_url != NULL)
		service->workspace = open_at(server, server->workspace_url, MLS_SCOPE_MANAGEMENT, userid);
	return service;
}

static void
write_name(StringInfo out, const char *name)
{
	mls_json_write_string(out, name, (int) strlen(name));
	mls_json_write_char(out, ':');
}

static void
write_member(StringInfo out, const char *name, const char *value)
{
	write_name(out, name);
	mls_json_write_string(out, value, (int) strlen(value));
}

/* A path without a file's ending is a folder. */
static const char *
input_type(const char *uri)
{
	const char *path_end = uri + strcspn(uri, "?");
	const char *name = path_end;

	while (name > uri && name[-1] != '/')
		name--;
	return name == path_end || memchr(name, '.', path_end - name) == NULL ? "UriFolder" : "UriFile";
}

/* Call write for each member of the JSON object in text. */
static void
each_member(const char *text, void (*write)(StringInfo out, const MlsSpan *key, const MlsSpan *value, void *arg),
			StringInfo out, void *arg)
{
	MlsJsonReader reader;
	MlsSpan key;
	MlsSpan value;

	if (text == NULL)
		return;
	mls_json_start(&reader, text, strlen(text));
	if (mls_json_open(&reader))
		while (mls_json_next(&reader, &key, &value))
			write(out, &key, &value, arg);
}

static void
write_span(StringInfo out, const MlsSpan *span)
{
	if (span->kind == MLS_SPAN_STRING)
	{
		mls_json_write_char(out, '"');
		mls_json_write_raw(out, span->start, (int) span->len);
		mls_json_write_char(out, '"');
	}
	else
		mls_json_write_raw(out, span->start, (int) span->len);
}

/* A key that is given by a span, after a comma if something stands before. */
static void
write_key(StringInfo out, const MlsSpan *key)
{
	if (out->len > 0 && out->data[out->len - 1] != '{')
		mls_json_write_char(out, ',');
	mls_json_write_char(out, '"');
	mls_json_write_raw(out, key->start, (int) key->len);
	mls_json_write_raw(out, "\":", 2);
}

static void
write_raw_member(StringInfo out, const MlsSpan *key, const MlsSpan *value, void *arg)
{
	write_key(out, key);
	write_span(out, value);
}

/* A literal parameter; the service takes its value as a string. */
static void
write_literal(StringInfo out, const MlsSpan *key, const MlsSpan *value, void *arg)
{
	write_key(out, key);
	mls_json_write_char(out, '{');
	write_member(out, "jobInputType", "Literal");
	mls_json_write_char(out, ',');
	write_name(out, "value");
	if (value->kind == MLS_SPAN_STRING)
		write_span(out, value);
	else
		mls_json_write_string(out, value->start, (int) value->len);
	mls_json_write_char(out, '}');
}

/* What an URI of the user's is made with. */
typedef struct UriMaker
{
	const MlsJob *job;
	MlsBlobStore *store; /* NULL: URIs stay as they are */
	const char *sas;
} UriMaker;

static void
write_uri(StringInfo out, const char *type_name, const char *type, const char *uri)
{
	mls_json_write_char(out, '{');
	write_member(out, type_name, type);
	mls_json_write_char(out, ',');
	write_member(out, "uri", uri);
	mls_json_write_char(out, '}');
}

/* An output: an URI, in which {path} is the job's own folder, or the object that the service is to get. */
static void
write_output(StringInfo out, const MlsSpan *key, const MlsSpan *value, void *arg)
{
	const UriMaker *maker = arg;
	char *uri;
	int len;

	write_key(out, key);
	if (value->kind != MLS_SPAN_STRING)
	{
		write_span(out, value);
		return;
	}
	uri = palloc(value->len + 1);
	len = mls_json_unescape(value, uri);
	uri[Max(len, 0)] = '\0';
	if (maker->store != NULL)
		uri = mls_place_uri(maker->job, maker->store, uri, mls_place_output(maker->job), maker->sas);
	write_uri(out, "jobOutputType", "UriFile", uri);
}

static void
write_inputs(StringInfo out, const MlsServer *server, const UriMaker *maker)
{
	const MlsJob *job = maker->job;
	const char *uri = job->input;

	if (job->query != NULL)
		uri = mls_place_uri(job, maker->store, server->input_uri, mls_place_input(job), maker->sas);
	write_name(out, "inputData");
	mls_json_write_char(out, '{');
	write_name(out, "input");
	write_uri(out, "jobInputType", job->query != NULL ? "UriFolder" : input_type(uri), uri);
	each_member(job->parameters, write_literal, out, NULL);
	mls_json_write_char(out, '}');
}

static void
write_outputs(StringInfo out, const MlsServer *server, UriMaker *maker)
{
	const MlsJob *job = maker->job;

	if (job->outputs == NULL && maker->store == NULL)
		return;
	mls_json_write_char(out, ',');
	write_name(out, "outputData");
	mls_json_write_char(out, '{');
	if (job->outputs != NULL)
		each_member(job->outputs, write_output, out, maker);
	else
	{
		write_name(out, OUTPUT_NAME);
		write_uri(out, "jobOutputType", "UriFile",
				  mls_place_uri(job, maker->store, server->output_uri,
								psprintf("%s/" OUTPUT_FILE, mls_place_output(job)), maker->sas));
	}
	mls_json_write_char(out, '}');
	if (job->outputs == NULL)
	{
		mls_json_write_char(out, ',');
		write_member(out, "outputFileName", OUTPUT_FILE);
	}
}

/* Does a template of the server ask for a SAS? */
static bool
uses_sas(const MlsServer *server, const MlsJob *job)
{
	return (server->input_uri != NULL && mls_template_uses_sas(server->input_uri)) ||
		   (server->output_uri != NULL && mls_template_uses_sas(server->output_uri)) ||
		   (job->outputs != NULL && mls_template_uses_sas(job->outputs));
}

/* As long as the job may run, and somewhat longer, for clocks differ. */
static int64
sas_seconds(const MlsJob *job)
{
	if (job->deadline == 0)
		return MLS_JOB_SAS_SECONDS;
	return Max(job->deadline - GetCurrentTimestamp(), 0) / USECS_PER_SEC + SAS_SLACK_SECONDS;
}

char *
mls_service_sas(MlsService *service, const MlsJob *job, MlsBlobStore *store)
{
	const MlsServer *server = service->server;
	char *sas;

	if (store == NULL || !uses_sas(server, job))
		return NULL;
	sas = mls_blob_sas_query(store, true, sas_seconds(job));
	if (sas == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("no SAS can be had for the templates of server \"%s\"", server->name),
						errdetail("The storage server \"%s\" has none of auth 'sas', 'shared_key' and 'entra'.",
								  server->storage)));
	mls_endpoint_hide(service->endpoint, mls_blob_sas_signature(sas));
	return sas;
}

char *
mls_service_invocation(MlsService *service, const MlsJob *job, MlsBlobStore *store, const char *sas)
{
	const MlsServer *server = service->server;
	UriMaker maker = {.job = job, .store = store, .sas = sas};
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoString(&out, "{\"properties\":{");
	write_inputs(&out, server, &maker);
	write_outputs(&out, server, &maker);
	appendStringInfoString(&out, ",\"tags\":{");
	write_member(&out, "ml_score_job", job->uuid);
	each_member(job->tags, write_raw_member, &out, NULL);
	mls_json_write_char(&out, '}');
	if (job->experiment != NULL)
	{
		mls_json_write_char(&out, ',');
		write_name(&out, "properties");
		mls_json_write_char(&out, '{');
		write_member(&out, "experimentName", job->experiment);
		mls_json_write_char(&out, '}');
	}
	each_member(job->overrides, write_raw_member, &out, NULL);
	appendStringInfoString(&out, "}}");
	return out.data;
}

MlsExchange *
mls_service_invoke(MlsService *service, const char *body, const char *request_id)
{
	const MlsServer *server = service->server;
	MlsRequestSpec spec = {.method = "POST",
						   .url = server->url,
						   .body = body,
						   .len = strlen(body),
						   .send_credential = true,
						   .max_attempts = 1};

	spec.headers = list_make2("Content-Type: application/json", psprintf("repeatability_request-id: %s", request_id));
	if (server->deployment != NULL)
		spec.headers = lappend(spec.headers, psprintf("azureml-model-deployment: %s", server->deployment));
	return mls_exchange_request(service->endpoint, &spec);
}

/* url/segment; url's query stays behind it. */
static char *
below(const char *url, const char *segment)
{
	size_t len = strcspn(url, "?");
	StringInfoData out;

	initStringInfo(&out);
	appendBinaryStringInfo(&out, url, (int) len);
	while (out.len > 0 && out.data[out.len - 1] == '/')
		out.data[--out.len] = '\0';
	appendStringInfoChar(&out, '/');
	mls_percent_encode(&out, segment, "");
	appendStringInfoString(&out, url + len);
	return out.data;
}

MlsExchange *
mls_service_look(MlsService *service, const char *job_name)
{
	MlsRequestSpec spec = {.method = "GET",
						   .url = below(service->server->url, job_name),
						   .headers = list_make1("Accept: application/json"),
						   .send_credential = true,
						   .idempotent = true};

	return mls_exchange_request(service->endpoint, &spec);
}

MlsExchange *
mls_service_cancel(MlsService *service, const char *job_name)
{
	MlsRequestSpec spec = {.method = "POST", .send_credential = true, .idempotent = true};

	if (service->workspace == NULL)
		return NULL;
	spec.url = psprintf("%s/cancel?api-version=" CANCEL_VERSION,
						below(psprintf("%s/jobs", service->server->workspace_url), job_name));
	return mls_exchange_request(service->workspace, &spec);
}

/* An object's member, its name spelt as in camelCase or in PascalCase. */
static MlsSpan
member(const MlsSpan *object, const char *name)
{
	MlsSpan none = {.kind = MLS_SPAN_NONE};
	MlsSpan value;
	char *pascal;

	if (object->kind != MLS_SPAN_OBJECT)
		return none;
	value = mls_json_member(object, name, strlen(name));
	if (value.kind != MLS_SPAN_NONE)
		return value;
	pascal = pstrdup(name);
	pascal[0] = pg_toupper((unsigned char) pascal[0]);
	value = mls_json_member(object, pascal, strlen(pascal));
	pfree(pascal);
	return value;
}

/* A string's characters, fit to be shown, or NULL. */
static char *
text_of(const MlsSpan *span)
{
	char *utf8;
	char *text;
	int len;

	if (span->kind != MLS_SPAN_STRING)
		return NULL;
	utf8 = palloc(span->len + 1);
	len = mls_json_unescape(span, utf8);
	if (len <= 0 || mls_invalid_utf8(utf8, len) >= 0 || mls_from_utf8(utf8, len, &text, &len) != NULL)
		return NULL;
	return text;
}

static char *
member_text(const MlsSpan *object, const char *name)
{
	MlsSpan value = member(object, name);

	return text_of(&value);
}

/* The service's words on why a job failed, wherever it puts them. */
static char *
error_of(const MlsSpan *job, const MlsSpan *properties)
{
	const MlsSpan *places[] = {properties, job};

	for (int i = 0; i < lengthof(places); i++)
	{
		MlsSpan error = member(places[i], "error");
		MlsSpan inner = member(&error, "error");
		char *code;
		char *message;

		if (inner.kind == MLS_SPAN_OBJECT)
			error = inner;
		code = member_text(&error, "code");
		message = member_text(&error, "message");
		if (message != NULL)
			return code != NULL ? psprintf("%s: %s", code, message) : message;
		message = member_text(places[i], "statusMessage");
		if (message != NULL)
			return message;
	}
	return NULL;
}

/* The last segment of id, or NULL. */
static char *
name_of_id(char *id)
{
	char *slash = id == NULL ? NULL : strrchr(id, '/');

	return slash == NULL || slash[1] == '\0' ? NULL : slash + 1;
}

static bool
read_job(const MlsSpan *job, MlsRun *run)
{
	MlsSpan properties = member(job, "properties");
	MlsSpan endpoints = member(&properties, "interactionEndpoints");
	MlsSpan studio = member(&endpoints, "studio");

	memset(run, 0, sizeof(*run));
	run->name = member_text(job, "name");
	if (run->name == NULL)
		run->name = name_of_id(member_text(job, "id"));
	run->status = member_text(&properties, "status");
	if (run->status == NULL)
		run->status = member_text(job, "status");
	if (run->status != NULL)
		run->meaning = mls_run_status(run->status, strlen(run->status));
	run->studio_url = member_text(&studio, "endpoint");
	run->error = error_of(job, &properties);
	return run->name != NULL || run->status != NULL;
}

/* The whole of a body as one value. */
static bool
read_value(const char *json, size_t len, MlsSpan *value)
{
	MlsJsonReader reader;

	mls_json_start(&reader, json, len);
	return mls_json_value(&reader, value) && mls_json_finish(&reader);
}

bool
mls_service_read(const char *json, size_t len, MlsRun *run)
{
	MlsSpan job;

	return read_value(json, len, &job) && job.kind == MLS_SPAN_OBJECT && read_job(&job, run);
}

static bool
contains(const MlsSpan *span, const char *text)
{
	size_t len = strlen(text);

	for (const char *p = span->start; p + len <= span->start + span->len; p++)
	{
		if (memcmp(p, text, len) == 0)
			return true;
	}
	return false;
}

char *
mls_service_experiment(MlsService *service, const char *job_name)
{
	const char *host = strstr(service->server->url, "://");
	char *name = NULL;

	if (service->workspace != NULL)
	{
		MlsRequestSpec spec = {.method = "GET", .send_credential = true, .idempotent = true};
		MlsExchange *get;
		MlsSpan job;
		const char *body;
		size_t len;

		spec.url = psprintf("%s?api-version=" CANCEL_VERSION,
							below(psprintf("%s/jobs", service->server->workspace_url), job_name));
		get = mls_exchange_request(service->workspace, &spec);
		mls_exchange_wait(get);
		body = mls_exchange_failure(get) == NULL ? mls_exchange_body(get, &len) : NULL;
		if (body != NULL && read_value(body, len, &job))
		{
			MlsSpan properties = member(&job, "properties");

			name = member_text(&properties, "experimentName");
		}
		mls_exchange_free(get);
	}
	if (name == NULL && host != NULL)
		name = pnstrdup(host + 3, strcspn(host + 3, ".:/?#"));
	return name;
}

/* Look for the job on one page of the list. */
static bool
find_on_page(const MlsSpan *page, const char *uuid, MlsRun *run)
{
	MlsSpan list = page->kind == MLS_SPAN_ARRAY ? *page : member(page, "value");
	MlsJsonReader reader;
	MlsSpan item;

	if (list.kind != MLS_SPAN_ARRAY)
		return false;
	mls_json_inside(&reader, &list);
	while (mls_json_next(&reader, NULL, &item))
	{
		if (contains(&item, uuid) && read_job(&item, run) && run->name != NULL)
			return true;
	}
	return false;
}

/* The first page of the list. */
static char *
list_url(const MlsServer *server)
{
	const char *url = server->jobs_url != NULL ? server->jobs_url : server->url;

	if (strstr(url, "api-version=") != NULL)
		return pstrdup(url);
	return psprintf("%s%capi-version=" LIST_VERSION, url, strchr(url, '?') == NULL ? '?' : '&');
}

/* Do both URLs begin with the same scheme, host and port? */
static bool
same_origin(const char *a, const char *b)
{
	const char *host = strstr(a, "://");
	size_t len = host == NULL ? 0 : host + 3 - a + strcspn(host + 3, "/?#");

	return len > 0 && strncmp(a, b, len) == 0 && strchr("/?#", b[len]) != NULL;
}

bool
mls_service_find(MlsService *service, const char *uuid, MlsRun *run)
{
	char *url = list_url(service->server);
	char *first = url;

	for (int pages = 0; url != NULL && pages < MAX_LIST_PAGES; pages++)
	{
		MlsRequestSpec spec = {.method = "GET",
							   .url = url,
							   .headers = list_make1("Accept: application/json"),
							   .send_credential = true,
							   .idempotent = true};
		MlsExchange *list = mls_exchange_request(service->jobs, &spec);
		MlsSpan page;
		const char *body;
		size_t len;

		mls_exchange_wait(list);
		if (mls_exchange_failure(list) != NULL)
			mls_service_raise(service, list, "list its jobs");
		body = mls_exchange_body(list, &len);
		if (!read_value(body, len, &page))
			ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
							errmsg("server \"%s\" sent no list of its jobs", service->server->name),
							errhint("Set the server's option jobs_url to where the endpoint's jobs are listed.")));
		if (find_on_page(&page, uuid, run))
			return true;
		url = page.kind == MLS_SPAN_OBJECT ? member_text(&page, "nextLink") : NULL;
		if (url != NULL && !same_origin(first, url))
			ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
							errmsg("server \"%s\" lists its jobs at another host", service->server->name)));
		mls_exchange_free(list);
	}
	return false;
}

void
mls_service_raise(MlsService *service, MlsExchange *exchange, const char *doing)
{
	MlsFailure failure = *mls_exchange_failure(exchange);
	int status = mls_exchange_status(exchange);

	if (status != 0)
		failure.message = psprintf("could not %s on server \"%s\"", doing, service->server->name);
	if (status == 401)
		failure.hint = "The token must be for the audience https://ml.azure.com (for workspace_url: "
					   "https://management.azure.com), and not have expired. Batch endpoints take Entra tokens only.";
	else if (status == 403)
		failure.hint =
			"The identity needs the role \"AzureML Data Scientist\" on the workspace, or another that allows "
			"batchEndpoints/jobs/write, batchEndpoints/jobs/read, datastores/listsecrets/action and "
			"experiments/runs/submit/action.";
	else if (status == 404)
		failure.hint = "Check the server's options url (it ends in /jobs) and deployment.";
	mls_failure_raise(service->server, &failure);
}
