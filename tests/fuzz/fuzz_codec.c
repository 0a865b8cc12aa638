/*
 * fuzz_codec.c - libFuzzer on what endpoints send: replies, number tokens, swagger documents. See run.sh.
 *
 * The input's first byte says who reads the rest. Beyond the sanitizers' findings, a value that was read must read the
 * same a second time, and a double must be the one that strtod finds.
 */
#include "postgres.h"

#include "codec/find_results.h"
#include "codec/json_number.h"
#include "codec/json_read.h"
#include "codec/schema.h"
#include "memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
find_a_or_b(void *arg, const MlsSpan *key)
{
	if (mls_json_equals(key, "a"))
		return 0;
	return mls_json_equals(key, "b") ? 1 : -1;
}

static void
check_number(const MlsSpan *number)
{
	char *copy = pnstrdup(number->start, number->len);
	double expected = strtod(copy, NULL);
	double got;
	float single;
	int64 whole;

	if (mls_number_to_double(number->start, number->len, &got) == MLS_NUMBER_OK &&
		memcmp(&got, &expected, sizeof(got)) != 0)
		abort();
	mls_number_to_float(number->start, number->len, &single);
	mls_number_to_int64(number->start, number->len, &whole);
}

static void
check_value(const MlsSpan *value)
{
	MlsJsonReader r;
	MlsSpan again;

	if (value->kind == MLS_SPAN_NUMBER)
		check_number(value);
	if (value->kind == MLS_SPAN_STRING)
		mls_json_unescape(value, palloc(value->len));
	mls_json_impurity(value);
	if (value->kind > MLS_SPAN_ARRAY)
		return;
	mls_json_start(&r, value->start, value->len);
	if (!mls_json_value(&r, &again) || !mls_json_finish(&r) || again.len != value->len)
		abort();
	mls_json_count(value);
}

static void
read_reply(const char *text, size_t len, int wanted, bool columns, const char *key)
{
	MlsResultColumns names = {2, find_a_or_b, NULL};
	MlsResults results;
	MlsSpan item;

	if (mls_find_results(text, len, wanted, key, columns ? &names : NULL, &results) != NULL)
		return;
	if (results.single.kind != MLS_SPAN_NONE)
	{
		check_value(&results.single);
		return;
	}
	while (mls_json_next(&results.reader, NULL, &item))
		check_value(&item);
	mls_json_finish(&results.reader);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size == 0)
		return 0;
	text = palloc(size);
	memcpy(text, data + 1, size - 1);
	if (data[0] & 1)
		mls_swagger_parse(text, size - 1, "/score");
	else
		read_reply(text, size - 1, (data[0] >> 1) % 4, data[0] & 8, data[0] & 16 ? "a.b" : NULL);
	free_everything();
	return 0;
}
