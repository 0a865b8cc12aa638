/*
 * swagger_rows.c - see swagger_rows.h.
 */
#include "postgres.h"

#include "codec/encoding.h"
#include "codec/json_write.h"
#include "codec/swagger_rows.h"

#define MAX_PATH 6	  /* objects around the rows */
#define MAX_STEPS 500 /* members looked into: schemas may refer to themselves in many ways */

typedef enum RowsKind
{
	ROWS_OBJECTS,
	ROWS_ARRAYS,
	ROWS_VALUES, /* a row is one value */
	ROWS_SPLIT	 /* {"columns": [], "index": [], "data": [[]]} */
} RowsKind;

/* Where the rows are. */
typedef struct Rows
{
	RowsKind kind;
	MlsNode node; /* the array, or the split frame */
	int steps;
	int depth; /* the names that lead there */
	MlsSpan keys[MAX_PATH];
	MlsNode owners[MAX_PATH]; /* the objects that have them */
	const char *obstacle;	  /* what was met instead of rows */
} Rows;

/* Members that hold rows when an object has several, the most telling first; then any other. */
static const char *const row_names[] = {
	"Inputs",			"input_data", "data",	"dataframe_split", "dataframe_records",
	"WebServiceInput0", "instances",  "inputs", "Results"};

/* Members that never do. */
static const char *const parameter_names[] = {"GlobalParameters", "params", "parameters", "method"};

static bool find_rows(const MlsNode *node, Rows *rows);

static bool
is_one_of(const MlsSpan *key, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (mls_json_equals(key, names[i]))
			return true;
	}
	return false;
}

/* Objects that are data frames in other orientations than rows. */
static bool
is_frame(const MlsNode *node, const char *orientation)
{
	char *format = mls_node_string(&node->schema, "format");
	bool result = format && strncmp(format, "pandas.DataFrame:", 17) == 0 && strcmp(format + 17, orientation) == 0;

	return result;
}

static bool
is_split_frame(const MlsNode *node)
{
	MlsSpan properties = mls_node_get(&node->schema, "properties");

	return is_frame(node, "split") ||
		   (mls_node_get(&properties, "columns").kind == MLS_SPAN_OBJECT &&
			mls_node_get(&properties, "data").kind == MLS_SPAN_OBJECT) ||
		   (mls_node_get(&node->example, "columns").kind == MLS_SPAN_ARRAY &&
			mls_node_get(&node->example, "data").kind == MLS_SPAN_ARRAY);
}

/* An array is rows; of which kind, its items say. */
static bool
take_array(const MlsNode *node, Rows *rows)
{
	MlsNode items = mls_node_items(node);

	rows->node = *node;
	switch (mls_node_type(&items))
	{
		case MLS_JSON_OBJECT:
			rows->kind = ROWS_OBJECTS;
			return true;
		case MLS_JSON_ARRAY:
			rows->kind = ROWS_ARRAYS;
			return true;
		case MLS_JSON_ANY:
			return false;
		default:
			rows->kind = ROWS_VALUES;
			return true;
	}
}

/* Look into one member of an object. */
static bool
enter_member(const MlsNode *owner, const MlsSpan *key, MlsSpan schema, Rows *rows)
{
	MlsNode member = mls_node_property(owner, key, schema);

	if (rows->depth == MAX_PATH || ++rows->steps > MAX_STEPS)
		return false;
	rows->owners[rows->depth] = *owner;
	rows->keys[rows->depth++] = *key;
	if (find_rows(&member, rows))
		return true;
	rows->depth--;
	return false;
}

/* The members: those of the schema or, without one, of the example. */
static MlsSpan
members_of(const MlsNode *node, bool *from_example)
{
	MlsSpan properties = mls_node_get(&node->schema, "properties");

	*from_example = properties.kind != MLS_SPAN_OBJECT;
	return *from_example ? node->example : properties;
}

