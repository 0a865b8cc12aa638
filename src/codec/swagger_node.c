/*
 * swagger_node.c - see swagger_node.h.
 */
#include "postgres.h"

#include "codec/encoding.h"
#include "codec/swagger_node.h"

#define MAX_REFERENCES 20 /* in a row: longer chains are circles */

MlsSpan
mls_node_get(const MlsSpan *object, const char *name)
{
	return mls_json_member(object, name, strlen(name));
}

char *
mls_node_string(const MlsSpan *object, const char *name)
{
	MlsSpan value = mls_node_get(object, name);
	char *plain;
	char *text;
	int len;

	if (value.kind != MLS_SPAN_STRING)
		return NULL;
	plain = palloc(value.len + 1);
	len = mls_json_unescape(&value, plain);
	if (len < 0 || mls_from_utf8(plain, len, &text, &len) != NULL)
		return NULL;
	return text;
}

/* One step of a JSON pointer, in which ~1 is '/', ~0 is '~' and %xx a byte. */
static int
decode_step(const char *step, int len, char *out)
{
	int n = 0;

	for (int i = 0; i < len; i++)
	{
		unsigned int byte;

		if (step[i] == '~' && i + 1 < len && (step[i + 1] == '0' || step[i + 1] == '1'))
			out[n++] = step[++i] == '0' ? '~' : '/';
		else if (step[i] == '%' && i + 2 < len && sscanf(step + i + 1, "%2x", &byte) == 1)
		{
			out[n++] = (char) byte;
			i += 2;
		}
		else
			out[n++] = step[i];
	}
	return n;
}

static MlsSpan
follow_pointer(const MlsSpan *document, const char *pointer)
{
	MlsSpan none = {.kind = MLS_SPAN_NONE};
	MlsSpan at = *document;

	/* Other documents are not fetched. */
	if (pointer[0] != '#')
		return none;
	pointer++;
	while (*pointer == '/' && at.kind == MLS_SPAN_OBJECT)
	{
		int len = strcspn(pointer + 1, "/");
		char *step = palloc(len + 1);

		at = mls_json_member(&at, step, decode_step(pointer + 1, len, step));
		pfree(step);
		pointer += 1 + len;
	}
	return *pointer == '\0' ? at : none;
}

static bool
is_null_type(const MlsSpan *schema)
{
	MlsSpan type = mls_node_get(schema, "type");

	return type.kind == MLS_SPAN_STRING && mls_json_equals(&type, "null");
}

/* Of several schemas the first that is not for null. */
static MlsSpan
choose_alternative(const MlsSpan *list)
{
	MlsSpan none = {.kind = MLS_SPAN_NONE};
	MlsJsonReader r;
	MlsSpan item;

	mls_json_inside(&r, list);
	while (mls_json_next(&r, NULL, &item))
	{
		if (item.kind == MLS_SPAN_OBJECT && !is_null_type(&item))
			return item;
	}
	return none;
}

MlsSpan
mls_node_resolve(const MlsSpan *document, MlsSpan node)
{
	static const char *const combinations[] = {"allOf", "anyOf", "oneOf"};

	for (int i = 0; i < MAX_REFERENCES && node.kind == MLS_SPAN_OBJECT; i++)
	{
		char *reference = mls_node_string(&node, "$ref");
		MlsSpan list = {.kind = MLS_SPAN_NONE};

		if (reference)
		{
			node = follow_pointer(document, reference);
			continue;
		}
		for (int k = 0; k < lengthof(combinations) && list.kind != MLS_SPAN_ARRAY; k++)
			list = mls_node_get(&node, combinations[k]);
		if (list.kind != MLS_SPAN_ARRAY)
			return node;
		node = choose_alternative(&list);
	}
	node.kind = MLS_SPAN_NONE;
	return node;
}

/* OpenAPI 3.1 may have a list of examples, of which the first will do. */
static MlsSpan
own_example(const MlsSpan *schema)
{
	MlsSpan example = mls_node_get(schema, "example");
	MlsSpan examples = mls_node_get(schema, "examples");
	MlsJsonReader r;

	if (example.kind == MLS_SPAN_NONE && examples.kind == MLS_SPAN_ARRAY)
	{
		mls_json_inside(&r, &examples);
		if (!mls_json_next(&r, NULL, &example))
			example.kind = MLS_SPAN_NONE;
	}
	return example;
}

MlsNode
mls_node(const MlsSpan *document, MlsSpan schema, MlsSpan example)
{
	MlsNode node = {document, mls_node_resolve(document, schema), example};
	MlsSpan own = own_example(&schema);

	if (own.kind == MLS_SPAN_NONE)
		own = own_example(&node.schema);
	if (own.kind != MLS_SPAN_NONE)
		node.example = own;
	return node;
}

