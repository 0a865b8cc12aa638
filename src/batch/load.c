/*
 * load.c - see load.h.
 *
 * Lines are read from the downloaded file, taken apart, and put together again as lines of COPY's text format: the row's
 * keys as they were kept, then the fields that the target's columns take. Some thousand of them are stored at a time, so
 * memory does not grow with the results.
 */
#include "ml_score.h"

#include "batch/load.h"

#include "batch/progress.h"
#include "batch/row_writer.h"
#include "batch/sent_rows.h"
#include "batch/target.h"
#include "catalog/index.h"
#include "codec/json_read.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_index.h"

#define READ_BYTES (256 * 1024)
#define CHUNK_LINES 10000
#define CHUNK_BYTES (4 * 1024 * 1024)
#define MAX_RECORD_BYTES (64 * 1024 * 1024)

/* So many bad lines without a good one say that it is not the lines. */
#define HOPELESS_LINES 1000

#define FIELD_FILE "file_name"
#define FIELD_ROW "row"

typedef struct Loader
{
	const MlsJob *job;
	MlsResultFormat format;
	char **names; /* of the fields; NULL with JSON lines */
	int nnames;
	int file_field; /* -1: there is none */
	int row_field;
	char **columns; /* of the target, behind the keys */
	char **fields;	/* for each: the field's name */
	int *sources;	/* and its number */
	int ncolumns;
	MlsTarget *target;
	MlsSentRows *sent;	  /* NULL: the job exported nothing, or the results do not say which row they are of */
	StringInfoData lines; /* of COPY's text */
	StringInfoData raw;	  /* as they came */
	int *starts;
	int *raw_starts;
	int64 *numbers; /* of the lines in their file */
	int n;
	int64 size;		  /* of all files */
	int64 read;		  /* of them */
	const char *path; /* of the file that is read */
	int64 number;
	MlsLoaded loaded;
	int last_sqlstate; /* of the last bad line */
	StringInfoData last_reason;
	int64 taken; /* lines that the target did not refuse, those that on_conflict left out included */
	MlsResultField *csv;
	StringInfoData text; /* a JSON string's characters */
} Loader;

/* Raise: nothing but bad lines. The last one of them tells why. */
pg_noreturn static void
raise_hopeless(const Loader *loader, const char *which, int sqlstate, const char *reason)
{
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("none of the %s" INT64_FORMAT " predictions could be stored", which, loader->loaded.bad),
			 errdetail("The last one's reason: %s.", reason),
			 errhint("Check the arguments columns, result_format and result_columns against %s.", loader->path)));
}

static void
dead_letter(Loader *loader, int64 number, const char *raw, int len, int sqlstate, const char *reason)
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
		raise_hopeless(loader, "first ", sqlstate, reason);
	loader->last_sqlstate = sqlstate;
	resetStringInfo(&loader->last_reason);
	appendStringInfoString(&loader->last_reason, reason);
}

/* A record is none of what it should be. */
static void
refuse_record(Loader *loader, const char *record, int len, const char *reason)
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
	Loader *loader = arg;

	dead_letter(loader, loader->numbers[line], loader->raw.data + loader->raw_starts[line],
				loader->raw_starts[line + 1] - loader->raw_starts[line], sqlstate, reason);
}

static void
store_chunk(Loader *loader)
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

/* The number of the field of this name, or -1. */
static int
find_field(const Loader *loader, const char *name)
{
	for (int i = 0; i < loader->nnames; i++)
	{
		if (strcmp(loader->names[i], name) == 0)
			return i;
	}
	return -1;
}

/* A field of a record, as text; NULL for a null or for what is not there. */
typedef struct FieldText
{
	const char *text;
	int len;
} FieldText;

