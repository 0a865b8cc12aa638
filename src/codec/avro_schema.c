/*
 * avro_schema.c - parses Avro schemas; see avro_schema.h.
 */
#include "postgres.h"

#include "codec/avro_schema.h"
#include "codec/encoding.h"
#include "codec/json_number.h"

#define MAX_FIXED (16 * 1024 * 1024)

/* The named types met so far, and the namespace at hand. */
typedef struct AvroParser
{
	MlsAvroNode **named;
	int nnamed;
	const char *namespace; /* "" at the top */
} AvroParser;

static const char *const primitives[] = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"};

static char *parse_node(AvroParser *parser, const MlsSpan *span, MlsAvroNode **result);

/* A string's characters. NULL when it is none. */
static char *
string_of(const MlsSpan *span)
{
	char *copy;
	int len;

	if (span->kind != MLS_SPAN_STRING)
		return NULL;
	copy = palloc(span->len + 1);
	len = mls_json_unescape(span, copy);
	if (len < 0)
		return NULL;
	copy[len] = '\0';
	return copy;
}

static MlsSpan
member(const MlsSpan *object, const char *name)
{
	return mls_json_member(object, name, strlen(name));
}

static bool
whole_number(const MlsSpan *span, int min, int max, int *result)
{
	int64 number;

	if (span->kind != MLS_SPAN_NUMBER || mls_number_to_int64(span->start, span->len, &number) != MLS_NUMBER_OK ||
		number < min || number > max)
		return false;
	*result = (int) number;
	return true;
}

static MlsAvroNode *
find_named(AvroParser *parser, const char *name)
{
	for (int i = 0; i < parser->nnamed; i++)
	{
		if (strcmp(parser->named[i]->name, name) == 0)
			return parser->named[i];
	}
	return NULL;
}

/* A name with the namespace that holds where it stands, unless it brings its own. */
static char *
full_name(AvroParser *parser, const char *name)
{
	if (strchr(name, '.') != NULL || parser->namespace[0] == '\0')
		return pstrdup(name);
	return psprintf("%s.%s", parser->namespace, name);
}

/* A type by its name alone: a primitive, or one that was declared before. */
static char *
parse_reference(AvroParser *parser, const char *name, MlsAvroNode **result)
{
	for (int i = 0; i < lengthof(primitives); i++)
	{
		if (strcmp(name, primitives[i]) == 0)
		{
			*result = palloc0(sizeof(MlsAvroNode));
			(*result)->type = (MlsAvroType) i;
			return NULL;
		}
	}
	*result = find_named(parser, full_name(parser, name));
	if (!*result)
		*result = find_named(parser, name);
	return *result ? NULL : psprintf("type \"%s\" is not declared", mls_excerpt(name, strlen(name)));
}

static MlsAvroField *
add_field(MlsAvroNode *node)
{
	if (node->nfields == 0)
		node->fields = palloc(sizeof(MlsAvroField));
	else
		node->fields = repalloc(node->fields, (node->nfields + 1) * sizeof(MlsAvroField));
	return memset(&node->fields[node->nfields++], 0, sizeof(MlsAvroField));
}

/* The strings of an array, or none when span is no array of strings. */
static char **
string_list(const MlsSpan *span, int *n)
{
	char **result;
	MlsJsonReader r;
	MlsSpan item;

	*n = 0;
	if (span->kind != MLS_SPAN_ARRAY)
		return NULL;
	result = palloc((mls_json_count(span) + 1) * sizeof(char *));
	mls_json_inside(&r, span);
	while (mls_json_next(&r, NULL, &item))
	{
		result[*n] = string_of(&item);
		if (!result[(*n)++])
		{
			*n = 0;
			return NULL;
		}
	}
	return result;
}

