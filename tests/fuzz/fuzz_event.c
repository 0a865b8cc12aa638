/*
 * fuzz_event.c - libFuzzer on what streams bring: Avro values and schemas, CSV, gzip, paths into JSON, times. See run.sh.
 *
 * The input's first byte says who reads the rest. What Avro becomes must be JSON, within its limit; a value found by a
 * path must lie inside the event.
 */
#include "postgres.h"

#include "codec/avro_schema.h"
#include "codec/csv_record.h"
#include "codec/decode_time.h"
#include "codec/event_path.h"
#include "codec/gunzip.h"
#include "memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIMIT 100000

static const char *const schemas[] = {
	"{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":[\"null\",\"long\",\"string\"]},"
	"{\"name\":\"b\",\"type\":{\"type\":\"array\",\"items\":\"double\"}},{\"name\":\"c\",\"type\":{\"type\":\"map\","
	"\"values\":\"bytes\"}},{\"name\":\"d\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":9,"
	"\"scale\":3}},{\"name\":\"e\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},{\"name\":\"f\","
	"\"type\":{\"type\":\"int\",\"logicalType\":\"date\"}},{\"name\":\"g\",\"type\":\"float\"}]}",
	"{\"type\":\"record\",\"name\":\"l\",\"fields\":[{\"name\":\"h\",\"type\":{\"type\":\"enum\",\"name\":\"e\","
	"\"symbols\":"
	"[\"A\",\"B\"],\"default\":\"A\"}},{\"name\":\"t\",\"type\":[\"null\",\"l\",{\"type\":\"array\",\"items\":\"l\"}]}]"
	"}",
	"{\"type\":\"map\",\"values\":{\"type\":\"array\",\"items\":[\"null\",{\"type\":\"fixed\",\"name\":\"f\",\"size\":"
	"12,"
	"\"logicalType\":\"duration\"},{\"type\":\"int\",\"logicalType\":\"time-millis\"},{\"type\":\"long\","
	"\"logicalType\":"
	"\"local-timestamp-micros\"},\"boolean\"]}}"};

static void
read_avro(const MlsAvroNode *node, const char *data, size_t len)
{
	const char *at = data;
	StringInfoData out;
	MlsJsonReader r;
	MlsSpan value;

	initStringInfo(&out);
	if (mls_avro_to_json(node, &at, data + len, &out, LIMIT) != NULL)
		return;
	if (at > data + len || out.len > LIMIT + 2 * len + 1000)
		abort();
	mls_json_start(&r, out.data, out.len);
	if (!mls_json_value(&r, &value) || !mls_json_finish(&r))
		abort();
}

static void
fuzz_avro(const char *text, size_t len, int which)
{
	MlsAvroNode *writer;
	MlsAvroNode *reader;

	if (mls_avro_parse(schemas[which % 3], strlen(schemas[which % 3]), &writer) != NULL ||
		mls_avro_parse(schemas[which / 3 % 3], strlen(schemas[which / 3 % 3]), &reader) != NULL)
		abort();
	read_avro(writer, text, len);
	read_avro(mls_avro_resolve(writer, reader), text, len);
}

/* A schema, a NUL, a value. */
static void
fuzz_schema(const char *text, size_t len)
{
	const char *end = memchr(text, '\0', len);
	MlsAvroNode *node;
	MlsAvroNode *other;

	if (!end || mls_avro_parse(text, end - text, &node) != NULL)
		return;
	read_avro(node, end + 1, text + len - end - 1);
	mls_avro_parse(schemas[0], strlen(schemas[0]), &other);
	read_avro(mls_avro_resolve(node, other), end + 1, text + len - end - 1);
	read_avro(mls_avro_resolve(other, node), end + 1, text + len - end - 1);
}

/* A path, a NUL, an event. */
static void
fuzz_path(const char *text, size_t len)
{
	const char *end = memchr(text, '\0', len);
	MlsPathNode root = {0};
	MlsPathItem items[3] = {0};
	MlsJsonReader r;

	if (!end || mls_path_add(&root, text, 0, 1) != NULL)
		return;
	mls_path_target(mls_path_member(&root, "a"), 1, 0, true);
	mls_path_target(mls_path_member(mls_path_member(&root, "a"), "b"), 2, 0, true);
	mls_path_add(&root, "$.a.b[1]", 0, 0);
	mls_json_start(&r, end + 1, text + len - end - 1);
	if (mls_json_peek(&r) != MLS_SPAN_OBJECT || !mls_path_read(&root, &r, NULL, items))
		return;
	for (int i = 0; i < 3; i++)
	{
		if (items[i].span.kind != MLS_SPAN_NONE &&
			(items[i].span.start <= end || items[i].span.start + items[i].span.len > text + len))
			abort();
	}
}

/* Fields must lie in the body or in the buffer, and be no longer than the body together. */
static void
fuzz_csv(const char *text, size_t len)
{
	static const MlsCsvDialect dialects[] = {{',', '"', '"'}, {';', '\'', '\\'}, {'\t', '"', '\\'}, {'|', '|', '|'}};
	MlsCsvReader csv;
	size_t total = 0;
	bool more = true;

	if (len == 0)
		return;
	mls_csv_init(&csv, dialects[(unsigned char) *text % lengthof(dialects)], 1);
	mls_csv_start(&csv, text + 1, len - 1);
	while (mls_csv_next(&csv, &more) == NULL && more)
	{
		for (int i = 0; i < csv.nfields; i++)
		{
			const MlsSpan *field = &csv.fields[i].text;
			const char *from = csv.fields[i].copied >= 0 ? csv.scratch.data : text;
			const char *to = csv.fields[i].copied >= 0 ? csv.scratch.data + csv.scratch.len : text + len;

			if (field->start < from || field->start + field->len > to)
				abort();
			total += field->len;
		}
		if (csv.nfields == 0 || total > len)
			abort();
	}
}

static void
fuzz_time(const char *text, size_t len)
{
	Timestamp local;
	TimestampTz utc;
	bool zoned;
	MlsJsonReader r;
	MlsSpan value;

	mls_time_parse_iso(text, len, &local, &utc, &zoned);
	mls_json_start(&r, text, len);
	if (mls_json_value(&r, &value) && value.kind == MLS_SPAN_NUMBER)
	{
		for (int unit = MLS_TIME_AUTO; unit <= MLS_TIME_NANOSECONDS; unit++)
			mls_time_from_number(value.start, value.len, unit, &utc);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;
	char *out;
	size_t out_len;

	if (size == 0)
		return 0;
	text = palloc(size);
	memcpy(text, data + 1, size - 1);
	switch (data[0] % 16)
	{
		case 9:
			fuzz_schema(text, size - 1);
			break;
		case 10:
			fuzz_path(text, size - 1);
			break;
		case 11:
			fuzz_time(text, size - 1);
			break;
		case 12:
			mls_gunzip(text, size - 1, LIMIT, &out, &out_len);
			break;
		case 13:
			fuzz_csv(text, size - 1);
			break;
		default:
			fuzz_avro(text, size - 1, data[0] % 16);
			break;
	}
	free_everything();
	return 0;
}
