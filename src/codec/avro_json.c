/*
 * avro_json.c - Avro's binary encoding to JSON; see avro_schema.h.
 *
 * Nothing that the data says is believed before it is checked: lengths and counts against what is left, the JSON's size
 * against its limit, depth against the JSON reader's.
 */
#include "postgres.h"

#include <math.h>

#include "codec/avro_schema.h"
#include "codec/json_number.h"
#include "codec/json_write.h"
#include "datatype/timestamp.h"

typedef struct AvroInput
{
	const char *at;
	const char *end;
	StringInfo out;
	int limit;
	int64 skipped; /* bytes of JSON that were made and are not kept */
	int depth;
} AvroInput;

static char *write_node(AvroInput *in, const MlsAvroNode *node);

static char *
early_end(void)
{
	return pstrdup("the data ends early");
}

static bool
read_long(AvroInput *in, int64 *result)
{
	uint64 value = 0;

	for (int shift = 0; shift < 70 && in->at < in->end; shift += 7)
	{
		unsigned char byte = (unsigned char) *in->at++;

		if (shift == 63 && byte > 1)
			return false;
		value |= (uint64) (byte & 0x7F) << shift;
		if (byte < 0x80)
		{
			*result = (int64) (value >> 1) ^ -(int64) (value & 1);
			return true;
		}
	}
	return false;
}

static char *
bad_long(const AvroInput *in)
{
	return in->at >= in->end ? early_end() : pstrdup("a number has too many bytes");
}

/* The next n bytes, or NULL. */
static const char *
take(AvroInput *in, int64 n)
{
	const char *bytes = in->at;

	if (n < 0 || n > in->end - in->at)
		return NULL;
	in->at += n;
	return bytes;
}

/* Numbers of 4 or 8 bytes, the lowest first. */
static uint64
little_endian(const char *bytes, int n)
{
	uint64 result = 0;

	for (int i = n - 1; i >= 0; i--)
		result = (result << 8) | (unsigned char) bytes[i];
	return result;
}

static void
write_double(StringInfo out, double value)
{
	if (isnan(value))
		appendStringInfoString(out, "NaN");
	else if (isinf(value))
		appendStringInfoString(out, value > 0 ? "Infinity" : "-Infinity");
	else
		mls_json_write_double(out, value, false);
}

static void
write_float(StringInfo out, float value)
{
	if (isnan(value) || isinf(value))
		write_double(out, value);
	else
		mls_json_write_float(out, value, false);
}

/* The day of the Gregorian calendar so many days after 1970-01-01. */
static void
civil_date(int64 days, int *year, int *month, int *day)
{
	int64 z = days + 719468;
	int64 era = (z >= 0 ? z : z - 146096) / 146097;
	int in_era = (int) (z - era * 146097);
	int year_of_era = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	int day_of_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int m = (5 * day_of_year + 2) / 153;

	*day = day_of_year - (153 * m + 2) / 5 + 1;
	*month = m < 10 ? m + 3 : m - 9;
	*year = (int) (year_of_era + era * 400) + (*month <= 2);
}

/* A quoted ISO text; years before 1 as PostgreSQL reads them. False when the year is no year of anybody's. */
static bool
write_moment(StringInfo out, int64 days, int64 usecs, bool with_time, const char *zone)
{
	int year;
	int month;
	int day;

	if (days < -3000000 || days > 110000000)
		return false;
	civil_date(days, &year, &month, &day);
	appendStringInfo(out, "\"%04d-%02d-%02d", year > 0 ? year : 1 - year, month, day);
	if (with_time)
		appendStringInfo(out, "T%02d:%02d:%02d.%06d%s", (int) (usecs / USECS_PER_HOUR),
						 (int) (usecs / USECS_PER_MINUTE % 60), (int) (usecs / USECS_PER_SEC % 60),
						 (int) (usecs % USECS_PER_SEC), zone);
	appendStringInfoString(out, year > 0 ? "\"" : " BC\"");
	return true;
}

