/* sources: src/inference/record.c src/codec/json_read.c
 *
 * test_record.c - records on their way to an inference log: what goes in comes out.
 */
#include "postgres.h"

#include "inference/record.h"
#include "mb/pg_wchar.h"
#include "tap.h"

/* The server's, for a database in a single-byte encoding. */
int
pg_mbcliplen(const char *text, int len, int limit)
{
	return Min(len, limit);
}

static MlsSpan
span_of(const char *json)
{
	MlsJsonReader reader;
	MlsSpan span;

	mls_json_start(&reader, json, strlen(json));
	if (!mls_json_value(&reader, &span))
		fprintf(stderr, "# no JSON: %s\n", json);
	return span;
}

/* What a log shows for a result that the reply has as json. */
static const char *
shown(const char *json)
{
	MlsRecord header = {.ntuples = 1};
	MlsSpan span = span_of(json);
	StringInfoData out;
	MlsRecordReader reader;
	const char *inputs;
	const char *outputs;
	int model_rows;

	initStringInfo(&out);
	mls_record_begin(&out, &header, "", 0);
	mls_record_add_result(&out, 1, "{}", 2, &span);
	mls_record_start(&reader, mls_record_end(&out, NULL));
	mls_record_read(&reader, &model_rows, &inputs, &outputs);
	return outputs;
}

static void
check_results(void)
{
	static const char *const cases[][2] = {{"1.50", "1.50"},	 {"\"a\\\"b\"", "\"a\\\"b\""},
										   {"null", "null"},	 {"{\"a\": [1, 2]}", "{\"a\": [1, 2]}"},
										   {"NaN", "\"NaN\""},	 {"-Infinity", "\"-Infinity\""},
										   {"[1, NaN]", "null"}, {"{\"a\": \"\\u0000\"}", "null"}};

	for (int i = 0; i < lengthof(cases); i++)
		ok(strcmp(shown(cases[i][0]), cases[i][1]) == 0, "%s shows as %s", cases[i][0], shown(cases[i][0]));
}

static void
check_walk(void)
{
	MlsRecord header = {.kind = MLS_RECORD_SHADOW, .ntuples = 2, .latency_us = 7};
	MlsSpan span = span_of("42");
	const char body[] = "{\"data\": [1, 2]}";
	StringInfoData out;
	MlsRecord *record;
	MlsRecordReader reader;
	const char *inputs;
	const char *outputs;
	int model_rows;

	initStringInfo(&out);
	mls_record_begin(&out, &header, body, strlen(body));
	mls_record_add_result(&out, 3, "[{}]", 4, &span);
	mls_record_add_result(&out, 0, "", 0, NULL);
	record = mls_record_end(&out, "it failed");
	ok(record->size == out.len && record->body_len == strlen(body) && record->latency_us == 7, "the header");
	ok(memcmp(record->data, body, record->body_len) == 0, "the body");
	mls_record_start(&reader, record);
	mls_record_read(&reader, &model_rows, &inputs, &outputs);
	ok(model_rows == 3 && strcmp(inputs, "[{}]") == 0 && strcmp(outputs, "42") == 0, "the first tuple");
	mls_record_read(&reader, &model_rows, &inputs, &outputs);
	ok(model_rows == 0 && *inputs == '\0' && *outputs == '\0', "the second");
	ok(strcmp(mls_record_error(&reader), "it failed") == 0, "the error");
	ok(reader.at == out.data + out.len, "and nothing more");
}

static void
check_texts(void)
{
	char field[8];

	mls_record_set_text(field, sizeof(field), "short");
	ok(strcmp(field, "short") == 0, "a short text");
	mls_record_set_text(field, sizeof(field), "much too long");
	ok(strcmp(field, "much to") == 0, "a long one is cut");
	mls_record_set_text(field, sizeof(field), NULL);
	ok(field[0] == '\0', "none is empty");
}

int
main(void)
{
	check_results();
	check_walk();
	check_texts();
	return done_testing();
}
