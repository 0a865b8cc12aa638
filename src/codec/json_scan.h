/*
 * json_scan.h - where a run of bytes that JSON strings carry as they are ends; shared by the writer and the reader.
 */
#ifndef MLS_JSON_SCAN_H
#define MLS_JSON_SCAN_H

#define MLS_EVERY_BYTE(b) (UINT64CONST(0x0101010101010101) * (b))

/* Eight bytes at once: is one of them a control character, a quote or a backslash? */
static inline bool
mls_json_special8(uint64 word)
{
	uint64 quote = word ^ MLS_EVERY_BYTE('"');
	uint64 backslash = word ^ MLS_EVERY_BYTE('\\');
	uint64 found;

	found = (word - MLS_EVERY_BYTE(0x20)) & ~word;
	found |= (quote - MLS_EVERY_BYTE(0x01)) & ~quote;
	found |= (backslash - MLS_EVERY_BYTE(0x01)) & ~backslash;
	return (found & MLS_EVERY_BYTE(0x80)) != 0;
}

static inline bool
mls_json_special(unsigned char c)
{
	return c < 0x20 || c == '"' || c == '\\';
}

/* The first byte from p on that is a control character, a quote or a backslash, or end. */
static inline const char *
mls_json_plain_end(const char *p, const char *end)
{
	while (end - p >= 8)
	{
		uint64 word;

		memcpy(&word, p, 8);
		if (mls_json_special8(word))
			break;
		p += 8;
	}
	while (p < end && !mls_json_special(*p))
		p++;
	return p;
}

#endif
