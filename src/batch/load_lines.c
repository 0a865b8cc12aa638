/*
 * load_lines.c - a job's results, record by record: taken apart, and put together again as lines of COPY's text format.
 */
#include "ml_score.h"

#include "batch/loader.h"

#include "batch/copy_text.h"
#include "catalog/pg_type.h"
#include "codec/json_read.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#define CHUNK_BYTES (4 * 1024 * 1024)

/* So many bad lines without a good one say that it is not the lines. */
#define HOPELESS_LINES 1000

void
mls_loader_raise_hopeless(const MlsLoader *loader, const char *which, int sqlstate, const char *reason)
{
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("none of the %s" INT64_FORMAT " predictions could be stored", which, loader->loaded.bad),
			 errdetail("The last one's reason: %s.", reason),
			 errhint("Check the arguments columns, result_format and result_columns against %s.", loader->path)));
}

static void
dead_letter(MlsLoader *loader, int64 number, const char *raw, int len, int sqlstate, const char *reason)
{
	static MlsStatement insert_letter = {
		"INSERT INTO ml_score.dead_letter (job, blob, line, raw, reason, sqlstate) VALUES ($1, $2, $3, $4, $5, $6)",
		6,
		{INT8OID, TEXTOID, INT8OID, BYTEAOID, TEXTOID, TEXTOID}};
	bytea *bytes = palloc(VARHDRSZ + len);
	Datum values[] = {Int64GetDatum(loader->job->id), CStringGetTextDatum(loader->path),
					  Int64GetDatum(number),		  PointerGetDatum(bytes),
					  CStringGetTextDatum(reason),	  CStringGetTextDatum(unpack_sql_state(sqlstate))};
	MlsLedger ledger;

	SET_VARSIZE(bytes, VARHDRSZ + len);
	memcpy(VARDATA(bytes), raw, len);
	mls_ledger_open(&ledger);
	(void) mls_ledger_run(&insert_letter, values, NULL);
	mls_ledger_close(&ledger);
	pfree(bytes);
	if (++loader->loaded.bad >= HOPELESS_LINES && loader->loaded.rows == 0)
		mls_loader_raise_hopeless(loader, "first ", sqlstate, reason);
	loader->last_sqlstate = sqlstate;
	resetStringInfo(&loader->last_reason);
	appendStringInfoString(&loader->last_reason, reason);
}

void
mls_loader_refuse(MlsLoader *loader, const char *record, int len, const char *reason)
{
	if (loader->job->fail_bad)
		ereport(ERROR,
				(errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
				 errmsg("line " INT64_FORMAT " of \"%s\" is no prediction of this job", loader->number, loader->path),
				 errdetail("Reason: %s.", reason)));
	dead_letter(loader, loader->number, record, len, ERRCODE_BAD_COPY_FILE_FORMAT, reason);
}

static void
refused_by_target(int line, int sqlstate, const char *reason, void *arg)
{
	MlsLoader *loader = arg;

	dead_letter(loader, loader->numbers[line], loader->raw.data + loader->raw_starts[line],
				loader->raw_starts[line + 1] - loader->raw_starts[line], sqlstate, reason);
}

void
mls_loader_store(MlsLoader *loader)
{
	int64 bad = loader->loaded.bad;

	loader->starts[loader->n] = loader->lines.len;
	loader->raw_starts[loader->n] = loader->raw.len;
	loader->loaded.rows += mls_target_store(loader->target, &loader->lines, loader->starts, loader->n,
											loader->job->fail_bad ? NULL : refused_by_target, loader);
	loader->taken += loader->n - (loader->loaded.bad - bad);
	loader->n = 0;
	resetStringInfo(&loader->lines);
	resetStringInfo(&loader->raw);
	CHECK_FOR_INTERRUPTS();
}

/* A field of a record, as text; NULL for a null or for what is not there. */
typedef struct FieldText
{
	const char *text;
	int len;
} FieldText;

/* A JSON value as text: strings without quotes and escapes, all else as it stands. False: it cannot be a text. */
static bool
json_text(MlsLoader *loader, const MlsSpan *value, FieldText *field)
{
	*field = (FieldText){.text = value->start, .len = (int) value->len};
	if (value->kind == MLS_SPAN_NONE || value->kind == MLS_SPAN_NULL)
		field->text = NULL;
	if (value->kind != MLS_SPAN_STRING || !value->escaped)
		return true;
	resetStringInfo(&loader->text);
	enlargeStringInfo(&loader->text, (int) value->len + 1);
	field->text = loader->text.data;
	field->len = mls_json_unescape(value, loader->text.data);
	return field->len >= 0;
}

