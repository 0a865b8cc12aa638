/* sources: src/codec/find_results.c src/codec/reshape.c src/codec/json_read.c src/codec/json_write.c src/codec/json_number.c tests/unit/encoding_shim.c
 *
 * test_find_results.c - where the results are in replies of every form that endpoints are known to give.
 */
#include "postgres.h"

#include "codec/find_results.h"
#include "tap.h"

/* Columns "a" and "b". */
static int
find_a_or_b(void *arg, const MlsSpan *key)
{
	if (mls_json_equals(key, "a"))
		return 0;
	return mls_json_equals(key, "b") ? 1 : -1;
}

static const MlsResultColumns a_and_b = {2, find_a_or_b, NULL};

/* The items found, with ';' after each; or "!" and the reason. */
static char *
items(const char *body, int wanted, const char *key, const MlsResultColumns *columns)
{
	static char out[1000];
	MlsResults results;
	MlsSpan item;
	char *copy = memcpy(malloc(strlen(body) + 1), body, strlen(body));
	char *reason = mls_find_results(copy, strlen(body), wanted, key, columns, &results);

	out[0] = '\0';
	if (reason)
		snprintf(out, sizeof(out), "!%s", reason);
	else if (results.single.kind != MLS_SPAN_NONE)
		snprintf(out, sizeof(out), "single %.*s;", (int) results.single.len, results.single.start);
	else
	{
		while (mls_json_next(&results.reader, NULL, &item))
			snprintf(out + strlen(out), sizeof(out) - strlen(out), "%.*s;", (int) item.len, item.start);
		if (!mls_json_finish(&results.reader))
			snprintf(out + strlen(out), sizeof(out) - strlen(out), "!%s", results.reader.error);
	}
	free(copy);
	return out;
}

static void
finds(const char *body, int wanted, const char *expected)
{
	char *got = items(body, wanted, NULL, NULL);

	ok(strcmp(got, expected) == 0, "%s for %d: %s%s%s", body, wanted, expected, strcmp(got, expected) ? " but " : "",
	   strcmp(got, expected) ? got : "");
}

static void
finds_columns(const char *body, int wanted, const char *expected)
{
	char *got = items(body, wanted, NULL, &a_and_b);

	ok(strcmp(got, expected) == 0, "columns of %s for %d: %s%s%s", body, wanted, expected,
	   strcmp(got, expected) ? " but " : "", strcmp(got, expected) ? got : "");
}

