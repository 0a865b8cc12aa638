/*
 * csv_record.c - see csv_record.h.
 */
#include "codec/csv_record.h"

void
mls_csv_init(MlsCsvReader *csv, MlsCsvDialect dialect, int room)
{
	memset(csv, 0, sizeof(*csv));
	csv->dialect = dialect;
	csv->room = room;
	csv->fields = palloc(room * sizeof(MlsCsvField));
	initStringInfo(&csv->scratch);
}

/* After a byte order mark, if there is one. */
void
mls_csv_start(MlsCsvReader *csv, const char *body, size_t len)
{
	csv->record = 0;
	csv->at = body;
	csv->end = body + len;
	if (len >= 3 && memcmp(body, "\xEF\xBB\xBF", 3) == 0)
		csv->at += 3;
}

static MlsCsvField *
add_field(MlsCsvReader *csv)
{
	if (csv->nfields == csv->room)
	{
		csv->room *= 2;
		csv->fields = repalloc(csv->fields, csv->room * sizeof(MlsCsvField));
	}
	return &csv->fields[csv->nfields++];
}

static inline bool
at_line_end(const MlsCsvReader *csv)
{
	return csv->at >= csv->end || *csv->at == '\n' ||
		   (*csv->at == '\r' && (csv->at + 1 >= csv->end || csv->at[1] == '\n'));
}

static void
skip_line_end(MlsCsvReader *csv)
{
	if (csv->at < csv->end && *csv->at == '\r')
		csv->at++;
	if (csv->at < csv->end && *csv->at == '\n')
		csv->at++;
}

static void
read_plain(MlsCsvReader *csv, MlsCsvField *field)
{
	field->text.start = csv->at;
	while (!at_line_end(csv) && *csv->at != csv->dialect.delimiter)
		csv->at++;
	field->text.len = csv->at - field->text.start;
}

/* From after the opening quote to after the closing one; false when there is none. Escapes make a copy necessary. */
static bool
read_quoted(MlsCsvReader *csv, MlsCsvField *field)
{
	const char *p = csv->at;

	field->quoted = true;
	field->text.start = p;
	for (;; p++)
	{
		bool escape = p < csv->end && *p == csv->dialect.escape && p + 1 < csv->end &&
					  (p[1] == csv->dialect.quote || p[1] == csv->dialect.escape);

		if (p >= csv->end)
			return false;
		if (*p == csv->dialect.quote && !escape)
			break;
		if (!escape)
			continue;
		if (field->copied < 0)
			field->copied = csv->scratch.len;
		appendBinaryStringInfo(&csv->scratch, csv->at, p - csv->at);
		csv->at = ++p;
	}
	if (field->copied >= 0)
		appendBinaryStringInfo(&csv->scratch, csv->at, p - csv->at);
	field->text.len = field->copied >= 0 ? csv->scratch.len - field->copied : p - field->text.start;
	csv->at = p + 1;
	return true;
}

const char *
mls_csv_next(MlsCsvReader *csv, bool *more)
{
	csv->nfields = 0;
	resetStringInfo(&csv->scratch);
	while (csv->at < csv->end && at_line_end(csv))
		skip_line_end(csv);
	*more = csv->at < csv->end;
	if (!*more)
		return NULL;
	csv->record++;
	for (;;)
	{
		MlsCsvField *field = add_field(csv);

		memset(field, 0, sizeof(MlsCsvField));
		field->text.kind = MLS_SPAN_STRING;
		field->copied = -1;
		if (csv->at >= csv->end || *csv->at != csv->dialect.quote)
			read_plain(csv, field);
		else
		{
			csv->at++;
			if (!read_quoted(csv, field))
				return "has a quoted field without an end";
		}
		if (at_line_end(csv))
			break;
		if (*csv->at != csv->dialect.delimiter)
			return "has characters after a closing quote";
		csv->at++;
	}
	skip_line_end(csv);

	/* Only now does the buffer stay where it is. */
	for (int i = 0; i < csv->nfields; i++)
	{
		if (csv->fields[i].copied >= 0)
			csv->fields[i].text.start = csv->scratch.data + csv->fields[i].copied;
	}
	return NULL;
}
