/*
 * json_read.c - see json_read.h.
 */
#include "postgres.h"

#include "codec/json_read.h"
#include "codec/json_scan.h"

static bool read_value(MlsJsonReader *r, MlsSpan *value);

static bool
fail(MlsJsonReader *r, const char *error)
{
	if (!r->error)
		r->error = error;
	return false;
}

static inline void
skip_space(MlsJsonReader *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
		r->at++;
}

static inline bool
is_digit(const char *p, const char *end)
{
	return p < end && *p >= '0' && *p <= '9';
}

void
mls_json_start(MlsJsonReader *r, const char *text, size_t len)
{
	memset(r, 0, sizeof(*r));
	r->at = text;
	r->end = text + len;

	/* Some servers begin their documents with a byte order mark. */
	if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
		r->at += 3;
}

MlsSpanKind
mls_json_peek(MlsJsonReader *r)
{
	skip_space(r);
	if (r->at >= r->end || r->error)
		return MLS_SPAN_NONE;
	switch (*r->at)
	{
		case '{':
			return MLS_SPAN_OBJECT;
		case '[':
			return MLS_SPAN_ARRAY;
		case '"':
			return MLS_SPAN_STRING;
		case 't':
			return MLS_SPAN_TRUE;
		case 'f':
			return MLS_SPAN_FALSE;
		case 'n':
			return MLS_SPAN_NULL;
		case 'N':
		case 'I':
			return MLS_SPAN_NONFINITE;
		case '-':
			return r->at + 1 < r->end && r->at[1] == 'I' ? MLS_SPAN_NONFINITE : MLS_SPAN_NUMBER;
		default:
			return is_digit(r->at, r->end) ? MLS_SPAN_NUMBER : MLS_SPAN_NONE;
	}
}

static bool
read_word(MlsJsonReader *r, MlsSpan *value, const char *word)
{
	size_t len = strlen(word);

	if (r->end - r->at < len || memcmp(r->at, word, len) != 0)
		return fail(r, "unexpected characters");
	value->start = r->at;
	value->len = len;
	r->at += len;
	return true;
}

static bool
read_nonfinite(MlsJsonReader *r, MlsSpan *value)
{
	if (*r->at == 'N')
		return read_word(r, value, "NaN");
	return read_word(r, value, *r->at == '-' ? "-Infinity" : "Infinity");
}

static bool
read_number(MlsJsonReader *r, MlsSpan *value)
{
	const char *p = r->at;

	value->start = p;
	if (*p == '-')
		p++;
	if (p < r->end && *p == '0')
		p++;
	else if (is_digit(p, r->end))
	{
		while (is_digit(p, r->end))
			p++;
	}
	else
		return fail(r, "a number without digits");
	if (is_digit(p, r->end))
		return fail(r, "a number with a leading zero");

	if (p < r->end && *p == '.')
	{
		p++;
		if (!is_digit(p, r->end))
			return fail(r, "a number without digits after its point");
		while (is_digit(p, r->end))
			p++;
	}
	if (p < r->end && (*p == 'e' || *p == 'E'))
	{
		p++;
		if (p < r->end && (*p == '+' || *p == '-'))
			p++;
		if (!is_digit(p, r->end))
			return fail(r, "a number without digits in its exponent");
		while (is_digit(p, r->end))
			p++;
	}
	value->len = p - value->start;
	r->at = p;
	return true;
}

/* The value of four hexadecimal digits at p, or -1. */
static int
hex4(const char *p, const char *end)
{
	int result = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++)
	{
		char c = p[i];

		result <<= 4;
		if (c >= '0' && c <= '9')
			result += c - '0';
		else if (c >= 'a' && c <= 'f')
			result += c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			result += c - 'A' + 10;
		else
			return -1;
	}
	return result;
}

static bool
read_string(MlsJsonReader *r, MlsSpan *value)
{
	const char *p = r->at + 1;

	value->start = p;
	value->escaped = false;
	for (;;)
	{
		p = mls_json_plain_end(p, r->end);
		if (p >= r->end)
		{
			r->at = r->end;
			return fail(r, "a string without an end");
		}
		if (*p == '"')
			break;
		if (*p != '\\')
		{
			r->at = p;
			return fail(r, "a control character in a string");
		}
		value->escaped = true;
		if (p + 1 < r->end && p[1] == 'u')
		{
			if (hex4(p + 2, r->end) < 0)
			{
				r->at = p;
				return fail(r, "a malformed \\u escape");
			}
			p += 6;
		}
		else if (p + 1 < r->end && strchr("\"\\/bfnrt", p[1]) != NULL && p[1] != '\0')
			p += 2;
		else
		{
			r->at = p;
			return fail(r, "a malformed escape");
		}
	}
	value->len = p - value->start;
	r->at = p + 1;
	return true;
}

