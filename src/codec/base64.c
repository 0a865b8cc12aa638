/*
 * base64.c - see base64.h.
 */
#include "postgres.h"

#include "codec/base64.h"

/* The six bits that a character stands for, in either of the two alphabets, or -1. */
static int
sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return -1;
}

int
mls_base64_decode(const char *text, int len, unsigned char *out)
{
	uint32 group = 0;
	int bits = 0;
	int n = 0;

	while (len > 0 && text[len - 1] == '=')
		len--;
	for (int i = 0; i < len; i++)
	{
		int six;

		/* Python's encodebytes breaks lines. */
		if (text[i] == '\n' || text[i] == '\r')
			continue;
		six = sextet(text[i]);
		if (six < 0)
			return -1;
		group = (group << 6) | six;
		bits += 6;
		if (bits >= 8)
		{
			bits -= 8;
			out[n++] = (group >> bits) & 0xFF;
		}
	}
	return bits >= 6 ? -1 : n;
}
