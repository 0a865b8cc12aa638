/*
 * row_writer.c - see row_writer.h.
 */
#include "ml_score.h"

#include "batch/row_writer.h"

#include <math.h>

#include "batch/copy_text.h"
#include "batch/csv.h"
#include "catalog/pg_type.h"
#include "codec/encode_value.h"
#include "codec/encoding.h"
#include "codec/json_write.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

typedef struct WriterColumn
{
	int attnum; /* 0-based */
	char *name; /* in UTF-8 */
	Oid type;
	FmgrInfo output;
	MlsValueWriter *json; /* of JSON lines */
} WriterColumn;

struct MlsRowWriter
{
	bool json;
	bool header;
	WriterColumn *columns; /* that are sent */
	int ncolumns;
	WriterColumn *keys; /* that stay */
	int nkeys;
	MemoryContext row_context;
};

static void
make_column(WriterColumn *column, TupleDesc desc, int attnum)
{
	Form_pg_attribute att = TupleDescAttr(desc, attnum);
	Oid output;
	bool varlena;

	column->attnum = attnum;
	column->name = pg_server_to_any(NameStr(att->attname), (int) strlen(NameStr(att->attname)), PG_UTF8);
	column->type = getBaseType(att->atttypid);
	getTypeOutputInfo(att->atttypid, &output, &varlena);
	fmgr_info(output, &column->output);
}

/* The column of this name, or -1. */
static int
find_column(TupleDesc desc, const char *name)
{
	for (int i = 0; i < desc->natts; i++)
	{
		if (!TupleDescAttr(desc, i)->attisdropped && strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) == 0)
			return i;
	}
	return -1;
}

static void
make_json_writer(WriterColumn *column, const char *server)
{
	MlsValueOwner owner = {.function = "query", .server = server, .argument = column->name};

	column->json = mls_value_writer(&owner, column->type, NULL);
}

MlsRowWriter *
mls_row_writer(TupleDesc desc, const char *format, char *const *keys, int nkeys, bool send_keys, const char *server)
{
	MlsRowWriter *writer = palloc0(sizeof(MlsRowWriter));
	bool *stays = palloc0(sizeof(bool) * (desc->natts + 1));

	writer->json = strcmp(format, "json_lines") == 0;
	writer->header = strcmp(format, "csv") == 0;
	writer->columns = palloc0(sizeof(WriterColumn) * (desc->natts + 1));
	writer->keys = palloc0(sizeof(WriterColumn) * (nkeys + 1));
	writer->row_context = AllocSetContextCreate(CurrentMemoryContext, "ml_score exported row", ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; i < nkeys; i++)
	{
		int attnum = find_column(desc, keys[i]);

		if (attnum < 0)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN), errmsg("the query has no key column \"%s\"", keys[i])));
		if (send_keys)
			continue;
		stays[attnum] = true;
		make_column(&writer->keys[writer->nkeys++], desc, attnum);
	}
	for (int i = 0; i < desc->natts; i++)
	{
		if (stays[i])
			continue;
		make_column(&writer->columns[writer->ncolumns], desc, i);
		if (writer->json)
			make_json_writer(&writer->columns[writer->ncolumns], server);
		writer->ncolumns++;
	}
	if (writer->ncolumns == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the query has no column beside the key"),
				 errhint("Key columns stay in the database. Give the model's inputs as further columns, or send the "
						 "key as well with send_key.")));
	return writer;
}

const char *
mls_row_writer_ending(const MlsRowWriter *writer)
{
	return writer->json ? "jsonl" : "csv";
}

const char *
mls_row_writer_type(const MlsRowWriter *writer)
{
	return writer->json ? "application/x-ndjson" : "text/csv";
}

void
mls_row_writer_header(MlsRowWriter *writer, StringInfo out)
{
	if (!writer->header)
		return;
	for (int i = 0; i < writer->ncolumns; i++)
	{
		if (i > 0)
			appendStringInfoChar(out, ',');
		mls_csv_write(out, writer->columns[i].name, strlen(writer->columns[i].name));
	}
	appendStringInfoChar(out, '\n');
}

/* A value as PostgreSQL's own text, in UTF-8. */
static char *
value_text(WriterColumn *column, Datum value)
{
	char *text = OutputFunctionCall(&column->output, value);

	return pg_server_to_any(text, (int) strlen(text), PG_UTF8);
}