static char *
parse_union(AvroParser *parser, const MlsSpan *span, MlsAvroNode **result)
{
	MlsAvroNode *node = palloc0(sizeof(MlsAvroNode));
	MlsJsonReader r;
	MlsSpan item;

	*result = node;
	node->type = MLS_AVRO_UNION;
	mls_json_inside(&r, span);
	while (mls_json_next(&r, NULL, &item))
	{
		MlsAvroNode *branch;
		char *reason = parse_node(parser, &item, &branch);

		if (reason)
			return reason;
		if (branch->type == MLS_AVRO_UNION)
			return pstrdup("a union has a union in it");
		add_field(node)->node = branch;
	}
	return node->nfields > 0 ? NULL : pstrdup("a union has no branches");
}

static char *
parse_fields(AvroParser *parser, const MlsSpan *object, MlsAvroNode *node)
{
	MlsSpan fields = member(object, "fields");
	MlsJsonReader r;
	MlsSpan item;

	if (fields.kind != MLS_SPAN_ARRAY)
		return psprintf("record \"%s\" has no fields", node->name);
	mls_json_inside(&r, &fields);
	while (mls_json_next(&r, NULL, &item))
	{
		MlsSpan name = member(&item, "name");
		MlsSpan type = member(&item, "type");
		MlsSpan aliases = member(&item, "aliases");
		MlsAvroField field = {.name = string_of(&name), .def = member(&item, "default")};
		char *reason;

		if (!field.name)
			return psprintf("a field of record \"%s\" has no name", node->name);
		field.aliases = string_list(&aliases, &field.naliases);
		reason = parse_node(parser, &type, &field.node);
		if (reason)
			return psprintf("field \"%s\": %s", field.name, reason);
		*add_field(node) = field;
	}
	return NULL;
}

static char *
parse_enum(const MlsSpan *object, MlsAvroNode *node)
{
	MlsSpan symbols = member(object, "symbols");
	MlsSpan def = member(object, "default");

	node->symbols = string_list(&symbols, &node->nsymbols);
	node->symbol_default = string_of(&def);
	return node->nsymbols > 0 ? NULL : psprintf("enum \"%s\" has no symbols", node->name);
}

static char *
parse_fixed(const MlsSpan *object, MlsAvroNode *node)
{
	MlsSpan size = member(object, "size");

	return whole_number(&size, 0, MAX_FIXED, &node->size) ? NULL
														  : psprintf("fixed \"%s\" has no valid size", node->name);
}

/* A record, enum or fixed; names inside it are in its namespace. */
static char *
parse_named(AvroParser *parser, const MlsSpan *object, MlsAvroNode *node)
{
	const char *outer = parser->namespace;
	MlsSpan name = member(object, "name");
	MlsSpan space = member(object, "namespace");
	char *given = string_of(&name);
	char *dot;
	char *reason;

	if (!given)
		return pstrdup("a type of records, enums or fixed has no name");
	if (space.kind == MLS_SPAN_STRING)
		parser->namespace = string_of(&space);
	node->name = full_name(parser, given);
	dot = strrchr(node->name, '.');
	parser->namespace = dot ? pnstrdup(node->name, dot - node->name) : "";
	if (find_named(parser, node->name))
		return psprintf("type \"%s\" is declared twice", node->name);
	parser->named = parser->nnamed == 0 ? palloc(sizeof(MlsAvroNode *))
										: repalloc(parser->named, (parser->nnamed + 1) * sizeof(MlsAvroNode *));
	parser->named[parser->nnamed++] = node;

	if (node->type == MLS_AVRO_RECORD)
		reason = parse_fields(parser, object, node);
	else if (node->type == MLS_AVRO_ENUM)
		reason = parse_enum(object, node);
	else
		reason = parse_fixed(object, node);
	parser->namespace = outer;
	return reason;
}

