/*
 * encode_tensors.c - the Open Inference (KServe v2) layout, in which each column travels as a tensor of its own.
 *
 * A row is kept as, for each column: the length of its JSON (4 bytes), how many elements it is (4 bytes), the JSON. The
 * body collects each column's values. A function of one array sends a single tensor of two dimensions; others one
 * tensor of [rows, 1] an argument, marked as a data frame's columns ("pd"), because models that take names and mixed
 * types want one.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "codec/encode_layout.h"
#include "codec/json_write.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

typedef struct CellHeader
{
	uint32 len;
	uint32 width;
} CellHeader;

static const char *
tensor_datatype(Oid type)
{
	switch (type)
	{
		case BOOLOID:
			return "BOOL";
		case INT2OID:
			return "INT16";
		case INT4OID:
			return "INT32";
		case INT8OID:
		case OIDOID:
			return "INT64";
		case FLOAT4OID:
			return "FP32";
		case FLOAT8OID:
		case NUMERICOID:
			return "FP64";
		default:
			return "BYTES";
	}
}

void
mls_tensors_prepare(MlsEncoder *encoder)
{
	for (int i = 0; i < encoder->ncolumns; i++)
	{
		MlsValueWriter *writer = encoder->columns[i].writer;
		Oid element = get_base_element_type(writer->type);

		encoder->columns[i].datatype = tensor_datatype(OidIsValid(element) ? getBaseType(element) : writer->type);
	}
}

void
mls_tensors_write_row(MlsEncoder *encoder, const Datum *values, const bool *nulls, StringInfo out)
{
	for (int i = 0; i < encoder->ncolumns; i++)
	{
		MlsEncodedColumn *column = &encoder->columns[i];
		CellHeader header = {0, 1};
		int start = out->len;

		mls_json_write_raw(out, (char *) &header, sizeof(header));
		if (nulls[column->source])
			mls_json_write_raw(out, "null", 4);
		else
		{
			column->writer->write(column->writer, values[column->source], out);
			if (OidIsValid(get_base_element_type(column->writer->type)))
			{
				ArrayType *array = DatumGetArrayTypeP(values[column->source]);

				header.width = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
			}
		}
		header.len = out->len - start - sizeof(header);
		memcpy(out->data + start, &header, sizeof(header));
	}
}

/* Rows of one tensor must be of one width. */
static void
check_width(const MlsEncoder *encoder, int column, uint32 *width, uint32 row_width)
{
	if (*width == 0)
		*width = row_width;
	if (*width != row_width)
		ereport(
			ERROR,
			(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
			 errmsg("could not send arrays of %u and of %u elements in argument \"%s\" of function %s to server \"%s\"",
					*width, row_width, encoder->columns[column].name, encoder->function, encoder->server),
			 errdetail("The rows of a request make one tensor, in which all have the same number of elements."),
			 errhint("Pass arrays of the length that the model takes.")));
}

/* Put the values of all rows, which go by row, into a buffer for each column. Returns the number of rows. */
static int
transpose(MlsEncoder *encoder, const MlsRowSlice *rows, int nrows, StringInfo columns, uint32 *widths)
{
	int n = 0;

	for (int i = 0; i < nrows; i++)
	{
		const char *p = rows[i].data;

		for (int k = 0; k < rows[i].model_rows; k++)
		{
			for (int c = 0; c < encoder->ncolumns; c++)
			{
				CellHeader header;

				memcpy(&header, p, sizeof(header));
				check_width(encoder, c, &widths[c], header.width);
				if (n > 0)
					mls_json_write_char(&columns[c], ',');
				mls_json_write_raw(&columns[c], p + sizeof(header), header.len);
				p += sizeof(header) + header.len;
			}
			n++;
		}
	}
	return n;
}

static void
write_tensor(const MlsEncodedColumn *column, StringInfo data, int nrows, uint32 width, StringInfo out)
{
	mls_json_write_raw(out, "{\"name\":", 8);
	mls_json_write_string(out, column->name, strlen(column->name));
	appendStringInfo(out, ",\"shape\":[%d,%u],\"datatype\":\"%s\",", nrows, width, column->datatype);
	if (strcmp(column->datatype, "BYTES") == 0)
		appendStringInfoString(out, "\"parameters\":{\"content_type\":\"str\"},");
	appendStringInfoString(out, "\"data\":[");
	mls_json_write_raw(out, data->data, data->len);
	appendStringInfoString(out, "]}");
}

void
mls_tensors_write_body(MlsEncoder *encoder, const MlsRowSlice *rows, int nrows, StringInfo out)
{
	StringInfo columns = palloc(encoder->ncolumns * sizeof(StringInfoData));
	uint32 *widths = palloc0(encoder->ncolumns * sizeof(uint32));
	int n;

	for (int i = 0; i < encoder->ncolumns; i++)
		initStringInfo(&columns[i]);
	n = transpose(encoder, rows, nrows, columns, widths);
	for (int i = 0; i < encoder->ncolumns; i++)
	{
		if (i > 0)
			mls_json_write_char(out, ',');
		write_tensor(&encoder->columns[i], &columns[i], n, widths[i], out);
		pfree(columns[i].data);
	}
	mls_json_write_char(out, ']');
	if (encoder->shape != MLS_SHAPE_ARRAY)
		appendStringInfoString(out, ",\"parameters\":{\"content_type\":\"pd\"}");
	pfree(columns);
	pfree(widths);
}

int
mls_tensors_overhead(const MlsEncoder *encoder)
{
	int overhead = 0;

	for (int i = 0; i < encoder->ncolumns; i++)
		overhead += strlen(encoder->columns[i].name) + 100;
	return overhead;
}

void
mls_tensors_write_inputs(const MlsEncoder *encoder, const char **data, StringInfo out)
{
	mls_json_write_char(out, '{');
	for (int i = 0; i < encoder->ncolumns; i++)
	{
		const char *name = encoder->columns[i].name;
		CellHeader header;

		memcpy(&header, *data, sizeof(header));
		if (i > 0)
			mls_json_write_char(out, ',');
		mls_json_write_string(out, name, strlen(name));
		mls_json_write_char(out, ':');
		mls_json_write_raw(out, *data + sizeof(header), header.len);
		*data += sizeof(header) + header.len;
	}
	mls_json_write_char(out, '}');
}
