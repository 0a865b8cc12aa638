/*
 * csv.c - see csv.h.
 */
#include "postgres.h"

#include "batch/csv.h"

static bool
needs_quotes(const char *text, size_t len)
{
	if (len == 0 || text[0] == ' ' || text[len - 1] == ' ')
		return true;
	for (size_t i = 0; i < len; i++)
	{
		if (text[i] == ',' || text[i] == '"' || text[i] == '\n' || text[i] == '\r')
			return true;
	}
	return false;
}

void
mls_csv_write(StringInfo out, const char *text, size_t len)
{
	const char *end = text + len;

	if (!needs_quotes(text, len))
	{
		appendBinaryStringInfo(out, text, (int) len);
		return;
	}
	appendStringInfoChar(out, '"');
	while (text < end)
	{
		const char *quote = memchr(text, '"', end - text);
		const char *stop = quote == NULL ? end : quote + 1;

		appendBinaryStringInfo(out, text, (int) (stop - text));
		if (quote != NULL)
			appendStringInfoChar(out, '"');
		text = stop;
	}
	appendStringInfoChar(out, '"');
}

/* Is an odd number of quotes among these bytes? */
static bool
toggles(const char *text, const char *end)
{
	bool odd = false;

	while ((text = memchr(text, '"', end - text)) != NULL)
	{
		odd = !odd;
		text++;
	}
	return odd;
}

const char *
mls_csv_record_end(const char *text, const char *end, bool quotes, bool last)
{
	const char *at = text;
	bool inside = false;

	while (at < end)
	{
		const char *newline = memchr(at, '\n', end - at);

		if (newline == NULL)
			break;
		if (quotes && toggles(at, newline))
			inside = !inside;
		at = newline + 1;
		if (!inside)
			return at;
	}
	return last && text < end ? end : NULL;
}

/* Take a quoted field at *p, which is its quote; it is moved together in place. False when it does not end well. */
static bool
take_quoted(char **p, char *end, char delimiter, MlsResultField *field)
{
	char *in = *p + 1;
	char *out = in;

	field->start = out;
	field->quoted = true;
	for (; in < end; in++)
	{
		if (*in == '"' && in + 1 < end && in[1] == '"')
			in++;
		else if (*in == '"')
			break;
		*out++ = *in;
	}
	field->len = (int) (out - field->start);
	if (in >= end || (in + 1 < end && in[1] != delimiter))
		return false;
	*p = in + 1;
	return true;
}

int
mls_csv_split(char *record, size_t len, char delimiter, MlsResultField *fields, int max)
{
	char *p = record;
	char *end = record + len;
	int n = 0;

	for (;;)
	{
		MlsResultField field = {.start = p};

		if (p < end && *p == '"')
		{
			if (!take_quoted(&p, end, delimiter, &field))
				return -1;
		}
		else
		{
			char *stop = memchr(p, delimiter, end - p);

			p = stop == NULL ? end : stop;
			field.len = (int) (p - field.start);
		}
		if (n < max)
			fields[n] = field;
		n++;
		if (p >= end)
			return n;
		p++; /* the delimiter; what follows it is a field even when it is empty */
	}
}
