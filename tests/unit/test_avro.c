/* sources: src/codec/avro_schema.c src/codec/avro_resolve.c src/codec/avro_json.c src/codec/json_read.c src/codec/json_write.c src/codec/json_number.c tests/unit/encoding_shim.c
 *
 * test_avro.c - Avro's schemas, their resolution, values to JSON. What no value can be is in sql/decode_avro.sql, too.
 */
#include "postgres.h"

#include "codec/avro_schema.h"
#include "tap.h"

#define RECORD(fields) "{\"type\": \"record\", \"name\": \"r\", \"fields\": [" fields "]}"

static MlsAvroNode *
parse(const char *schema)
{
	MlsAvroNode *node;
	char *reason = mls_avro_parse(schema, strlen(schema), &node);

	if (reason)
	{
		ok(0, "%s: %s", schema, reason);
		abort();
	}
	return node;
}

static char *
decode(const MlsAvroNode *node, const char *data, int len, int limit)
{
	const char *at = data;
	StringInfoData out;
	char *reason;

	initStringInfo(&out);
	reason = mls_avro_to_json(node, &at, data + len, &out, limit);
	out.data[out.len] = '\0';
	if (reason)
		return psprintf("! %s", reason);
	return at == data + len ? out.data : psprintf("%s and more", out.data);
}

/* What writer wrote, read as reader, must be expected; "! reason" when it cannot be. */
static void
resolved(const char *writer, const char *reader, const char *data, int len, const char *expected)
{
	MlsAvroNode *node = mls_avro_resolve(parse(writer), parse(reader));
	char *got = decode(node, data, len, 1000);

	ok(strcmp(got, expected) == 0, "%s read as %s: %s", writer, reader, got);
}

static void
test_promotions(void)
{
	resolved("\"int\"", "\"long\"", "\x04", 1, "2");
	resolved("\"int\"", "\"double\"", "\x04", 1, "2");
	resolved("\"long\"", "\"float\"", "\x04", 1, "2");
	resolved("\"float\"", "\"double\"", "\0\0\xc0\x3f", 4, "1.5");
	resolved("\"string\"", "\"bytes\"", "\x04hi", 3, "\"aGk=\"");
	resolved("\"bytes\"", "\"string\"", "\x04hi", 3, "\"hi\"");
	resolved("\"long\"", "\"int\"", "\x04", 1, "! type long cannot be read as int");
	resolved("\"double\"", "\"float\"", "\0\0\0\0\0\0\0\0", 8, "! type double cannot be read as float");
	resolved("\"int\"", "\"string\"", "\x04", 1, "! type int cannot be read as string");
	resolved("\"int\"", "{\"type\": \"int\", \"logicalType\": \"date\"}", "\x02", 1, "\"1970-01-02\"");
	resolved("{\"type\": \"int\", \"logicalType\": \"date\"}", "\"long\"", "\x02", 1, "1");
	resolved("{\"type\": \"array\", \"items\": \"int\"}", "{\"type\": \"array\", \"items\": \"double\"}", "\x02\x02\0",
			 3, "[1]");
	resolved("{\"type\": \"fixed\", \"name\": \"a\", \"size\": 2}",
			 "{\"type\": \"fixed\", \"name\": \"a\", \"size\": 3}", "ab", 2,
			 "! fixed \"a\" has 2 bytes and the reader's 3");
	resolved("{\"type\": \"bytes\", \"logicalType\": \"decimal\", \"precision\": 4, \"scale\": 1}",
			 "{\"type\": \"bytes\", \"logicalType\": \"decimal\", \"precision\": 4, \"scale\": 2}", "\x02\x05", 2,
			 "! a decimal of scale 1 cannot be read as one of scale 2");
}