int
main(void)
{
	finds("[1,2]", 2, "1;2;");
	finds("[[1],[2]]", 2, "[1];[2];");
	finds("[]", 1, "");
	finds("{\"predictions\":[1,2]}", 2, "1;2;");
	finds("{\"Results\":{\"WebServiceOutput0\":[{\"x\":1}]}}", 1, "{\"x\":1};");
	finds("{\"result\":{\"predictions\":[1]},\"status\":\"ok\"}", 1, "1;");
	finds("{\"outputs\":[1,2],\"time\":3}", 2, "1;2;");
	finds("{\"anything\":[1,2]}", 2, "1;2;");
	finds("{\"result\":\"[1,2]\"}", 2, "1;2;");
	finds("{\"result\":5}", 1, "single 5;");
	finds("5", 1, "single 5;");
	finds("5", 2, "!the reply has no list of results, but 5");
	finds("null", 1, "single null;");
	finds("\"text\"", 1, "single text;");
	finds("\"text\"", 2, "!the reply has no list of results, but text");
	finds("\"[1, 2]\"", 2, "1;2;");
	finds("\"\\\"[1, 2]\\\"\"", 2, "1;2;");
	finds("\"{\\\"result\\\": [1, 2]}\"", 2, "1;2;");
	finds("{\"label\":\"x\",\"score\":1}", 2, "!the reply has no list of results, but an object with keys");
	finds("{\"label\":\"x\",\"result\":\"y\"}", 1, "single {\"label\":\"x\",\"result\":\"y\"};");
	finds("{\"x\":1,\"y\":2}", 1, "single {\"x\":1,\"y\":2};");
	finds("{\"x\":1,\"y\":2}", 2, "!the reply has no list of results, but an object with keys");
	finds("{\"x\":[1,2],\"y\":[3,4]}", 2, "{\"x\":1,\"y\":3};{\"x\":2,\"y\":4};");
	finds("{\"x\":[1,2],\"y\":[3]}", 2, "!the reply's columns have different numbers of values, 2 and 1");
	finds("", 1, "!the reply is empty");
	finds("<html>no</html>", 1, "!the reply is not JSON: unexpected characters at byte 0: <html>no</html>");
	finds("{\"a\":[1,2", 2, "!the reply is not JSON: an early end after 9 bytes");
	finds("[1,2", 2, "1;2;!an early end");
	finds("[1,2] [3]", 2, "1;2;!more after the end");

	finds_columns("{\"a\":[1,2],\"b\":[\"x\",\"y\"]}", 2, "{\"a\":1,\"b\":\"x\"};{\"a\":2,\"b\":\"y\"};");
	finds_columns("{\"a\":1,\"b\":2,\"data\":[7]}", 1, "single {\"a\":1,\"b\":2,\"data\":[7]};");
	finds_columns("{\"a\":[1],\"b\":[2]}", 1, "{\"a\":1,\"b\":2};");
	finds_columns("{\"a\":[1,2],\"b\":3}", 1, "single {\"a\":[1,2],\"b\":3};");
	finds_columns("{\"columns\":[\"a\",\"b\"],\"index\":[0],\"data\":[[1,2]]}", 1, "{\"a\":1,\"b\":2};");
	finds_columns("{\"columns\":[\"a\",\"b\"],\"data\":[[1]]}", 1,
				  "!a row of the reply's data frame has not as many values as it has columns");

	finds("{\"outputs\":[{\"name\":\"p\",\"shape\":[2,1],\"datatype\":\"FP64\",\"data\":[1.5,2.5]}]}", 2, "1.5;2.5;");
	finds("{\"outputs\":[{\"name\":\"p\",\"shape\":[2],\"data\":[1.5,2.5]}]}", 2, "1.5;2.5;");
	finds("{\"outputs\":[{\"name\":\"p\",\"shape\":[2,2],\"data\":[1,2,3,4]}]}", 2, "[1,2];[3,4];");
	finds("{\"outputs\":[{\"name\":\"p\",\"shape\":[2,2],\"data\":[[1,2],[3,4]]}]}", 2, "[1,2];[3,4];");
	finds("{\"outputs\":[{\"name\":\"p\",\"shape\":[2,1],\"data\":[1]}]}", 2,
		  "!the reply has a tensor whose shape and data do not agree");
	finds("{\"outputs\":[{\"name\":\"p\",\"shape\":[99999999999,99999999999,99999999999],\"data\":[1]}]}", 2,
		  "!the reply has a tensor whose shape and data do not agree");
	finds("{\"outputs\":[{\"name\":\"a\",\"shape\":[2],\"data\":[1,2]},{\"name\":\"b\",\"shape\":[2],\"data\":[\"x\","
		  "\"y\"]}]}",
		  2, "{\"a\":1,\"b\":\"x\"};{\"a\":2,\"b\":\"y\"};");
	finds("{\"outputs\":[{\"name\":\"a\",\"shape\":[1],\"data\":[1]},{\"name\":\"b\",\"shape\":[2],\"data\":[1,2]}]}",
		  2, "!the reply's tensors have different numbers of rows");

	ok(strcmp(items("{\"data\":[9],\"mine\":{\"deep\":[1,2]}}", 2, "mine.deep", NULL), "1;2;") == 0,
	   "the path that the schema names goes before known names");
	ok(strcmp(items("{\"data\":[9]}", 1, "mine.deep", NULL), "9;") == 0,
	   "known names stand in for a path that is not there");
	return done_testing();
}
