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

void
mls_json_write_string(StringInfo out, const char *s, int len)
{
	const char *end = s + len;

	mls_json_reserve(out, len + 2);
	mls_json_write_char(out, '"');
	while (s < end)
	{
		const char *stop = mls_json_plain_end(s, end);

		mls_json_write_raw(out, s, stop - s);
		s = stop;
		if (s < end)
			write_escape(out, (unsigned char) *s++);
	}
	mls_json_write_char(out, '"');
}

void
mls_json_write_int(StringInfo out, int64 value)
{
	char digits[20];
	char *p = digits + sizeof(digits);
	uint64 rest = value < 0 ? -(uint64) value : (uint64) value;

	do
	{
		*--p = '0' + rest % 10;
		rest /= 10;
	} while (rest != 0);
	if (value < 0)
		*--p = '-';
	mls_json_write_raw(out, p, digits + sizeof(digits) - p);
}

/* Append ".0" when the n digits written last read as an integer. */
static void
write_point(StringInfo out, int n)
{
	const char *digits = out->data + out->len - n;

	for (int i = 0; i < n; i++)
	{
		if (digits[i] == '.' || digits[i] == 'e')
			return;
	}
	mls_json_write_raw(out, ".0", 2);
}

/* The decimal digits of value, at least width of them, to out; how many they are. */
static int
put_digits(uint64 value, int width, char *out)
{
	char digits[20];
	int n = 0;

	do
	{
		digits[n++] = '0' + value % 10;
		value /= 10;
	} while (value != 0 || n < width);
	for (int i = 0; i < n; i++)
		out[i] = digits[n - 1 - i];
	return n;
}

/*
 * Most data has a few decimals: such a value is some whole number divided by 10, 100, ..., and if dividing gives it back,
 * those digits (15 at the most) are its shortest. A fraction of the general algorithm's time. 0 for other values.
 */
static int
put_short_decimal(double value, char *out)
{
	static const double scales[] = {1, 100, 10000};
	static const int decimals[] = {0, 2, 4};
	double magnitude = fabs(value);

	if (!(magnitude < 1e11) || (value == 0 && signbit(value)))
		return 0;
	for (int i = 0; i < lengthof(scales); i++)
	{
		double whole = rint(magnitude * scales[i]);
		uint64 scale = (uint64) scales[i];
		int places = decimals[i];
		uint64 fraction;
		int n = 0;

		if (whole / scales[i] != magnitude)
			continue;
		if (value < 0)
			out[n++] = '-';
		n += put_digits((uint64) whole / scale, 1, out + n);
		fraction = (uint64) whole % scale;
		if (fraction == 0)
			return n;
		for (; fraction % 10 == 0; fraction /= 10)
			places--;
		out[n++] = '.';
		return n + put_digits(fraction, places, out + n);
	}
	return 0;
}

void
mls_json_write_double(StringInfo out, double value, bool point)
{
	int n;

	mls_json_reserve(out, DOUBLE_SHORTEST_DECIMAL_LEN + 2);
	n = put_short_decimal(value, out->data + out->len);
	if (n == 0)
		n = double_to_shortest_decimal_bufn(value, out->data + out->len);
	out->len += n;
	if (point)
		write_point(out, n);
}

void
mls_json_write_float(StringInfo out, float value, bool point)
{
	int n;

	mls_json_reserve(out, FLOAT_SHORTEST_DECIMAL_LEN + 2);
	n = float_to_shortest_decimal_bufn(value, out->data + out->len);
	out->len += n;
	if (point)
		write_point(out, n);
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