/* Step into the container at the cursor; the caller has peeked. */
static bool
open_container(MlsJsonReader *r)
{
	if (++r->depth > MLS_JSON_MAX_DEPTH)
		return fail(r, "nesting that is too deep");
	r->close = *r->at == '{' ? '}' : ']';
	r->first = true;
	r->at++;
	return true;
}

static bool
read_container(MlsJsonReader *r, MlsSpan *value)
{
	const char *start = r->at;
	bool outer_first = r->first;
	char outer_close = r->close;
	MlsSpan key;
	MlsSpan element;

	if (!open_container(r))
		return false;
	while (mls_json_next(r, r->close == '}' ? &key : NULL, &element))
		;
	if (r->error)
		return false;
	r->first = outer_first;
	r->close = outer_close;
	value->start = start;
	value->len = r->at - start;
	return true;
}

static bool
read_value(MlsJsonReader *r, MlsSpan *value)
{
	value->kind = mls_json_peek(r);
	switch (value->kind)
	{
		case MLS_SPAN_OBJECT:
		case MLS_SPAN_ARRAY:
			return read_container(r, value);
		case MLS_SPAN_STRING:
			return read_string(r, value);
		case MLS_SPAN_NUMBER:
			return read_number(r, value);
		case MLS_SPAN_NONFINITE:
			return read_nonfinite(r, value);
		case MLS_SPAN_TRUE:
			return read_word(r, value, "true");
		case MLS_SPAN_FALSE:
			return read_word(r, value, "false");
		case MLS_SPAN_NULL:
			return read_word(r, value, "null");
		case MLS_SPAN_NONE:
			break;
	}
	return fail(r, r->at >= r->end ? "an early end" : "unexpected characters");
}

bool
mls_json_value(MlsJsonReader *r, MlsSpan *value)
{
	return !r->error && read_value(r, value);
}

bool
mls_json_open(MlsJsonReader *r)
{
	MlsSpanKind kind = mls_json_peek(r);

	if (kind != MLS_SPAN_OBJECT && kind != MLS_SPAN_ARRAY)
		return fail(r, "neither an object nor an array");
	return open_container(r);
}

bool
mls_json_more(MlsJsonReader *r)
{
	if (r->error)
		return false;
	skip_space(r);
	if (r->at >= r->end)
		return fail(r, "an early end");
	if (*r->at == r->close)
	{
		r->at++;
		r->depth--;
		return false;
	}
	if (!r->first)
	{
		if (*r->at != ',')
			return fail(r, "a missing comma");
		r->at++;
	}
	r->first = false;
	return true;
}

bool
mls_json_next(MlsJsonReader *r, MlsSpan *key, MlsSpan *value)
{
	if (!mls_json_more(r))
		return false;
	if (r->close == '}')
	{
		if (mls_json_peek(r) != MLS_SPAN_STRING)
			return fail(r, r->at >= r->end ? "an early end" : "an object's key that is not a string");
		key->kind = MLS_SPAN_STRING;
		if (!read_string(r, key))
			return false;
		skip_space(r);
		if (r->at >= r->end || *r->at != ':')
			return fail(r, r->at >= r->end ? "an early end" : "a missing colon");
		r->at++;
	}
	return read_value(r, value);
}

bool
mls_json_finish(MlsJsonReader *r)
{
	skip_space(r);
	if (!r->error && r->at < r->end)
		return fail(r, "more after the end");
	return r->error == NULL;
}

void
mls_json_inside(MlsJsonReader *r, const MlsSpan *container)
{
	mls_json_start(r, container->start, container->len);
	mls_json_open(r);
}

