/*
 * decode_value.c - see decode_value.h. Scalars here; arrays and composites are in decode_nested.c.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "codec/base64.h"
#include "codec/decode_nested.h"
#include "codec/decode_time.h"
#include "codec/decode_value.h"
#include "codec/encoding.h"
#include "codec/json_number.h"
#include "compat.h"
#include "mb/pg_wchar.h"
#include "ml_score.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

/* Why item is no value of the reader's type. */
static char *
misfit(const MlsValueReader *reader, const MlsSpan *item, const char *why)
{
	const char *quote = item->kind == MLS_SPAN_STRING ? "\"" : "";

	return psprintf("%s%s%s %s %s", quote, mls_excerpt(item->start, item->len), quote, why,
					format_type_be(OidIsValid(reader->domain) ? reader->domain : reader->type));
}

#define NOT_OF_TYPE "is not a value of type"
#define OUT_OF_RANGE "is out of range for type"
#define COMPLAINT_LENGTH 160 /* room for the longest sentences around the start of a value */

/* Have the type's input function read text. Its complaint may quote all of that, so it is cut. */
static char *
call_input(MlsValueReader *reader, char *text, Datum *value)
{
	char *complaint = MlsInputCall(&reader->input, text, reader->input_param, reader->typmod, value);

	return complaint ? mls_excerpt_of_length(complaint, strlen(complaint), COMPLAINT_LENGTH) : NULL;
}

/* An item's text in the server's encoding: a string's characters, anything else's JSON. Palloc'd. */
static char *
item_text(const MlsSpan *item, char **text, int *len)
{
	char *plain;
	int plain_len;
	char *reason;

	if (item->kind != MLS_SPAN_STRING || !item->escaped)
		return mls_from_utf8(item->start, item->len, text, len);

	plain = palloc(item->len);
	plain_len = mls_json_unescape(item, plain);
	if (plain_len < 0)
		return psprintf("\"%s\" has a \\u escape that is no character", mls_excerpt(item->start, item->len));
	reason = mls_from_utf8(plain, plain_len, text, len);
	pfree(plain);
	return reason;
}

/*
 * The number that item is: a number token, one of the names of what is not finite, or a string that holds either (with
 * blanks around it). Gives its bytes; false when it is none.
 */
static bool
number_token(const MlsSpan *item, MlsSpan *number)
{
	*number = *item;
	if (item->kind == MLS_SPAN_NUMBER || item->kind == MLS_SPAN_NONFINITE)
		return true;
	if (item->kind != MLS_SPAN_STRING)
		return false;
	while (number->len > 0 && number->start[0] == ' ')
	{
		number->start++;
		number->len--;
	}
	while (number->len > 0 && number->start[number->len - 1] == ' ')
		number->len--;
	number->kind = MLS_SPAN_NUMBER;
	if (mls_number_valid(number->start, number->len))
		return true;
	number->kind = MLS_SPAN_NONFINITE;
	return (number->len == 3 && pg_strncasecmp(number->start, "nan", 3) == 0) ||
		   (number->len == 8 && pg_strncasecmp(number->start, "infinity", 8) == 0) ||
		   (number->len == 9 && pg_strncasecmp(number->start, "-infinity", 9) == 0);
}

static double
nonfinite_value(const MlsSpan *number)
{
	if (number->len == 3)
		return get_float8_nan();
	return number->start[0] == '-' ? -get_float8_infinity() : get_float8_infinity();
}

static char *
read_float8(MlsValueReader *reader, const MlsSpan *item, Datum *value)
{
	MlsSpan number;
	double result;

	if (!number_token(item, &number))
		return misfit(reader, item, NOT_OF_TYPE);
	if (number.kind == MLS_SPAN_NONFINITE)
		result = nonfinite_value(&number);
	else if (mls_number_to_double(number.start, number.len, &result) != MLS_NUMBER_OK)
		return misfit(reader, item, OUT_OF_RANGE);
	*value = Float8GetDatum(result);
	return NULL;
}

static char *
read_float4(MlsValueReader *reader, const MlsSpan *item, Datum *value)
{
	MlsSpan number;
	float result;

	if (!number_token(item, &number))
		return misfit(reader, item, NOT_OF_TYPE);
	if (number.kind == MLS_SPAN_NONFINITE)
		result = (float) nonfinite_value(&number);
	else if (mls_number_to_float(number.start, number.len, &result) != MLS_NUMBER_OK)
		return misfit(reader, item, OUT_OF_RANGE);
	*value = Float4GetDatum(result);
	return NULL;
}

