/*
 * reshape.c - see reshape.h. Everything here was read, and so checked, before.
 */
#include "postgres.h"

#include "codec/json_number.h"
#include "codec/json_write.h"
#include "codec/reshape.h"

/* One column being walked along. */
typedef struct Column
{
	MlsSpan name;
	MlsJsonReader values;
	int64 nrows;
	int64 width; /* values that make a row's array; 0: one value, as it is */
} Column;

/* A span as it stood in its text: strings with their quotes. */
static void
write_span(StringInfo out, const MlsSpan *span)
{
	if (span->kind == MLS_SPAN_STRING)
		mls_json_write_raw(out, span->start - 1, span->len + 2);
	else
		mls_json_write_raw(out, span->start, span->len);
}

/* A column's value for the next row. False when it has no more. */
static bool
write_cell(StringInfo out, Column *column)
{
	MlsSpan value;

	if (column->width == 0)
	{
		if (!mls_json_next(&column->values, NULL, &value))
			return false;
		write_span(out, &value);
		return true;
	}
	mls_json_write_char(out, '[');
	for (int64 i = 0; i < column->width; i++)
	{
		if (!mls_json_next(&column->values, NULL, &value))
			return false;
		if (i > 0)
			mls_json_write_char(out, ',');
		write_span(out, &value);
	}
	mls_json_write_char(out, ']');
	return true;
}

/* All rows, as objects by the columns' names or, without names, as the only column's values. */
static bool
write_rows(StringInfo out, Column *columns, int ncolumns, bool names)
{
	mls_json_write_char(out, '[');
	for (int64 row = 0; row < columns[0].nrows; row++)
	{
		if (row > 0)
			mls_json_write_char(out, ',');
		if (names)
			mls_json_write_char(out, '{');
		for (int i = 0; i < ncolumns; i++)
		{
			if (i > 0)
				mls_json_write_char(out, ',');
			if (names)
			{
				write_span(out, &columns[i].name);
				mls_json_write_char(out, ':');
			}
			if (!write_cell(out, &columns[i]))
				return false;
		}
		if (names)
			mls_json_write_char(out, '}');
	}
	mls_json_write_char(out, ']');
	return true;
}

/* Finish out: the text to be read instead. */
static char *
finish(StringInfo out, size_t *len)
{
	mls_json_reserve(out, 1);
	out->data[out->len] = '\0';
	*len = out->len;
	return out->data;
}

char *
mls_reshape_columns(const MlsSpan *object, size_t *len, char **reason)
{
	Column *columns = palloc0(mls_json_count(object) * sizeof(Column));
	MlsJsonReader r;
	MlsSpan value;
	StringInfoData out;
	int n = 0;

	mls_json_inside(&r, object);
	while (mls_json_next(&r, &columns[n].name, &value))
	{
		columns[n].nrows = mls_json_count(&value);
		mls_json_inside(&columns[n].values, &value);
		if (columns[n].nrows != columns[0].nrows)
		{
			*reason = psprintf("the reply's columns have different numbers of values, %d and %d",
							   (int) columns[0].nrows, (int) columns[n].nrows);
			return NULL;
		}
		n++;
	}
	initStringInfo(&out);
	write_rows(&out, columns, n, true);
	return finish(&out, len);
}

char *
mls_reshape_split(const MlsSpan *names, const MlsSpan *data, size_t *len, char **reason)
{
	StringInfoData out;
	MlsJsonReader rows;
	MlsSpan row;
	bool first_row = true;

	initStringInfo(&out);
	mls_json_write_char(&out, '[');
	mls_json_inside(&rows, data);
	while (mls_json_next(&rows, NULL, &row))
	{
		MlsJsonReader keys;
		MlsJsonReader values;
		MlsSpan key;
		MlsSpan value;
		bool first = true;

		if (row.kind != MLS_SPAN_ARRAY || mls_json_count(&row) != mls_json_count(names))
		{
			*reason = pstrdup("a row of the reply's data frame has not as many values as it has columns");
			return NULL;
		}
		mls_json_write_raw(&out, first_row ? "{" : ",{", first_row ? 1 : 2);
		first_row = false;
		mls_json_inside(&keys, names);
		mls_json_inside(&values, &row);
		while (mls_json_next(&keys, NULL, &key) && mls_json_next(&values, NULL, &value))
		{
			if (!first)
				mls_json_write_char(&out, ',');
			first = false;
			if (key.kind == MLS_SPAN_STRING)
				write_span(&out, &key);
			else
				mls_json_write_string(&out, key.start, key.len);
			mls_json_write_char(&out, ':');
			write_span(&out, &value);
		}
		mls_json_write_char(&out, '}');
	}
	mls_json_write_char(&out, ']');
	return finish(&out, len);
}