/* Write a code point as UTF-8, returning the position after it. */
static char *
put_utf8(char *out, uint32 c)
{
	if (c < 0x80)
		*out++ = c;
	else if (c < 0x800)
	{
		*out++ = 0xC0 | (c >> 6);
		*out++ = 0x80 | (c & 0x3F);
	}
	else if (c < 0x10000)
	{
		*out++ = 0xE0 | (c >> 12);
		*out++ = 0x80 | ((c >> 6) & 0x3F);
		*out++ = 0x80 | (c & 0x3F);
	}
	else
	{
		*out++ = 0xF0 | (c >> 18);
		*out++ = 0x80 | ((c >> 12) & 0x3F);
		*out++ = 0x80 | ((c >> 6) & 0x3F);
		*out++ = 0x80 | (c & 0x3F);
	}
	return out;
}

/* The code point of the \u escape (or pair of them) at p, which is moved past it; 0 when it is no character. */
static uint32
unescape_code_point(const char **p, const char *end)
{
	int c = hex4(*p + 2, end);
	int low;

	*p += 6;
	if (c < 0xD800 || c > 0xDFFF)
		return c > 0 ? c : 0;
	if (c > 0xDBFF || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
		return 0;
	low = hex4(*p + 2, end);
	if (low < 0xDC00 || low > 0xDFFF)
		return 0;
	*p += 6;
	return 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
}

static char
unescape_char(char c)
{
	switch (c)
	{
		case 'b':
			return '\b';
		case 'f':
			return '\f';
		case 'n':
			return '\n';
		case 'r':
			return '\r';
		case 't':
			return '\t';
		default:
			return c;
	}
}

int
mls_json_unescape(const MlsSpan *value, char *out)
{
	const char *p = value->start;
	const char *end = p + value->len;
	char *o = out;

	while (p < end)
	{
		const char *stop = memchr(p, '\\', end - p);
		uint32 c;

		if (!stop)
			stop = end;
		memcpy(o, p, stop - p);
		o += stop - p;
		p = stop;
		if (p >= end)
			break;
		if (p[1] != 'u')
		{
			*o++ = unescape_char(p[1]);
			p += 2;
			continue;
		}
		c = unescape_code_point(&p, end);
		if (c == 0)
			return -1;
		o = put_utf8(o, c);
	}
	return o - out;
}

const char *
mls_json_impurity(const MlsSpan *value)
{
	const char *p = value->start;
	const char *end = p + value->len;
	bool in_string = value->kind == MLS_SPAN_STRING;

	while (p < end)
	{
		if (!in_string)
		{
			if (*p == 'N')
				return "NaN";
			if (*p == 'I')
				return "Infinity";
			in_string = *p == '"';
			p++;
			continue;
		}
		p = mls_json_plain_end(p, end);
		if (p >= end)
			break;
		if (*p == '"')
		{
			in_string = false;
			p++;
		}
		else if (p[1] != 'u')
			p += 2;
		else if (unescape_code_point(&p, end) == 0)
			return "a \\u escape that is no character";
	}
	return NULL;
}

bool
mls_json_equals(const MlsSpan *value, const char *text)
{
	size_t len = strlen(text);
	char *copy;
	int copied;
	bool equal;

	if (!value->escaped)
		return value->len == len && memcmp(value->start, text, len) == 0;

	copy = palloc(value->len);
	copied = mls_json_unescape(value, copy);
	equal = copied == len && memcmp(copy, text, len) == 0;
	pfree(copy);
	return equal;
}

int
mls_json_count(const MlsSpan *container)
{
	MlsJsonReader r;
	MlsSpan key;
	MlsSpan value;
	int n = 0;

	mls_json_inside(&r, container);
	while (mls_json_next(&r, &key, &value))
		n++;
	return n;
}

MlsSpan
mls_json_member(const MlsSpan *object, const char *name, size_t name_len)
{
	MlsSpan none = {.kind = MLS_SPAN_NONE};
	MlsJsonReader r;
	MlsSpan key;
	MlsSpan value;
	bool equal;

	if (object->kind != MLS_SPAN_OBJECT)
		return none;
	mls_json_inside(&r, object);
	while (mls_json_next(&r, &key, &value))
	{
		if (key.escaped)
		{
			char *wanted = pnstrdup(name, name_len);

			equal = mls_json_equals(&key, wanted);
			pfree(wanted);
		}
		else
			equal = key.len == name_len && memcmp(key.start, name, name_len) == 0;
		if (equal)
			return value;
	}
	return none;
}