static bool
find_in_members(const MlsNode *node, Rows *rows)
{
	MlsSpan none = {.kind = MLS_SPAN_NONE};
	bool from_example;
	MlsSpan members = members_of(node, &from_example);
	MlsSpan key;
	MlsSpan value;
	MlsJsonReader r;

	if (members.kind != MLS_SPAN_OBJECT)
		return false;
	for (int i = 0; i <= lengthof(row_names); i++)
	{
		mls_json_inside(&r, &members);
		while (mls_json_next(&r, &key, &value))
		{
			bool wanted = i < lengthof(row_names) ? mls_json_equals(&key, row_names[i])
												  : !is_one_of(&key, row_names, lengthof(row_names)) &&
														!is_one_of(&key, parameter_names, lengthof(parameter_names));

			if (wanted && enter_member(node, &key, from_example ? none : value, rows))
				return true;
		}
	}
	return false;
}

/* Search a schema for the rows. */
static bool
find_rows(const MlsNode *node, Rows *rows)
{
	switch (mls_node_type(node))
	{
		case MLS_JSON_ARRAY:
			return take_array(node, rows);
		case MLS_JSON_OBJECT:
			if (is_split_frame(node))
			{
				rows->kind = ROWS_SPLIT;
				rows->node = *node;
				return true;
			}
			if (is_frame(node, "columns") || is_frame(node, "index") || is_frame(node, "table"))
			{
				rows->obstacle =
					"It takes a data frame that is not given by rows (orientation records, values or split).";
				return false;
			}
			return find_in_members(node, rows);
		default:
			return false;
	}
}

/* A member that is not on the way to the rows still has to be sent: as the example shows it, or its default. */
static void
write_constant(StringInfo out, const MlsNode *owner, const MlsSpan *key, MlsSpan schema)
{
	MlsNode member = mls_node_property(owner, key, schema);
	MlsSpan value = member.example;

	if (value.kind == MLS_SPAN_NONE)
		value = mls_node_get(&member.schema, "default");
	if (value.kind == MLS_SPAN_NONE && !mls_json_equals(key, "GlobalParameters"))
		return;
	appendStringInfoString(out, ",\"");
	mls_json_write_raw(out, key->start, key->len);
	appendStringInfoString(out, "\":");
	if (value.kind == MLS_SPAN_NONE)
		appendStringInfoString(out, "{}");
	else if (value.kind == MLS_SPAN_STRING)
		mls_json_write_raw(out, value.start - 1, value.len + 2);
	else
		mls_json_write_raw(out, value.start, value.len);
}

static void
write_constants(StringInfo out, const MlsNode *owner, const MlsSpan *on_the_way)
{
	bool from_example;
	MlsSpan members = members_of(owner, &from_example);
	MlsSpan none = {.kind = MLS_SPAN_NONE};
	MlsSpan key;
	MlsSpan value;
	MlsJsonReader r;

	mls_json_inside(&r, &members);
	while (mls_json_next(&r, &key, &value))
	{
		if (key.len != on_the_way->len || memcmp(key.start, on_the_way->start, key.len) != 0)
			write_constant(out, owner, &key, from_example ? none : value);
	}
}

/* What stands before and after the rows in a request. */
static void
write_frame(const Rows *rows, StringInfo open, StringInfo close)
{
	for (int i = 0; i < rows->depth; i++)
	{
		appendStringInfoString(open, "{\"");
		mls_json_write_raw(open, rows->keys[i].start, rows->keys[i].len);
		appendStringInfoString(open, "\":");
	}
	for (int i = rows->depth - 1; i >= 0; i--)
	{
		write_constants(close, &rows->owners[i], &rows->keys[i]);
		mls_json_write_raw(close, "}", 1);
	}
	mls_json_reserve(open, 1);
	mls_json_reserve(close, 1);
	open->data[open->len] = close->data[close->len] = '\0';
}

