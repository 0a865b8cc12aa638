/*
 * json_read.h - a streaming reader of JSON: it walks a range of bytes and hands out spans of it. Pure; nothing is
 * copied, number tokens keep all their digits.
 *
 *	MlsJsonReader r;
 *
 *	mls_json_start(&r, body, len);
 *	if (mls_json_open(&r))
 *		while (mls_json_next(&r, NULL, &item))
 *			...
 *	if (!mls_json_finish(&r))
 *		complain(r.error, r.at);
 *
 * Strict RFC 8259, with one tolerance: NaN, Infinity and -Infinity, as Python's json module writes them, are values of
 * their own kind. Nesting deeper than MLS_JSON_MAX_DEPTH is an error. UTF-8 is not looked at here.
 */
#ifndef MLS_JSON_READ_H
#define MLS_JSON_READ_H

#define MLS_JSON_MAX_DEPTH 128

typedef enum MlsSpanKind
{
	MLS_SPAN_NONE, /* no value: an error, or the end */
	MLS_SPAN_OBJECT,
	MLS_SPAN_ARRAY,
	MLS_SPAN_STRING,
	MLS_SPAN_NUMBER,
	MLS_SPAN_NONFINITE, /* NaN, Infinity, -Infinity */
	MLS_SPAN_TRUE,
	MLS_SPAN_FALSE,
	MLS_SPAN_NULL
} MlsSpanKind;

/* A value in the text. A string's span is what stands between the quotes; an object's or array's has its brackets. */
typedef struct MlsSpan
{
	const char *start;
	size_t len;
	MlsSpanKind kind;
	bool escaped; /* a string with backslashes in it */
} MlsSpan;

typedef struct MlsJsonReader
{
	const char *at;
	const char *end;
	const char *error; /* a static text once something was wrong at `at`, else NULL */
	int depth;
	bool first; /* the container that was opened last has had no element yet */
	char close; /* its closing bracket */
} MlsJsonReader;

extern void mls_json_start(MlsJsonReader *r, const char *text, size_t len);

/* What kind of value comes next, by its first byte; MLS_SPAN_NONE at the end or when it is none. Consumes white space. */
extern MlsSpanKind mls_json_peek(MlsJsonReader *r);

/* Read one whole value, checking all of it. False on an error. */
extern bool mls_json_value(MlsJsonReader *r, MlsSpan *value);

/* Step into the object or array that comes next. False (with an error) when neither does. */
extern bool mls_json_open(MlsJsonReader *r);

/*
 * The next element of the container that was opened (one at a time: read nested ones through mls_json_inside). key is
 * NULL for arrays. False at the end, which is consumed, or on an error.
 */
extern bool mls_json_next(MlsJsonReader *r, MlsSpan *key, MlsSpan *value);

/*
 * Instead of mls_json_next: stand before the next element (an object's key), for who reads it by himself. False at the
 * end, which is consumed, or on an error. Who steps into an element has to put first and close back when he leaves it.
 */
extern bool mls_json_more(MlsJsonReader *r);

/* True when nothing was wrong so far and only white space is left. */
extern bool mls_json_finish(MlsJsonReader *r);

/* A reader that stands inside a container that was read (and so checked) before. */
extern void mls_json_inside(MlsJsonReader *r, const MlsSpan *container);

/*
 * Write a string span's characters to out, which must have room for value->len bytes. Returns their number, or -1 when
 * it holds \u0000 or half a surrogate pair, which no text can.
 */
extern int mls_json_unescape(const MlsSpan *value, char *out);

/*
 * What keeps a value that was checked from being strict JSON that any text can hold: "NaN", "Infinity", or a \u escape
 * of no character. NULL when nothing does.
 */
extern const char *mls_json_impurity(const MlsSpan *value);

/* Is the string span equal to the NUL-terminated text? Spans with escapes are compared by their characters. */
extern bool mls_json_equals(const MlsSpan *value, const char *text);

/* An object's member of this name (name_len bytes of it); its kind is MLS_SPAN_NONE when there is none. */
extern MlsSpan mls_json_member(const MlsSpan *object, const char *name, size_t name_len);

/* How many elements an object or array that was checked has. */
extern int mls_json_count(const MlsSpan *container);

#endif
