/*
 * encode_value.c - see encode_value.h.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "codec/encode_value.h"
#include "codec/encoding.h"
#include "codec/json_number.h"
#include "codec/json_write.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

/* The one error for values that have no JSON, or none of the declared type. kind: "NaN", "an infinite date". */
static void
refuse(const MlsValueWriter *w, const char *kind, const char *detail)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("could not send %s in argument \"%s\" of function %s to server \"%s\"", kind,
						   w->owner.argument, w->owner.function, w->owner.server),
					errdetail_internal("%s", detail),
					errhint("Leave such rows out, or pass another value or NULL for them.")));
}

#define NO_JSON_NUMBER "JSON has no number for it."

static void
write_int2(MlsValueWriter *w, Datum value, StringInfo out)
{
	mls_json_write_int(out, DatumGetInt16(value));
}

static void
write_int4(MlsValueWriter *w, Datum value, StringInfo out)
{
	mls_json_write_int(out, DatumGetInt32(value));
}

static void
write_int8(MlsValueWriter *w, Datum value, StringInfo out)
{
	mls_json_write_int(out, DatumGetInt64(value));
}

static void
write_oid(MlsValueWriter *w, Datum value, StringInfo out)
{
	mls_json_write_int(out, DatumGetObjectId(value));
}

static const char *
nonfinite_kind(double value)
{
	if (isnan(value))
		return "NaN";
	return value > 0 ? "Infinity" : "-Infinity";
}

static void
write_float4(MlsValueWriter *w, Datum value, StringInfo out)
{
	float4 v = DatumGetFloat4(value);

	if (unlikely(!isfinite(v)))
		refuse(w, nonfinite_kind(v), NO_JSON_NUMBER);
	mls_json_write_float(out, v, w->point);
}

static void
write_float8(MlsValueWriter *w, Datum value, StringInfo out)
{
	float8 v = DatumGetFloat8(value);

	if (unlikely(!isfinite(v)))
		refuse(w, nonfinite_kind(v), NO_JSON_NUMBER);
	mls_json_write_double(out, v, w->point);
}

static void
write_numeric(MlsValueWriter *w, Datum value, StringInfo out)
{
	Numeric number = DatumGetNumeric(value);
	char *digits;

	if (numeric_is_nan(number))
		refuse(w, "NaN", NO_JSON_NUMBER);
	digits = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
	if (numeric_is_inf(number))
		refuse(w, digits, NO_JSON_NUMBER);
	mls_json_write_raw(out, digits, strlen(digits));
}

static void
write_bool(MlsValueWriter *w, Datum value, StringInfo out)
{
	if (DatumGetBool(value))
		mls_json_write_raw(out, "true", 4);
	else
		mls_json_write_raw(out, "false", 5);
}

static void
write_bool_as_number(MlsValueWriter *w, Datum value, StringInfo out)
{
	mls_json_write_char(out, DatumGetBool(value) ? '1' : '0');
}

/* text in the server's encoding, as a JSON string */
static void
write_cstring(StringInfo out, const char *text, int len)
{
	text = mls_to_utf8(text, &len);
	mls_json_write_string(out, text, len);
}

static void
write_text(MlsValueWriter *w, Datum value, StringInfo out)
{
	text *t = DatumGetTextPP(value);

	write_cstring(out, VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t));
}

static void
write_text_as_number(MlsValueWriter *w, Datum value, StringInfo out)
{
	text *t = DatumGetTextPP(value);
	const char *s = VARDATA_ANY(t);
	int len = VARSIZE_ANY_EXHDR(t);

	if (!mls_number_valid(s, len))
		refuse(w, "a text that is not a number", "The endpoint declares this input to be a number.");
	mls_json_write_raw(out, s, len);
}

static void
write_text_as_bool(MlsValueWriter *w, Datum value, StringInfo out)
{
	text *t = DatumGetTextPP(value);
	bool truth;

	if (!parse_bool_with_len(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), &truth))
		refuse(w, "a text that is neither true nor false", "The endpoint declares this input to be a boolean.");
	write_bool(w, BoolGetDatum(truth), out);
}

static void
write_int_as_bool(MlsValueWriter *w, Datum value, StringInfo out)
{
	int64 number;

	if (w->type == INT2OID)
		number = DatumGetInt16(value);
	else if (w->type == INT4OID)
		number = DatumGetInt32(value);
	else
		number = DatumGetInt64(value);
	if (number != 0 && number != 1)
		refuse(w, "a number other than 0 and 1", "The endpoint declares this input to be a boolean.");
	write_bool(w, BoolGetDatum(number == 1), out);
}

