/*
 * json_write.c - see json_write.h.
 */
#include "postgres.h"

#include <math.h>

#include "codec/json_scan.h"
#include "codec/json_write.h"
#include "common/shortest_dec.h"

/* Append the escape of a control character, a quote or a backslash. */
static void
write_escape(StringInfo out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
	const char *short_form = NULL;

	switch (c)
	{
		case '"':
			short_form = "\\\"";
			break;
		case '\\':
			short_form = "\\\\";
			break;
		case '\n':
			short_form = "\\n";
			break;
		case '\r':
			short_form = "\\r";
			break;
		case '\t':
			short_form = "\\t";
			break;
		default:
			break;
	}
	if (short_form)
		mls_json_write_raw(out, short_form, 2);
	else
		mls_json_write_raw(out, escape, 6);
}

/* Copy what needs no escape from s to p, and move both behind it: texts are short, a call to memcpy costs more. */
static inline void
copy_plain(char **p, const char **s, const char *end)
{
	char *to = *p;
	const char *from = *s;

	while (end - from >= 8)
	{
		uint64 word;

		memcpy(&word, from, 8);
		if (mls_json_special8(word))
			break;
		memcpy(to, &word, 8);
		from += 8;
		to += 8;
	}
	while (from < end && !mls_json_special(*from))
		*to++ = *from++;
	*p = to;
	*s = from;
}

void
mls_json_write_string(StringInfo out, const char *s, int len)
{
	const char *end = s + len;

	mls_json_reserve(out, len + 2);
	mls_json_write_char(out, '"');
	for (;;)
	{
		char *p = out->data + out->len;

		copy_plain(&p, &s, end);
		out->len = p - out->data;
		if (s == end)
			break;
		write_escape(out, (unsigned char) *s++);
		mls_json_reserve(out, end - s + 1);
	}
	mls_json_write_char(out, '"');
}

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
								  "25262728293031323334353637383940414243444546474849"
								  "50515253545556575859606162636465666768697071727374"
								  "75767778798081828384858687888990919293949596979899";

/* The decimal digits of value to out; how many they are, 20 at the most. */
static inline int
put_digits(uint64 value, char *out)
{
	char digits[20];
	char *p = digits + sizeof(digits);
	int n;

	for (; value >= 100; value /= 100)
		memcpy(p -= 2, digit_pairs + 2 * (value % 100), 2);
	if (value >= 10)
		memcpy(p -= 2, digit_pairs + 2 * value, 2);
	else
		*--p = '0' + value;
	n = digits + sizeof(digits) - p;
	for (int i = 0; i < n; i++)
		out[i] = p[i];
	return n;
}

void
mls_json_write_int(StringInfo out, int64 value)
{
	mls_json_reserve(out, 20);
	if (value < 0)
		out->data[out->len++] = '-';
	out->len += put_digits(value < 0 ? -(uint64) value : (uint64) value, out->data + out->len);
}

/* Does a number's text read as an integer? */
static bool
reads_as_integer(const char *digits, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (digits[i] == '.' || digits[i] == 'e')
			return false;
	}
	return true;
}

static void
write_point(StringInfo out)
{
	mls_json_write_raw(out, ".0", 2);
}

/* Four decimals, less the zeros at their end; how many bytes with the point, 0 for none. */
static inline int
put_decimals(uint32 fraction, char *out)
{
	int n = 5;

	if (fraction == 0)
		return 0;
	out[0] = '.';
	memcpy(out + 1, digit_pairs + 2 * (fraction / 100), 2);
	memcpy(out + 3, digit_pairs + 2 * (fraction % 100), 2);
	while (out[n - 1] == '0')
		n--;
	return n;
}

/*
 * Most data has a few decimals: such a value is some whole number of ten thousandths, and if dividing gives it back, those
 * digits (15 at the most) are its shortest. A fraction of the general algorithm's time. 0 for other values.
 */
static inline int
put_short_decimal(double value, char *out, bool *whole)
{
	double magnitude = fabs(value);
	uint64 units;
	int n = 0;
	int decimals;

	if (!(magnitude < 1e11) || (value == 0 && signbit(value)))
		return 0;
	units = (uint64) (int64) (magnitude * 10000 + 0.5);
	if ((double) (int64) units / 10000 != magnitude)
		return 0;
	if (value < 0)
		out[n++] = '-';
	n += put_digits(units / 10000, out + n);
	decimals = put_decimals((uint32) (units % 10000), out + n);
	*whole = decimals == 0;
	return n + decimals;
}

void
mls_json_write_double(StringInfo out, double value, bool point)
{
	char *digits;
	bool whole;
	int n;

	mls_json_reserve(out, DOUBLE_SHORTEST_DECIMAL_LEN + 2);
	digits = out->data + out->len;
	n = put_short_decimal(value, digits, &whole);
	if (unlikely(n == 0))
	{
		n = double_to_shortest_decimal_bufn(value, digits);
		whole = reads_as_integer(digits, n);
	}
	out->len += n;
	if (point && whole)
		write_point(out);
}

void
mls_json_write_float(StringInfo out, float value, bool point)
{
	char *digits;
	int n;

	mls_json_reserve(out, FLOAT_SHORTEST_DECIMAL_LEN + 2);
	digits = out->data + out->len;
	n = float_to_shortest_decimal_bufn(value, digits);
	out->len += n;
	if (point && reads_as_integer(digits, n))
		write_point(out);
}

void
mls_json_write_base64(StringInfo out, const unsigned char *bytes, int len)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *p;

	mls_json_reserve(out, len / 3 * 4 + 6);
	p = out->data + out->len;
	*p++ = '"';
	for (int i = 0; i < len; i += 3)
	{
		int left = len - i;
		uint32 group = bytes[i] << 16;

		if (left > 1)
			group |= bytes[i + 1] << 8;
		if (left > 2)
			group |= bytes[i + 2];
		*p++ = alphabet[group >> 18];
		*p++ = alphabet[(group >> 12) & 63];
		*p++ = left > 1 ? alphabet[(group >> 6) & 63] : '=';
		*p++ = left > 2 ? alphabet[group & 63] : '=';
	}
	*p++ = '"';
	out->len = p - out->data;
}
