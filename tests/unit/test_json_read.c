/* sources: src/codec/json_read.c
 *
 * test_json_read.c - what the reader takes, hands out, and refuses.
 */
#include "postgres.h"

#include "codec/json_read.h"
#include "tap.h"

/* Texts are read from blocks of just their size, so that the address sanitizer sees reads past them. */
static char *
exact(const char *text, size_t len)
{
	return memcpy(malloc(Max(len, 1)), text, len);
}

static const char *
error_of(const char *text, size_t len)
{
	char *copy = exact(text, len);
	MlsJsonReader r;
	MlsSpan value;

	mls_json_start(&r, copy, len);
	if (mls_json_value(&r, &value))
		mls_json_finish(&r);
	free(copy);
	return r.error;
}

static void
takes(const char *text)
{
	const char *error = error_of(text, strlen(text));

	ok(error == NULL, "takes %s%s%s", text, error ? ": " : "", error ? error : "");
}

static void
refuses(const char *text, const char *why)
{
	const char *error = error_of(text, strlen(text));

	ok(error != NULL && strcmp(error, why) == 0, "refuses %s: %s (%s)", text, why, error ? error : "taken");
}

static void
test_grammar(void)
{
	static const char *const good[] = {"0",
									   "-0",
									   "1.5",
									   "1e5",
									   "1E-5",
									   "-12.25e+10",
									   "true",
									   "false",
									   "null",
									   "\"\"",
									   "[]",
									   "{}",
									   "[[]]",
									   " [ 1 , 2 ] ",
									   "NaN",
									   "Infinity",
									   "-Infinity",
									   "[NaN,1]",
									   "{\"a\":{\"b\":[1,{}]}}",
									   "\"\\u00e9\\n\\/\"",
									   "\xEF\xBB\xBF[1]",
									   "{\"a\":1,\"a\":2}"};

	for (int i = 0; i < lengthof(good); i++)
		takes(good[i]);
	refuses("", "an early end");
	refuses("[1,2", "an early end");
	refuses("{\"a\"", "an early end");
	refuses("{\"a\":", "an early end");
	refuses("[1,]", "unexpected characters");
	refuses("[,1]", "unexpected characters");
	refuses("[1 2]", "a missing comma");
	refuses("{\"a\" 1}", "a missing colon");
	refuses("{a:1}", "an object's key that is not a string");
	refuses("{\"a\":1,}", "an object's key that is not a string");
	refuses("01", "a number with a leading zero");
	refuses("-", "a number without digits");
	refuses("1.", "a number without digits after its point");
	refuses(".5", "unexpected characters");
	refuses("1e", "a number without digits in its exponent");
	refuses("+1", "unexpected characters");
	refuses("tru", "unexpected characters");
	refuses("nan", "unexpected characters");
	refuses("-Inf", "unexpected characters");
	refuses("\"abc", "a string without an end");
	refuses("\"a\\", "a malformed escape");
	refuses("\"a\\x\"", "a malformed escape");
	refuses("\"\\u12g4\"", "a malformed \\u escape");
	refuses("\"\\u12\"", "a malformed \\u escape");
	refuses("\"a\tb\"", "a control character in a string");
	refuses("[1] x", "more after the end");
	refuses("<html>", "unexpected characters");
	refuses("[1]]", "more after the end");
	refuses("[1}", "a missing comma");
	ok(error_of("\"a\0b\"", 5) != NULL, "refuses a NUL in a string");
	ok(error_of("[\0]", 3) != NULL, "refuses a NUL between values");
}

static void
test_depth(void)
{
	char deep[2 * MLS_JSON_MAX_DEPTH + 3];

	memset(deep, '[', MLS_JSON_MAX_DEPTH);
	memset(deep + MLS_JSON_MAX_DEPTH, ']', MLS_JSON_MAX_DEPTH);
	ok(error_of(deep, 2 * MLS_JSON_MAX_DEPTH) == NULL, "takes the greatest depth");
	memset(deep, '[', MLS_JSON_MAX_DEPTH + 1);
	ok(error_of(deep, 2 * MLS_JSON_MAX_DEPTH) != NULL, "refuses one more");
}

