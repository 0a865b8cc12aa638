/*
 * encode.c - argument tuples to request bodies; see encode.h.
 *
 * A body is the layout's opening, the rows with commas between them, and its closing: so a row's bytes are the same
 * whichever request it travels in. Only tensors (Open Inference) go by column: a row is kept as its columns' values with
 * their lengths, and transposed when the body is made (encode_tensors.c).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "codec/encode_layout.h"
#include "codec/encoding.h"
#include "codec/json_write.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

static bool
layout_has_objects(const MlsEncoder *encoder)
{
	switch (encoder->format)
	{
		case MLS_FORMAT_RECORDS:
		case MLS_FORMAT_DESIGNER:
		case MLS_FORMAT_DATAFRAME_RECORDS:
		case MLS_FORMAT_INSTANCES:
			return true;
		default:
			return false;
	}
}

/* Does the endpoint, as far as it declares its inputs by name, take a column of this name? */
static bool
takes_column(const MlsSchema *schema, const char *name)
{
	for (int i = 0; i < schema->ninputs; i++)
	{
		if (strcmp(schema->inputs[i].name, name) == 0)
			return true;
	}
	return false;
}

static void
add_column(MlsEncoder *encoder, const char *name, int source, MlsValueWriter *writer)
{
	MlsEncodedColumn *column = &encoder->columns[encoder->ncolumns++];
	StringInfoData prefix;

	column->name = name;
	column->source = source;
	column->writer = writer;

	initStringInfo(&prefix);
	if (encoder->ncolumns > 1)
		mls_json_write_char(&prefix, ',');
	if (encoder->objects)
	{
		mls_json_write_string(&prefix, name, strlen(name));
		mls_json_write_char(&prefix, ':');
	}
	column->prefix_len = prefix.len;
	appendStringInfoSpaces(&prefix, MLS_JSON_PADDED);
	column->prefix = prefix.data;
}

/*
 * A record's columns are the row's: those that the endpoint declares, where it does, because a table has others too
 * (its key, say) that the model would refuse. All of them when none is declared by its name.
 */
static void
add_record_columns(MlsEncoder *encoder, const MlsSchema *schema)
{
	MlsRecordWriter *record = encoder->record;
	int declared = 0;

	for (int i = 0; i < record->ncolumns; i++)
		declared += takes_column(schema, NameStr(TupleDescAttr(record->desc, record->attnums[i])->attname));
	for (int i = 0; i < record->ncolumns; i++)
	{
		const char *name = NameStr(TupleDescAttr(record->desc, record->attnums[i])->attname);

		if (declared == 0 || takes_column(schema, name))
			add_column(encoder, record->names[i], record->attnums[i], record->writers[i]);
	}
}

static bool
goes_by_position(const MlsEncoder *encoder)
{
	return encoder->format == MLS_FORMAT_NUMPY || encoder->format == MLS_FORMAT_INPUTS;
}

/* An array that is declared as the whole row has a type for every column of it: *element, or NULL. */
static const MlsField *
declared_element(const MlsEncoder *encoder, const MlsSchema *schema, MlsField *element)
{
	if (!goes_by_position(encoder) || schema->ninputs != 1 || schema->inputs[0].type != MLS_JSON_ARRAY)
		return NULL;
	memset(element, 0, sizeof(*element));
	element->type = schema->inputs[0].element;
	return element;
}

static void
prepare_record(MlsEncoder *encoder, const MlsValueOwner *owner, Oid type, const MlsSchema *schema)
{
	static const MlsSchema nothing_declared;
	MlsField element;
	const MlsField *whole_row;
	TupleDesc desc;

	if (type == RECORDOID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				 errmsg("argument \"%s\" of function %s cannot have type record", owner->argument, owner->function),
				 errhint("Declare it with a named composite type, a table's for example.")));
	desc = lookup_rowtype_tupdesc(type, -1);
	if (!schema || !schema->inputs_known)
		schema = &nothing_declared;
	whole_row = declared_element(encoder, schema, &element);
	if (whole_row)
		encoder->record = mls_record_writer(owner, desc, whole_row, 1);
	else
		encoder->record = mls_record_writer(owner, desc, schema->inputs, schema->ninputs);
	ReleaseTupleDesc(desc);
	encoder->columns = palloc0(encoder->record->ncolumns * sizeof(MlsEncodedColumn));
	add_record_columns(encoder, schema);
}

/*
 * What the endpoint declares for argument i: by its name, or by its position where the layout goes by position. NULL when
 * nothing is; element is room for what declared_element finds.
 */