/* A JSON value as text: strings without quotes and escapes, all else as it stands. False: it cannot be a text. */
static bool
json_text(Loader *loader, const MlsSpan *value, FieldText *field)
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
find_row(Loader *loader, const FieldText *file, const FieldText *row, const char **keys, int *keys_len)
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
begin_line(Loader *loader, const char *record, int len, const char *keys, int keys_len)
{
	loader->starts[loader->n] = loader->lines.len;
	loader->raw_starts[loader->n] = loader->raw.len;
	loader->numbers[loader->n] = loader->number;
	appendBinaryStringInfo(&loader->raw, record, len);
	appendBinaryStringInfo(&loader->lines, keys, keys_len);
}

static void
append_value(Loader *loader, const FieldText *field, bool first)
{
	if (!first)
		appendStringInfoChar(&loader->lines, '\t');
	if (field->text == NULL)
		appendStringInfoString(&loader->lines, "\\N");
	else
		mls_copy_write(&loader->lines, field->text, field->len);
}

static void
end_line(Loader *loader)
{
	appendStringInfoChar(&loader->lines, '\n');
	if (++loader->n >= CHUNK_LINES || loader->lines.len >= CHUNK_BYTES)
		store_chunk(loader);
}

static FieldText
csv_text(const Loader *loader, int number)
{
	FieldText field = {NULL, 0};

	if (number >= 0 && (loader->csv[number].len > 0 || loader->csv[number].quoted))
		field = (FieldText){loader->csv[number].start, loader->csv[number].len};
	return field;
}

static void
load_csv_record(Loader *loader, char *record, int len)
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
		refuse_record(loader, record, len, problem);
		return;
	}
	begin_line(loader, record, len, keys, keys_len);
	for (int i = 0; i < loader->ncolumns; i++)
	{
		FieldText field = csv_text(loader, loader->sources[i]);

		append_value(loader, &field, i == 0 && keys_len == 0);
	}
	end_line(loader);
}

static FieldText
json_field(Loader *loader, const MlsSpan *object, const char *name, const char **problem)
{
	MlsSpan value = mls_json_member(object, name, strlen(name));
	FieldText field;

	if (!json_text(loader, &value, &field))
		*problem = "it has a character that no text can hold";
	return field;
}

static void
load_json_record(Loader *loader, char *record, int len)
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

			append_value(loader, &field, i == 0 && keys_len == 0);
		}
		if (problem == NULL)
		{
			end_line(loader);
			return;
		}
		loader->lines.len = before;
		loader->raw.len = loader->raw_starts[loader->n];
	}
	refuse_record(loader, record, len, problem);
}

/* The result's fields that are predictions, by the names in list. */
static List *
prediction_names(char **names, int n)
{
	List *list = NIL;

	for (int i = 0; i < n; i++)
	{
		if (strcmp(names[i], FIELD_FILE) != 0 && strcmp(names[i], FIELD_ROW) != 0)
			list = lappend(list, names[i]);
	}
	return list;
}