/*
 * Dates and times as ISO 8601; instants in UTC, so that what a model gets does not depend on the session's TimeZone.
 */
static void
write_datetime(MlsValueWriter *w, Datum value, StringInfo out)
{
	char text[MAXDATELEN + 1];
	int utc = 0;
	bool finite = true;

	if (w->type == DATEOID)
		finite = !DATE_NOT_FINITE(DatumGetDateADT(value));
	else if (w->type == TIMESTAMPOID || w->type == TIMESTAMPTZOID)
		finite = !TIMESTAMP_NOT_FINITE(DatumGetTimestamp(value));
	if (!finite)
		refuse(w, "an infinite date", "ISO 8601, which endpoints read dates in, has no text for it.");

	JsonEncodeDateTime(text, value, w->type, w->type == TIMESTAMPTZOID ? &utc : NULL);
	if (strstr(text, "BC") != NULL)
		refuse(w, "a date before the year 1", "ISO 8601, which endpoints read dates in, has no text for it.");
	mls_json_write_string(out, text, strlen(text));
}

static void
write_interval(MlsValueWriter *w, Datum value, StringInfo out)
{
	Interval *interval = DatumGetIntervalP(value);
	struct pg_itm parts;
	char text[MAXDATELEN + 1];

	if (INTERVAL_NOT_FINITE(interval))
		refuse(w, "an infinite interval", "ISO 8601, which endpoints read durations in, has no text for it.");
	interval2itm(*interval, &parts);
	EncodeInterval(&parts, INTSTYLE_ISO_8601, text);
	mls_json_write_string(out, text, strlen(text));
}

static void
write_bytea(MlsValueWriter *w, Datum value, StringInfo out)
{
	bytea *bytes = DatumGetByteaPP(value);

	mls_json_write_base64(out, (unsigned char *) VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
}

static void
write_json(MlsValueWriter *w, Datum value, StringInfo out)
{
	text *t = DatumGetTextPP(value);
	int len = VARSIZE_ANY_EXHDR(t);
	const char *s = mls_to_utf8(VARDATA_ANY(t), &len);

	mls_json_write_raw(out, s, len);
}

static void
write_jsonb(MlsValueWriter *w, Datum value, StringInfo out)
{
	Jsonb *json = DatumGetJsonbP(value);
	char *text = JsonbToCString(NULL, &json->root, VARSIZE(json));
	int len = strlen(text);
	const char *s = mls_to_utf8(text, &len);

	mls_json_write_raw(out, s, len);
}

/* Types without a JSON form of their own: their text. */
static void
write_output(MlsValueWriter *w, Datum value, StringInfo out)
{
	char *text = OutputFunctionCall(&w->output, value);

	write_cstring(out, text, strlen(text));
}

/* What an inner writer makes of it, as a string: for endpoints that declare text and get numbers. */
static void
write_quoted(MlsValueWriter *w, Datum value, StringInfo out)
{
	mls_json_write_char(out, '"');
	w->inner->write(w->inner, value, out);
	mls_json_write_char(out, '"');
}

/* json for an endpoint that declares a string: its text. */
static void
write_json_as_text(MlsValueWriter *w, Datum value, StringInfo out)
{
	StringInfoData json;

	initStringInfo(&json);
	w->inner->write(w->inner, value, &json);
	mls_json_write_string(out, json.data, json.len);
}

static void
write_composite(MlsValueWriter *w, Datum value, StringInfo out)
{
	MlsRecordWriter *record = w->record;
	HeapTupleHeader header = DatumGetHeapTupleHeader(value);

	/* record columns of no declared type: each value says what it is */
	if (record == NULL || (w->type == RECORDOID && (HeapTupleHeaderGetTypMod(header) != record->typmod ||
													HeapTupleHeaderGetTypeId(header) != record->type)))
	{
		MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(w));
		TupleDesc desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));

		record = w->record = mls_record_writer(&w->owner, desc, NULL, 0);
		ReleaseTupleDesc(desc);
		MemoryContextSwitchTo(old);
	}

	mls_record_deform(record, PointerGetDatum(header));
	mls_json_write_char(out, '{');
	for (int i = 0; i < record->ncolumns; i++)
	{
		int att = record->attnums[i];

		if (i > 0)
			mls_json_write_char(out, ',');
		mls_json_write_string(out, record->names[i], strlen(record->names[i]));
		mls_json_write_char(out, ':');
		if (record->nulls[att])
			mls_json_write_raw(out, "null", 4);
		else
			record->writers[i]->write(record->writers[i], record->values[att], out);
	}
	mls_json_write_char(out, '}');
}

