/*
 * history.c - see history.h.
 *
 * A run takes two requests: its Run document has when it was made and what type it is, its RunDetails the definition.
 */
#include "ml_score.h"

#include "runs/history.h"

#include "batch/percent.h"
#include "codec/encoding.h"
#include "runs/run_read.h"

#define MAX_CHILD_PAGES 100

/* The URL of a run's resource; both names are encoded. */
static char *
run_url(const MlsServer *server, const MlsHistoryRun *run, const char *resource)
{
	int base_len = (int) strlen(server->url);
	StringInfoData url;

	while (base_len > 0 && server->url[base_len - 1] == '/')
		base_len--;
	initStringInfo(&url);
	appendBinaryStringInfo(&url, server->url, base_len);
	appendStringInfo(&url, "/history/v1.0%s/experiments/", server->arm_id);
	mls_percent_encode(&url, run->experiment, "");
	appendStringInfoString(&url, "/runs/");
	mls_percent_encode(&url, run->run_id, "");
	appendStringInfoString(&url, resource);
	return url.data;
}

static MlsExchange *
get(MlsEndpoint *endpoint, const char *url)
{
	MlsRequestSpec spec = {.method = "GET", .url = url, .send_credential = true, .idempotent = true};

	spec.headers = list_make1("Accept: application/json");
	return mls_exchange_request(endpoint, &spec);
}

void
mls_history_ask(MlsEndpoint *endpoint, MlsHistoryRun *run)
{
	const MlsServer *server = mls_endpoint_server(endpoint);

	run->run = get(endpoint, run_url(server, run, ""));
	run->details = get(endpoint, run_url(server, run, "/details"));
}

static void
set_problem(MlsHistoryRun *run, char *problem)
{
	if (run->problem == NULL)
		run->problem = problem;
}

/* Wait for an answer; its body, valid UTF-8, or NULL with the problem noted. */
static const char *
wait_for(MlsHistoryRun *run, MlsExchange *exchange, size_t *len)
{
	const MlsFailure *failure;
	const char *body;

	mls_exchange_wait(exchange);
	failure = mls_exchange_failure(exchange);
	if (failure != NULL)
	{
		run->is_missing |= mls_exchange_status(exchange) == 404;
		set_problem(run, pstrdup(failure->message));
		return NULL;
	}
	body = mls_exchange_body(exchange, len);
	if (mls_invalid_utf8(body, *len) >= 0)
	{
		set_problem(run, pstrdup("the run history's answer is not valid UTF-8"));
		return NULL;
	}
	return body;
}

/* The log files that a RunDetails names. */
static void
read_logs(MlsHistoryRun *run, const char *body, size_t len)
{
	MlsJsonReader r;
	MlsSpan details;
	MlsSpan files;
	MlsSpan name;
	MlsSpan value;

	mls_json_start(&r, body, len);
	if (!mls_json_value(&r, &details) || details.kind != MLS_SPAN_OBJECT)
		return;
	files = mls_json_member(&details, "logFiles", strlen("logFiles"));
	if (files.kind != MLS_SPAN_OBJECT)
		return;
	mls_json_inside(&r, &files);
	while (mls_json_next(&r, &name, &value))
	{
		MlsHistoryLog *log = palloc(sizeof(MlsHistoryLog));

		log->name = mls_excerpt(name.start, name.len);
		log->url = mls_run_text(&value);
		if (log->url != NULL)
			run->logs = lappend(run->logs, log);
	}
}

static void
read_answer(MlsHistoryRun *run, MlsExchange *exchange, int64 as_of)
{
	size_t len;
	const char *body = wait_for(run, exchange, &len);
	char *run_id;

	if (body == NULL)
		return;
	if (!mls_run_read_history(body, len, as_of, &run->facts, &run_id))
		set_problem(run, psprintf("the run history's answer is no run: %s", mls_excerpt(body, len)));
	else if (strcmp(run_id, run->run_id) != 0)
		set_problem(run, psprintf("the run history answered with the run \"%s\"", mls_excerpt(run_id, strlen(run_id))));
	else
		read_logs(run, body, len);
}

static void
take_child(MlsHistoryRun *run, const MlsSpan *span, int64 as_of)
{
	MlsHistoryChild *child = palloc(sizeof(MlsHistoryChild));

	mls_run_facts_init(&child->facts);
	if (mls_run_read_history(span->start, span->len, as_of, &child->facts, &child->run_id))
		run->children = lappend(run->children, child);
}

/* {"value": [...], "continuationToken"}: the token of the page that follows, or NULL after the last. */
static char *
read_children(MlsHistoryRun *run, MlsExchange *exchange, int64 as_of)
{
	size_t len;
	const char *body = wait_for(run, exchange, &len);
	MlsJsonReader r;
	MlsSpan page;
	MlsSpan value;
	MlsSpan child;

	if (body == NULL)
		return NULL;
	mls_json_start(&r, body, len);
	if (!mls_json_value(&r, &page) || !mls_json_finish(&r) || page.kind != MLS_SPAN_OBJECT)
	{
		set_problem(run, psprintf("the run history's answer is no list of runs: %s", mls_excerpt(body, len)));
		return NULL;
	}
	value = mls_json_member(&page, "value", strlen("value"));
	if (value.kind == MLS_SPAN_ARRAY)
	{
		mls_json_inside(&r, &value);
		while (mls_json_next(&r, NULL, &child))
			take_child(run, &child, as_of);
	}
	value = mls_json_member(&page, "continuationToken", strlen("continuationToken"));
	return mls_run_text(&value);
}

static void
ask_children(MlsEndpoint *endpoint, MlsHistoryRun *run, int64 as_of)
{
	const char *url = run_url(mls_endpoint_server(endpoint), run, "/children");
	char *token = "";

	for (int page = 0; page < MAX_CHILD_PAGES && token != NULL && run->problem == NULL; page++)
	{
		StringInfoData page_url;
		MlsExchange *exchange;

		initStringInfo(&page_url);
		appendStringInfoString(&page_url, url);
		if (*token != '\0')
		{
			appendStringInfoString(&page_url, "?$continuationtoken=");
			mls_percent_encode(&page_url, token, "");
		}
		exchange = get(endpoint, page_url.data);
		token = read_children(run, exchange, as_of);
		if (token != NULL && *token == '\0')
			token = NULL;
		mls_exchange_free(exchange);
	}
}

static bool
is_pipeline(const MlsRunFacts *facts)
{
	const MlsRunFact *type = mls_run_fact(facts, "run_type");

	return type != NULL && pg_strcasecmp(type->value, "azureml.PipelineRun") == 0;
}

void
mls_history_read(MlsEndpoint *endpoint, MlsHistoryRun *run, int64 as_of)
{
	mls_run_facts_init(&run->facts);
	read_answer(run, run->run, as_of);
	read_answer(run, run->details, as_of);
	if (run->problem == NULL && is_pipeline(&run->facts) && mls_run_is_over(&run->facts))
		ask_children(endpoint, run, as_of);
	mls_exchange_free(run->run);
	mls_exchange_free(run->details);
}
