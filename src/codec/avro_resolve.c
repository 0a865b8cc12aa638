/*
 * avro_resolve.c - schema resolution: what one schema wrote, read as another; see avro_schema.h.
 *
 * The result has the writer's layout, since that is what the bytes have, with the reader's names, logical types and
 * defaults. Promotions cost nothing: JSON has one kind of number, and strings and bytes are laid out alike.
 */
#include "postgres.h"

#include "codec/avro_schema.h"
#include "codec/json_number.h"

/* Records that are being resolved or were, because they may hold themselves. */
typedef struct Pair
{
	const MlsAvroNode *writer;
	const MlsAvroNode *reader;
	MlsAvroNode *result;
	struct Pair *next;
} Pair;

typedef struct Resolver
{
	Pair *pairs;
} Resolver;

static MlsAvroNode *resolve(Resolver *resolver, const MlsAvroNode *writer, const MlsAvroNode *reader);
static char *write_default(const MlsAvroNode *node, const MlsSpan *def, StringInfo out, int depth);

static const char *const type_names[] = {"null",   "boolean", "int",  "long",  "float", "double", "bytes",
										 "string", "record",  "enum", "array", "map",	"union",  "fixed"};

static MlsAvroNode *
unreadable(const char *reason)
{
	MlsAvroNode *node = palloc0(sizeof(MlsAvroNode));

	node->type = MLS_AVRO_UNREADABLE;
	node->reason = reason;
	return node;
}

static MlsAvroNode *
copy_node(const MlsAvroNode *node)
{
	MlsAvroNode *copy = palloc(sizeof(MlsAvroNode));

	*copy = *node;
	return copy;
}

static bool
is_text(MlsAvroType type)
{
	return type == MLS_AVRO_STRING || type == MLS_AVRO_BYTES;
}

/* May a value of the writer's type be read as the reader's? */
static bool
promotable(const MlsAvroNode *writer, const MlsAvroNode *reader)
{
	if (writer->type == reader->type)
		return true;
	switch (writer->type)
	{
		case MLS_AVRO_INT:
		case MLS_AVRO_LONG:
		case MLS_AVRO_FLOAT:
			return reader->type > writer->type && reader->type <= MLS_AVRO_DOUBLE;
		default:
			return is_text(writer->type) && is_text(reader->type);
	}
}

static bool
same_name(const MlsAvroNode *writer, const MlsAvroNode *reader)
{
	return !writer->name || !reader->name || strcmp(writer->name, reader->name) == 0;
}

/* The branch of a reader's union for what the writer has: its very type, else one that it can be made. */
static MlsAvroNode *
choose_branch(const MlsAvroNode *writer, const MlsAvroNode *reader)
{
	for (int strict = 2; strict >= 0; strict--)
	{
		for (int i = 0; i < reader->nfields; i++)
		{
			MlsAvroNode *branch = reader->fields[i].node;

			if (strict > 0 ? writer->type == branch->type && (strict == 1 || same_name(writer, branch))
						   : promotable(writer, branch))
				return branch;
		}
	}
	return NULL;
}

/* Which field of the reader's record a field of the writer's is: by name, else by one of the reader's aliases. */
static const MlsAvroField *
find_field(const MlsAvroNode *reader, const char *name)
{
	for (int i = 0; i < reader->nfields; i++)
	{
		if (strcmp(reader->fields[i].name, name) == 0)
			return &reader->fields[i];
	}
	for (int i = 0; i < reader->nfields; i++)
	{
		for (int j = 0; j < reader->fields[i].naliases; j++)
		{
			if (strcmp(reader->fields[i].aliases[j], name) == 0)
				return &reader->fields[i];
		}
	}
	return NULL;
}

/* The members that only the reader has. NULL, or why one cannot be made up. */
static char *
add_defaults(MlsAvroNode *result, const MlsAvroNode *reader, const bool *written)
{
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < reader->nfields; i++)
	{
		const MlsAvroField *field = &reader->fields[i];
		char *reason;

		if (written[i])
			continue;
		if (field->def.kind == MLS_SPAN_NONE)
			return psprintf("the writer's record \"%s\" has no field \"%s\", and the reader's has no default for it",
							result->name, field->name);
		appendStringInfo(&out, "%s\"%s\":", out.len > 0 ? "," : "", field->name);
		reason = write_default(field->node, &field->def, &out, 0);
		if (reason)
			return psprintf("field \"%s\": %s", field->name, reason);
	}
	out.data[out.len] = '\0'; /* the JSON writers leave that out */
	result->defaults = out.data;
	return NULL;
}

