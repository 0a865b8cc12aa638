/*
 * percent.c - see percent.h.
 */
#include "postgres.h"

#include "batch/percent.h"

static bool
is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
		   c == '_' || c == '~';
}

void
mls_percent_encode(StringInfo out, const char *text, const char *keep)
{
	for (; *text != '\0'; text++)
	{
		if (is_unreserved(*text) || strchr(keep, *text) != NULL)
			appendStringInfoChar(out, *text);
		else
			appendStringInfo(out, "%%%02X", (unsigned char) *text);
	}
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *
mls_percent_decode(const char *text, size_t len)
{
	char *result = palloc(len + 1);
	char *out = result;

	for (size_t i = 0; i < len; i++)
	{
		if (text[i] == '%' && i + 2 < len && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0)
		{
			*out++ = (char) (hex_value(text[i + 1]) << 4 | hex_value(text[i + 2]));
			i += 2;
		}
		else
			*out++ = text[i];
	}
	*out = '\0';
	return result;
}
