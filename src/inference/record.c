/*
 * record.c - see record.h. Pure.
 */
#include "inference/record.h"

#include "mb/pg_wchar.h"

void
mls_record_set_text(char *field, size_t size, const char *text)
{
	int len = text == NULL ? 0 : pg_mbcliplen(text, (int) strlen(text), (int) size - 1);

	if (len > 0)
		memcpy(field, text, len);
	field[len] = '\0';
}

/* Text and its zero byte. */
static void
add_text(StringInfo out, const char *text, int len)
{
	appendBinaryStringInfo(out, text, len);
	appendStringInfoChar(out, '\0');
}

void
mls_record_begin(StringInfo out, const MlsRecord *header, const char *body, size_t len)
{
	MlsRecord copy = *header;

	copy.body_len = len;
	appendBinaryStringInfo(out, (const char *) &copy, offsetof(MlsRecord, data));
	if (len > 0)
		appendBinaryStringInfo(out, body, (int) len);
}

static void
add_result(StringInfo out, const MlsSpan *result)
{
	bool quoted = result->kind == MLS_SPAN_STRING || result->kind == MLS_SPAN_NONFINITE;

	if (!quoted && mls_json_impurity(result) != NULL)
	{
		appendStringInfoString(out, "null");
		return;
	}
	if (quoted)
		appendStringInfoChar(out, '"');
	appendBinaryStringInfo(out, result->start, (int) result->len);
	if (quoted)
		appendStringInfoChar(out, '"');
}

void
mls_record_add_result(StringInfo out, int model_rows, const char *inputs, int inputs_len, const MlsSpan *result)
{
	appendBinaryStringInfo(out, (const char *) &model_rows, sizeof(model_rows));
	add_text(out, inputs, inputs_len);
	if (result != NULL)
		add_result(out, result);
	appendStringInfoChar(out, '\0');
}

MlsRecord *
mls_record_end(StringInfo out, const char *error)
{
	MlsRecord *record;

	add_text(out, error == NULL ? "" : error, error == NULL ? 0 : (int) strlen(error));
	record = (MlsRecord *) out->data;
	record->size = out->len;
	return record;
}

void
mls_record_start(MlsRecordReader *reader, const MlsRecord *record)
{
	reader->at = record->data + record->body_len;
}

static const char *
read_text(MlsRecordReader *reader)
{
	const char *text = reader->at;

	reader->at += strlen(text) + 1;
	return text;
}

void
mls_record_read(MlsRecordReader *reader, int *model_rows, const char **inputs, const char **outputs)
{
	memcpy(model_rows, reader->at, sizeof(*model_rows));
	reader->at += sizeof(*model_rows);
	*inputs = read_text(reader);
	*outputs = read_text(reader);
}

const char *
mls_record_error(MlsRecordReader *reader)
{
	return read_text(reader);
}