static bool
write_timestamp(StringInfo out, int64 usecs, const char *zone)
{
	int64 days = usecs / USECS_PER_DAY;
	int64 rest = usecs % USECS_PER_DAY;

	if (rest < 0)
	{
		rest += USECS_PER_DAY;
		days--;
	}
	return write_moment(out, days, rest, true, zone);
}

static bool
write_time(StringInfo out, int64 usecs)
{
	if (usecs < 0 || usecs > USECS_PER_DAY)
		return false;
	appendStringInfo(out, "\"%02d:%02d:%02d.%06d\"", (int) (usecs / USECS_PER_HOUR),
					 (int) (usecs / USECS_PER_MINUTE % 60), (int) (usecs / USECS_PER_SEC % 60),
					 (int) (usecs % USECS_PER_SEC));
	return true;
}

char *
mls_avro_write_whole(StringInfo out, const MlsAvroNode *node, int64 value)
{
	int64 usecs = value;
	bool good = true;

	if (node->logical == MLS_AVRO_TIME_MILLIS || node->logical == MLS_AVRO_TIMESTAMP_MILLIS ||
		node->logical == MLS_AVRO_LOCAL_MILLIS)
	{
		good = value > PG_INT64_MIN / 1000 && value < PG_INT64_MAX / 1000;
		usecs = good ? value * 1000 : 0;
	}
	switch (node->logical)
	{
		case MLS_AVRO_DATE:
			good = write_moment(out, value, 0, false, "");
			break;
		case MLS_AVRO_TIME_MILLIS:
		case MLS_AVRO_TIME_MICROS:
			good = good && write_time(out, usecs);
			break;
		case MLS_AVRO_TIMESTAMP_MILLIS:
		case MLS_AVRO_TIMESTAMP_MICROS:
			good = good && write_timestamp(out, usecs, "Z");
			break;
		case MLS_AVRO_LOCAL_MILLIS:
		case MLS_AVRO_LOCAL_MICROS:
			good = good && write_timestamp(out, usecs, "");
			break;
		default:
			mls_json_write_int(out, value);
			break;
	}
	return good ? NULL : psprintf("%lld is out of range for its date or time", (long long) value);
}

/* Digits of a number of many bytes, the highest first, divided again and again; room for all of them. */
static int
decimal_digits(const char *bytes, int len, bool negative, char *digits)
{
	unsigned char *number = palloc(len + 1);
	int n = 0;
	int start = 0;
	int carry = 1;

	for (int i = len - 1; i >= 0; i--)
	{
		number[i] = (unsigned char) bytes[i];
		if (negative)
		{
			carry += (unsigned char) ~number[i];
			number[i] = (unsigned char) carry;
			carry >>= 8;
		}
	}
	while (start < len)
	{
		int rest = 0;

		for (int i = start; i < len; i++)
		{
			rest = rest * 256 + number[i];
			number[i] = rest / 10;
			rest %= 10;
		}
		digits[n++] = '0' + rest;
		while (start < len && number[start] == 0)
			start++;
	}
	pfree(number);
	return n;
}

#define MAX_DECIMAL 512 /* bytes: some 1,200 digits */

static char *
write_decimal(StringInfo out, const char *bytes, int len, int scale)
{
	bool negative = len > 0 && (bytes[0] & 0x80) != 0;
	char digits[MAX_DECIMAL * 3 + 1];
	int n;

	if (len > MAX_DECIMAL)
		return psprintf("a decimal of %d bytes is too long", len);
	n = decimal_digits(bytes, len, negative, digits);
	if (negative)
		mls_json_write_char(out, '-');
	if (n <= scale)
		mls_json_write_char(out, '0');
	for (int i = Max(n, scale) - 1; i >= 0; i--)
	{
		if (i == scale - 1)
			mls_json_write_char(out, '.');
		mls_json_write_char(out, i < n ? digits[i] : '0');
	}
	return NULL;
}