static bool
has_name(List *names, const char *name)
{
	ListCell *lc;

	foreach (lc, names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

static char *
join(List *names)
{
	StringInfoData out;
	ListCell *lc;

	initStringInfo(&out);
	foreach (lc, names)
		appendStringInfo(&out, "%s%s", out.len > 0 ? ", " : "", (char *) lfirst(lc));
	return out.data;
}

/* Which fields go where, when the user does not say: those of the columns' names, or the only one into the only one. */
static void
choose_columns(Loader *loader, char **names, int n)
{
	const MlsJob *job = loader->job;
	bool joined = job->nkeys > 0 && !job->send_key;
	List *columns = mls_target_columns(job->target, job->keys, joined ? job->nkeys : 0);
	List *fields = prediction_names(names, n);
	ListCell *lc;

	loader->columns = palloc0(sizeof(char *) * (list_length(columns) + 1));
	loader->fields = palloc0(sizeof(char *) * (list_length(columns) + 1));
	foreach (lc, columns)
	{
		if (!has_name(fields, lfirst(lc)))
			continue;
		loader->columns[loader->ncolumns] = lfirst(lc);
		loader->fields[loader->ncolumns++] = lfirst(lc);
	}
	if (loader->ncolumns == 0 && list_length(columns) == 1 && list_length(fields) == 1)
	{
		loader->columns[0] = linitial(columns);
		loader->fields[0] = linitial(fields);
		loader->ncolumns = 1;
	}
	if (loader->ncolumns == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("it is not clear which predictions go into which columns of \"%s\"", get_rel_name(job->target)),
				 errdetail("The results have the fields: %s. The target has beside the key the columns: %s.",
						   join(fields), join(columns)),
				 errhint("Say it with columns => '{\"column\": \"field\", ...}'.")));
}

/* The columns that tell the target's rows apart: the job's keys, or the primary key. */
static char **
conflict_columns(const MlsJob *job, int *n)
{
	Relation rel;
	Relation index;
	char **names;
	Oid index_oid;

	*n = job->nkeys;
	if (job->nkeys > 0 || job->on_conflict == NULL)
		return job->keys;
	rel = table_open(job->target, AccessShareLock);
	(void) RelationGetIndexList(rel);
	index_oid = rel->rd_pkindex;
	if (!OidIsValid(index_oid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("\"%s\" has no primary key that on_conflict could look at", RelationGetRelationName(rel))));
	index = index_open(index_oid, AccessShareLock);
	*n = IndexRelationGetNumberOfKeyAttributes(index);
	names = palloc(sizeof(char *) * *n);
	for (int i = 0; i < *n; i++)
		names[i] = get_attname(job->target, index->rd_index->indkey.values[i], false);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
	return names;
}

/* Open the target for the keys and the predictions. */
static void
open_target(Loader *loader)
{
	const MlsJob *job = loader->job;
	int nkeys = job->send_key ? 0 : job->nkeys;
	char **columns = palloc(sizeof(char *) * (nkeys + loader->ncolumns + 1));
	int nconflict;
	char **conflict = conflict_columns(job, &nconflict);

	for (int i = 0; i < nkeys; i++)
		columns[i] = job->keys[i];
	for (int i = 0; i < loader->ncolumns; i++)
		columns[nkeys + i] = loader->columns[i];
	loader->target =
		mls_target_open(job->target, columns, nkeys + loader->ncolumns, job->on_conflict, conflict, nconflict);
}

/* The first record's fields: the names that stand in it, or were given, or that such fields usually have. */
static void
read_names(Loader *loader, const char *record, size_t len)
{
	const MlsJob *job = loader->job;
	char *copy = pnstrdup(record, len);
	int n = mls_csv_split(copy, len, mls_result_delimiter(loader->format), loader->csv, MLS_RESULT_MAX_FIELDS);

	if (n < 0 || n > MLS_RESULT_MAX_FIELDS)
		ereport(ERROR, (errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
						errmsg("the first line of \"%s\" is no line of predictions", loader->path)));
	loader->nnames = n;
	loader->names = palloc(sizeof(char *) * n);
	if (loader->format == MLS_RESULT_CSV_HEADER)
		for (int i = 0; i < n; i++)
			loader->names[i] = pnstrdup(loader->csv[i].start, loader->csv[i].len);
	else if (job->nresult_columns > 0)
	{
		if (job->nresult_columns != n)
			ereport(ERROR,
					(errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
					 errmsg("the results have %d fields, and result_columns names %d", n, job->nresult_columns)));
		loader->names = job->result_columns;
	}
	else
		mls_result_default_names(loader->csv, n, (const char **) loader->names);
	loader->file_field = find_field(loader, FIELD_FILE);
	loader->row_field = find_field(loader, FIELD_ROW);
}

/* The member names of a JSON record. */
static char **
member_names(const char *record, size_t len, int *n)
{
	MlsJsonReader reader;
	MlsSpan key;
	MlsSpan value;
	char **names = palloc(sizeof(char *) * MLS_RESULT_MAX_FIELDS);

	*n = 0;
	mls_json_start(&reader, record, len);
	if (mls_json_open(&reader))
		while (*n < MLS_RESULT_MAX_FIELDS && mls_json_next(&reader, &key, &value))
			names[(*n)++] = pnstrdup(key.start, key.len);
	return names;
}

/* Does the first record say which file it is of? Without that, rows and keys cannot be told. */
static void
decide_join(Loader *loader, bool says_file)
{
	const MlsJob *job = loader->job;

	if (job->query == NULL)
		return;
	if (says_file)
		loader->sent = mls_sent_rows_open(job);
	else if (job->nkeys > 0 && !job->send_key)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the results do not say which rows they belong to"),
						errdetail("No field is called \"%s\", or looks like the name of an exported file.", FIELD_FILE),
						errhint("Name the fields with result_columns, or send the key with send_key and have the model "
								"return it.")));
}