/* An integer from min to max. */
static char *
read_integer(MlsValueReader *reader, const MlsSpan *item, int64 min, int64 max, int64 *result)
{
	MlsSpan number;
	MlsNumberStatus status;

	if (!number_token(item, &number) || number.kind == MLS_SPAN_NONFINITE)
		return misfit(reader, item, NOT_OF_TYPE);
	status = mls_number_to_int64(number.start, number.len, result);
	if (status == MLS_NUMBER_FRACTION)
		return misfit(reader, item, NOT_OF_TYPE);
	if (status == MLS_NUMBER_RANGE || *result < min || *result > max)
		return misfit(reader, item, OUT_OF_RANGE);
	return NULL;
}

static char *
read_int2(MlsValueReader *reader, const MlsSpan *item, Datum *value)
{
	int64 result;
	char *reason = read_integer(reader, item, PG_INT16_MIN, PG_INT16_MAX, &result);

	if (!reason)
		*value = Int16GetDatum((int16) result);
	return reason;
}

static char *
read_int4(MlsValueReader *reader, const MlsSpan *item, Datum *value)
{
	int64 result;
	char *reason = read_integer(reader, item, PG_INT32_MIN, PG_INT32_MAX, &result);

	if (!reason)
		*value = Int32GetDatum((int32) result);
	return reason;
}

static char *
read_int8(MlsValueReader *reader, const MlsSpan *item, Datum *value)
{
	int64 result;
	char *reason = read_integer(reader, item, PG_INT64_MIN, PG_INT64_MAX, &result);

	if (!reason)
		*value = Int64GetDatum(result);
	return reason;
}

/* Would numeric_in refuse these digits? Its limits are 131072 digits before the point and 16383 after it. */
static bool
numeric_too_large(const MlsSpan *number)
{
	const char *e = memchr(number->start, 'e', number->len);
	char digits[8] = "";
	int exponent;

	if (!e)
		e = memchr(number->start, 'E', number->len);
	if (number->len > 10000)
		return true;
	if (!e)
		return false;
	strlcpy(digits, e + 1, Min(sizeof(digits), number->start + number->len - e));
	exponent = atoi(digits);
	return number->start + number->len - e > sizeof(digits) || exponent > 100000 || exponent < -6000;
}

static char *
read_numeric(MlsValueReader *reader, const MlsSpan *item, Datum *value)
{
	MlsSpan number;
	char *digits;
	char *reason;

	if (!number_token(item, &number))
		return misfit(reader, item, NOT_OF_TYPE);
	if (number.kind == MLS_SPAN_NUMBER && numeric_too_large(&number))
		return misfit(reader, item, OUT_OF_RANGE);
	digits = pnstrdup(number.start, number.len);
	reason = call_input(reader, digits, value);
	pfree(digits);
	return reason;
}

static char *
read_bool(MlsValueReader *reader, const MlsSpan *item, Datum *value)
{
	int64 number;
	bool truth;

	if (item->kind == MLS_SPAN_TRUE || item->kind == MLS_SPAN_FALSE)
		truth = item->kind == MLS_SPAN_TRUE;
	else if (item->kind == MLS_SPAN_NUMBER && mls_number_to_int64(item->start, item->len, &number) == MLS_NUMBER_OK &&
			 (number == 0 || number == 1))
		truth = number == 1;
	else if (item->kind != MLS_SPAN_STRING || !parse_bool_with_len(item->start, item->len, &truth))
		return misfit(reader, item, NOT_OF_TYPE);
	*value = BoolGetDatum(truth);
	return NULL;
}

static char *
read_text(MlsValueReader *reader, const MlsSpan *item, Datum *value)
{
	char *text;
	int len;
	char *reason;

	if (item->kind != MLS_SPAN_STRING || (!item->escaped && GetDatabaseEncoding() == PG_UTF8))
	{
		*value = PointerGetDatum(cstring_to_text_with_len(item->start, item->len));
		return NULL;
	}
	reason = item_text(item, &text, &len);
	if (reason)
		return reason;
	*value = PointerGetDatum(cstring_to_text_with_len(text, len));
	pfree(text);
	return NULL;
}

