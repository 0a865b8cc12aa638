/*
 * swagger.c - what an endpoint's swagger (2.0 or OpenAPI 3.x) says of its inputs and outputs.
 *
 * The scoring operation's request schema is searched for the place where the rows are: an array of objects, an array of
 * arrays, or a data frame in split orientation. The way there gives what a request puts around its rows, and the other
 * members on that way ("GlobalParameters", "method") get the values that the document's example shows. The response's
 * schema is read likewise (swagger_rows.c does both).
 */
#include "postgres.h"

#include "codec/encoding.h"
#include "codec/swagger_node.h"
#include "codec/swagger_rows.h"

/* The schema of the scoring operation's request and response. */
typedef struct Operation
{
	MlsSpan request;
	MlsSpan response;
	MlsSpan request_example;
} Operation;

static bool
ends_with(const char *text, const char *end)
{
	size_t len = strlen(text);
	size_t end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* How well the path of an operation fits the URL's: 3 the same, 2 its end, 1 another one that takes a POST. */
static int
path_fit(const char *path, const char *scoring_path)
{
	if (strcmp(path, scoring_path) == 0)
		return 3;
	if (strlen(path) > 1 && (ends_with(scoring_path, path) || ends_with(path, scoring_path)))
		return 2;
	return 1;
}

/* The operation at the scoring path, or the only one there may be. */
static MlsSpan
find_operation(const MlsSpan *document, const char *scoring_path)
{
	MlsSpan none = {.kind = MLS_SPAN_NONE};
	MlsSpan paths = mls_node_get(document, "paths");
	MlsSpan best = none;
	MlsSpan key;
	MlsSpan item;
	MlsJsonReader r;
	int best_fit = 0;
	int nposts = 0;

	if (paths.kind != MLS_SPAN_OBJECT)
		return none;
	mls_json_inside(&r, &paths);
	while (mls_json_next(&r, &key, &item))
	{
		char *path = pnstrdup(key.start, key.len);
		MlsSpan post;
		int fit = path_fit(path, scoring_path);

		item = mls_node_resolve(document, item);
		post = mls_node_get(&item, "post");
		if (post.kind != MLS_SPAN_OBJECT)
			continue;
		nposts++;
		if (fit > best_fit)
		{
			best = post;
			best_fit = fit;
		}
	}
	return best_fit > 1 || nposts == 1 ? best : none;
}

/* OpenAPI 3: the schema of a request's or response's JSON content. */
static MlsSpan
content_schema(const MlsSpan *document, MlsSpan holder, MlsSpan *example)
{
	MlsSpan content;
	MlsSpan media = {.kind = MLS_SPAN_NONE};
	MlsSpan key;
	MlsJsonReader r;

	holder = mls_node_resolve(document, holder);
	content = mls_node_get(&holder, "content");
	media = mls_node_get(&content, "application/json");
	if (media.kind == MLS_SPAN_NONE && content.kind == MLS_SPAN_OBJECT)
	{
		mls_json_inside(&r, &content);
		if (!mls_json_next(&r, &key, &media))
			media.kind = MLS_SPAN_NONE;
	}
	if (example)
		*example = mls_node_get(&media, "example");
	return mls_node_get(&media, "schema");
}

/* Swagger 2.0: the body parameter's schema. */
static MlsSpan
body_schema(const MlsSpan *document, const MlsSpan *operation)
{
	MlsSpan none = {.kind = MLS_SPAN_NONE};
	MlsSpan parameters = mls_node_get(operation, "parameters");
	MlsSpan parameter;
	MlsJsonReader r;

	if (parameters.kind != MLS_SPAN_ARRAY)
		return none;
	mls_json_inside(&r, &parameters);
	while (mls_json_next(&r, NULL, &parameter))
	{
		MlsSpan in;

		parameter = mls_node_resolve(document, parameter);
		in = mls_node_get(&parameter, "in");
		if (in.kind == MLS_SPAN_STRING && mls_json_equals(&in, "body"))
			return mls_node_get(&parameter, "schema");
	}
	return none;
}

/* Where documents of the inference server keep their schemas, should the operation not say. */
static MlsSpan
named_definition(const MlsSpan *document, const char *name)
{
	MlsSpan definitions = mls_node_get(document, "definitions");

	if (definitions.kind == MLS_SPAN_NONE)
	{
		definitions = mls_node_get(document, "components");
		definitions = mls_node_get(&definitions, "schemas");
	}
	return mls_node_get(&definitions, name);
}

static void
read_operation(const MlsSpan *document, const char *scoring_path, Operation *operation)
{
	MlsSpan post = find_operation(document, scoring_path);
	MlsSpan responses = mls_node_get(&post, "responses");
	MlsSpan response = mls_node_get(&responses, "200");
	MlsSpan body = mls_node_get(&post, "requestBody");

	memset(operation, 0, sizeof(*operation));
	if (response.kind == MLS_SPAN_NONE)
		response = mls_node_get(&responses, "201");
	response = mls_node_resolve(document, response);
	if (body.kind != MLS_SPAN_NONE)
		operation->request = content_schema(document, body, &operation->request_example);
	else
		operation->request = body_schema(document, &post);
	operation->response = mls_node_get(&response, "schema");
	if (operation->response.kind == MLS_SPAN_NONE)
		operation->response = content_schema(document, response, NULL);

	if (operation->request.kind == MLS_SPAN_NONE)
		operation->request = named_definition(document, "ServiceInput");
	if (operation->response.kind == MLS_SPAN_NONE)
		operation->response = named_definition(document, "ServiceOutput");
}

static MlsSchema *
unknown(char *reason)
{
	MlsSchema *schema = palloc0(sizeof(MlsSchema));

	schema->format = MLS_FORMAT_RECORDS;
	schema->reason = reason;
	return schema;
}

MlsSchema *
mls_swagger_parse(const char *json, size_t len, const char *scoring_path)
{
	MlsJsonReader r;
	MlsSpan document;
	MlsSpan none = {.kind = MLS_SPAN_NONE};
	MlsNode node;
	MlsSchema *schema;
	Operation operation;

	if (mls_invalid_utf8(json, len) >= 0)
		return unknown(pstrdup("The swagger document is not valid UTF-8."));
	mls_json_start(&r, json, len);
	if (!mls_json_value(&r, &document) || !mls_json_finish(&r))
		return unknown(psprintf("The swagger document is not JSON: %s at byte %d.", r.error, (int) (r.at - json)));
	if (document.kind != MLS_SPAN_OBJECT)
		return unknown(pstrdup("The swagger document is not an object."));

	read_operation(&document, scoring_path, &operation);
	if (operation.request.kind == MLS_SPAN_NONE)
		return unknown(
			psprintf("The swagger document describes no POST operation with a JSON body at %s.", scoring_path));

	schema = unknown(NULL);
	node = mls_node(&document, operation.request, operation.request_example);
	mls_swagger_read_inputs(&node, schema);
	node = mls_node(&document, operation.response, none);
	mls_swagger_read_outputs(&node, schema);
	return schema;
}
