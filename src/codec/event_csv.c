/*
 * event_csv.c - events that are CSV: the records' fields to columns.
 *
 * Fields are columns by position, or by the names in each event's first line. What is not quoted and equals the null
 * text is NULL. Fields of json, array and composite columns are JSON.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "codec/csv_record.h"
#include "codec/encoding.h"
#include "codec/event_decoder.h"

typedef struct MlsCsvColumns
{
	MlsCsvReader reader;
	int *columns; /* of the fields; -1: none of ours */
	int ncolumns;
	StringInfoData header; /* the line that columns was made of */
} MlsCsvColumns;

static MlsEventStatus
malformed(MlsEventRun *run, const char *what)
{
	return mls_event_fail(run, ERRCODE_BAD_COPY_FILE_FORMAT,
						  psprintf("record %d of the CSV %s", run->decoder->csv->reader.record, what));
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
field_names(const MlsCsvReader *reader)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < reader->nfields && i < 20; i++)
		appendStringInfo(&names, "%s\"%s\"", i > 0 ? ", " : "",
						 mls_excerpt(reader->fields[i].text.start, reader->fields[i].text.len));
	return names.data;
}

/* Settle what the fields are by the record just read, which began at start; headers mostly repeat themselves. */
static MlsEventStatus
use_header(MlsEventRun *run, const char *start)
{
	MlsCsvColumns *csv = run->decoder->csv;
	int len = csv->reader.at - start;
	int found = 0;

	if (csv->header.len == len && memcmp(csv->header.data, start, len) == 0)
		return MLS_EVENT_OK;
	resetStringInfo(&csv->header);
	csv->columns = repalloc(csv->columns, csv->reader.nfields * sizeof(int));
	csv->ncolumns = csv->reader.nfields;
	for (int i = 0; i < csv->reader.nfields; i++)
	{
		csv->columns[i] = find_column(run->decoder, &csv->reader.fields[i].text);
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
			psprintf("none of the columns is in the header of the CSV, which has %s", field_names(&csv->reader)));
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
read_field(MlsEventRun *run, int column, const MlsCsvField *field)
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
	MlsCsvColumns *csv = decoder->csv;

	if (csv->reader.nfields != csv->ncolumns)
		return malformed(run, psprintf("has %d fields where %d are expected", csv->reader.nfields, csv->ncolumns));
	memset(decoder->nulls, true, decoder->columns->natts * sizeof(bool));
	memset(decoder->values, 0, decoder->columns->natts * sizeof(Datum));
	for (int i = 0; i < csv->reader.nfields; i++)
	{
		if (csv->columns[i] >= 0 && read_field(run, csv->columns[i], &csv->reader.fields[i]) != MLS_EVENT_OK)
			return MLS_EVENT_BAD;
	}
	mls_event_emit(run);
	return MLS_EVENT_OK;
}

MlsEventStatus
mls_event_csv_decode(MlsEventRun *run, const char *body, size_t len)
{
	MlsCsvColumns *csv = run->decoder->csv;
	bool header = run->decoder->options.header;
	bool more;

	mls_csv_start(&csv->reader, body, len);
	for (;;)
	{
		const char *start = csv->reader.at;
		const char *problem = mls_csv_next(&csv->reader, &more);

		if (problem != NULL)
			return malformed(run, problem);
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
	const MlsEventOptions *options = &decoder->options;
	MlsCsvColumns *csv = palloc0(sizeof(MlsCsvColumns));
	int room = Max(16, decoder->columns->natts);

	mls_csv_init(&csv->reader, (MlsCsvDialect){options->delimiter, options->quote, options->escape}, room);
	initStringInfo(&csv->header);
	csv->columns = palloc(room * sizeof(int));
	for (int i = 0; i < decoder->columns->natts; i++)
	{
		if (decoder->readers[i])
			csv->columns[csv->ncolumns++] = i;
	}
	decoder->csv = csv;
}