/* Write a finite number, which needs no quoting anywhere, without its type's output function. False: it is none. */
static bool
write_number(const WriterColumn *column, Datum value, StringInfo out)
{
	switch (column->type)
	{
		case INT2OID:
			mls_json_write_int(out, DatumGetInt16(value));
			return true;
		case INT4OID:
			mls_json_write_int(out, DatumGetInt32(value));
			return true;
		case INT8OID:
			mls_json_write_int(out, DatumGetInt64(value));
			return true;
		case FLOAT4OID:
			if (!isfinite(DatumGetFloat4(value)))
				return false;
			mls_json_write_float(out, DatumGetFloat4(value), false);
			return true;
		case FLOAT8OID:
			if (!isfinite(DatumGetFloat8(value)))
				return false;
			mls_json_write_double(out, DatumGetFloat8(value), false);
			return true;
	}
	return false;
}

static void
write_csv_text(Datum value, StringInfo out)
{
	text *plain = DatumGetTextPP(value);
	int len = (int) VARSIZE_ANY_EXHDR(plain);
	const char *utf8 = mls_to_utf8(VARDATA_ANY(plain), &len);

	mls_csv_write(out, utf8, len);
}

static void
write_csv_value(WriterColumn *column, Datum value, StringInfo out)
{
	char *text;

	if (write_number(column, value, out))
		return;
	switch (column->type)
	{
		case BOOLOID: /* as readers of CSV know it */
			appendStringInfoString(out, DatumGetBool(value) ? "true" : "false");
			break;
		case TEXTOID:
		case VARCHAROID:
			write_csv_text(value, out);
			break;
		default:
			text = value_text(column, value);
			mls_csv_write(out, text, strlen(text));
	}
}

static void
write_csv_row(MlsRowWriter *writer, TupleTableSlot *slot, StringInfo out)
{
	for (int i = 0; i < writer->ncolumns; i++)
	{
		WriterColumn *column = &writer->columns[i];

		if (i > 0)
			appendStringInfoChar(out, ',');
		if (!slot->tts_isnull[column->attnum])
			write_csv_value(column, slot->tts_values[column->attnum], out);
		else if (writer->ncolumns == 1)
			appendStringInfoString(out, "\"\""); /* an empty line would be no row */
	}
	appendStringInfoChar(out, '\n');
}

static void
write_json_row(MlsRowWriter *writer, TupleTableSlot *slot, StringInfo out)
{
	for (int i = 0; i < writer->ncolumns; i++)
	{
		WriterColumn *column = &writer->columns[i];

		mls_json_write_char(out, i > 0 ? ',' : '{');
		mls_json_write_string(out, column->name, (int) strlen(column->name));
		mls_json_write_char(out, ':');
		if (slot->tts_isnull[column->attnum])
			mls_json_write_raw(out, "null", 4);
		else
			column->json->write(column->json, slot->tts_values[column->attnum], out);
	}
	mls_json_write_raw(out, "}\n", 2);
	out->data[out->len] = '\0';
}

static void
write_keys(MlsRowWriter *writer, TupleTableSlot *slot, StringInfo keys)
{
	for (int i = 0; i < writer->nkeys; i++)
	{
		WriterColumn *key = &writer->keys[i];

		if (i > 0)
			appendStringInfoChar(keys, '\t');
		if (slot->tts_isnull[key->attnum])
			appendStringInfoString(keys, "\\N");
		else if (!write_number(key, slot->tts_values[key->attnum], keys))
		{
			char *text = value_text(key, slot->tts_values[key->attnum]);

			mls_copy_write(keys, text, strlen(text));
		}
	}
	appendStringInfoChar(keys, '\n');
}

void
mls_row_writer_row(MlsRowWriter *writer, TupleTableSlot *slot, StringInfo out, StringInfo keys)
{
	MemoryContext old = MemoryContextSwitchTo(writer->row_context);

	slot_getallattrs(slot);
	if (writer->json)
		write_json_row(writer, slot, out);
	else
		write_csv_row(writer, slot, out);
	if (writer->nkeys > 0)
		write_keys(writer, slot, keys);
	MemoryContextSwitchTo(old);
	MemoryContextReset(writer->row_context);
}