static MlsAvroNode *
resolve_record(Resolver *resolver, const MlsAvroNode *writer, const MlsAvroNode *reader)
{
	MlsAvroNode *result = copy_node(writer);
	bool *written = palloc0(reader->nfields * sizeof(bool) + 1);
	Pair *pair = palloc(sizeof(Pair));
	char *reason;

	*pair = (Pair){writer, reader, result, resolver->pairs};
	resolver->pairs = pair;
	result->fields = palloc0(writer->nfields * sizeof(MlsAvroField) + 1);
	for (int i = 0; i < writer->nfields; i++)
	{
		const MlsAvroField *field = find_field(reader, writer->fields[i].name);

		result->fields[i].node = writer->fields[i].node;
		if (!field || written[field - reader->fields])
			continue;
		written[field - reader->fields] = true;
		result->fields[i].name = field->name;
		result->fields[i].node = resolve(resolver, writer->fields[i].node, field->node);
	}
	reason = add_defaults(result, reader, written);
	if (reason)
	{
		result->type = MLS_AVRO_UNREADABLE;
		result->reason = reason;
	}
	return result;
}

static MlsAvroNode *
resolve_enum(const MlsAvroNode *writer, const MlsAvroNode *reader)
{
	MlsAvroNode *result = copy_node(writer);

	result->symbols = palloc(writer->nsymbols * sizeof(char *));
	for (int i = 0; i < writer->nsymbols; i++)
	{
		result->symbols[i] = reader->symbol_default;
		for (int j = 0; j < reader->nsymbols; j++)
		{
			if (strcmp(writer->symbols[i], reader->symbols[j]) == 0)
				result->symbols[i] = writer->symbols[i];
		}
	}
	return result;
}

/* Two unions, or a writer's union where the reader has none: each branch for itself. */
static MlsAvroNode *
resolve_branches(Resolver *resolver, const MlsAvroNode *writer, const MlsAvroNode *reader)
{
	MlsAvroNode *result = copy_node(writer);

	result->fields = palloc0(writer->nfields * sizeof(MlsAvroField));
	for (int i = 0; i < writer->nfields; i++)
		result->fields[i].node = resolve(resolver, writer->fields[i].node, reader);
	return result;
}

static MlsAvroNode *
resolve_items(Resolver *resolver, const MlsAvroNode *writer, const MlsAvroNode *reader)
{
	MlsAvroNode *result = copy_node(writer);

	result->fields = palloc0(sizeof(MlsAvroField));
	result->fields[0].node = resolve(resolver, writer->fields[0].node, reader->fields[0].node);
	return result;
}

/* Types without parts: the writer's bytes under the reader's meaning. */
static MlsAvroNode *
resolve_scalar(const MlsAvroNode *writer, const MlsAvroNode *reader)
{
	MlsAvroNode *result = copy_node(writer);

	if (reader->logical == MLS_AVRO_DECIMAL && writer->logical == MLS_AVRO_DECIMAL && reader->scale != writer->scale)
		return unreadable(
			psprintf("a decimal of scale %d cannot be read as one of scale %d", writer->scale, reader->scale));
	if (writer->type == MLS_AVRO_FIXED && writer->size != reader->size)
		return unreadable(
			psprintf("fixed \"%s\" has %d bytes and the reader's %d", writer->name, writer->size, reader->size));
	if (is_text(writer->type))
		result->type = reader->type;
	result->logical = reader->logical;
	result->scale = reader->scale;
	return result;
}

static MlsAvroNode *
resolve(Resolver *resolver, const MlsAvroNode *writer, const MlsAvroNode *reader)
{
	const MlsAvroNode *branch = reader;

	if (writer->type == MLS_AVRO_UNION)
		return resolve_branches(resolver, writer, reader);
	if (reader->type == MLS_AVRO_UNION)
		branch = choose_branch(writer, reader);
	if (!branch || !promotable(writer, branch))
		return unreadable(psprintf("type %s cannot be read as %s", type_names[writer->type], type_names[reader->type]));
	for (Pair *pair = resolver->pairs; pair; pair = pair->next)
	{
		if (pair->writer == writer && pair->reader == branch)
			return pair->result;
	}
	switch (writer->type)
	{
		case MLS_AVRO_RECORD:
			return resolve_record(resolver, writer, branch);
		case MLS_AVRO_ENUM:
			return resolve_enum(writer, branch);
		case MLS_AVRO_ARRAY:
		case MLS_AVRO_MAP:
			return resolve_items(resolver, writer, branch);
		default:
			return resolve_scalar(writer, branch);
	}
}

MlsAvroNode *
mls_avro_resolve(const MlsAvroNode *writer, const MlsAvroNode *reader)
{
	Resolver resolver = {0};

	return resolve(&resolver, writer, reader);
}

/* One character of a default's text, which stands for a byte; -1 when it is beyond 255. Moves *p past it. */
static int
default_byte(const char **p)
{
	char hex[5] = "";
	unsigned char c = (unsigned char) *(*p)++;
	MlsSpan escape = {.start = *p - 1, .len = 2, .kind = MLS_SPAN_STRING, .escaped = true};
	char plain[2];

	if (c == '\\' && **p == 'u')
	{
		unsigned long code;

		memcpy(hex, *p + 1, 4);
		code = strtoul(hex, NULL, 16);
		*p += 5;
		return code > 255 ? -1 : (int) code;
	}
	if (c == '\\')
	{
		mls_json_unescape(&escape, plain);
		(*p)++;
		return (unsigned char) plain[0];
	}
	if (c < 0x80)
		return c;
	return (c & 0xFC) != 0xC0 ? -1 : (unsigned char) ((c << 6) | ((unsigned char) *(*p)++ & 0x3F));
}