char *
mls_avro_write_bytes(StringInfo out, const MlsAvroNode *node, const char *bytes, int len)
{
	if (node->logical == MLS_AVRO_DECIMAL)
		return write_decimal(out, bytes, len, node->scale);
	if (node->logical == MLS_AVRO_DURATION)
		appendStringInfo(out, "\"%u months %u days %u.%03u seconds\"", (unsigned) little_endian(bytes, 4),
						 (unsigned) little_endian(bytes + 4, 4), (unsigned) little_endian(bytes + 8, 4) / 1000,
						 (unsigned) little_endian(bytes + 8, 4) % 1000);
	else
		mls_json_write_base64(out, (const unsigned char *) bytes, len);
	return NULL;
}

static char *
write_record(AvroInput *in, const MlsAvroNode *node)
{
	bool first = true;

	mls_json_write_char(in->out, '{');
	for (int i = 0; i < node->nfields; i++)
	{
		const MlsAvroField *field = &node->fields[i];
		int before = in->out->len;
		char *reason;

		if (field->name)
		{
			if (!first)
				mls_json_write_char(in->out, ',');
			mls_json_write_string(in->out, field->name, strlen(field->name));
			mls_json_write_char(in->out, ':');
			first = false;
		}
		reason = write_node(in, field->node);
		if (reason)
			return field->name && in->depth == 1 ? psprintf("field \"%s\": %s", field->name, reason) : reason;
		if (!field->name)
		{
			in->skipped += in->out->len - before;
			in->out->len = before;
		}
	}
	if (node->defaults && node->defaults[0] != '\0')
	{
		if (!first)
			mls_json_write_char(in->out, ',');
		appendStringInfoString(in->out, node->defaults);
	}
	mls_json_write_char(in->out, '}');
	return NULL;
}

/* How many items the next block has; 0 at the end. Whether they can be there is known only when each takes a byte. */
static char *
read_block(AvroInput *in, int64 *count)
{
	int64 size;

	if (!read_long(in, count))
		return bad_long(in);
	if (*count < 0)
	{
		if (!read_long(in, &size))
			return bad_long(in);
		if (*count == PG_INT64_MIN)
			return pstrdup("a block has an impossible number of items");
		*count = -*count;
	}
	return NULL;
}

static char *
write_key(AvroInput *in)
{
	int64 len;
	const char *key;

	if (!read_long(in, &len))
		return bad_long(in);
	key = take(in, len);
	if (!key)
		return early_end();
	mls_json_write_string(in->out, key, len);
	mls_json_write_char(in->out, ':');
	return NULL;
}

/* An array or a map. */
static char *
write_items(AvroInput *in, const MlsAvroNode *node)
{
	bool map = node->type == MLS_AVRO_MAP;
	bool first = true;
	int64 count;
	char *reason;

	mls_json_write_char(in->out, map ? '{' : '[');
	while ((reason = read_block(in, &count)) == NULL && count > 0)
	{
		for (; count > 0; count--)
		{
			if (!first)
				mls_json_write_char(in->out, ',');
			first = false;
			reason = map ? write_key(in) : NULL;
			if (!reason)
				reason = write_node(in, node->fields[0].node);
			if (reason)
				return reason;
		}
	}
	mls_json_write_char(in->out, map ? '}' : ']');
	return reason;
}

static char *
write_enum(AvroInput *in, const MlsAvroNode *node)
{
	int64 index;

	if (!read_long(in, &index))
		return bad_long(in);
	if (index < 0 || index >= node->nsymbols)
		return psprintf("enum \"%s\" has no symbol %lld", node->name, (long long) index);
	if (!node->symbols[index])
		return psprintf("enum \"%s\" has a symbol that the reader's schema has not", node->name);
	mls_json_write_string(in->out, node->symbols[index], strlen(node->symbols[index]));
	return NULL;
}

static char *
write_union(AvroInput *in, const MlsAvroNode *node)
{
	int64 index;

	if (!read_long(in, &index))
		return bad_long(in);
	if (index < 0 || index >= node->nfields)
		return psprintf("a union of %d has no branch %lld", node->nfields, (long long) index);
	return write_node(in, node->fields[index].node);
}

