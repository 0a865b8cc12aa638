/* sources: src/codec/json_write.c src/codec/json_read.c src/codec/base64.c
 *
 * test_json_write.c - the bytes that the writer makes, and that the reader takes them back.
 */
#include "postgres.h"

#include "codec/base64.h"
#include "codec/json_read.h"
#include "codec/json_write.h"
#include "common/shortest_dec.h"
#include "tap.h"

static StringInfoData out;

static void
wrote(const char *expected)
{
	mls_json_write_char(&out, '\0');
	ok(strcmp(out.data, expected) == 0, "writes %s (%s)", expected, out.data);
	resetStringInfo(&out);
}

static void
test_numbers(void)
{
	mls_json_write_int(&out, 0);
	wrote("0");
	mls_json_write_int(&out, -7);
	wrote("-7");
	mls_json_write_int(&out, PG_INT64_MAX);
	wrote("9223372036854775807");
	mls_json_write_int(&out, PG_INT64_MIN);
	wrote("-9223372036854775808");
	mls_json_write_double(&out, 0.1, true);
	wrote("0.1");
	mls_json_write_double(&out, 3, true);
	wrote("3.0");
	mls_json_write_double(&out, 3, false);
	wrote("3");
	mls_json_write_double(&out, -0.0, true);
	wrote("-0.0");
	mls_json_write_double(&out, 1e300, true);
	wrote("1e+300");
	mls_json_write_double(&out, 99999999999, true);
	wrote("99999999999.0");
	mls_json_write_double(&out, 123456789012, true);
	wrote("123456789012.0");
	mls_json_write_double(&out, 0.25, true);
	wrote("0.25");
	mls_json_write_float(&out, 0.1f, true);
	wrote("0.1");
	mls_json_write_float(&out, 16777216, true);
	wrote("1.6777216e+07");
	mls_json_write_float(&out, 1024, true);
	wrote("1024.0");
}

/* What is written is PostgreSQL's own shortest form, whichever way it was found. */
static void
shortest(double value)
{
	char expected[DOUBLE_SHORTEST_DECIMAL_LEN];

	double_to_shortest_decimal_buf(value, expected);
	mls_json_write_double(&out, value, false);
	wrote(expected);
}

/* The same without a line for each. */
static bool
is_shortest(double value)
{
	char expected[DOUBLE_SHORTEST_DECIMAL_LEN];
	bool same;

	double_to_shortest_decimal_buf(value, expected);
	mls_json_write_double(&out, value, false);
	mls_json_write_char(&out, '\0');
	same = strcmp(out.data, expected) == 0;
	resetStringInfo(&out);
	return same;
}

static void
test_ten_thousandths(void)
{
	int wrong = 0;

	for (int i = -30000; i <= 30000; i++)
		wrong += i != 0 && !is_shortest(i / 10000.0);
	ok(wrong == 0, "ten thousandths from -3 to 3: %d wrong", wrong);
}

static void
test_shortest(void)
{
	static const double scales[] = {1, 10, 100, 1000, 10000, 100000, 7, 70001};
	uint64 random = 88172645463325252ULL;

	for (int i = 0; i < 200; i++)
	{
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		for (int j = 0; j < lengthof(scales); j++)
		{
			shortest((double) (random >> (i % 60)) / scales[j]);
			shortest(-(double) (i * i * i) / scales[j]);
		}
	}
	shortest(0.00005);
	shortest(0.12345);
	shortest(9.99995);
	shortest(1234567.8901);
	shortest(0.30000000000000004);
	shortest(99999999999.99);
	shortest(100000000000.5);
	shortest(0.00001);
	shortest(1e-7);
}

static void
test_strings(void)
{
	mls_json_write_string(&out, "", 0);
	wrote("\"\"");
	mls_json_write_string(&out, "plain text, longer than eight", 29);
	wrote("\"plain text, longer than eight\"");
	mls_json_write_string(&out, "a\"b\\c\n\r\t\x01\x1f", 10);
	wrote("\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u001f\"");
	mls_json_write_string(&out, "caf\xC3\xA9 \xF0\x9F\x98\x80", 10);
	wrote("\"caf\xC3\xA9 \xF0\x9F\x98\x80\"");
	mls_json_write_string(&out, "12345678\"", 9);
	wrote("\"12345678\\\"\"");
	mls_json_write_string(&out, "\x7f\x80\xff", 3);
	wrote("\"\x7f\x80\xff\"");
}

/* Every byte at every place of a word, alone among others: written, read back, the same. */
static void
test_round_trip(void)
{
	int wrong = 0;

	for (int byte = 1; byte < 256; byte++)
	{
		for (int at = 0; at < 17; at++)
		{
			char text[18] = "aaaaaaaaaaaaaaaaa";
			char back[18];
			MlsJsonReader r;
			MlsSpan value = {0};

			text[at] = (char) byte;
			resetStringInfo(&out);
			mls_json_write_string(&out, text, 17);
			mls_json_start(&r, out.data, out.len);
			if (!mls_json_value(&r, &value) || !mls_json_finish(&r) || mls_json_unescape(&value, back) != 17 ||
				memcmp(back, text, 17) != 0)
				wrong++;
		}
	}
	resetStringInfo(&out);
	ok(wrong == 0, "every byte at every place is read back as it was");
}

static void
test_base64(void)
{
	unsigned char bytes[64];
	unsigned char back[100];
	int wrong = 0;

	mls_json_write_base64(&out, (const unsigned char *) "foobar", 6);
	wrote("\"Zm9vYmFy\"");
	mls_json_write_base64(&out, (const unsigned char *) "fooba", 5);
	wrote("\"Zm9vYmE=\"");
	mls_json_write_base64(&out, (const unsigned char *) "foob", 4);
	wrote("\"Zm9vYg==\"");
	mls_json_write_base64(&out, (const unsigned char *) "", 0);
	wrote("\"\"");
	for (int i = 0; i < 64; i++)
		bytes[i] = (unsigned char) (i * 37 + 200);
	for (int len = 0; len <= 64; len++)
	{
		int n;

		resetStringInfo(&out);
		mls_json_write_base64(&out, bytes, len);
		n = mls_base64_decode(out.data + 1, out.len - 2, back);
		wrong += n != len || memcmp(back, bytes, len) != 0;
	}
	resetStringInfo(&out);
	ok(wrong == 0, "bytes of every length come back from base64");
	ok(mls_base64_decode("Zg", 2, back) == 1 && back[0] == 'f', "base64 without padding");
	ok(mls_base64_decode("Zm9v\nYmFy", 9, back) == 6, "base64 with line breaks");
	ok(mls_base64_decode("Zm9*", 4, back) == -1, "no base64: a strange character");
	ok(mls_base64_decode("Z", 1, back) == -1, "no base64: six bits");
}

int
main(void)
{
	initStringInfo(&out);
	test_numbers();
	test_shortest();
	test_ten_thousandths();
	test_strings();
	test_round_trip();
	test_base64();
	return done_testing();
}