/* Look at the first record of all: the format, the fields, the target. True: it is a header. */
static bool
begin_results(Loader *loader, const char *record, size_t len)
{
	const MlsJob *job = loader->job;
	const char **wanted = palloc(sizeof(char *) * (job->ncolumns + job->nresult_columns + 4));
	List *columns = mls_target_columns(job->target, NULL, 0);
	char **names;
	int n = 0;
	int nnames;
	ListCell *lc;

	wanted[n++] = FIELD_FILE;
	for (int i = 0; i < job->ncolumns; i++)
		wanted[n++] = job->fields[i];
	wanted = repalloc(wanted, sizeof(char *) * (n + list_length(columns) + 1));
	foreach (lc, columns)
		wanted[n++] = lfirst(lc);
	loader->format = job->result_format;
	if (loader->format == MLS_RESULT_AUTO)
		loader->format = mls_result_detect(record, len, wanted, n);

	if (loader->format == MLS_RESULT_JSON_LINES)
	{
		names = member_names(record, len, &nnames);
		loader->names = names;
		loader->nnames = nnames;
		decide_join(loader, find_field(loader, FIELD_FILE) >= 0);
	}
	else
	{
		read_names(loader, record, len);
		names = loader->names;
		nnames = loader->nnames;
		decide_join(loader, loader->file_field >= 0);
	}
	if (job->ncolumns > 0)
	{
		loader->columns = job->columns;
		loader->fields = job->fields;
		loader->ncolumns = job->ncolumns;
	}
	else
		choose_columns(loader, names, nnames);
	loader->sources = palloc(sizeof(int) * loader->ncolumns);
	for (int i = 0; i < loader->ncolumns; i++)
	{
		loader->sources[i] = find_field(loader, loader->fields[i]);
		if (loader->sources[i] < 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN), errmsg("the results have no field \"%s\"", loader->fields[i]),
					 errdetail("They have: %s.", join(prediction_names(names, nnames)))));
	}
	open_target(loader);
	return loader->format == MLS_RESULT_CSV_HEADER;
}

/* One record, with its line break. */
static void
load_record(Loader *loader, char *record, size_t size)
{
	size_t len = mls_result_trim(record, size);

	loader->number++;
	if (len == 0)
		return;
	if (memchr(record, '\0', len) != NULL)
	{
		refuse_record(loader, record, (int) len, "it has a zero byte, which no text can hold");
		return;
	}
	if (loader->target == NULL)
	{
		if (begin_results(loader, record, len))
			return;
	}
	else if (loader->number == 1 && loader->format == MLS_RESULT_CSV_HEADER)
		return; /* each file has one */
	if (loader->format == MLS_RESULT_JSON_LINES)
		load_json_record(loader, record, (int) len);
	else
		load_csv_record(loader, record, (int) len);
}

/* Does a line break in quotes belong to the record? Before the format is known, unless it looks like JSON. */
static bool
respects_quotes(const Loader *loader, const char *record)
{
	MlsResultFormat format = loader->target != NULL ? loader->format : loader->job->result_format;

	if (format == MLS_RESULT_AUTO)
		return *record != '{';
	return format != MLS_RESULT_JSON_LINES;
}

