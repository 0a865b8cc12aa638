/*
 * blob_xml.c - see blob_xml.h.
 *
 * The reader below knows elements, text, character references, CDATA, comments and processing instructions. That is all
 * the service sends: there are no name spaces and no document types, and one of these is refused, so that nothing can be
 * expanded. It is small enough to be preferred to a dependency on libxml2, which PostgreSQL need not be built with.
 */
#include "postgres.h"

#include "batch/blob_xml.h"

#include "mb/pg_wchar.h"

#define MAX_DEPTH 32
#define MAX_NAME 64

/* No blob has so many bytes, and no sum of a listing's sizes overflows. */
#define MAX_SIZE_DIGITS 15

typedef enum XmlEvent
{
	XML_START, /* name */
	XML_TEXT,  /* text, decoded */
	XML_END,   /* name */
	XML_DONE,
	XML_BAD
} XmlEvent;

typedef struct XmlReader
{
	const char *at;
	const char *end;
	char path[MAX_DEPTH][MAX_NAME]; /* the open elements */
	int depth;
	bool self_closed; /* the element just begun ends at once */
	const char *name; /* of the last event */
	StringInfoData text;
} XmlReader;

static void
xml_begin(XmlReader *r, const char *xml, size_t len)
{
	memset(r, 0, sizeof(*r));
	r->at = xml;
	r->end = xml + len;
	initStringInfo(&r->text);
	if (len >= 3 && memcmp(xml, "\xEF\xBB\xBF", 3) == 0)
		r->at += 3;
}

/* Go behind the next occurrence of text. */
static bool
skip_past(XmlReader *r, const char *text)
{
	size_t len = strlen(text);

	for (const char *p = r->at; p + len <= r->end; p++)
	{
		if (memcmp(p, text, len) == 0)
		{
			r->at = p + len;
			return true;
		}
	}
	return false;
}

static bool
starts_with(const XmlReader *r, const char *text)
{
	size_t len = strlen(text);

	return r->end - r->at >= len && memcmp(r->at, text, len) == 0;
}

