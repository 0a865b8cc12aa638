/*
 * event_csv.c - events that are CSV (RFC 4180): records of fields, which may be quoted and then hold anything.
 *
 * Fields are columns by position, or by the names in each event's first line. What is not quoted and equals the null
 * text is NULL. Fields of json, array and composite columns are JSON. Blank lines are nothing.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "codec/encoding.h"
#include "codec/event_decoder.h"
#include "lib/stringinfo.h"

typedef struct CsvField
{
	MlsSpan text;
	bool quoted;
	int copied; /* where in the scratch buffer the text is, or -1: in the body */
} CsvField;

typedef struct MlsCsvReader
{
	const char *at;
	const char *end;
	int record; /* number of the current one, from 1 */
	CsvField *fields;
	int nfields;
	int room;
	StringInfoData scratch; /* texts with escapes in them */

	int *columns; /* of the fields; -1: none of ours */
	int ncolumns;
	StringInfoData header; /* the line that columns was made of */
} MlsCsvReader;

static MlsEventStatus
malformed(MlsEventRun *run, const char *what)
{
	return mls_event_fail(run, ERRCODE_BAD_COPY_FILE_FORMAT,
						  psprintf("record %d of the CSV %s", run->decoder->csv->record, what));
}

static CsvField *
add_field(MlsCsvReader *csv)
{
	if (csv->nfields == csv->room)
	{
		csv->room *= 2;
		csv->fields = repalloc(csv->fields, csv->room * sizeof(CsvField));
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
read_plain(MlsCsvReader *csv, const MlsEventOptions *options, CsvField *field)
{
	field->text.start = csv->at;
	while (!at_line_end(csv) && *csv->at != options->delimiter)
		csv->at++;
	field->text.len = csv->at - field->text.start;
}

/* From after the opening quote to after the closing one; false when there is none. Escapes make a copy necessary. */
static bool
read_quoted(MlsCsvReader *csv, const MlsEventOptions *options, CsvField *field)
{
	const char *p = csv->at;

	field->quoted = true;
	field->text.start = p;
	for (;; p++)
	{
		bool escape = p < csv->end && *p == options->escape && p + 1 < csv->end &&
					  (p[1] == options->quote || p[1] == options->escape);

		if (p >= csv->end)
			return false;
		if (*p == options->quote && !escape)
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

/* Read the fields of the next record that is not blank; *more is false when there is none. */
static MlsEventStatus
read_record(MlsEventRun *run, bool *more)
{
	MlsCsvReader *csv = run->decoder->csv;
	const MlsEventOptions *options = &run->decoder->options;

	csv->nfields = 0;
	resetStringInfo(&csv->scratch);
	while (csv->at < csv->end && at_line_end(csv))
		skip_line_end(csv);
	*more = csv->at < csv->end;
	if (!*more)
		return MLS_EVENT_OK;
	csv->record++;
	for (;;)
	{
		CsvField *field = add_field(csv);

		memset(field, 0, sizeof(CsvField));
		field->text.kind = MLS_SPAN_STRING;
		field->copied = -1;
		if (csv->at >= csv->end || *csv->at != options->quote)
			read_plain(csv, options, field);
		else
		{
			csv->at++;
			if (!read_quoted(csv, options, field))
				return malformed(run, "has a quoted field without an end");
		}
		if (at_line_end(csv))
			break;
		if (*csv->at != options->delimiter)
			return malformed(run, "has characters after a closing quote");
		csv->at++;
	}
	skip_line_end(csv);

	/* Only now does the buffer stay where it is. */
	for (int i = 0; i < csv->nfields; i++)
	{
		if (csv->fields[i].copied >= 0)
			csv->fields[i].text.start = csv->scratch.data + csv->fields[i].copied;
	}
	return MLS_EVENT_OK;
}

/* The column that a field of the header names, or -1. */
static int
find_column(MlsEventDecoder *decoder, const MlsSpan *name)
{
	int alike = -1;

	for (int i = 0; i < decoder->columns->natts; i++)
	{
		const char *column = NameStr(TupleDescAttr(decoder->columns, i)->attname);
		int len = strlen(column);

		if (!decoder->readers[i])
			continue;
		column = mls_to_utf8(column, &len);
		if (name->len == len && memcmp(name->start, column, len) == 0)
			return i;
		if (alike < 0 && mls_names_alike(name, column))
			alike = i;
	}
	return alike;
}

static char *
field_names(const MlsCsvReader *csv)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < csv->nfields && i < 20; i++)
		appendStringInfo(&names, "%s\"%s\"", i > 0 ? ", " : "",
						 mls_excerpt(csv->fields[i].text.start, csv->fields[i].text.len));
	return names.data;
}

/* Settle what the fields are by the record just read, which began at start; headers mostly repeat themselves. */
static MlsEventStatus
use_header(MlsEventRun *run, const char *start)
{
	MlsCsvReader *csv = run->decoder->csv;
	int len = csv->at - start;
	int found = 0;

	if (csv->header.len == len && memcmp(csv->header.data, start, len) == 0)
		return MLS_EVENT_OK;
	resetStringInfo(&csv->header);
	csv->columns = repalloc(csv->columns, csv->nfields * sizeof(int));
	csv->ncolumns = csv->nfields;
	for (int i = 0; i < csv->nfields; i++)
	{
		csv->columns[i] = find_column(run->decoder, &csv->fields[i].text);
		for (int j = 0; j < i; j++)
		{
			if (csv->columns[i] >= 0 && csv->columns[j] == csv->columns[i])
				return mls_event_fail(
					run, ERRCODE_BAD_COPY_FILE_FORMAT,
					psprintf("the header of the CSV names column \"%s\" twice",
							 NameStr(TupleDescAttr(run->decoder->columns, csv->columns[i])->attname)));
		}
		found += csv->columns[i] >= 0;
	}
	if (found == 0)
		return mls_event_fail(
			run, ERRCODE_BAD_COPY_FILE_FORMAT,
			psprintf("none of the columns is in the header of the CSV, which has %s", field_names(csv)));
	appendBinaryStringInfo(&csv->header, start, len);
	return MLS_EVENT_OK;
}

/* Does a field of this column hold JSON? */
static bool
wants_json(const MlsValueReader *reader)
{
	return reader->element || reader->record || reader->type == JSONOID || reader->type == JSONBOID;
}

static MlsEventStatus
read_field(MlsEventRun *run, int column, const CsvField *field)
{
	const char *null = run->decoder->options.null;
	MlsSpan item = field->text;

	if (!field->quoted && item.len == strlen(null) && memcmp(item.start, null, item.len) == 0)
		item.kind = MLS_SPAN_NULL;
	else if (wants_json(run->decoder->readers[column]))
	{
		MlsJsonReader r;

		mls_json_start(&r, field->text.start, field->text.len);
		mls_json_value(&r, &item);
		if (!mls_json_finish(&r))
			return mls_event_fail(run, ERRCODE_INVALID_JSON_TEXT,
								  psprintf("column \"%s\": the field is not JSON: %s",
										   NameStr(TupleDescAttr(run->decoder->columns, column)->attname), r.error));
	}
	return mls_event_read(run, column, &item);
}

static MlsEventStatus
emit_record(MlsEventRun *run)
{
	MlsEventDecoder *decoder = run->decoder;
	MlsCsvReader *csv = decoder->csv;

	if (csv->nfields != csv->ncolumns)
		return malformed(run, psprintf("has %d fields where %d are expected", csv->nfields, csv->ncolumns));
	memset(decoder->nulls, true, decoder->columns->natts * sizeof(bool));
	memset(decoder->values, 0, decoder->columns->natts * sizeof(Datum));
	for (int i = 0; i < csv->nfields; i++)
	{
		if (csv->columns[i] >= 0 && read_field(run, csv->columns[i], &csv->fields[i]) != MLS_EVENT_OK)
			return MLS_EVENT_BAD;
	}
	mls_event_emit(run);
	return MLS_EVENT_OK;
}

MlsEventStatus
mls_event_csv_decode(MlsEventRun *run, const char *body, size_t len)
{
	MlsCsvReader *csv = run->decoder->csv;
	bool header = run->decoder->options.header;
	const char *start;
	bool more;

	csv->record = 0;
	csv->at = body;
	csv->end = body + len;
	if (len >= 3 && memcmp(body, "\xEF\xBB\xBF", 3) == 0)
		csv->at += 3;
	for (;;)
	{
		start = csv->at;
		if (read_record(run, &more) != MLS_EVENT_OK)
			return MLS_EVENT_BAD;
		if (!more)
			return MLS_EVENT_OK;
		if ((header ? use_header(run, start) : emit_record(run)) != MLS_EVENT_OK)
			return MLS_EVENT_BAD;
		header = false;
	}
}

void
mls_event_csv_prepare(MlsEventDecoder *decoder)
{
	MlsCsvReader *csv = palloc0(sizeof(MlsCsvReader));

	csv->room = Max(16, decoder->columns->natts);
	csv->fields = palloc(csv->room * sizeof(CsvField));
	initStringInfo(&csv->scratch);
	initStringInfo(&csv->header);
	csv->columns = palloc(csv->room * sizeof(int));
	for (int i = 0; i < decoder->columns->natts; i++)
	{
		if (decoder->readers[i])
			csv->columns[csv->ncolumns++] = i;
	}
	decoder->csv = csv;
}