static char *
write_number(AvroInput *in, const MlsAvroNode *node)
{
	const char *bytes;
	int64 whole;

	if (node->type == MLS_AVRO_FLOAT || node->type == MLS_AVRO_DOUBLE)
	{
		int size = node->type == MLS_AVRO_FLOAT ? 4 : 8;
		uint64 bits;
		uint32 half;
		double value;
		float single;

		bytes = take(in, size);
		if (!bytes)
			return early_end();
		bits = little_endian(bytes, size);
		half = (uint32) bits;
		memcpy(&value, &bits, sizeof(value));
		memcpy(&single, &half, sizeof(single));
		if (size == 4)
			write_float(in->out, single);
		else
			write_double(in->out, value);
		return NULL;
	}
	if (!read_long(in, &whole))
		return bad_long(in);
	if (node->type == MLS_AVRO_INT && (whole < PG_INT32_MIN || whole > PG_INT32_MAX))
		return psprintf("%lld is out of range for an int", (long long) whole);
	return mls_avro_write_whole(in->out, node, whole);
}

static char *
write_boolean(AvroInput *in)
{
	const char *byte = take(in, 1);

	if (!byte)
		return early_end();
	if (*byte != 0 && *byte != 1)
		return psprintf("byte %d is no boolean", (unsigned char) *byte);
	appendStringInfoString(in->out, *byte ? "true" : "false");
	return NULL;
}

/* A string, bytes or a fixed. */
static char *
write_run(AvroInput *in, const MlsAvroNode *node)
{
	int64 len = node->size;
	const char *bytes;

	if (node->type != MLS_AVRO_FIXED && !read_long(in, &len))
		return bad_long(in);
	bytes = take(in, len);
	if (!bytes)
		return early_end();
	if (node->type != MLS_AVRO_STRING)
		return mls_avro_write_bytes(in->out, node, bytes, len);
	mls_json_write_string(in->out, bytes, len);
	return NULL;
}

static char *
write_nested(AvroInput *in, const MlsAvroNode *node)
{
	char *reason;

	if (in->depth >= MLS_JSON_MAX_DEPTH)
		return pstrdup("the data nests too deep");
	in->depth++;
	if (node->type == MLS_AVRO_RECORD)
		reason = write_record(in, node);
	else if (node->type == MLS_AVRO_UNION)
		reason = write_union(in, node);
	else
		reason = write_items(in, node);
	in->depth--;
	return reason;
}

static char *
write_node(AvroInput *in, const MlsAvroNode *node)
{
	if (in->out->len + in->skipped > in->limit)
		return psprintf("the event is larger than %d bytes as JSON", in->limit);
	switch (node->type)
	{
		case MLS_AVRO_NULL:
			appendStringInfoString(in->out, "null");
			return NULL;
		case MLS_AVRO_BOOLEAN:
			return write_boolean(in);
		case MLS_AVRO_INT:
		case MLS_AVRO_LONG:
		case MLS_AVRO_FLOAT:
		case MLS_AVRO_DOUBLE:
			return write_number(in, node);
		case MLS_AVRO_BYTES:
		case MLS_AVRO_STRING:
		case MLS_AVRO_FIXED:
			return write_run(in, node);
		case MLS_AVRO_ENUM:
			return write_enum(in, node);
		case MLS_AVRO_RECORD:
		case MLS_AVRO_ARRAY:
		case MLS_AVRO_MAP:
		case MLS_AVRO_UNION:
			return write_nested(in, node);
		case MLS_AVRO_UNREADABLE:
			break;
	}
	return pstrdup(node->reason);
}

char *
mls_avro_to_json(const MlsAvroNode *node, const char **data, const char *end, StringInfo out, int limit)
{
	AvroInput in = {.at = *data, .end = end, .out = out, .limit = limit};
	char *reason = write_node(&in, node);

	*data = in.at;
	return reason;
}