/* The character that "&#...;" stands for, in UTF-8. */
static bool
append_code(StringInfo out, const char *digits, size_t len)
{
	bool hex = len > 0 && (*digits == 'x' || *digits == 'X');
	char number[12];
	char *stop;
	unsigned long code;
	unsigned char utf8[5] = {0};

	if (len == 0 || len >= sizeof(number))
		return false;
	memcpy(number, digits, len);
	number[len] = '\0';
	code = strtoul(number + hex, &stop, hex ? 16 : 10);
	if (*stop != '\0' || stop == number + hex || code == 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
		return false;
	unicode_to_utf8((pg_wchar) code, utf8);
	appendStringInfoString(out, (char *) utf8);
	return true;
}

/* Append text with its references replaced. */
static bool
append_decoded(StringInfo out, const char *text, size_t len)
{
	static const struct
	{
		const char *name;
		char character;
	} entities[] = {{"amp;", '&'}, {"lt;", '<'}, {"gt;", '>'}, {"quot;", '"'}, {"apos;", '\''}};
	const char *end = text + len;

	while (text < end)
	{
		const char *amp = memchr(text, '&', end - text);
		const char *semicolon;
		bool known = false;

		appendBinaryStringInfo(out, text, (int) ((amp == NULL ? end : amp) - text));
		if (amp == NULL)
			return true;
		amp++;
		semicolon = memchr(amp, ';', end - amp);
		if (semicolon == NULL)
			return false;
		if (*amp == '#')
			known = append_code(out, amp + 1, semicolon - amp - 1);
		else
			for (int i = 0; i < lengthof(entities) && !known; i++)
			{
				known = strncmp(entities[i].name, amp, semicolon - amp + 1) == 0;
				if (known)
					appendStringInfoChar(out, entities[i].character);
			}
		if (!known)
			return false;
		text = semicolon + 1;
	}
	return true;
}

/* A tag's name into the path's level. */
static bool
read_name(XmlReader *r, char name[MAX_NAME])
{
	int len = 0;

	while (r->at < r->end && strchr(" \t\r\n/>", *r->at) == NULL)
	{
		if (len >= MAX_NAME - 1 || *r->at == '<' || *r->at == '&' || *r->at == '\0')
			return false;
		name[len++] = *r->at++;
	}
	name[len] = '\0';
	return len > 0;
}

/* Behind a start tag's name: skip the attributes and the bracket. */
static bool
skip_attributes(XmlReader *r)
{
	char quote = '\0';

	for (; r->at < r->end; r->at++)
	{
		if (quote != '\0')
			quote = *r->at == quote ? '\0' : quote;
		else if (*r->at == '"' || *r->at == '\'')
			quote = *r->at;
		else if (*r->at == '<')
			return false;
		else if (*r->at == '>')
		{
			r->self_closed = r->at[-1] == '/';
			r->at++;
			return true;
		}
	}
	return false;
}

static XmlEvent
read_start_tag(XmlReader *r)
{
	r->at++;
	if (r->depth >= MAX_DEPTH || !read_name(r, r->path[r->depth]) || !skip_attributes(r))
		return XML_BAD;
	r->name = r->path[r->depth++];
	return XML_START;
}

static XmlEvent
read_end_tag(XmlReader *r)
{
	char name[MAX_NAME];

	r->at += 2;
	if (r->depth == 0 || !read_name(r, name) || strcmp(name, r->path[r->depth - 1]) != 0 || !skip_past(r, ">"))
		return XML_BAD;
	r->name = r->path[--r->depth];
	return XML_END;
}

static XmlEvent
xml_next(XmlReader *r)
{
	if (r->self_closed)
	{
		r->self_closed = false;
		r->name = r->path[--r->depth];
		return XML_END;
	}
	while (r->at < r->end)
	{
		const char *stop;

		resetStringInfo(&r->text);
		if (starts_with(r, "<?"))
		{
			if (!skip_past(r, "?>"))
				return XML_BAD;
		}
		else if (starts_with(r, "<!--"))
		{
			if (!skip_past(r, "-->"))
				return XML_BAD;
		}
		else if (starts_with(r, "<![CDATA["))
		{
			const char *start = r->at + 9;

			if (!skip_past(r, "]]>"))
				return XML_BAD;
			appendBinaryStringInfo(&r->text, start, (int) (r->at - 3 - start));
			return XML_TEXT;
		}
		else if (starts_with(r, "<!"))
			return XML_BAD;
		else if (starts_with(r, "</"))
			return read_end_tag(r);
		else if (*r->at == '<')
			return read_start_tag(r);
		else
		{
			stop = memchr(r->at, '<', r->end - r->at);
			if (stop == NULL)
				stop = r->end;
			if (!append_decoded(&r->text, r->at, stop - r->at))
				return XML_BAD;
			r->at = stop;
			if (r->depth > 0)
				return XML_TEXT;
		}
	}
	return r->depth == 0 ? XML_DONE : XML_BAD;
}

/* Room for one more item. */
static MlsBlobItem *
add_item(MlsBlobListing *listing)
{
	if (listing->n == listing->capacity)
	{
		int capacity = Max(listing->capacity * 2, 64);
		MlsBlobItem *items = palloc(sizeof(MlsBlobItem) * capacity);

		if (listing->n > 0)
		{
			memcpy(items, listing->items, sizeof(MlsBlobItem) * listing->n);
			pfree(listing->items);
		}
		listing->items = items;
		listing->capacity = capacity;
	}
	listing->items[listing->n] = (MlsBlobItem){.size = -1};
	return &listing->items[listing->n++];
}

/* Bytes; -1 for what is no such number. */
static int64
read_size(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits == 0 || digits > MAX_SIZE_DIGITS || text[digits] != '\0' ? -1 : strtoll(text, NULL, 10);
}

/* An element of a listing ended; text is what it held. */
static void
take_element(MlsBlobListing *listing, const XmlReader *r, MlsBlobItem *item, const char *text)
{
	if (r->depth == 3 && item != NULL && strcmp(r->name, "Name") == 0)
		item->name = pstrdup(text);
	else if (r->depth == 4 && item != NULL && strcmp(r->name, "Content-Length") == 0)
		item->size = read_size(text);
	else if (r->depth == 1 && strcmp(r->name, "NextMarker") == 0 && *text != '\0')
		listing->next_marker = pstrdup(text);
}

bool
mls_blob_xml_listing(const char *xml, size_t len, MlsBlobListing *listing)
{
	XmlReader r;
	MlsBlobItem *item = NULL;
	StringInfoData text;
	bool is_listing = false;
	XmlEvent event;

	xml_begin(&r, xml, len);
	initStringInfo(&text);
	listing->next_marker = NULL;
	while ((event = xml_next(&r)) != XML_DONE && event != XML_BAD)
	{
		if (event == XML_START)
		{
			is_listing |= r.depth == 1 && strcmp(r.name, "EnumerationResults") == 0;
			if (r.depth == 3 && strcmp(r.name, "Blob") == 0)
				item = add_item(listing);
			resetStringInfo(&text);
		}
		else if (event == XML_TEXT)
			appendBinaryStringInfo(&text, r.text.data, r.text.len);
		else
		{
			take_element(listing, &r, item, text.data);
			if (r.depth == 2 && item != NULL)
			{
				if (item->name == NULL)
					listing->n--;
				item = NULL;
			}
			resetStringInfo(&text);
		}
	}
	pfree(text.data);
	pfree(r.text.data);
	return event == XML_DONE && is_listing;
}

char *
mls_blob_xml_text(const char *xml, size_t len, const char *element)
{
	XmlReader r;
	StringInfoData text;
	bool inside = false;
	bool found = false;
	XmlEvent event;

	xml_begin(&r, xml, len);
	initStringInfo(&text);
	while (!found && (event = xml_next(&r)) != XML_DONE && event != XML_BAD)
	{
		if (event == XML_START)
		{
			inside = strcmp(r.name, element) == 0;
			resetStringInfo(&text);
		}
		else if (event == XML_TEXT && inside)
			appendBinaryStringInfo(&text, r.text.data, r.text.len);
		else if (event == XML_END)
			found = inside && strcmp(r.name, element) == 0;
	}
	pfree(r.text.data);
	if (found)
		return text.data;
	pfree(text.data);
	return NULL;
}

void
mls_blob_block_id(int i, char id[MLS_BLOCK_ID_SIZE])
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char plain[13];

	snprintf(plain, sizeof(plain), "block-%06d", i);
	for (int group = 0; group < 4; group++)
	{
		const unsigned char *p = (const unsigned char *) plain + group * 3;
		uint32 bits = p[0] << 16 | p[1] << 8 | p[2];

		for (int k = 0; k < 4; k++)
			id[group * 4 + k] = alphabet[(bits >> (18 - 6 * k)) & 63];
	}
	id[16] = '\0';
}

void
mls_blob_xml_block_list(StringInfo out, int n)
{
	char id[MLS_BLOCK_ID_SIZE];

	appendStringInfoString(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
	for (int i = 0; i < n; i++)
	{
		mls_blob_block_id(i, id);
		appendStringInfo(out, "<Latest>%s</Latest>", id);
	}
	appendStringInfoString(out, "</BlockList>");
}
