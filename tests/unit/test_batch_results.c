/* sources: src/batch/csv.c src/batch/result.c
 *
 * test_batch_results.c - CSV written and read, and the dialects of predictions.
 */
#include "postgres.h"

#include "batch/result.h"
#include "tap.h"

static void
check_write(const char *text, const char *expected)
{
	StringInfoData out;

	initStringInfo(&out);
	mls_csv_write(&out, text, strlen(text));
	if (!ok(strcmp(out.data, expected) == 0, "field written: %s", expected))
		printf("#   got: %s\n", out.data);
}

static void
test_write(void)
{
	check_write("plain", "plain");
	check_write("", "\"\"");
	check_write("a,b", "\"a,b\"");
	check_write("say \"hi\"", "\"say \"\"hi\"\"\"");
	check_write("two\nlines", "\"two\nlines\"");
	check_write("a\rb", "\"a\rb\"");
	check_write(" x", "\" x\"");
	check_write("x ", "\"x \"");
	check_write("\xC3\xA4\xF0\x9F\x92\x8E", "\xC3\xA4\xF0\x9F\x92\x8E");
}

/* The fields of a record as one string: [field] each, quoted ones as "field". */
static char *
split(const char *record, char delimiter)
{
	MlsResultField fields[8];
	char *copy = pstrdup(record);
	int n = mls_csv_split(copy, strlen(copy), delimiter, fields, 8);
	char *out = psprintf("%d:", n);

	for (int i = 0; i < Min(n, 8); i++)
		out = psprintf("%s%s%.*s%s", out, fields[i].quoted ? "\"" : "[", fields[i].len, fields[i].start,
					   fields[i].quoted ? "\"" : "]");
	return out;
}

static void
check_split(const char *record, char delimiter, const char *expected)
{
	char *got = split(record, delimiter);

	if (!ok(strcmp(got, expected) == 0, "record split: %s", record))
		printf("#   got:      %s\n#   expected: %s\n", got, expected);
}

static void
test_split(void)
{
	check_split("0,326.5,part-000001.csv", ',', "3:[0][326.5][part-000001.csv]");
	check_split("", ',', "1:[]");
	check_split(",", ',', "2:[][]");
	check_split("a,\"\",", ',', "3:[a]\"\"[]");
	check_split("\"a,\"\"b\"\"\n\",c", ',', "2:\"a,\"b\"\n\"[c]");
	check_split("1 \"two words\" 3", ' ', "3:[1]\"two words\"[3]");
	check_split("1  3", ' ', "3:[1][][3]");
	check_split("it's,5\"", ',', "2:[it's][5\"]");
	check_split("\"open", ',', "-1:");
	check_split("\"a\"b,c", ',', "-1:");
	check_split("1,2,3,4,5,6,7,8,9", ',', "9:[1][2][3][4][5][6][7][8]");
}

static int
record_length(const char *text, bool quotes, bool last)
{
	const char *end = mls_csv_record_end(text, text + strlen(text), quotes, last);

	return end == NULL ? -1 : (int) (end - text);
}

static void
test_records(void)
{
	ok(record_length("a,b\nc", true, false) == 4, "a record ends behind its line break");
	ok(record_length("a,b", true, false) == -1, "without one it is not complete");
	ok(record_length("a,b", true, true) == 3, "unless nothing follows");
	ok(record_length("", true, true) == -1, "nothing is no record");
	ok(record_length("\"a\nb\",c\nd", true, false) == 8, "a quoted line break ends nothing");
	ok(record_length("\"a\nb", true, false) == -1, "even when the quote is still open");
	ok(record_length("\"a\"\"\n\"\nb", true, false) == 7, "a doubled quote closes none");
	ok(record_length("{\"a\": \"\\\"\"}\nb", false, false) == 12, "in JSON lines a line break ends all");
	ok(mls_result_trim("a\r\n", 3) == 1 && mls_result_trim("a\n", 2) == 1 && mls_result_trim("a", 1) == 1,
	   "line breaks come off");
}

static MlsResultFormat
detect(const char *record)
{
	static const char *const wanted[] = {"file_name", "price"};

	return mls_result_detect(record, strlen(record), wanted, 2);
}

static char *
default_names(const char *record, char delimiter)
{
	MlsResultField fields[8];
	const char *names[8];
	char *copy = pstrdup(record);
	int n = mls_csv_split(copy, strlen(copy), delimiter, fields, 8);
	char *out = "";

	mls_result_default_names(fields, n, names);
	for (int i = 0; i < n; i++)
		out = psprintf("%s%s%s", out, i > 0 ? " " : "", names[i]);
	return out;
}

static void
test_dialects(void)
{
	MlsResultFormat format;

	ok(detect("0,326.5,part-000001.csv") == MLS_RESULT_CSV, "commas: what MLflow deployments write");
	ok(detect("part-000001.csv 326.5") == MLS_RESULT_SPACES, "spaces: what scripts' deployments write");
	ok(detect("326.5") == MLS_RESULT_SPACES, "one field");
	ok(detect("id,price") == MLS_RESULT_CSV_HEADER, "a header");
	ok(detect("price") == MLS_RESULT_CSV_HEADER, "a header of one field");
	ok(detect("{\"price\": 1}") == MLS_RESULT_JSON_LINES, "JSON lines");
	ok(detect("") == MLS_RESULT_SPACES, "an empty line");
	ok(strcmp(default_names("0,326.5,part-000001.csv", ','), "row prediction file_name") == 0, "MLflow's names");
	ok(strcmp(default_names("part-000001.csv 1 2", ' '), "file_name prediction prediction_2") == 0,
	   "a script's, file first");
	ok(strcmp(default_names("7 326.5 /mnt/in/part-000001.csv", ' '), "row prediction file_name") == 0,
	   "a script's, with row and path");
	ok(strcmp(default_names("7 part-000001.csv", ' '), "prediction file_name") == 0,
	   "a whole number alone is a prediction");
	ok(strcmp(default_names("7,8", ','), "prediction prediction_2") == 0, "without a file there are no rows either");
	for (format = MLS_RESULT_AUTO; format <= MLS_RESULT_JSON_LINES; format++)
	{
		MlsResultFormat back;

		ok(mls_result_format_parse(mls_result_format_name(format), &back) && back == format, "%s is read back",
		   mls_result_format_name(format));
	}
	ok(!mls_result_format_parse("xml", &format), "no other word is a format");
}

static void
test_numbers(void)
{
	ok(mls_result_file_number("part-000012.csv", 15) == 12, "a file's number");
	ok(mls_result_file_number("/a/b/part-000012.jsonl", 22) == 12, "in a path");
	ok(mls_result_file_number("part-000012", 11) == -1, "without an ending it is none");
	ok(mls_result_file_number("part-00001x.csv", 15) == -1, "nor with a letter");
	ok(mls_result_file_number("x.csv", 5) == -1, "nor of another name");
	ok(mls_result_row_number("12", 2) == 12 && mls_result_row_number("0", 1) == 0, "a row's number");
	ok(mls_result_row_number("-1", 2) == -1 && mls_result_row_number("1.5", 3) == -1 &&
		   mls_result_row_number("", 0) == -1 && mls_result_row_number("9999999999999999999", 19) == -1,
	   "what is none");
}

int
main(void)
{
	test_write();
	test_split();
	test_records();
	test_dialects();
	test_numbers();
	return done_testing();
}