/* Logical types that are unknown, or do not fit the type, are to be ignored. */
static void
parse_logical(const MlsSpan *object, MlsAvroNode *node)
{
	static const struct
	{
		const char *name;
		MlsAvroType type;
		MlsAvroLogical logical;
	} known[] = {{"decimal", MLS_AVRO_BYTES, MLS_AVRO_DECIMAL},
				 {"decimal", MLS_AVRO_FIXED, MLS_AVRO_DECIMAL},
				 {"date", MLS_AVRO_INT, MLS_AVRO_DATE},
				 {"time-millis", MLS_AVRO_INT, MLS_AVRO_TIME_MILLIS},
				 {"time-micros", MLS_AVRO_LONG, MLS_AVRO_TIME_MICROS},
				 {"timestamp-millis", MLS_AVRO_LONG, MLS_AVRO_TIMESTAMP_MILLIS},
				 {"timestamp-micros", MLS_AVRO_LONG, MLS_AVRO_TIMESTAMP_MICROS},
				 {"local-timestamp-millis", MLS_AVRO_LONG, MLS_AVRO_LOCAL_MILLIS},
				 {"local-timestamp-micros", MLS_AVRO_LONG, MLS_AVRO_LOCAL_MICROS},
				 {"duration", MLS_AVRO_FIXED, MLS_AVRO_DURATION}};
	MlsSpan logical = member(object, "logicalType");
	MlsSpan scale = member(object, "scale");

	if (logical.kind != MLS_SPAN_STRING)
		return;
	for (int i = 0; i < lengthof(known); i++)
	{
		if (node->type == known[i].type && mls_json_equals(&logical, known[i].name))
			node->logical = known[i].logical;
	}
	if (node->logical == MLS_AVRO_DURATION && node->size != 12)
		node->logical = MLS_AVRO_PLAIN;
	if (node->logical == MLS_AVRO_DECIMAL && scale.kind != MLS_SPAN_NONE &&
		!whole_number(&scale, 0, 1000, &node->scale))
		node->logical = MLS_AVRO_PLAIN;
}

/* {"type": ...} with whatever belongs to the type. */
static char *
parse_object(AvroParser *parser, const MlsSpan *object, MlsAvroNode **result)
{
	static const struct
	{
		const char *name;
		MlsAvroType type;
	} complex[] = {{"record", MLS_AVRO_RECORD}, {"error", MLS_AVRO_RECORD}, {"enum", MLS_AVRO_ENUM},
				   {"fixed", MLS_AVRO_FIXED},	{"array", MLS_AVRO_ARRAY},	{"map", MLS_AVRO_MAP}};
	MlsSpan type = member(object, "type");
	MlsSpan inner;
	char *reason = NULL;
	int i = 0;

	while (type.kind == MLS_SPAN_STRING && i < lengthof(complex) && !mls_json_equals(&type, complex[i].name))
		i++;
	if (type.kind != MLS_SPAN_STRING || i == lengthof(complex))
		reason = parse_node(parser, &type, result);
	else
	{
		*result = palloc0(sizeof(MlsAvroNode));
		(*result)->type = complex[i].type;
		if (i < 4)
			reason = parse_named(parser, object, *result);
		else
		{
			inner = member(object, i == 4 ? "items" : "values");
			add_field(*result);
			reason = parse_node(parser, &inner, &(*result)->fields[0].node);
		}
	}
	if (!reason)
		parse_logical(object, *result);
	return reason;
}

static char *
parse_node(AvroParser *parser, const MlsSpan *span, MlsAvroNode **result)
{
	char *name;

	switch (span->kind)
	{
		case MLS_SPAN_STRING:
			name = string_of(span);
			return name ? parse_reference(parser, name, result) : pstrdup("a type's name is no text");
		case MLS_SPAN_ARRAY:
			return parse_union(parser, span, result);
		case MLS_SPAN_OBJECT:
			return parse_object(parser, span, result);
		case MLS_SPAN_NONE:
			return pstrdup("a type is missing");
		default:
			return psprintf("%s is not a type", mls_excerpt(span->start, span->len));
	}
}

char *
mls_avro_parse(const char *json, size_t len, MlsAvroNode **result)
{
	AvroParser parser = {.namespace = ""};
	MlsJsonReader r;
	MlsSpan span;

	mls_json_start(&r, json, len);
	mls_json_value(&r, &span);
	if (!mls_json_finish(&r))
		return psprintf("it is not JSON: %s at byte %zu", r.error, (size_t) (r.at - json) + 1);
	return parse_node(&parser, &span, result);
}
