/*
 * signature.c - schemas to SQL.
 *
 * Integers become bigint unless int32 is declared, numbers double precision even where float is, because inference
 * servers declare widths that are often wrong; what is undeclared or nested becomes jsonb, which carries anything.
 */
#include "catalog/signature.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"

#define PROPERTIES "STABLE PARALLEL SAFE COST 10000"

/* The formats of strings that a type of PostgreSQL reads and writes as such. */
static const char *
string_type(const char *format)
{
	static const struct
	{
		const char *format;
		const char *type;
	} types[] = {{"date-time", "timestamp with time zone"}, {"date", "date"}, {"uuid", "uuid"}, {"byte", "bytea"}};

	for (int i = 0; format != NULL && i < lengthof(types); i++)
		if (strcmp(types[i].format, format) == 0)
			return types[i].type;
	return "text";
}

static const char *
scalar_type(MlsJsonType type, const char *format)
{
	switch (type)
	{
		case MLS_JSON_STRING:
			return string_type(format);
		case MLS_JSON_INTEGER:
			return format != NULL && strcmp(format, "int32") == 0 ? "integer" : "bigint";
		case MLS_JSON_NUMBER:
			return "double precision";
		case MLS_JSON_BOOLEAN:
			return "boolean";
		case MLS_JSON_ANY:
		case MLS_JSON_OBJECT:
		case MLS_JSON_ARRAY:
			break;
	}
	return "jsonb";
}

char *
mls_signature_type(const MlsField *field)
{
	const char *element = scalar_type(field->element, NULL);

	if (field->type == MLS_JSON_ARRAY && strcmp(element, "jsonb") != 0)
		return psprintf("%s[]", element);
	return pstrdup(scalar_type(field->type, field->format));
}

/* The name of input or output i; those of bare arrays have none. */
static char *
field_name(const MlsField *field, int i)
{
	return field->name != NULL && field->name[0] != '\0' ? field->name : psprintf("x%d", i + 1);
}

static char *
name_obstacle(const MlsField *fields, int n)
{
	for (int i = 0; i < n; i++)
		if (fields[i].name != NULL && strlen(fields[i].name) >= NAMEDATALEN)
			return psprintf("The name \"%s\" is longer than the %d bytes that names may have.", fields[i].name,
							NAMEDATALEN - 1);
	return NULL;
}

char *
mls_signature_obstacle(const MlsSchema *schema)
{
	char *obstacle;

	if (!schema->inputs_known || schema->ninputs == 0)
		return pstrdup(schema->reason != NULL ? schema->reason : "The endpoint's swagger declares no inputs.");
	if (schema->ninputs > FUNC_MAX_ARGS)
		return psprintf("The model has %d inputs, and functions can have %d arguments: give them as one argument of a "
						"composite type with these columns.",
						schema->ninputs, FUNC_MAX_ARGS);
	obstacle = name_obstacle(schema->inputs, schema->ninputs);
	return obstacle != NULL ? obstacle : name_obstacle(schema->outputs, schema->noutputs);
}

static bool
is_input(const MlsSchema *schema, const char *name)
{
	for (int i = 0; name != NULL && i < schema->ninputs; i++)
		if (schema->inputs[i].name != NULL && strcmp(schema->inputs[i].name, name) == 0)
			return true;
	return false;
}

/* Outputs that only repeat an input are of no use, unless there is nothing else. */
static List *
useful_outputs(const MlsSchema *schema)
{
	List *useful = NIL;
	List *all = NIL;

	for (int i = 0; i < schema->noutputs; i++)
	{
		all = lappend_int(all, i);
		if (!is_input(schema, schema->outputs[i].name))
			useful = lappend_int(useful, i);
	}
	return useful != NIL ? useful : all;
}

/* The outputs of rows that are bare arrays have no names. */
static bool
outputs_are_positions(const MlsSchema *schema)
{
	for (int i = 0; i < schema->noutputs; i++)
		if (schema->outputs[i].name != NULL && schema->outputs[i].name[0] != '\0')
			return false;
	return true;
}

/* The array that holds one value for each output; jsonb when their types differ. */
static char *
array_type(const MlsSchema *schema)
{
	char *type = mls_signature_type(&schema->outputs[0]);

	for (int i = 1; i < schema->noutputs; i++)
		if (strcmp(mls_signature_type(&schema->outputs[i]), type) != 0)
			return pstrdup("jsonb");
	return strcmp(type, "jsonb") == 0 ? type : psprintf("%s[]", type);
}

/*
 * What the function returns. One value is returned as such; where it is one key of several in the reply, as an OUT
 * argument, whose name says which.
 */
static void
append_result(StringInfo arguments, StringInfo returns, const MlsSchema *schema)
{
	ListCell *lc;

	if (schema->noutputs == 0)
		appendStringInfoString(returns, " RETURNS jsonb");
	else if (schema->noutputs == 1)
		appendStringInfo(returns, " RETURNS %s", mls_signature_type(&schema->outputs[0]));
	else if (outputs_are_positions(schema))
		appendStringInfo(returns, " RETURNS %s", array_type(schema));
	else
		foreach (lc, useful_outputs(schema))
		{
			const MlsField *field = &schema->outputs[lfirst_int(lc)];

			appendStringInfo(arguments, ", OUT %s %s", quote_identifier(field_name(field, lfirst_int(lc))),
							 mls_signature_type(field));
		}
}

/*
 * Rows that are bare arrays of a known width: an argument for each value reads better than one array, if so many
 * arguments can be.
 */
static void
append_positions(StringInfo arguments, StringInfo types, const MlsField *row)
{
	const char *type = scalar_type(row->element, NULL);

	for (int i = 0; i < row->width; i++)
	{
		appendStringInfo(arguments, "%sx%d %s", i > 0 ? ", " : "", i + 1, type);
		appendStringInfo(types, "%s%s", i > 0 ? ", " : "", type);
	}
}

static void
append_inputs(StringInfo arguments, StringInfo types, const MlsSchema *schema)
{
	for (int i = 0; i < schema->ninputs; i++)
	{
		const char *type = mls_signature_type(&schema->inputs[i]);

		appendStringInfo(arguments, "%s%s %s", i > 0 ? ", " : "", quote_identifier(field_name(&schema->inputs[i], i)),
						 type);
		appendStringInfo(types, "%s%s", i > 0 ? ", " : "", type);
	}
}

char *
mls_signature_statement(const MlsSchema *schema, const char *name, const char *server_name, char **signature)
{
	StringInfoData arguments;
	StringInfoData types;
	StringInfoData returns;

	initStringInfo(&arguments);
	initStringInfo(&types);
	initStringInfo(&returns);
	if (schema->ninputs == 1 && schema->inputs[0].width > 0 && schema->inputs[0].width <= FUNC_MAX_ARGS)
		append_positions(&arguments, &types, &schema->inputs[0]);
	else
		append_inputs(&arguments, &types, schema);
	append_result(&arguments, &returns, schema);
	*signature = psprintf("%s(%s)", name, types.data);
	return psprintf("CREATE FUNCTION %s(%s)%s LANGUAGE " MLS_LANGUAGE " " PROPERTIES " AS %s", name, arguments.data,
					returns.data, quote_literal_cstr(server_name));
}

char *
mls_signature_template(const char *name, const char *server_name)
{
	return psprintf(
		"CREATE FUNCTION %s(input_name double precision, ...) RETURNS double precision LANGUAGE " MLS_LANGUAGE
		" " PROPERTIES " AS %s;",
		name, quote_literal_cstr(server_name));
}
