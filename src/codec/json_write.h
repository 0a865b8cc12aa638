/*
 * json_write.h - the bytes of JSON values, appended to a StringInfo. Pure: strings are UTF-8 already.
 */
#ifndef MLS_JSON_WRITE_H
#define MLS_JSON_WRITE_H

#include "lib/stringinfo.h"

/* Make room for n more bytes (and the terminator that StringInfo keeps). */
static inline void
mls_json_reserve(StringInfo out, int n)
{
	if (unlikely(out->len + n >= out->maxlen))
		enlargeStringInfo(out, n);
}

/* Append n bytes as they are. The result is not NUL-terminated until the caller finishes the buffer. */
static inline void
mls_json_write_raw(StringInfo out, const char *bytes, int n)
{
	mls_json_reserve(out, n);
	memcpy(out->data + out->len, bytes, n);
	out->len += n;
}

/*
 * The same for a text that is written again and again and mostly short: 16 bytes can be read at bytes however few n is,
 * so that no call is needed to copy them.
 */
#define MLS_JSON_PADDED 16

static inline void
mls_json_write_padded(StringInfo out, const char *bytes, int n)
{
	if (unlikely(n > MLS_JSON_PADDED))
	{
		mls_json_write_raw(out, bytes, n);
		return;
	}
	mls_json_reserve(out, MLS_JSON_PADDED);
	memcpy(out->data + out->len, bytes, MLS_JSON_PADDED);
	out->len += n;
}

static inline void
mls_json_write_char(StringInfo out, char c)
{
	mls_json_reserve(out, 1);
	out->data[out->len++] = c;
}

/* A string with its quotes, escaped as JSON wants. */
extern void mls_json_write_string(StringInfo out, const char *s, int len);

/* Decimal digits. */
extern void mls_json_write_int(StringInfo out, int64 value);

/*
 * The shortest digits that read back as the same value; value must be finite. With point, a whole number keeps a
 * ".0", so that a reader that tells integers from floats sees a float.
 */
extern void mls_json_write_double(StringInfo out, double value, bool point);
extern void mls_json_write_float(StringInfo out, float value, bool point);

/* A quoted base64 string (RFC 4648, padded). */
extern void mls_json_write_base64(StringInfo out, const unsigned char *bytes, int len);

#endif