/* "shape": the first dimension is the rows, the others' product the width. False when it is not a shape. */
static bool
read_shape(const MlsSpan *shape, int64 *nrows, int64 *width)
{
	MlsJsonReader r;
	MlsSpan dim;
	int64 size;
	int n = 0;

	if (shape->kind != MLS_SPAN_ARRAY)
		return false;
	*nrows = 1;
	*width = 1;
	mls_json_inside(&r, shape);
	while (mls_json_next(&r, NULL, &dim))
	{
		if (dim.kind != MLS_SPAN_NUMBER || mls_number_to_int64(dim.start, dim.len, &size) != MLS_NUMBER_OK ||
			size < 0 || size > PG_INT32_MAX || *width > PG_INT32_MAX)
			return false;
		if (n++ == 0)
			*nrows = size;
		else
			*width *= size;
	}
	return n > 0;
}

/* Take a tensor apart. False when it is none that can be read. */
static bool
read_tensor(const MlsSpan *tensor, Column *column)
{
	MlsJsonReader r;
	MlsSpan key;
	MlsSpan value;
	MlsSpan data = {.kind = MLS_SPAN_NONE};
	MlsSpan first;
	bool shaped = false;

	if (tensor->kind != MLS_SPAN_OBJECT)
		return false;
	mls_json_inside(&r, tensor);
	while (mls_json_next(&r, &key, &value))
	{
		if (mls_json_equals(&key, "name") && value.kind == MLS_SPAN_STRING)
			column->name = value;
		else if (mls_json_equals(&key, "shape"))
			shaped = read_shape(&value, &column->nrows, &column->width);
		else if (mls_json_equals(&key, "data"))
			data = value;
	}
	if (data.kind != MLS_SPAN_ARRAY || !shaped)
		return false;

	/* Values may come flat, or nested as the shape says; a width of one is a value by itself. */
	mls_json_inside(&column->values, &data);
	if (mls_json_next(&column->values, NULL, &first) && first.kind == MLS_SPAN_ARRAY)
		column->width = 0;
	else if (mls_json_count(&data) != column->nrows * column->width)
		return false;
	if (column->width == 1)
		column->width = 0;
	mls_json_inside(&column->values, &data);
	return true;
}

char *
mls_reshape_tensors(const MlsSpan *outputs, size_t *len, char **reason)
{
	Column *columns = palloc0((mls_json_count(outputs) + 1) * sizeof(Column));
	MlsJsonReader r;
	MlsSpan tensor;
	StringInfoData out;
	int n = 0;

	mls_json_inside(&r, outputs);
	while (mls_json_next(&r, NULL, &tensor))
	{
		if (!read_tensor(&tensor, &columns[n]))
		{
			*reason = pstrdup("the reply has a tensor whose shape and data do not agree");
			return NULL;
		}
		if (columns[n].nrows != columns[0].nrows || (n > 0 && columns[n].name.kind != MLS_SPAN_STRING))
		{
			*reason = pstrdup("the reply's tensors have different numbers of rows");
			return NULL;
		}
		n++;
	}
	initStringInfo(&out);
	if (n == 0)
	{
		*reason = pstrdup("the reply has no tensors");
		return NULL;
	}
	if (!write_rows(&out, columns, n, n > 1))
	{
		*reason = pstrdup("the reply has a tensor whose shape and data do not agree");
		return NULL;
	}
	return finish(&out, len);
}