static char *
read_bytea(MlsValueReader *reader, const MlsSpan *item, Datum *value)
{
	bytea *bytes;
	int len = -1;
	char *plain;

	if (item->kind != MLS_SPAN_STRING)
		return misfit(reader, item, NOT_OF_TYPE);
	/* '/' may come escaped */
	plain = palloc(item->len + 1);
	len = item->len;
	if (item->escaped)
		len = mls_json_unescape(item, plain);
	else
		memcpy(plain, item->start, len);
	bytes = palloc(VARHDRSZ + Max(len, 0) + 1);
	if (len >= 0)
		len = mls_base64_decode(plain, len, (unsigned char *) VARDATA(bytes));
	pfree(plain);
	if (len < 0)
		return misfit(reader, item, "is not base64 for type");
	SET_VARSIZE(bytes, VARHDRSZ + len);
	*value = PointerGetDatum(bytes);
	return NULL;
}

/* The JSON itself, which other than the reader's tolerance must be strict. A string's quotes are not in its span. */
static char *
read_json(MlsValueReader *reader, const MlsSpan *item, Datum *value)
{
	int quotes = item->kind == MLS_SPAN_STRING ? 1 : 0;
	const char *impurity = mls_json_impurity(item);
	char *text = NULL;
	int len;
	char *reason;

	if (impurity)
		return psprintf("the value holds %s, which type %s cannot", impurity, format_type_be(reader->type));
	reason = mls_from_utf8(item->start - quotes, item->len + 2 * quotes, &text, &len);
	if (!reason && reader->type == JSONOID)
		*value = PointerGetDatum(cstring_to_text_with_len(text, len));
	else if (!reason)
		reason = call_input(reader, text, value);
	if (text)
		pfree(text);
	return reason;
}

/* Types without a JSON form of their own: the text goes to the type's input function. */
static char *
read_input(MlsValueReader *reader, const MlsSpan *item, Datum *value)
{
	char *text;
	int len;
	char *reason = item_text(item, &text, &len);

	if (reason)
		return reason;
	reason = call_input(reader, text, value);
	pfree(text);
	return reason;
}

/* How long after midnight, also before 2000. */
static int64
timestamp_day_time(Timestamp time)
{
	int64 rest = time % USECS_PER_DAY;

	return rest < 0 ? rest + USECS_PER_DAY : rest;
}

/* A number as a time, the type's precision applied. */
static char *
read_epoch(MlsValueReader *reader, const MlsSpan *item, const MlsSpan *number, Datum *value)
{
	TimestampTz time;

	if (!mls_time_from_number(number->start, number->len, reader->time_unit, &time))
		return misfit(reader, item, OUT_OF_RANGE);
	*value = TimestampTzGetDatum(time);
	if (reader->type == DATEOID)
		*value = DateADTGetDatum((DateADT) ((time - timestamp_day_time(time)) / USECS_PER_DAY));
	else if (reader->typmod >= 0)
		*value = DirectFunctionCall2(timestamp_scale, *value, Int32GetDatum(reader->typmod));
	return NULL;
}

/*
 * A time: the usual ISO text at once, numbers (in strings only where their unit is told) as the reader's unit says, other
 * texts by the input function. A zone in the text of what has none is ignored, as that does.
 */
static char *
read_time(MlsValueReader *reader, const MlsSpan *item, Datum *value)
{
	MlsSpan number;
	Timestamp local;
	TimestampTz utc;
	bool zoned;

	if (item->kind == MLS_SPAN_STRING && reader->type != DATEOID && reader->typmod < 0 &&
		mls_time_parse_iso(item->start, item->len, &local, &utc, &zoned) && (zoned || reader->type == TIMESTAMPOID))
	{
		*value = TimestampTzGetDatum(reader->type == TIMESTAMPOID ? local : utc);
		return NULL;
	}
	if (reader->time_unit != MLS_TIME_TEXT && (item->kind == MLS_SPAN_NUMBER || reader->time_unit != MLS_TIME_AUTO) &&
		number_token(item, &number) && number.kind == MLS_SPAN_NUMBER)
		return read_epoch(reader, item, &number, value);
	return read_input(reader, item, value);
}