MlsJsonType
mls_value_type(const MlsSpan *value)
{
	switch (value->kind)
	{
		case MLS_SPAN_OBJECT:
			return MLS_JSON_OBJECT;
		case MLS_SPAN_ARRAY:
			return MLS_JSON_ARRAY;
		case MLS_SPAN_STRING:
			return MLS_JSON_STRING;
		case MLS_SPAN_NUMBER:
			if (memchr(value->start, '.', value->len) || memchr(value->start, 'e', value->len) ||
				memchr(value->start, 'E', value->len))
				return MLS_JSON_NUMBER;
			return MLS_JSON_INTEGER;
		case MLS_SPAN_NONFINITE:
			return MLS_JSON_NUMBER;
		case MLS_SPAN_TRUE:
		case MLS_SPAN_FALSE:
			return MLS_JSON_BOOLEAN;
		case MLS_SPAN_NULL:
		case MLS_SPAN_NONE:
			break;
	}
	return MLS_JSON_ANY;
}

MlsJsonType
mls_common_type(MlsJsonType a, MlsJsonType b)
{
	if (a == b)
		return a;
	if ((a == MLS_JSON_INTEGER && b == MLS_JSON_NUMBER) || (a == MLS_JSON_NUMBER && b == MLS_JSON_INTEGER))
		return MLS_JSON_NUMBER;
	return MLS_JSON_ANY;
}

static MlsJsonType
type_of_name(const MlsSpan *name)
{
	static const struct
	{
		const char *name;
		MlsJsonType type;
	} types[] = {{"string", MLS_JSON_STRING},	{"integer", MLS_JSON_INTEGER}, {"number", MLS_JSON_NUMBER},
				 {"boolean", MLS_JSON_BOOLEAN}, {"object", MLS_JSON_OBJECT},   {"array", MLS_JSON_ARRAY}};

	for (int i = 0; i < lengthof(types); i++)
	{
		if (name->kind == MLS_SPAN_STRING && mls_json_equals(name, types[i].name))
			return types[i].type;
	}
	return MLS_JSON_ANY;
}

MlsJsonType
mls_node_type(const MlsNode *node)
{
	MlsSpan type = mls_node_get(&node->schema, "type");
	MlsJsonReader r;
	MlsSpan item;
	MlsJsonType found = MLS_JSON_ANY;

	if (type.kind == MLS_SPAN_ARRAY)
	{
		/* OpenAPI 3.1: ["number", "null"] */
		mls_json_inside(&r, &type);
		while (found == MLS_JSON_ANY && mls_json_next(&r, NULL, &item))
			found = type_of_name(&item);
		return found;
	}
	if (type.kind == MLS_SPAN_STRING)
		return type_of_name(&type);
	if (mls_node_get(&node->schema, "properties").kind == MLS_SPAN_OBJECT)
		return MLS_JSON_OBJECT;
	if (mls_node_get(&node->schema, "items").kind == MLS_SPAN_OBJECT)
		return MLS_JSON_ARRAY;
	return mls_value_type(&node->example);
}

MlsNode
mls_node_property(const MlsNode *node, const MlsSpan *key, MlsSpan schema)
{
	char *name = palloc(key->len + 1);
	int len = mls_json_unescape(key, name);
	MlsSpan example = {.kind = MLS_SPAN_NONE};

	if (len >= 0)
		example = mls_json_member(&node->example, name, len);
	pfree(name);
	return mls_node(node->document, schema, example);
}

MlsNode
mls_node_items(const MlsNode *node)
{
	MlsSpan first = {.kind = MLS_SPAN_NONE};
	MlsJsonReader r;

	if (node->example.kind == MLS_SPAN_ARRAY)
	{
		mls_json_inside(&r, &node->example);
		if (!mls_json_next(&r, NULL, &first))
			first.kind = MLS_SPAN_NONE;
	}
	return mls_node(node->document, mls_node_get(&node->schema, "items"), first);
}

static bool
is_nullable(const MlsNode *node)
{
	MlsSpan type = mls_node_get(&node->schema, "type");
	MlsSpan flag = mls_node_get(&node->schema, "nullable");
	MlsJsonReader r;
	MlsSpan item;

	if (flag.kind == MLS_SPAN_TRUE || node->example.kind == MLS_SPAN_NULL)
		return true;
	if (type.kind != MLS_SPAN_ARRAY)
		return false;
	mls_json_inside(&r, &type);
	while (mls_json_next(&r, NULL, &item))
	{
		if (item.kind == MLS_SPAN_STRING && mls_json_equals(&item, "null"))
			return true;
	}
	return false;
}

MlsField
mls_node_field(const MlsNode *node, const char *name, int name_len)
{
	MlsField field = {.type = mls_node_type(node)};
	int len;

	if (mls_from_utf8(name, name_len, &field.name, &len) != NULL)
		field.name = pstrdup("");
	field.format = mls_node_string(&node->schema, "format");
	field.nullable = is_nullable(node);

	if (field.type == MLS_JSON_ARRAY)
	{
		MlsNode items = mls_node_items(node);

		/* SQL arrays have any number of dimensions: what counts is what the innermost one holds. */
		for (int depth = 0; depth < 6 && mls_node_type(&items) == MLS_JSON_ARRAY; depth++)
			items = mls_node_items(&items);
		field.element = mls_node_type(&items);
	}

	/* A column of which the sample had only nulls is declared as an object without members. */
	if (field.type == MLS_JSON_OBJECT && node->example.kind == MLS_SPAN_NULL)
		field.type = MLS_JSON_ANY;
	return field;
}