static char *
write_default_bytes(const MlsAvroNode *node, const MlsSpan *def, StringInfo out)
{
	char *bytes = palloc(def->len + 1);
	const char *p = def->start;
	int n = 0;

	while (p < def->start + def->len)
	{
		int byte = default_byte(&p);

		if (byte < 0)
			return pstrdup("its default has a character beyond 255");
		bytes[n++] = (char) byte;
	}
	if (node->type == MLS_AVRO_FIXED && n != node->size)
		return psprintf("its default has %d bytes where %d are expected", n, node->size);
	return mls_avro_write_bytes(out, node, bytes, n);
}

/* An array's, or a map's. */
static char *
write_default_items(const MlsAvroNode *node, const MlsSpan *def, StringInfo out, int depth)
{
	bool map = node->type == MLS_AVRO_MAP;
	MlsJsonReader r;
	MlsSpan key;
	MlsSpan item;
	bool first = true;

	appendStringInfoChar(out, map ? '{' : '[');
	mls_json_inside(&r, def);
	while (mls_json_next(&r, &key, &item))
	{
		char *reason;

		if (!first)
			appendStringInfoChar(out, ',');
		first = false;
		if (map)
			appendStringInfo(out, "\"%.*s\":", (int) key.len, key.start);
		reason = write_default(node->fields[0].node, &item, out, depth + 1);
		if (reason)
			return reason;
	}
	appendStringInfoChar(out, map ? '}' : ']');
	return NULL;
}

static char *
write_default_record(const MlsAvroNode *node, const MlsSpan *def, StringInfo out, int depth)
{
	appendStringInfoChar(out, '{');
	for (int i = 0; i < node->nfields; i++)
	{
		const MlsAvroField *field = &node->fields[i];
		MlsSpan item = mls_json_member(def, field->name, strlen(field->name));
		char *reason;

		if (item.kind == MLS_SPAN_NONE)
			item = field->def;
		appendStringInfo(out, "%s\"%s\":", i > 0 ? "," : "", field->name);
		reason = write_default(field->node, &item, out, depth + 1);
		if (reason)
			return reason;
	}
	appendStringInfoChar(out, '}');
	return NULL;
}

/* The first branch that the default is a value of. */
static char *
write_default_union(const MlsAvroNode *node, const MlsSpan *def, StringInfo out, int depth)
{
	int before = out->len;
	char *reason = NULL;

	for (int i = 0; i < node->nfields; i++)
	{
		reason = write_default(node->fields[i].node, def, out, depth + 1);
		if (!reason)
			break;
		out->len = before;
	}
	return reason;
}

/* What is the same in the schema's JSON and in an event's. */
static char *
write_default_scalar(const MlsAvroNode *node, const MlsSpan *def, StringInfo out)
{
	int quotes = def->kind == MLS_SPAN_STRING ? 1 : 0;
	int64 whole;

	if (node->type == MLS_AVRO_INT || node->type == MLS_AVRO_LONG)
	{
		if (mls_number_to_int64(def->start, def->len, &whole) != MLS_NUMBER_OK)
			return pstrdup("its default is not a whole number");
		return mls_avro_write_whole(out, node, whole);
	}
	appendBinaryStringInfo(out, def->start - quotes, def->len + 2 * quotes);
	return NULL;
}

/* Append the default of a field as the JSON that its value would be. */
static char *
write_default(const MlsAvroNode *node, const MlsSpan *def, StringInfo out, int depth)
{
	static const MlsSpanKind kinds[] = {MLS_SPAN_NULL,	 MLS_SPAN_TRUE,	  MLS_SPAN_NUMBER, MLS_SPAN_NUMBER,
										MLS_SPAN_NUMBER, MLS_SPAN_NUMBER, MLS_SPAN_STRING, MLS_SPAN_STRING,
										MLS_SPAN_OBJECT, MLS_SPAN_STRING, MLS_SPAN_ARRAY,  MLS_SPAN_OBJECT,
										MLS_SPAN_NONE,	 MLS_SPAN_STRING};

	if (depth > MLS_JSON_MAX_DEPTH)
		return pstrdup("its default nests too deep");
	if (node->type == MLS_AVRO_UNION)
		return write_default_union(node, def, out, depth);
	if (def->kind != kinds[node->type] && !(node->type == MLS_AVRO_BOOLEAN && def->kind == MLS_SPAN_FALSE))
		return psprintf("its default is no value of type %s", type_names[node->type]);
	switch (node->type)
	{
		case MLS_AVRO_RECORD:
			return write_default_record(node, def, out, depth);
		case MLS_AVRO_ARRAY:
		case MLS_AVRO_MAP:
			return write_default_items(node, def, out, depth);
		case MLS_AVRO_BYTES:
		case MLS_AVRO_FIXED:
			return write_default_bytes(node, def, out);
		default:
			return write_default_scalar(node, def, out);
	}
}
