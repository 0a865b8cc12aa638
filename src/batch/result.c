/*
 * result.c - see result.h.
 */
#include "postgres.h"

#include "batch/result.h"

static const char *const format_names[] = {
	[MLS_RESULT_AUTO] = "auto",
	[MLS_RESULT_CSV] = "csv",
	[MLS_RESULT_CSV_HEADER] = "csv_header",
	[MLS_RESULT_SPACES] = "spaces",
	[MLS_RESULT_JSON_LINES] = "json_lines",
};

const char *
mls_result_format_name(MlsResultFormat format)
{
	return format_names[format];
}

bool
mls_result_format_parse(const char *name, MlsResultFormat *format)
{
	for (int i = 0; i < lengthof(format_names); i++)
	{
		if (strcmp(format_names[i], name) == 0)
		{
			*format = i;
			return true;
		}
	}
	return false;
}

size_t
mls_result_trim(const char *record, size_t len)
{
	if (len > 0 && record[len - 1] == '\n')
		len--;
	if (len > 0 && record[len - 1] == '\r')
		len--;
	return len;
}

char
mls_result_delimiter(MlsResultFormat format)
{
	return format == MLS_RESULT_SPACES ? ' ' : ',';
}

static bool
field_is(const MlsResultField *field, const char *name)
{
	return field->len == strlen(name) && memcmp(field->start, name, field->len) == 0;
}

MlsResultFormat
mls_result_detect(const char *record, size_t len, const char *const *wanted, int nwanted)
{
	MlsResultField *fields;
	MlsResultFormat format = MLS_RESULT_CSV;
	char *copy;
	int n;

	if (len > 0 && record[0] == '{')
		return MLS_RESULT_JSON_LINES;
	copy = pnstrdup(record, len);
	fields = palloc(sizeof(MlsResultField) * MLS_RESULT_MAX_FIELDS);
	n = mls_csv_split(copy, len, ',', fields, MLS_RESULT_MAX_FIELDS);
	for (int i = 0; i < Min(n, MLS_RESULT_MAX_FIELDS); i++)
	{
		for (int k = 0; k < nwanted; k++)
		{
			if (field_is(&fields[i], wanted[k]))
				format = MLS_RESULT_CSV_HEADER;
		}
	}
	if (format == MLS_RESULT_CSV && n <= 1)
		format = MLS_RESULT_SPACES;
	pfree(fields);
	pfree(copy);
	return format;
}

int
mls_result_file_number(const char *text, int len)
{
	const char *end = text + len;
	const char *name = text;
	int number = 0;

	for (const char *p = text; p < end; p++)
	{
		if (*p == '/' || *p == '\\')
			name = p + 1;
	}
	if (end - name < 12 || memcmp(name, "part-", 5) != 0 || name[11] != '.')
		return -1;
	for (int i = 5; i < 11; i++)
	{
		if (name[i] < '0' || name[i] > '9')
			return -1;
		number = number * 10 + (name[i] - '0');
	}
	return number;
}

int64
mls_result_row_number(const char *text, int len)
{
	int64 number = 0;

	if (len == 0 || len > 18)
		return -1;
	for (int i = 0; i < len; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return -1;
		number = number * 10 + (text[i] - '0');
	}
	return number;
}

void
mls_result_default_names(const MlsResultField *fields, int n, const char **names)
{
	int file = -1;
	int row = -1;
	int predictions = 0;

	for (int i = n - 1; i >= 0 && file < 0; i--)
	{
		if (mls_result_file_number(fields[i].start, fields[i].len) >= 0)
			file = i;
	}
	if (file >= 0 && n >= 3 && file != 0 && mls_result_row_number(fields[0].start, fields[0].len) >= 0)
		row = 0;
	for (int i = 0; i < n; i++)
	{
		if (i == file)
			names[i] = "file_name";
		else if (i == row)
			names[i] = "row";
		else if (++predictions == 1)
			names[i] = "prediction";
		else
			names[i] = psprintf("prediction_%d", predictions);
	}
}