/* Every string up to this length over an alphabet that makes much of JSON: no read past the end, no endless loop. */
static void
test_truncation(void)
{
	const char *document = "{\"k\\u00e9\":[1.5e-3,\"a\\\"b\",NaN,-Infinity,true,null,{\"x\":[]}]}";
	size_t len = strlen(document);
	int taken = 0;

	for (size_t n = 0; n < len; n++)
		taken += error_of(document, n) == NULL;
	ok(taken == 0, "no beginning of a document is a document");
	ok(error_of(document, len) == NULL, "the document is");
}

static MlsSpan
read_span(const char *text)
{
	MlsJsonReader r;
	MlsSpan value = {0};

	mls_json_start(&r, text, strlen(text));
	mls_json_value(&r, &value);
	return value;
}

static void
unescapes(const char *json, const char *expected, int expected_len)
{
	MlsSpan span = read_span(json);
	char out[64];
	int len = mls_json_unescape(&span, out);

	ok(len == expected_len && (len < 0 || memcmp(out, expected, len) == 0), "unescapes %s", json);
}

static void
test_strings(void)
{
	unescapes("\"plain\"", "plain", 5);
	unescapes("\"a\\\"b\\\\c\\/d\"", "a\"b\\c/d", 7);
	unescapes("\"\\b\\f\\n\\r\\t\"", "\b\f\n\r\t", 5);
	unescapes("\"\\u0041\\u00e9\\u20ac\"", "A\xC3\xA9\xE2\x82\xAC", 6);
	unescapes("\"\\ud83d\\ude00\"", "\xF0\x9F\x98\x80", 4);
	unescapes("\"\\uD83D\\uDE00!\"", "\xF0\x9F\x98\x80!", 5);
	unescapes("\"\\ud83d\"", NULL, -1);
	unescapes("\"\\ud83dx\"", NULL, -1);
	unescapes("\"\\ude00\"", NULL, -1);
	unescapes("\"\\ud83d\\u0041\"", NULL, -1);
	unescapes("\"\\u0000\"", NULL, -1);
}

static void
test_walk(void)
{
	const char *text = "{\"a\":[1,[2,3],\"x\"],\"b\\u0063\":null}";
	MlsSpan object = read_span(text);
	MlsSpan array = mls_json_member(&object, "a", 1);
	MlsSpan missing = mls_json_member(&object, "x", 1);
	MlsJsonReader r;
	MlsSpan item;
	MlsSpanKind kinds[4] = {0};
	int n = 0;

	ok(array.kind == MLS_SPAN_ARRAY && mls_json_count(&array) == 3, "finds a member");
	ok(mls_json_member(&object, "bc", 2).kind == MLS_SPAN_NULL, "finds a member whose key has escapes");
	ok(missing.kind == MLS_SPAN_NONE, "finds no member that is not there");
	ok(mls_json_count(&object) == 2, "counts members");
	mls_json_inside(&r, &array);
	while (n < 4 && mls_json_next(&r, NULL, &item))
		kinds[n++] = item.kind;
	ok(n == 3 && kinds[0] == MLS_SPAN_NUMBER && kinds[1] == MLS_SPAN_ARRAY && kinds[2] == MLS_SPAN_STRING,
	   "walks along an array, over the one inside");
	ok(item.len == 1 && item.start[0] == 'x', "a string's span is between its quotes");
}

static void
test_impurity(void)
{
	static const struct
	{
		const char *json;
		const char *impurity;
	} cases[] = {{"{\"NaN\":\"Infinity\",\"a\":[1,2]}", NULL},
				 {"[1,NaN]", "NaN"},
				 {"{\"a\":-Infinity}", "Infinity"},
				 {"\"\\u0041\\ud83d\\ude00\"", NULL},
				 {"[\"\\\\u0000\"]", NULL},
				 {"[\"\\u0000\"]", "a \\u escape that is no character"},
				 {"{\"k\":\"\\ud83d\"}", "a \\u escape that is no character"}};

	for (int i = 0; i < lengthof(cases); i++)
	{
		MlsSpan value = read_span(cases[i].json);
		const char *impurity = mls_json_impurity(&value);

		ok(impurity == cases[i].impurity || (impurity && cases[i].impurity && strcmp(impurity, cases[i].impurity) == 0),
		   "impurity of %s: %s", cases[i].json, impurity ? impurity : "none");
	}
}

int
main(void)
{
	test_grammar();
	test_depth();
	test_truncation();
	test_strings();
	test_walk();
	test_impurity();
	return done_testing();
}