static void
test_unions(void)
{
	resolved("\"int\"", "[\"null\", \"long\"]", "\x04", 1, "2");
	resolved("\"int\"", "[\"string\", \"double\", \"int\"]", "\x04", 1, "2");
	resolved("\"int\"", "[\"null\", \"string\"]", "\x04", 1, "! type int cannot be read as union");
	resolved("[\"null\", \"int\"]", "\"long\"", "\x02\x04", 2, "2");
	resolved("[\"null\", \"int\"]", "\"long\"", "\0", 1, "! type null cannot be read as long");
	resolved("[\"int\", \"string\"]", "[\"string\", \"null\", \"long\"]", "\x02\x02x", 3, "\"x\"");
	resolved(
		"[" RECORD(
			"{\"name\": \"a\", \"type\": \"int\"}") ", {\"type\": \"record\", \"name\": \"s\", \"fields\": [{\"name\": "
													"\"a\", \"type\": \"string\"}]}]",
		"[{\"type\": \"record\", \"name\": \"s\", \"fields\": [{\"name\": \"a\", \"type\": \"string\"}]}, " RECORD(
			"{\"name\": \"a\", \"type\": \"int\"}") "]",
		"\0\x02", 2, "{\"a\":1}");
}

static void
test_records(void)
{
	const char *writer = RECORD("{\"name\": \"a\", \"type\": \"int\"}, {\"name\": \"b\", \"type\": \"string\"}");

	resolved(writer, RECORD("{\"name\": \"b\", \"type\": \"string\"}, {\"name\": \"a\", \"type\": \"long\"}"),
			 "\x02\x02x", 3, "{\"a\":1,\"b\":\"x\"}");
	resolved(writer, RECORD("{\"name\": \"b\", \"type\": \"string\"}"), "\x02\x02x", 3, "{\"b\":\"x\"}");
	resolved(writer, RECORD("{\"name\": \"c\", \"type\": \"string\", \"aliases\": [\"z\", \"b\"]}"), "\x02\x02x", 3,
			 "{\"c\":\"x\"}");
	resolved(writer, RECORD("{\"name\": \"c\", \"type\": \"int\"}"), "\x02\x02x", 3,
			 "! the writer's record \"r\" has no field \"c\", and the reader's has no default for it");
	resolved(
		"{\"type\": \"record\", \"name\": \"l\", \"fields\": [{\"name\": \"v\", \"type\": \"int\"}, {\"name\": \"n\", "
		"\"type\": [\"null\", \"l\"]}]}",
		"{\"type\": \"record\", \"name\": \"l\", \"fields\": [{\"name\": \"n\", \"type\": [\"null\", \"l\"]}, "
		"{\"name\": "
		"\"v\", \"type\": \"double\"}, {\"name\": \"x\", \"type\": \"int\", \"default\": 7}]}",
		"\x02\x02\x04\0", 4, "{\"v\":1,\"n\":{\"v\":2,\"n\":null,\"x\":7},\"x\":7}");
}

/* A default of this type must come out as expected; "! reason" when it is none. */
static void
defaulted(const char *type, const char *def, const char *expected)
{
	char *reader = psprintf(RECORD("{\"name\": \"d\", \"type\": %s, \"default\": %s}"), type, def);
	MlsAvroNode *node = mls_avro_resolve(parse(RECORD("{\"name\": \"a\", \"type\": \"null\"}")), parse(reader));
	char *got = decode(node, "", 0, 1000);
	char *wanted = expected[0] == '!' ? pstrdup(expected) : psprintf("{\"d\":%s}", expected);

	ok(strcmp(got, wanted) == 0, "default %s of %s: %s", def, type, got);
}