static void
load_one_file(Loader *loader, BufFile *data, const MlsDownloadedFile *file, MemoryContext record_cxt)
{
	MemoryContext cxt = CurrentMemoryContext;
	StringInfoData buffer;
	int64 left = file->size;

	loader->path = file->path;
	loader->number = 0;
	initStringInfo(&buffer);
	do
	{
		size_t want = (size_t) Min(left, READ_BYTES);
		char *at;
		const char *end;

		enlargeStringInfo(&buffer, (int) want + 1);
		if (want > 0 && BufFileRead(data, buffer.data + buffer.len, want) != want)
			ereport(ERROR, (errcode_for_file_access(), errmsg("could not read a temporary file")));
		buffer.len += (int) want;
		buffer.data[buffer.len] = '\0';
		left -= want;
		loader->read += (int64) want;
		mls_batch_progress_show(loader->job, loader->read, loader->size);
		at = buffer.data;
		while ((end = mls_csv_record_end(at, buffer.data + buffer.len, respects_quotes(loader, at), left == 0)) != NULL)
		{
			if (loader->target != NULL)
				MemoryContextSwitchTo(record_cxt);
			load_record(loader, at, end - at);
			MemoryContextSwitchTo(cxt);
			MemoryContextReset(record_cxt);
			at = unconstify(char *, end);
		}
		buffer.len -= (int) (at - buffer.data);
		memmove(buffer.data, at, buffer.len);
		if (buffer.len > MAX_RECORD_BYTES)
			ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
							errmsg("a line of \"%s\" is longer than %d bytes", file->path, MAX_RECORD_BYTES)));
	} while (left > 0);
	pfree(buffer.data);
}

/* Compare what went out with what came. */
static void
settle(Loader *loader)
{
	const MlsJob *job = loader->job;
	MlsLoaded *loaded = &loader->loaded;

	loaded->missing = -1;
	if (loader->sent == NULL && job->query != NULL)
		loaded->missing = Max(job->rows_out - loaded->rows - loaded->bad, 0);
	if (loader->sent != NULL)
		loaded->missing = mls_sent_rows_missing(loader->sent);
	if (loaded->missing > 0 && job->fail_missing)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg(INT64_FORMAT " of " INT64_FORMAT " rows have no prediction", loaded->missing, job->rows_out),
				 errdetail("Files that failed are absent from the results."),
				 errhint("See the job's logs in the studio; with on_missing 'record' the others are stored.")));
	if (loader->sent != NULL && loaded->missing > 0)
		(void) mls_sent_rows_note_missing(loader->sent);
}

MlsLoaded
mls_load_results(const MlsJob *job, MlsDownload *download)
{
	Loader loader = {.job = job, .size = download->bytes, .file_field = -1, .row_field = -1};
	MemoryContext record_cxt =
		AllocSetContextCreate(CurrentMemoryContext, "ml_score result record", ALLOCSET_DEFAULT_SIZES);

	initStringInfo(&loader.lines);
	initStringInfo(&loader.raw);
	initStringInfo(&loader.text);
	initStringInfo(&loader.last_reason);
	loader.starts = palloc(sizeof(int) * (CHUNK_LINES + 1));
	loader.raw_starts = palloc(sizeof(int) * (CHUNK_LINES + 1));
	loader.numbers = palloc(sizeof(int64) * CHUNK_LINES);
	loader.csv = palloc(sizeof(MlsResultField) * MLS_RESULT_MAX_FIELDS);
	for (int i = 0; i < download->nfiles; i++)
		load_one_file(&loader, download->data, &download->files[i], record_cxt);
	if (loader.target == NULL)
	{
		/* Not one line: still, the target must be there, and all rows are missing. */
		decide_join(&loader, true);
	}
	else
		store_chunk(&loader);
	if (loader.loaded.bad > 0 && loader.taken == 0)
		raise_hopeless(&loader, "", loader.last_sqlstate, loader.last_reason.data);
	settle(&loader);
	return loader.loaded;
}