static const MlsField *
declared_field(const MlsEncoder *encoder, const MlsFunction *fn, int i, const MlsSchema *schema, MlsField *element)
{
	const MlsField *whole_row;

	if (!schema || !schema->inputs_known)
		return NULL;
	for (int k = 0; k < schema->ninputs; k++)
	{
		if (strcmp(schema->inputs[k].name, fn->arg_names[i]) == 0)
			return &schema->inputs[k];
	}
	whole_row = encoder->shape == MLS_SHAPE_COLUMNS ? declared_element(encoder, schema, element) : NULL;
	if (whole_row || !goes_by_position(encoder) || schema->ninputs != fn->nargs)
		return whole_row;
	return &schema->inputs[i];
}

static void
prepare_columns(MlsEncoder *encoder, const MlsFunction *fn, const MlsSchema *schema)
{
	encoder->columns = palloc0(fn->nargs * sizeof(MlsEncodedColumn));
	for (int i = 0; i < fn->nargs; i++)
	{
		MlsValueOwner owner = {fn->name, fn->server_name, fn->arg_names[i]};
		MlsField element;
		const MlsField *field = declared_field(encoder, fn, i, schema, &element);
		int len = strlen(fn->arg_names[i]);

		add_column(encoder, pstrdup(mls_to_utf8(fn->arg_names[i], &len)), i,
				   mls_value_writer(&owner, fn->arg_types[i], field));
	}
}

/* The names of the columns, as JSON: what split layouts put into every body. */
static char *
column_names(const MlsEncoder *encoder)
{
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < encoder->ncolumns; i++)
	{
		if (i > 0)
			mls_json_write_char(&out, ',');
		mls_json_write_string(&out, encoder->columns[i].name, strlen(encoder->columns[i].name));
	}
	out.data[out.len] = '\0';
	return out.data;
}

/* What stands before and after the rows. */
static void
prepare_frame(MlsEncoder *encoder, const MlsSchema *schema)
{
	bool declared = schema && schema->inputs_known && schema->format == encoder->format && schema->rows_open;

	switch (encoder->format)
	{
		case MLS_FORMAT_AUTO:
		case MLS_FORMAT_RECORDS:
		case MLS_FORMAT_NUMPY:
			encoder->open = "{\"data\":[";
			encoder->close = "]}";
			break;
		case MLS_FORMAT_DESIGNER:
			encoder->open = "{\"Inputs\":{\"WebServiceInput0\":[";
			encoder->close = "]},\"GlobalParameters\":{}}";
			break;
		case MLS_FORMAT_INPUT_DATA:
			encoder->open = psprintf("%s{\"columns\":[%s],\"index\":[",
									 declared ? schema->rows_open : "{\"input_data\":", column_names(encoder));
			encoder->middle = "],\"data\":[";
			encoder->close = psprintf("]}%s", declared ? schema->rows_close : "}");
			return;
		case MLS_FORMAT_DATAFRAME_SPLIT:
			encoder->open = psprintf("{\"dataframe_split\":{\"columns\":[%s],\"data\":[", column_names(encoder));
			encoder->close = "]}}";
			return;
		case MLS_FORMAT_DATAFRAME_RECORDS:
			encoder->open = "{\"dataframe_records\":[";
			encoder->close = "]}";
			break;
		case MLS_FORMAT_INPUTS:
			encoder->open = "{\"inputs\":[";
			encoder->close = "]}";
			break;
		case MLS_FORMAT_INSTANCES:
			encoder->open = "{\"instances\":[";
			encoder->close = "]}";
			break;
		case MLS_FORMAT_OPEN_INFERENCE:
			encoder->open = "{\"inputs\":[";
			encoder->close = "}"; /* the tensors end their own list */
			return;
	}
	if (declared)
	{
		encoder->open = psprintf("%s[", schema->rows_open);
		encoder->close = psprintf("]%s", schema->rows_close);
	}
}

static bool
is_value_type(MlsJsonType type)
{
	return type == MLS_JSON_STRING || type == MLS_JSON_INTEGER || type == MLS_JSON_NUMBER || type == MLS_JSON_BOOLEAN;
}

/* Is a row just its only column's value, without brackets of its own? */
static bool
row_is_value(const MlsEncoder *encoder, const MlsFunction *fn, const MlsSchema *schema)
{
	Oid type;

	if (encoder->shape == MLS_SHAPE_ARRAY)
		return true;
	if (fn->nargs != 1 || encoder->shape != MLS_SHAPE_COLUMNS)
		return false;
	if (encoder->format != MLS_FORMAT_NUMPY && encoder->format != MLS_FORMAT_INPUTS)
		return false;
	if (schema && schema->inputs_known)
		return schema->ninputs == 1 && is_value_type(schema->inputs[0].type);

	/* Models of texts take {"inputs": ["...", "..."]}. */
	type = getBaseType(fn->arg_types[0]);
	return encoder->format == MLS_FORMAT_INPUTS && (type == TEXTOID || type == VARCHAROID || type == BPCHAROID);
}

