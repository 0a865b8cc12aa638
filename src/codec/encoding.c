/*
 * encoding.c - see encoding.h.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/reading.h"
#include "codec/encoding.h"
#include "codec/json_read.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#define EXCERPT_LENGTH 60

const char *
mls_to_utf8(const char *text, int *len)
{
	MlsReading reading;
	char *converted;

	if (GetDatabaseEncoding() == PG_UTF8)
		return text;
	mls_reading_begin(&reading);
	converted = pg_server_to_any(text, *len, PG_UTF8);
	mls_reading_end(&reading);
	if (converted != text)
		*len = strlen(converted);
	return converted;
}

/* Into another encoding than UTF-8. In a transaction. NULL, or why not. */
static char *
convert_from_utf8(const char *utf8, int len, char **text, int *text_len)
{
	int encoding = GetDatabaseEncoding();
	Oid proc = FindDefaultConversionProc(PG_UTF8, encoding);
	Size room = (Size) len * MAX_CONVERSION_GROWTH + 1;

	if (!OidIsValid(proc))
		return psprintf("no conversion from UTF8 to %s exists", GetDatabaseEncodingName());
	if (room > MaxAllocSize)
		return pstrdup("a text is too long to be converted");
	*text = palloc(room);
	if (pg_do_encoding_conversion_buf(proc, PG_UTF8, encoding, (unsigned char *) unconstify(char *, utf8), len,
									  (unsigned char *) *text, (int) room, true) != len)
		return psprintf("a text has characters that the database's encoding %s has not", GetDatabaseEncodingName());
	*text_len = strlen(*text);
	return NULL;
}

char *
mls_from_utf8(const char *utf8, int len, char **text, int *text_len)
{
	if (GetDatabaseEncoding() != PG_UTF8 && GetDatabaseEncoding() != PG_SQL_ASCII)
	{
		MlsReading reading;
		char *problem;

		mls_reading_begin(&reading);
		problem = convert_from_utf8(utf8, len, text, text_len);
		mls_reading_end(&reading);
		return problem;
	}
	*text = palloc(len + 1);
	memcpy(*text, utf8, len);
	(*text)[len] = '\0';
	*text_len = len;
	return NULL;
}

int
mls_invalid_utf8(const char *text, size_t len)
{
	int valid = pg_encoding_verifymbstr(PG_UTF8, text, len);

	return valid == len ? -1 : valid;
}

char *
mls_excerpt(const char *text, size_t len)
{
	return mls_excerpt_of_length(text, len, EXCERPT_LENGTH);
}

char *
mls_excerpt_of_length(const char *text, size_t len, int max)
{
	int shown = Min(len, max);
	char *result;
	bool keep;

	if (shown < len)
		shown = pg_encoding_mbcliplen(PG_UTF8, text, Min(len, max + 4), max);
	keep = GetDatabaseEncoding() == PG_UTF8 && pg_verify_mbstr(PG_UTF8, text, shown, true);
	result = psprintf("%.*s%s", shown, text, shown < len ? "..." : "");
	for (char *p = result; *p; p++)
	{
		if ((unsigned char) *p < 0x20)
			*p = ' ';
		else if (IS_HIGHBIT_SET(*p) && !keep)
			*p = '?';
	}
	return result;
}

char *
mls_json_keys(const MlsSpan *object)
{
	StringInfoData out;
	MlsJsonReader r;
	MlsSpan key;
	MlsSpan value;
	int n = 0;

	initStringInfo(&out);
	mls_json_inside(&r, object);
	while (mls_json_next(&r, &key, &value))
	{
		if (n == 20)
		{
			appendStringInfoString(&out, ", ...");
			break;
		}
		appendStringInfo(&out, "%s\"%s\"", n++ > 0 ? ", " : "", mls_excerpt(key.start, key.len));
	}
	return out.data;
}