static void
test_defaults(void)
{
	defaulted("\"null\"", "null", "null");
	defaulted("\"boolean\"", "false", "false");
	defaulted("\"long\"", "-7", "-7");
	defaulted("\"double\"", "1.50", "1.50");
	defaulted("\"string\"", "\"x\\ny\"", "\"x\\ny\"");
	defaulted("\"bytes\"", "\"\\u00ff\\u0000a\\n\"", "\"/wBhCg==\"");
	defaulted("\"bytes\"", "\"\xc3\xbf\"", "\"/w==\"");
	defaulted("\"bytes\"", "\"\\u0100\"", "! field \"d\": its default has a character beyond 255");
	defaulted("\"bytes\"", "\"\xe2\x82\xac\"", "! field \"d\": its default has a character beyond 255");
	defaulted("{\"type\": \"bytes\", \"logicalType\": \"decimal\", \"precision\": 4, \"scale\": 2}", "\"\\u0005\"",
			  "0.05");
	defaulted("{\"type\": \"fixed\", \"name\": \"f\", \"size\": 2}", "\"a\"",
			  "! field \"d\": its default has 1 bytes where 2 are expected");
	defaulted("{\"type\": \"int\", \"logicalType\": \"date\"}", "1", "\"1970-01-02\"");
	defaulted("{\"type\": \"enum\", \"name\": \"e\", \"symbols\": [\"A\"]}", "\"A\"", "\"A\"");
	defaulted("{\"type\": \"array\", \"items\": \"int\"}", "[1, 2]", "[1,2]");
	defaulted("{\"type\": \"map\", \"values\": \"int\"}", "{\"x\": 1}", "{\"x\":1}");
	defaulted("[\"null\", \"int\"]", "null", "null");
	defaulted("[\"int\", \"null\"]", "null", "null");
	defaulted("[\"int\", \"null\"]", "\"x\"", "! field \"d\": its default is no value of type null");
	defaulted("\"int\"", "1.5", "! field \"d\": its default is not a whole number");
	defaulted("\"int\"", "\"1\"", "! field \"d\": its default is no value of type int");
	defaulted(
		"{\"type\": \"record\", \"name\": \"q\", \"fields\": [{\"name\": \"x\", \"type\": \"int\"}, {\"name\": \"y\", "
		"\"type\": \"int\", \"default\": 5}]}",
		"{\"x\": 1}", "{\"x\":1,\"y\":5}");
	defaulted(
		"{\"type\": \"record\", \"name\": \"q\", \"fields\": [{\"name\": \"x\", \"type\": \"q\", \"default\": {}}]}",
		"{}", "! field \"d\": its default nests too deep");
}

static void
test_enums(void)
{
	const char *writer = "{\"type\": \"enum\", \"name\": \"e\", \"symbols\": [\"A\", \"B\", \"C\"]}";

	resolved(writer, "{\"type\": \"enum\", \"name\": \"e\", \"symbols\": [\"C\", \"A\"]}", "\x04", 1, "\"C\"");
	resolved(writer, "{\"type\": \"enum\", \"name\": \"e\", \"symbols\": [\"C\", \"A\"]}", "\x02", 1,
			 "! enum \"e\" has a symbol that the reader's schema has not");
	resolved(writer, "{\"type\": \"enum\", \"name\": \"e\", \"symbols\": [\"C\", \"A\"], \"default\": \"A\"}", "\x02",
			 1, "\"A\"");
}

/* Names: namespaces are inherited, and types may be referred to by either name. */
static void
test_names(void)
{
	MlsAvroNode *node =
		parse("{\"type\": \"record\", \"name\": \"a.b.R\", \"fields\": [{\"name\": \"x\", \"type\": {\"type\": "
			  "\"fixed\", \"name\": \"F\", \"size\": 1}}, {\"name\": \"y\", \"type\": \"F\"}, {\"name\": "
			  "\"z\", \"type\": \"a.b.F\"}]}");

	ok(strcmp(node->name, "a.b.R") == 0 && strcmp(node->fields[0].node->name, "a.b.F") == 0,
	   "namespaces are inherited");
	ok(node->fields[1].node == node->fields[0].node && node->fields[2].node == node->fields[0].node,
	   "a type is found by its short and its full name");
	ok(strcmp(decode(node, "abc", 3, 1000), "{\"x\":\"YQ==\",\"y\":\"Yg==\",\"z\":\"Yw==\"}") == 0, "and read");
}

