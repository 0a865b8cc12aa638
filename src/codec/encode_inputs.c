/*
 * encode_inputs.c - encoded argument tuples as JSON with names in it: what an inference log shows.
 *
 * Layouts with objects have it already; the others are values in the columns' order.
 */
#include "postgres.h"

#include "codec/encode_layout.h"
#include "codec/json_read.h"
#include "codec/json_write.h"

static void
write_name(const MlsEncoder *encoder, int column, StringInfo out)
{
	const char *name = encoder->columns[column].name;

	if (column > 0)
		mls_json_write_char(out, ',');
	mls_json_write_string(out, name, strlen(name));
	mls_json_write_char(out, ':');
}

/* An item as it stood in the text. */
static void
write_span(const MlsSpan *item, StringInfo out)
{
	int quotes = item->kind == MLS_SPAN_STRING ? 1 : 0;

	mls_json_write_raw(out, item->start - quotes, item->len + 2 * quotes);
}

/* [1, 2] as {"a": 1, "b": 2} */
static void
write_named(const MlsEncoder *encoder, const MlsSpan *values, StringInfo out)
{
	MlsJsonReader reader;
	MlsSpan value;

	mls_json_inside(&reader, values);
	mls_json_write_char(out, '{');
	for (int i = 0; i < encoder->ncolumns && mls_json_next(&reader, NULL, &value); i++)
	{
		write_name(encoder, i, out);
		write_span(&value, out);
	}
	mls_json_write_char(out, '}');
}

static void
write_model_row(const MlsEncoder *encoder, const MlsSpan *row, StringInfo out)
{
	if (encoder->objects)
		write_span(row, out);
	else if (!encoder->bare)
		write_named(encoder, row, out);
	else
	{
		mls_json_write_char(out, '{');
		write_name(encoder, 0, out);
		write_span(row, out);
		mls_json_write_char(out, '}');
	}
}

/* The next of the rows that stand in a slice with commas between them. */
static void
next_row(MlsJsonReader *reader, MlsSpan *row)
{
	if (reader->at < reader->end && *reader->at == ',')
		reader->at++;
	if (!mls_json_value(reader, row))
		elog(ERROR, "could not read an encoded row back: %s", reader->error);
}

void
mls_encode_inputs(const MlsEncoder *encoder, const MlsRowSlice *row, StringInfo out)
{
	bool frame = encoder->shape == MLS_SHAPE_DATA_FRAME;
	const char *data = row->data;
	MlsJsonReader reader;

	mls_json_start(&reader, row->data, row->len);
	if (frame)
		mls_json_write_char(out, '[');
	for (int i = 0; i < row->model_rows; i++)
	{
		MlsSpan span;

		if (i > 0)
			mls_json_write_char(out, ',');
		if (encoder->tensors)
		{
			mls_tensors_write_inputs(encoder, &data, out);
			continue;
		}
		next_row(&reader, &span);
		write_model_row(encoder, &span, out);
	}
	if (frame)
		mls_json_write_char(out, ']');
}
