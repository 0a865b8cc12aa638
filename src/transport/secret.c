/*
 * secret.c - keeping credentials out of what came over the network, before any of it may be shown.
 *
 * An endpoint, or what stands between, may repeat the request's headers or form in its reply. Who sees the error need not
 * be who has the key: the callers of a SECURITY DEFINER function do not.
 */
#include "postgres.h"

#include "transport/endpoint.h"

/* A shorter secret is found in words that are none of it, and what is masked in them would tell what it is. */
#define SHORTEST_MASKED 6

/* So much of a secret at the end of a text that was cut off is taken for the whole. */
#define TELLING_PART 4

/* A character takes so many at most: "\u002b". */
#define LONGEST_SPELLING 6

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that n hex digits at text stand for, -1 when they are none or the text ends. */
static int
read_hex(const char *text, const char *end, int n)
{
	int value = 0;

	if (end - text < n)
		return -1;
	for (int i = 0; i < n; i++)
	{
		int digit = hex_digit(text[i]);

		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

/*
 * How many bytes at text spell the character c: as it is, with a backslash or as \u00xx (JSON), as %xx or + (URLs and
 * forms), as &#xx; or &amp; and the like (HTML). 0 when they do not.
 */
static size_t
spells_character(const char *text, const char *end, char c)
{
	static const struct
	{
		const char *name;
		char c;
	} entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#39;", '\''}, {"&#43;", '+'}};

	if (*text == c)
		return 1;
	if (*text == '\\' && end - text >= 2 && text[1] == c)
		return 2;
	if (*text == '\\' && end - text >= 2 && text[1] == 'u' && read_hex(text + 2, end, 4) == (unsigned char) c)
		return 6;
	if (*text == '%' && read_hex(text + 1, end, 2) == (unsigned char) c)
		return 3;
	if (*text == '+' && c == ' ')
		return 1;
	for (int i = 0; i < lengthof(entities) && *text == '&'; i++)
	{
		size_t len = strlen(entities[i].name);

		if (entities[i].c == c && (size_t) (end - text) >= len && memcmp(text, entities[i].name, len) == 0)
			return len;
	}
	return 0;
}

/* How many bytes at text spell secret? The end of the text may cut it off. */
static size_t
spells_secret(const char *text, const char *end, const char *secret)
{
	const char *p = text;

	for (const char *s = secret; *s != '\0'; s++)
	{
		size_t len = p == end ? 0 : spells_character(p, end, *s);

		if (len == 0 && end - p < LONGEST_SPELLING && s - secret >= TELLING_PART &&
			(p == end || strchr("\\%&", *p) != NULL))
			return end - text;
		if (len == 0)
			return 0;
		p += len;
	}
	return p - text;
}

static bool
mask_one(const char *secret, char *text, size_t len)
{
	char *end = text + len;
	bool found = false;

	if (strlen(secret) < SHORTEST_MASKED)
		return false;
	for (char *p = text; p < end; p++)
	{
		size_t spelt = *p == *secret || strchr("\\%&+", *p) != NULL ? spells_secret(p, end, secret) : 0;

		if (spelt == 0)
			continue;
		memset(p, '*', spelt);
		p += spelt - 1;
		found = true;
	}
	return found;
}

bool
mls_secret_mask(const MlsEndpoint *endpoint, char *text, size_t len)
{
	bool found = false;
	ListCell *lc;

	foreach (lc, endpoint->secrets)
		found |= mask_one(lfirst(lc), text, len);
	return found;
}

size_t
mls_secret_longest(const MlsEndpoint *endpoint)
{
	size_t longest = 0;
	ListCell *lc;

	foreach (lc, endpoint->secrets)
		longest = Max(longest, strlen(lfirst(lc)));
	return longest * LONGEST_SPELLING;
}

void
mls_secret_mask_headers(const MlsExchange *exchange)
{
	MlsHttpReply *reply = &exchange->transfer->reply;

	mls_secret_mask(exchange->endpoint, reply->request_id, strlen(reply->request_id));
	mls_secret_mask(exchange->endpoint, reply->inner_reason, strlen(reply->inner_reason));
	mls_secret_mask(exchange->endpoint, reply->redirect_host, strlen(reply->redirect_host));
	mls_secret_mask(exchange->endpoint, reply->error, strlen(reply->error));
}
