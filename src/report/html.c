/*
 * html.c - text into HTML. See html.h.
 */
#include "postgres.h"

#include "report/html.h"

#include <stdarg.h>

#define REPLACEMENT 0xfffd

/* The code point at *at, which is moved behind it; REPLACEMENT for a byte that begins none. */
static uint32
next_character(const unsigned char **at)
{
	const unsigned char *byte = *at;
	int more = byte[0] >= 0xf0 ? 3 : byte[0] >= 0xe0 ? 2 : 1;
	uint32 least = more == 3 ? 0x10000 : more == 2 ? 0x800 : 0x80;
	uint32 character = byte[0] & (0x3f >> more);

	(*at)++;
	if (byte[0] < 0x80)
		return byte[0];
	if (byte[0] < 0xc2 || byte[0] > 0xf4)
		return REPLACEMENT;
	for (int i = 1; i <= more; i++)
	{
		if ((byte[i] & 0xc0) != 0x80)
			return REPLACEMENT;
		character = character << 6 | (byte[i] & 0x3f);
	}
	if (character < least || character > 0x10ffff || (character >= 0xd800 && character <= 0xdfff))
		return REPLACEMENT;
	*at += more;
	return character;
}

/* Controls, what turns the direction of text, and what is no character. */
static bool
is_harmful(uint32 character)
{
	return (character >= 0x7f && character <= 0x9f) || (character >= 0x200e && character <= 0x200f) ||
		   (character >= 0x202a && character <= 0x202e) || (character >= 0x2066 && character <= 0x2069) ||
		   (character & 0xfffe) == 0xfffe || (character < ' ' && character != '\t' && character != '\n');
}

static void
put_text(StringInfo out, const char *text)
{
	const unsigned char *at = (const unsigned char *) text;

	while (*at != '\0')
	{
		uint32 character = next_character(&at);

		if (is_harmful(character))
			character = REPLACEMENT;
		if (character >= 0x80 || strchr("<>&\"'", (int) character) != NULL)
			appendStringInfo(out, "&#%u;", character);
		else
			appendStringInfoChar(out, (char) character);
	}
}

void
mls_html_put(StringInfo out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	for (const char *at = format; *at != '\0'; at++)
	{
		if (*at != '%')
			appendStringInfoChar(out, *at);
		else if (*++at == 's')
			put_text(out, va_arg(args, const char *));
		else if (*at == 'd')
			appendStringInfo(out, "%d", va_arg(args, int));
		else if (*at == '.')
		{
			appendStringInfo(out, "%.*f", at[1] - '0', va_arg(args, double));
			at += 2;
		}
		else
			appendStringInfoChar(out, *at);
	}
	va_end(args);
}

char *
mls_html_clip(const char *text, int characters)
{
	const unsigned char *at = (const unsigned char *) text;

	for (int i = 0; i < characters && *at != '\0'; i++)
		(void) next_character(&at);
	if (*at == '\0')
		return pstrdup(text);
	return psprintf("%.*s\xe2\x80\xa6", (int) ((const char *) at - text), text);
}
