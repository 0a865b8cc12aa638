/*
 * row_shape.c - see row_shape.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "codec/row_shape.h"
#include "utils/lsyscache.h"

static bool
path_ends_with(const char *url, const char *suffix)
{
	size_t len = strcspn(url, "?#");
	size_t suffix_len = strlen(suffix);

	while (len > 0 && url[len - 1] == '/')
		len--;
	return len >= suffix_len && strncmp(url + len - suffix_len, suffix, suffix_len) == 0;
}

/* Endpoints that declare nothing are known by their paths, as far as protocols fix them. */
static MlsRequestFormat
guess_format(const char *url, bool *guessed)
{
	if (strstr(url, "/v2/models/") != NULL && path_ends_with(url, "/infer"))
		return MLS_FORMAT_OPEN_INFERENCE;
	if (path_ends_with(url, "/invocations"))
		return MLS_FORMAT_DATAFRAME_SPLIT;
	*guessed = true;
	return MLS_FORMAT_RECORDS;
}

MlsRequestFormat
mls_row_format(const MlsServer *server, const MlsSchema *schema, bool *guessed)
{
	*guessed = false;
	if (server->request_format != MLS_FORMAT_AUTO)
		return server->request_format;
	if (schema && schema->inputs_known)
		return schema->format;
	return guess_format(server->url, guessed);
}

/* Does the endpoint declare the function's only argument as one of its inputs, so that it is a column after all? */
static bool
is_declared_input(const MlsFunction *fn, const MlsSchema *schema)
{
	if (!schema || !schema->inputs_known || schema->ninputs != 1)
		return false;
	return strcmp(schema->inputs[0].name, fn->arg_names[0]) == 0 &&
		   (schema->inputs[0].type == MLS_JSON_OBJECT || schema->inputs[0].type == MLS_JSON_ARRAY);
}

static bool
has_no_names(MlsRequestFormat format)
{
	return format == MLS_FORMAT_NUMPY || format == MLS_FORMAT_INPUTS || format == MLS_FORMAT_INSTANCES ||
		   format == MLS_FORMAT_OPEN_INFERENCE;
}

MlsRowShape
mls_row_shape(const MlsFunction *fn, MlsRequestFormat format, const MlsSchema *schema)
{
	Oid type;
	Oid element;

	if (fn->nargs != 1)
		return MLS_SHAPE_COLUMNS;
	type = getBaseType(fn->arg_types[0]);
	element = get_base_element_type(type);
	if (OidIsValid(element) && type_is_rowtype(element))
		return is_declared_input(fn, schema) ? MLS_SHAPE_COLUMNS : MLS_SHAPE_DATA_FRAME;
	if (OidIsValid(element))
		return has_no_names(format) ? MLS_SHAPE_ARRAY : MLS_SHAPE_COLUMNS;
	if (type == JSONOID || type == JSONBOID)
		return has_no_names(format) && format != MLS_FORMAT_OPEN_INFERENCE ? MLS_SHAPE_ARRAY : MLS_SHAPE_COLUMNS;
	if (type_is_rowtype(type))
		return is_declared_input(fn, schema) ? MLS_SHAPE_COLUMNS : MLS_SHAPE_RECORD;
	return MLS_SHAPE_COLUMNS;
}