/* The layouts that have a name of their own, by what stands around the rows. */
static const struct
{
	MlsRequestFormat format;
	RowsKind kind;
	const char *open;
	const char *close;
} layouts[] = {
	{MLS_FORMAT_RECORDS, ROWS_OBJECTS, "{\"data\":", "}"},
	{MLS_FORMAT_NUMPY, ROWS_ARRAYS, "{\"data\":", "}"},
	{MLS_FORMAT_NUMPY, ROWS_VALUES, "{\"data\":", "}"},
	{MLS_FORMAT_DESIGNER, ROWS_OBJECTS, "{\"Inputs\":{\"WebServiceInput0\":", "},\"GlobalParameters\":{}}"},
	{MLS_FORMAT_INPUT_DATA, ROWS_SPLIT, "{\"input_data\":", "}"},
	{MLS_FORMAT_DATAFRAME_SPLIT, ROWS_SPLIT, "{\"dataframe_split\":", "}"},
	{MLS_FORMAT_DATAFRAME_RECORDS, ROWS_OBJECTS, "{\"dataframe_records\":", "}"},
	{MLS_FORMAT_INPUTS, ROWS_ARRAYS, "{\"inputs\":", "}"},
	{MLS_FORMAT_INPUTS, ROWS_VALUES, "{\"inputs\":", "}"},
	{MLS_FORMAT_INSTANCES, ROWS_OBJECTS, "{\"instances\":", "}"},
};

static void
settle_format(const Rows *rows, MlsSchema *schema)
{
	StringInfoData open;
	StringInfoData close;

	initStringInfo(&open);
	initStringInfo(&close);
	write_frame(rows, &open, &close);
	for (int i = 0; i < lengthof(layouts); i++)
	{
		if (layouts[i].kind == rows->kind && strcmp(layouts[i].open, open.data) == 0 &&
			strcmp(layouts[i].close, close.data) == 0)
		{
			schema->format = layouts[i].format;
			return;
		}
	}
	if (rows->kind == ROWS_OBJECTS)
		schema->format = strncmp(open.data, "{\"Inputs\":{", 11) == 0 ? MLS_FORMAT_DESIGNER : MLS_FORMAT_RECORDS;
	else
		schema->format = rows->kind == ROWS_SPLIT ? MLS_FORMAT_INPUT_DATA : MLS_FORMAT_NUMPY;
	schema->rows_open = open.data;
	schema->rows_close = close.data;
}

static void
add_field(MlsField **fields, int *n, MlsField field)
{
	if (*n == 0)
		*fields = palloc(16 * sizeof(MlsField));
	else if (*n % 16 == 0)
		*fields = repalloc(*fields, (*n + 16) * sizeof(MlsField));
	(*fields)[(*n)++] = field;
}

/* "required" has the columns in the sample's order, where the properties may have been sorted. */
static bool
order_is_required(const MlsSpan *properties, const MlsSpan *required)
{
	MlsJsonReader r;
	MlsSpan name;

	if (required->kind != MLS_SPAN_ARRAY || mls_json_count(required) != mls_json_count(properties))
		return false;
	mls_json_inside(&r, required);
	while (mls_json_next(&r, NULL, &name))
	{
		if (name.kind != MLS_SPAN_STRING || mls_json_member(properties, name.start, name.len).kind == MLS_SPAN_NONE)
			return false;
	}
	return true;
}

static void
add_property(const MlsNode *row, const MlsSpan *key, MlsSpan schema, MlsField **fields, int *n)
{
	MlsNode column = mls_node_property(row, key, schema);
	char *name = palloc(key->len + 1);
	int len = mls_json_unescape(key, name);

	add_field(fields, n, mls_node_field(&column, name, Max(len, 0)));
	pfree(name);
}

