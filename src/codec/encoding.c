/*
 * encoding.c - see encoding.h.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "codec/encoding.h"
#include "codec/json_read.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#define EXCERPT_LENGTH 60

const char *
mls_to_utf8(const char *text, int *len)
{
	char *converted;

	if (GetDatabaseEncoding() == PG_UTF8)
		return text;
	converted = pg_server_to_any(text, *len, PG_UTF8);
	if (converted != text)
		*len = strlen(converted);
	return converted;
}

char *
mls_from_utf8(const char *utf8, int len, char **text, int *text_len)
{
	int encoding = GetDatabaseEncoding();
	Oid proc;
	int room;

	if (encoding != PG_UTF8 && encoding != PG_SQL_ASCII)
	{
		proc = FindDefaultConversionProc(PG_UTF8, encoding);
		if (!OidIsValid(proc))
			return psprintf("no conversion from UTF8 to %s exists", GetDatabaseEncodingName());
		room = len * MAX_CONVERSION_GROWTH + 1;
		*text = palloc(room);
		if (pg_do_encoding_conversion_buf(proc, PG_UTF8, encoding, (unsigned char *) unconstify(char *, utf8), len,
										  (unsigned char *) *text, room, true) != len)
			return psprintf("a text has characters that the database's encoding %s has not", GetDatabaseEncodingName());
		*text_len = strlen(*text);
		return NULL;
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