/* Does the layout go by names, and does the endpoint declare its inputs? */
static bool
names_are_declared(const MlsEncoder *encoder, const MlsSchema *schema)
{
	bool named =
		encoder->objects || encoder->format == MLS_FORMAT_INPUT_DATA || encoder->format == MLS_FORMAT_DATAFRAME_SPLIT;

	return named && schema && schema->inputs_known;
}

/* The first of the declared inputs that no column is named like; else NULL. */
static const char *
missing_input(const MlsEncoder *encoder, const MlsSchema *schema)
{
	for (int k = 0; k < schema->ninputs; k++)
	{
		int len = strlen(schema->inputs[k].name);
		const char *name = mls_to_utf8(schema->inputs[k].name, &len);
		int i = 0;

		while (i < encoder->ncolumns && strcmp(encoder->columns[i].name, name) != 0)
			i++;
		if (i == encoder->ncolumns)
			return pstrdup(schema->inputs[k].name);
	}
	return NULL;
}

static char *
list_inputs(const MlsSchema *schema)
{
	StringInfoData out;

	initStringInfo(&out);
	for (int k = 0; k < schema->ninputs; k++)
		appendStringInfo(&out, "%s\"%s\"", k > 0 ? ", " : "", schema->inputs[k].name);
	return out.data;
}

/*
 * Some arguments are inputs, another is not, and an input has no argument: that one's name is misspelt, and a model that
 * tolerates missing inputs would give scores without it. Where no name fits, the declaration is not of this function.
 */
static void
check_argument_names(const MlsEncoder *encoder, const MlsFunction *fn, const MlsSchema *schema)
{
	const char *stranger = NULL;
	int known = 0;

	if (encoder->missing == NULL || encoder->shape != MLS_SHAPE_COLUMNS)
		return;
	for (int i = 0; i < fn->nargs; i++)
	{
		if (takes_column(schema, fn->arg_names[i]))
			known++;
		else if (stranger == NULL)
			stranger = fn->arg_names[i];
	}
	if (known > 0 && stranger != NULL)
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_COLUMN),
				errmsg("argument \"%s\" of function %s is no input of the model behind server \"%s\"", stranger,
					   fn->name, fn->server_name),
				errdetail("The endpoint declares these inputs: %s. The function has no argument \"%s\".",
						  list_inputs(schema), encoder->missing),
				errhint("Argument names must be the model's: ml_score.create_function makes a function that has them. "
						"If the declaration is out of date, let the server's option swagger_url point to one that is "
						"right."));
}

MlsEncoder *
mls_encoder_create(const MlsFunction *fn, const MlsServer *server, const MlsSchema *schema)
{
	MlsEncoder *encoder = palloc0(sizeof(MlsEncoder));
	MlsValueOwner owner = {fn->name, fn->server_name, fn->nargs > 0 ? fn->arg_names[0] : ""};

	encoder->function = fn->name;
	encoder->server = fn->server_name;
	encoder->format = mls_row_format(server, schema, &encoder->guessed);
	encoder->shape = mls_row_shape(fn, encoder->format, schema);
	encoder->tensors = encoder->format == MLS_FORMAT_OPEN_INFERENCE;
	encoder->bare = row_is_value(encoder, fn, schema);
	encoder->objects = layout_has_objects(encoder) && !encoder->bare;
	encoder->scratch = AllocSetContextCreate(CurrentMemoryContext, "ml_score row encoding", ALLOCSET_SMALL_SIZES);

	if (encoder->shape == MLS_SHAPE_RECORD)
		prepare_record(encoder, &owner, getBaseType(fn->arg_types[0]), schema);
	else if (encoder->shape == MLS_SHAPE_DATA_FRAME)
	{
		encoder->element = get_base_element_type(getBaseType(fn->arg_types[0]));
		prepare_record(encoder, &owner, getBaseType(encoder->element), schema);
	}
	else
		prepare_columns(encoder, fn, schema);
	if (encoder->tensors)
		mls_tensors_prepare(encoder);
	prepare_frame(encoder, schema);
	if (names_are_declared(encoder, schema))
	{
		encoder->missing = missing_input(encoder, schema);
		check_argument_names(encoder, fn, schema);
	}
	return encoder;
}