/* What is cut anywhere is told to be cut, and nothing is read beyond its end. */
static void
test_truncated(void)
{
	static const char data[] = "\x04\x06"
							   "abc\x02\x04\x02\x04\0\x02\x02k\x06xyz\0\x02\0\0\0\0\0\0\xf8\x3f\x01";
	MlsAvroNode *node = parse(RECORD(
		"{\"name\": \"a\", \"type\": \"int\"}, {\"name\": \"b\", \"type\": \"string\"}, {\"name\": \"c\", \"type\": "
		"[\"null\", {\"type\": \"array\", \"items\": \"int\"}]}, {\"name\": \"d\", \"type\": {\"type\": \"map\", "
		"\"values\": \"bytes\"}}, {\"name\": \"e\", \"type\": {\"type\": \"enum\", \"name\": \"m\", \"symbols\": "
		"[\"A\", \"B\"]}}, {\"name\": \"f\", \"type\": \"double\"}, {\"name\": \"g\", \"type\": \"boolean\"}"));
	int len = sizeof(data) - 1;
	int wrong = 0;

	ok(strcmp(decode(node, data, len, 1000),
			  "{\"a\":2,\"b\":\"abc\",\"c\":[1,2],\"d\":{\"k\":\"eHl6\"},\"e\":\"B\",\"f\":1.5,\"g\":true}") == 0,
	   "the whole is read: %s", decode(node, data, len, 1000));
	for (int cut = 0; cut < len; cut++)
	{
		char *part = malloc(cut + 1);

		memcpy(part, data, cut);
		wrong += strstr(decode(node, part, cut, 1000), "the data ends early") == NULL;
		free(part);
	}
	ok(wrong == 0, "every shorter part ends early");
}

static void
test_bounds(void)
{
	MlsAvroNode *nulls = parse("{\"type\": \"array\", \"items\": \"null\"}");
	MlsAvroNode *skipped =
		mls_avro_resolve(parse(RECORD("{\"name\": \"a\", \"type\": {\"type\": \"array\", \"items\": \"null\"}}")),
						 parse(RECORD("{\"name\": \"b\", \"type\": \"int\", \"default\": 1}")));

	MlsAvroNode *many = mls_avro_resolve(
		parse("{\"type\": \"array\", \"items\": " RECORD(
			"{\"name\": \"a\", \"type\": {\"type\": \"array\", \"items\": \"null\"}}") "}"),
		parse("{\"type\": \"array\", \"items\": " RECORD("{\"name\": \"b\", \"type\": \"int\", \"default\": 1}") "}"));

	ok(strcmp(decode(nulls, "\xfe\xff\xff\xff\x0f", 5, 10000), "! the event is larger than 10000 bytes as JSON") == 0,
	   "items that take no bytes are bounded");
	ok(strcmp(decode(skipped, "\xfe\xff\xff\xff\x0f", 5, 10000), "! the event is larger than 10000 bytes as JSON") == 0,
	   "also where they are skipped");
	ok(strcmp(decode(skipped, "\x04\0", 2, 10000), "{\"b\":1}") == 0, "a few are skipped");
	ok(strcmp(decode(many, "\x06\xd0\x0f\0\xd0\x0f\0\xd0\x0f\0\0", 11, 20000), "[{\"b\":1},{\"b\":1},{\"b\":1}]") == 0,
	   "three times a thousand, too");
	ok(strcmp(decode(many, "\x06\xd0\x0f\0\xd0\x0f\0\xd0\x0f\0\0", 11, 10000),
			  "! the event is larger than 10000 bytes as JSON") == 0,
	   "what is skipped again and again adds up");
}

int
main(void)
{
	test_promotions();
	test_unions();
	test_records();
	test_defaults();
	test_enums();
	test_names();
	test_truncated();
	test_bounds();
	return done_testing();
}