/* The columns of rows that are objects. */
static void
read_object_fields(const MlsNode *row, MlsField **fields, int *n)
{
	bool from_example;
	MlsSpan members = members_of(row, &from_example);
	MlsSpan required = mls_node_get(&row->schema, "required");
	MlsSpan none = {.kind = MLS_SPAN_NONE};
	MlsSpan key;
	MlsSpan value;
	MlsJsonReader r;

	if (members.kind != MLS_SPAN_OBJECT)
		return;
	if (!from_example && order_is_required(&members, &required))
	{
		mls_json_inside(&r, &required);
		while (mls_json_next(&r, NULL, &key))
			add_property(row, &key, mls_json_member(&members, key.start, key.len), fields, n);
		return;
	}
	mls_json_inside(&r, &members);
	while (mls_json_next(&r, &key, &value))
		add_property(row, &key, from_example ? none : value, fields, n);
}

/* The type of column i in the rows of an example. */
static MlsJsonType
column_type(const MlsSpan *rows, int column, bool *nullable)
{
	MlsJsonReader r;
	MlsJsonReader cells;
	MlsSpan row;
	MlsSpan cell;
	MlsJsonType type = MLS_JSON_ANY;
	bool first = true;

	mls_json_inside(&r, rows);
	while (mls_json_next(&r, NULL, &row))
	{
		if (row.kind != MLS_SPAN_ARRAY)
			return MLS_JSON_ANY;
		mls_json_inside(&cells, &row);
		for (int i = 0; i <= column; i++)
		{
			if (!mls_json_next(&cells, NULL, &cell))
				return MLS_JSON_ANY;
		}
		if (cell.kind == MLS_SPAN_NULL)
		{
			*nullable = true;
			continue;
		}
		type = first ? mls_value_type(&cell) : mls_common_type(type, mls_value_type(&cell));
		first = false;
	}
	return type;
}

/* A split frame's columns: only its example names them, and only that has their types right when they differ. */
static void
read_split_fields(const MlsNode *frame, MlsField **fields, int *n)
{
	MlsSpan columns = mls_node_get(&frame->example, "columns");
	MlsSpan data = mls_node_get(&frame->example, "data");
	MlsSpan name;
	MlsJsonReader r;

	if (columns.kind != MLS_SPAN_ARRAY)
		return;
	mls_json_inside(&r, &columns);
	while (mls_json_next(&r, NULL, &name))
	{
		MlsField field = {.type = MLS_JSON_ANY};
		char *text = palloc(name.len + 1);
		int len = name.len;

		if (name.kind == MLS_SPAN_STRING)
			len = mls_json_unescape(&name, text);
		else
			memcpy(text, name.start, len);
		if (len < 0 || mls_from_utf8(text, len, &field.name, &len) != NULL)
			field.name = pstrdup("");
		if (data.kind == MLS_SPAN_ARRAY)
			field.type = column_type(&data, *n, &field.nullable);
		add_field(fields, n, field);
	}
}

/* What all of an example's values have in common, down to the innermost arrays. */
static MlsJsonType
element_type(const MlsSpan *array, bool *found)
{
	MlsJsonReader r;
	MlsSpan item;
	MlsJsonType type = MLS_JSON_ANY;

	mls_json_inside(&r, array);
	while (mls_json_next(&r, NULL, &item))
	{
		bool nested_found = item.kind != MLS_SPAN_NULL && item.kind != MLS_SPAN_ARRAY;
		MlsJsonType item_type;

		if (item.kind == MLS_SPAN_ARRAY)
			item_type = element_type(&item, &nested_found);
		else
			item_type = mls_value_type(&item);
		if (!nested_found)
			continue;
		type = *found ? mls_common_type(type, item_type) : item_type;
		*found = true;
	}
	return type;
}

/* How many values an array has; 0 when it has arrays in it. */
static int
flat_width(const MlsSpan *array)
{
	MlsJsonReader r;
	MlsSpan item;
	int width = 0;

	mls_json_inside(&r, array);
	while (mls_json_next(&r, NULL, &item))
	{
		if (item.kind == MLS_SPAN_ARRAY)
			return 0;
		width++;
	}
	return width;
}