/* An enum's label; asked for beforehand, because its input function may raise. */
static char *
read_enum(MlsValueReader *reader, const MlsSpan *item, Datum *value)
{
	char *label;
	int len;
	char *reason = item_text(item, &label, &len);

	if (reason)
		return reason;
	if (len >= NAMEDATALEN ||
		!SearchSysCacheExists2(ENUMTYPOIDNAME, ObjectIdGetDatum(reader->type), CStringGetDatum(label)))
		return misfit(reader, item, NOT_OF_TYPE);
	return call_input(reader, label, value);
}

static void
choose_scalar(MlsValueReader *reader)
{
	Oid input;

	reader->unwrap_array = true;
	reader->unwrap_object = true;
	getTypeInputInfo(reader->type, &input, &reader->input_param);
	fmgr_info(input, &reader->input);
	switch (reader->type)
	{
		case FLOAT8OID:
			reader->read = read_float8;
			break;
		case FLOAT4OID:
			reader->read = read_float4;
			break;
		case INT2OID:
			reader->read = read_int2;
			break;
		case INT4OID:
			reader->read = read_int4;
			break;
		case INT8OID:
			reader->read = read_int8;
			break;
		case NUMERICOID:
			reader->read = read_numeric;
			break;
		case BOOLOID:
			reader->read = read_bool;
			break;
		case BYTEAOID:
			reader->read = read_bytea;
			break;
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			reader->read = read_time;
			break;
		case JSONOID:
		case JSONBOID:
			reader->read = read_json;
			reader->unwrap_array = reader->unwrap_object = false;
			break;
		default:
			reader->read = read_input;
			break;
	}
	if (type_is_enum(reader->type))
		reader->read = read_enum;
	if (reader->type == TEXTOID || (reader->type == VARCHAROID && reader->typmod < 0))
		reader->read = read_text;
}

MlsValueReader *
mls_value_reader(Oid type, int32 typmod, const MlsResultNames *names)
{
	MlsValueReader *reader;
	int32 base_typmod = typmod;
	Oid base = getBaseTypeAndTypmod(type, &base_typmod);
	Oid element = get_base_element_type(base);

	if (OidIsValid(element))
	{
		reader = mls_array_reader(mls_value_reader(get_element_type(base), base_typmod, NULL), get_element_type(base),
								  false);
		reader->flat = type_is_rowtype(element) || element == JSONOID || element == JSONBOID;
		reader->unwrap_object = true;
		reader->names = names;
	}
	else if (type_is_rowtype(base))
	{
		TupleDesc desc = lookup_rowtype_tupdesc(base, base_typmod);

		reader = mls_record_reader(desc, -1, names);
		ReleaseTupleDesc(desc);
	}
	else
	{
		reader = palloc0(sizeof(MlsValueReader));
		reader->type = base;
		reader->typmod = base_typmod;
		reader->names = names;
		choose_scalar(reader);
	}
	reader->domain = base != type ? type : InvalidOid;
	reader->cxt = CurrentMemoryContext;
	return reader;
}

/* The bytes themselves. */
static char *
read_bytes(MlsValueReader *reader, const MlsSpan *item, Datum *value)
{
	*value = PointerGetDatum(cstring_to_text_with_len(item->start, item->len));
	return NULL;
}

void
mls_value_reader_for_text(MlsValueReader *reader)
{
	if (reader->type == BYTEAOID)
		reader->read = read_bytes;
	else if (reader->read == read_json)
		reader->read = read_input;
}

/* Read an item that stands for itself. */
static char *
read_unwrapped(MlsValueReader *reader, const MlsSpan *item, Datum *value, bool *isnull)
{
	char *reason = NULL;

	*isnull = item->kind == MLS_SPAN_NULL;
	*value = (Datum) 0;
	if (!*isnull)
		reason = reader->read(reader, item, value);
	if (!reason && OidIsValid(reader->domain))
		reason = MlsDomainCheck(*value, *isnull, reader->domain, &reader->domain_cache, reader->cxt);
	return reason;
}

char *
mls_read_value(MlsValueReader *reader, const MlsSpan *item, Datum *value, bool *isnull)
{
	MlsSpan inner;
	char *reason;

	if (likely(item->kind > MLS_SPAN_ARRAY) || (!reader->unwrap_array && !reader->unwrap_object))
		return read_unwrapped(reader, item, value, isnull);
	inner = *item;
	reason = mls_unwrap_item(reader, &inner);
	return reason ? reason : read_unwrapped(reader, &inner, value, isnull);
}