/* One dimension of an array: its elements, or the arrays that are its elements. */
static void
write_dimension(MlsValueWriter *w, int dim, int ndims, const int *dims, Datum **values, bool **nulls, StringInfo out)
{
	mls_json_write_char(out, '[');
	for (int i = 0; i < dims[dim]; i++)
	{
		if (i > 0)
			mls_json_write_char(out, ',');
		if (dim + 1 < ndims)
		{
			write_dimension(w, dim + 1, ndims, dims, values, nulls, out);
			continue;
		}
		if (*(*nulls)++)
			mls_json_write_raw(out, "null", 4);
		else
			w->inner->write(w->inner, **values, out);
		(*values)++;
	}
	mls_json_write_char(out, ']');
}

static void
write_array(MlsValueWriter *w, Datum value, StringInfo out)
{
	ArrayType *array = DatumGetArrayTypeP(value);
	Datum *values;
	bool *nulls;
	int n;

	if (ARR_NDIM(array) == 0)
	{
		mls_json_write_raw(out, "[]", 2);
		return;
	}
	deconstruct_array(array, ARR_ELEMTYPE(array), w->element_len, w->element_byval, w->element_align, &values, &nulls,
					  &n);
	write_dimension(w, 0, ARR_NDIM(array), ARR_DIMS(array), &values, &nulls, out);
}

static void
refuse_type(const MlsValueWriter *w, MlsJsonType declared)
{
	ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
					errmsg("could not send argument \"%s\" of function %s to server \"%s\" as %s", w->owner.argument,
						   w->owner.function, w->owner.server, mls_json_type_name(declared)),
					errdetail("The endpoint declares %s, the argument has type %s.", mls_json_type_name(declared),
							  format_type_be(w->type)),
					errhint("Declare the argument with a type that can be sent as %s.", mls_json_type_name(declared))));
}

static MlsValueWriter *
quoted(MlsValueWriter *inner)
{
	MlsValueWriter *w = palloc0(sizeof(MlsValueWriter));

	w->owner = inner->owner;
	w->type = inner->type;
	w->inner = inner;
	w->write = write_quoted;
	return w;
}

/* Numbers and booleans, for an endpoint that declares text. */
static bool
is_digits_type(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID || type == OIDOID || type == FLOAT4OID ||
		   type == FLOAT8OID || type == NUMERICOID || type == BOOLOID;
}

static bool
is_text_type(Oid type)
{
	return type == TEXTOID || type == VARCHAROID || type == BPCHAROID;
}

/* Choose the writer's function by its type alone. */
static void
choose_plain(MlsValueWriter *w)
{
	Oid output;
	bool varlena;

	switch (w->type)
	{
		case INT2OID:
			w->write = write_int2;
			break;
		case INT4OID:
			w->write = write_int4;
			break;
		case INT8OID:
			w->write = write_int8;
			break;
		case OIDOID:
			w->write = write_oid;
			break;
		case FLOAT4OID:
			w->write = write_float4;
			break;
		case FLOAT8OID:
			w->write = write_float8;
			break;
		case NUMERICOID:
			w->write = write_numeric;
			break;
		case BOOLOID:
			w->write = write_bool;
			break;
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			w->write = write_text;
			break;
		case DATEOID:
		case TIMEOID:
		case TIMETZOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			w->write = write_datetime;
			break;
		case INTERVALOID:
			w->write = write_interval;
			break;
		case BYTEAOID:
			w->write = write_bytea;
			break;
		case JSONOID:
			w->write = write_json;
			break;
		case JSONBOID:
			w->write = write_jsonb;
			break;
		default:
			getTypeOutputInfo(w->type, &output, &varlena);
			fmgr_info(output, &w->output);
			w->write = write_output;
			break;
	}
}

