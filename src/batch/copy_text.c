/*
 * copy_text.c - see copy_text.h.
 */
#include "postgres.h"

#include "batch/copy_text.h"

void
mls_copy_write(StringInfo out, const char *text, size_t len)
{
	const char *end = text + len;

	for (; text < end; text++)
	{
		switch (*text)
		{
			case '\\':
				appendStringInfoString(out, "\\\\");
				break;
			case '\n':
				appendStringInfoString(out, "\\n");
				break;
			case '\r':
				appendStringInfoString(out, "\\r");
				break;
			case '\t':
				appendStringInfoString(out, "\\t");
				break;
			default:
				appendStringInfoChar(out, *text);
		}
	}
}

void
mls_copy_split(char *line, char **values, int n)
{
	char *end = line + strlen(line);
	char *out = line;
	char *in = line;

	for (int i = 0; i < n; i++)
	{
		bool null = end - in >= 2 && in[0] == '\\' && in[1] == 'N' && (in + 2 == end || in[2] == '\t');

		values[i] = null ? NULL : out;
		for (; in < end && *in != '\t'; in++)
		{
			if (*in == '\\' && in + 1 < end)
			{
				in++;
				*out++ = *in == 'n' ? '\n' : *in == 'r' ? '\r' : *in == 't' ? '\t' : *in;
			}
			else
				*out++ = *in;
		}
		in++;
		*out++ = '\0';
	}
}
