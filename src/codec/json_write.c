/*
 * json_write.c - see json_write.h.
 */
#include "postgres.h"

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

void
mls_json_write_double(StringInfo out, double value, bool point)
{
	int n;

	mls_json_reserve(out, DOUBLE_SHORTEST_DECIMAL_LEN + 2);
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