/* Which file and row the record is of. NULL, or what is wrong. */
static const char *
find_row(MlsLoader *loader, const FieldText *file, const FieldText *row, const char **keys, int *keys_len)
{
	int file_number;
	int64 row_number = -1;

	*keys = "";
	*keys_len = 0;
	if (loader->sent == NULL)
		return NULL;
	if (file->text == NULL)
		return "it does not say which file it is of";
	file_number = mls_result_file_number(file->text, file->len);
	if (row->text != NULL)
	{
		row_number = mls_result_row_number(row->text, row->len);
		if (row_number < 0)
			return "its row is no whole number";
	}
	return mls_sent_rows_take(loader->sent, file_number, row_number, keys, keys_len);
}

static void
begin_line(MlsLoader *loader, const char *record, int len, const char *keys, int keys_len)
{
	loader->starts[loader->n] = loader->lines.len;
	loader->raw_starts[loader->n] = loader->raw.len;
	loader->numbers[loader->n] = loader->number;
	appendBinaryStringInfo(&loader->raw, record, len);
	appendBinaryStringInfo(&loader->lines, keys, keys_len);
}

static void
append_value(MlsLoader *loader, const FieldText *field, bool first)
{
	if (!first)
		appendStringInfoChar(&loader->lines, '\t');
	if (field->text == NULL)
		appendStringInfoString(&loader->lines, "\\N");
	else
		mls_copy_write(&loader->lines, field->text, field->len);
}

static void
end_line(MlsLoader *loader)
{
	appendStringInfoChar(&loader->lines, '\n');
	if (++loader->n >= MLS_CHUNK_LINES || loader->lines.len >= CHUNK_BYTES)
		mls_loader_store(loader);
}

static FieldText
csv_text(const MlsLoader *loader, int number)
{
	FieldText field = {NULL, 0};

	if (number >= 0 && (loader->csv[number].len > 0 || loader->csv[number].quoted))
		field = (FieldText){loader->csv[number].start, loader->csv[number].len};
	return field;
}

static void
load_csv_record(MlsLoader *loader, char *record, int len)
{
	char *copy = pnstrdup(record, len);
	int n = mls_csv_split(copy, len, mls_result_delimiter(loader->format), loader->csv, MLS_RESULT_MAX_FIELDS);
	const char *problem = NULL;
	const char *keys;
	int keys_len;

	if (n != loader->nnames)
		problem = n < 0 ? "its quotes do not match" : psprintf("it has %d fields, not %d", n, loader->nnames);
	else
	{
		FieldText file = csv_text(loader, loader->file_field);
		FieldText row = csv_text(loader, loader->row_field);

		problem = find_row(loader, &file, &row, &keys, &keys_len);
	}
	if (problem != NULL)
	{
		mls_loader_refuse(loader, record, len, problem);
		return;
	}
	begin_line(loader, record, len, keys, keys_len);
	for (int i = 0; i < loader->ncolumns; i++)
	{
		FieldText field = csv_text(loader, loader->sources[i]);

		append_value(loader, &field, i == 0 && !loader->has_keys);
	}
	end_line(loader);
}

static FieldText
json_field(MlsLoader *loader, const MlsSpan *object, const char *name, const char **problem)
{
	MlsSpan value = mls_json_member(object, name, strlen(name));
	FieldText field;

	if (!json_text(loader, &value, &field))
		*problem = "it has a character that no text can hold";
	return field;
}

static void
load_json_record(MlsLoader *loader, char *record, int len)
{
	MlsJsonReader reader;
	MlsSpan object;
	const char *problem = NULL;
	const char *keys = "";
	int keys_len = 0;
	int before;

	mls_json_start(&reader, record, len);
	if (!mls_json_value(&reader, &object) || !mls_json_finish(&reader) || object.kind != MLS_SPAN_OBJECT)
		problem = "it is no JSON object";
	else
	{
		FieldText row = json_field(loader, &object, FIELD_ROW, &problem);
		FieldText file = json_field(loader, &object, FIELD_FILE, &problem);

		if (problem == NULL)
			problem = find_row(loader, &file, &row, &keys, &keys_len);
	}
	if (problem == NULL)
	{
		before = loader->lines.len;
		begin_line(loader, record, len, keys, keys_len);
		for (int i = 0; i < loader->ncolumns; i++)
		{
			FieldText field = json_field(loader, &object, loader->fields[i], &problem);

			append_value(loader, &field, i == 0 && !loader->has_keys);
		}
		if (problem == NULL)
		{
			end_line(loader);
			return;
		}
		loader->lines.len = before;
		loader->raw.len = loader->raw_starts[loader->n];
	}
	mls_loader_refuse(loader, record, len, problem);
}

void
mls_loader_take(MlsLoader *loader, char *record, int len)
{
	if (loader->format == MLS_RESULT_JSON_LINES)
		load_json_record(loader, record, len);
	else
		load_csv_record(loader, record, len);
}
