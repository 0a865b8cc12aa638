/*
 * encoding_shim.c - codec/encoding.h for tests without a server: as if the database were in UTF-8.
 */
#include "postgres.h"

#include "codec/encoding.h"

char *
mls_from_utf8(const char *utf8, int len, char **text, int *text_len)
{
	*text = pnstrdup(utf8, len);
	*text_len = len;
	return NULL;
}

int
mls_invalid_utf8(const char *text, size_t len)
{
	return -1;
}

char *
mls_excerpt(const char *text, size_t len)
{
	return pnstrdup(text, Min(len, 60));
}

char *
mls_json_keys(const MlsSpan *object)
{
	return pstrdup("keys");
}