/* One of the model's rows; values and nulls are indexed by the columns' sources. */
static void
write_row(MlsEncoder *encoder, const Datum *values, const bool *nulls, StringInfo out)
{
	if (encoder->tensors)
	{
		mls_tensors_write_row(encoder, values, nulls, out);
		return;
	}
	if (!encoder->bare)
		mls_json_write_char(out, encoder->objects ? '{' : '[');
	for (int i = 0; i < encoder->ncolumns; i++)
	{
		MlsEncodedColumn *column = &encoder->columns[i];

		mls_json_write_padded(out, column->prefix, column->prefix_len);
		if (nulls[column->source])
			mls_json_write_raw(out, "null", 4);
		else
			column->writer->write(column->writer, values[column->source], out);
	}
	if (!encoder->bare)
		mls_json_write_char(out, encoder->objects ? '}' : ']');
}

/* A row that is a composite value; a NULL one is a row of NULLs. */
static void
write_record(MlsEncoder *encoder, Datum value, bool isnull, StringInfo out)
{
	MlsRecordWriter *record = encoder->record;

	if (isnull)
		memset(record->nulls, true, record->desc->natts * sizeof(bool));
	else
		mls_record_deform(record, value);
	write_row(encoder, record->values, record->nulls, out);
}

/* The rows of a data frame; a NULL one has none. Returns their number. */
static int
write_data_frame(MlsEncoder *encoder, Datum value, bool isnull, StringInfo out)
{
	Datum *rows;
	bool *nulls;
	int n;

	if (isnull)
		return 0;
	deconstruct_array(DatumGetArrayTypeP(value), encoder->element, -1, false, TYPALIGN_DOUBLE, &rows, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (i > 0 && !encoder->tensors)
			mls_json_write_char(out, ',');
		write_record(encoder, rows[i], nulls[i], out);
	}
	return n;
}

int
mls_encode_row(MlsEncoder *encoder, const Datum *values, const bool *nulls, StringInfo out)
{
	MemoryContext caller = MemoryContextSwitchTo(encoder->scratch);
	int model_rows = 1;

	switch (encoder->shape)
	{
		case MLS_SHAPE_COLUMNS:
		case MLS_SHAPE_ARRAY:
			write_row(encoder, values, nulls, out);
			break;
		case MLS_SHAPE_RECORD:
			write_record(encoder, values[0], nulls[0], out);
			break;
		case MLS_SHAPE_DATA_FRAME:
			model_rows = write_data_frame(encoder, values[0], nulls[0], out);
			break;
	}
	mls_json_reserve(out, 1);
	out->data[out->len] = '\0';
	MemoryContextSwitchTo(caller);
	MemoryContextReset(encoder->scratch);
	return model_rows;
}

/* 0,1,2,... : split frames of Azure have an index. */
static void
write_index(const MlsRowSlice *rows, int nrows, StringInfo out)
{
	int n = 0;

	for (int i = 0; i < nrows; i++)
		n += rows[i].model_rows;
	for (int i = 0; i < n; i++)
	{
		if (i > 0)
			mls_json_write_char(out, ',');
		mls_json_write_int(out, i);
	}
}

static void
write_rows(const MlsRowSlice *rows, int nrows, StringInfo out)
{
	bool first = true;

	for (int i = 0; i < nrows; i++)
	{
		if (rows[i].model_rows == 0)
			continue;
		if (!first)
			mls_json_write_char(out, ',');
		mls_json_write_raw(out, rows[i].data, rows[i].len);
		first = false;
	}
}

void
mls_encode_body(MlsEncoder *encoder, const MlsRowSlice *rows, int nrows, StringInfo out)
{
	mls_json_write_raw(out, encoder->open, strlen(encoder->open));
	if (encoder->tensors)
		mls_tensors_write_body(encoder, rows, nrows, out);
	else
	{
		if (encoder->middle)
		{
			write_index(rows, nrows, out);
			mls_json_write_raw(out, encoder->middle, strlen(encoder->middle));
		}
		write_rows(rows, nrows, out);
	}
	mls_json_write_raw(out, encoder->close, strlen(encoder->close));
	mls_json_reserve(out, 1);
	out->data[out->len] = '\0';
}

int
mls_encode_overhead(const MlsEncoder *encoder)
{
	int overhead = strlen(encoder->open) + strlen(encoder->close);

	if (encoder->middle)
		overhead += strlen(encoder->middle);
	if (encoder->tensors)
		overhead += mls_tensors_overhead(encoder);
	return overhead;
}

bool
mls_encoder_guessed(const MlsEncoder *encoder)
{
	return encoder->guessed;
}

const char *
mls_encoder_missing(const MlsEncoder *encoder)
{
	return encoder->missing;
}