/*
 * Rows that are arrays are one field, an array, when all values are of one type; otherwise a field for each column, in
 * order and without names. The example decides, because the declared type of the items is that of one of them.
 */
static void
read_array_fields(const MlsNode *rows, const char *name, MlsField **fields, int *n)
{
	MlsNode row = mls_node_items(rows);
	MlsField field = mls_node_field(&row, name, strlen(name));
	bool found = false;
	bool nullable;

	if (rows->example.kind == MLS_SPAN_ARRAY && row.example.kind == MLS_SPAN_ARRAY)
	{
		MlsJsonType type = element_type(&rows->example, &found);

		if (found && type == MLS_JSON_ANY)
		{
			for (int i = 0; i < mls_json_count(&row.example); i++)
			{
				MlsField column = {.name = pstrdup("")};

				column.type = column_type(&rows->example, i, &nullable);
				add_field(fields, n, column);
			}
			return;
		}
		field.width = flat_width(&row.example);
	}
	add_field(fields, n, field);
}

void
mls_swagger_read_inputs(const MlsNode *request, MlsSchema *schema)
{
	Rows rows = {0};
	MlsNode row;
	char *name;

	if (!find_rows(request, &rows))
	{
		schema->reason = rows.obstacle ? pstrdup(rows.obstacle)
									   : pstrdup("The endpoint's swagger declares no rows in its request: no array of "
												 "objects, no array of arrays, no data frame.");
		return;
	}
	settle_format(&rows, schema);
	row = mls_node_items(&rows.node);
	name = rows.depth > 0 ? pnstrdup(rows.keys[rows.depth - 1].start, rows.keys[rows.depth - 1].len) : pstrdup("data");
	switch (rows.kind)
	{
		case ROWS_OBJECTS:
			read_object_fields(&row, &schema->inputs, &schema->ninputs);
			break;
		case ROWS_ARRAYS:
			read_array_fields(&rows.node, name, &schema->inputs, &schema->ninputs);
			break;
		case ROWS_VALUES:
			add_field(&schema->inputs, &schema->ninputs, mls_node_field(&row, name, strlen(name)));
			break;
		case ROWS_SPLIT:
			read_split_fields(&rows.node, &schema->inputs, &schema->ninputs);
			break;
	}
	schema->inputs_known = schema->ninputs > 0;
	if (!schema->inputs_known)
		schema->reason =
			pstrdup("The endpoint's swagger declares rows, but not their columns, and shows no example of them.");
}

/* The way to the results, when its names have no dots of their own. */
static char *
results_path(const Rows *rows)
{
	StringInfoData path;

	if (rows->depth == 0)
		return NULL;
	initStringInfo(&path);
	for (int i = 0; i < rows->depth; i++)
	{
		if (rows->keys[i].escaped || memchr(rows->keys[i].start, '.', rows->keys[i].len))
			return NULL;
		if (i > 0)
			appendStringInfoChar(&path, '.');
		appendBinaryStringInfo(&path, rows->keys[i].start, rows->keys[i].len);
	}
	return path.data;
}

void
mls_swagger_read_outputs(const MlsNode *response, MlsSchema *schema)
{
	Rows rows = {0};
	MlsNode row;

	if (!find_rows(response, &rows))
		return;
	row = mls_node_items(&rows.node);
	switch (rows.kind)
	{
		case ROWS_OBJECTS:
			read_object_fields(&row, &schema->outputs, &schema->noutputs);
			break;
		case ROWS_ARRAYS:
			read_array_fields(&rows.node, "", &schema->outputs, &schema->noutputs);
			break;
		case ROWS_VALUES:
			add_field(&schema->outputs, &schema->noutputs, mls_node_field(&row, "", 0));
			break;
		case ROWS_SPLIT:
			read_split_fields(&rows.node, &schema->outputs, &schema->noutputs);
			break;
	}
	if (rows.kind != ROWS_SPLIT)
		schema->results_key = results_path(&rows);
}