/* Bend the choice to what the endpoint declares; returns the writer to use. */
static MlsValueWriter *
choose_declared(MlsValueWriter *w, MlsJsonType declared)
{
	bool number = declared == MLS_JSON_INTEGER || declared == MLS_JSON_NUMBER;

	w->point = declared != MLS_JSON_INTEGER && declared != MLS_JSON_STRING;
	if (declared == MLS_JSON_STRING && is_digits_type(w->type))
		return quoted(w);
	if (declared == MLS_JSON_STRING && (w->type == JSONOID || w->type == JSONBOID))
	{
		MlsValueWriter *text = quoted(w);

		text->write = write_json_as_text;
		return text;
	}
	if (number && is_text_type(w->type))
		w->write = write_text_as_number;
	else if (number && w->type == BOOLOID)
		w->write = write_bool_as_number;
	else if (declared == MLS_JSON_BOOLEAN && is_text_type(w->type))
		w->write = write_text_as_bool;
	else if (declared == MLS_JSON_BOOLEAN && (w->type == INT2OID || w->type == INT4OID || w->type == INT8OID))
		w->write = write_int_as_bool;
	else if (number && !is_digits_type(w->type) && w->type != JSONOID && w->type != JSONBOID)
		refuse_type(w, declared);
	else if (declared == MLS_JSON_BOOLEAN && w->type != BOOLOID && w->type != JSONOID && w->type != JSONBOID)
		refuse_type(w, declared);
	return w;
}

static MlsRecordWriter *
record_of_type(const MlsValueOwner *owner, Oid type)
{
	TupleDesc desc = lookup_rowtype_tupdesc(type, -1);
	MlsRecordWriter *record = mls_record_writer(owner, desc, NULL, 0);

	ReleaseTupleDesc(desc);
	return record;
}

MlsValueWriter *
mls_value_writer(const MlsValueOwner *owner, Oid type, const MlsField *declared)
{
	MlsValueWriter *w = palloc0(sizeof(MlsValueWriter));
	MlsJsonType json_type = declared ? declared->type : MLS_JSON_ANY;
	Oid element;

	w->owner = *owner;
	w->type = getBaseType(type);
	element = get_base_element_type(w->type);
	if (OidIsValid(element))
	{
		MlsField element_field = {.type = declared ? declared->element : MLS_JSON_ANY};

		if (json_type != MLS_JSON_ANY && json_type != MLS_JSON_ARRAY && json_type != MLS_JSON_OBJECT)
			refuse_type(w, json_type);
		w->inner = mls_value_writer(owner, element, &element_field);
		get_typlenbyvalalign(element, &w->element_len, &w->element_byval, &w->element_align);
		w->write = write_array;
	}
	else if (type_is_rowtype(w->type))
	{
		if (json_type != MLS_JSON_ANY && json_type != MLS_JSON_OBJECT)
			refuse_type(w, json_type);
		w->record = w->type == RECORDOID ? NULL : record_of_type(owner, w->type);
		w->write = write_composite;
	}
	else
	{
		choose_plain(w);
		w = choose_declared(w, json_type);
	}
	return w;
}

static const MlsField *
find_field(const char *name, const MlsField *fields, int nfields)
{
	for (int i = 0; i < nfields; i++)
	{
		if (fields[i].name == NULL || strcmp(fields[i].name, name) == 0)
			return &fields[i];
	}
	return NULL;
}

MlsRecordWriter *
mls_record_writer(const MlsValueOwner *owner, TupleDesc desc, const MlsField *fields, int nfields)
{
	MlsRecordWriter *record = palloc0(sizeof(MlsRecordWriter));

	record->desc = CreateTupleDescCopy(desc);
	record->type = desc->tdtypeid;
	record->typmod = desc->tdtypmod;
	record->attnums = palloc(desc->natts * sizeof(int));
	record->names = palloc(desc->natts * sizeof(char *));
	record->writers = palloc(desc->natts * sizeof(MlsValueWriter *));
	record->values = palloc(desc->natts * sizeof(Datum));
	record->nulls = palloc(desc->natts * sizeof(bool));

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		const char *name = NameStr(att->attname);
		int len = strlen(name);
		MlsValueOwner part = *owner;

		if (att->attisdropped)
			continue;
		part.argument = psprintf("%s.%s", owner->argument, name);
		record->attnums[record->ncolumns] = i;
		record->names[record->ncolumns] = pstrdup(mls_to_utf8(name, &len));
		record->writers[record->ncolumns] = mls_value_writer(&part, att->atttypid, find_field(name, fields, nfields));
		record->ncolumns++;
	}
	return record;
}

void
mls_record_deform(MlsRecordWriter *record, Datum row)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(row);
	HeapTupleData tuple;

	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	heap_deform_tuple(&tuple, record->desc, record->values, record->nulls);
}
