/*
 * url.c - URLs, taken apart by libcurl's own parser, and the rules for where requests may go.
 *
 * The parser is the one that will send the request, so that both always mean the same host.
 */
#include "catalog/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <ctype.h>

#include "utils/builtins.h"

#define MAX_HOST 255

/* The parts of a URL that the rules look at; host is in lower case, without a final dot and without brackets. */
typedef struct UrlParts
{
	char scheme[16];
	char host[MAX_HOST + 1];
	bool has_user;
} UrlParts;

/* Copy a part into buf; "" when the URL has none. False when it does not fit. No palloc: handle is curl's. */
static bool
copy_part(CURLU *handle, CURLUPart what, char *buf, size_t size)
{
	char *part = NULL;
	bool fits = true;

	buf[0] = '\0';
	if (curl_url_get(handle, what, &part, 0) == CURLUE_OK)
	{
		fits = strlcpy(buf, part, size) < size;
		curl_free(part);
	}
	return fits;
}

static bool
has_part(CURLU *handle, CURLUPart what)
{
	char *part = NULL;
	bool found = curl_url_get(handle, what, &part, 0) == CURLUE_OK;

	curl_free(part);
	return found;
}

/* The parsed url, to be freed with curl_url_cleanup; NULL when it is malformed. */
static CURLU *
open_url(const char *url)
{
	CURLU *handle = curl_url();

	if (handle != NULL && curl_url_set(handle, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
	{
		curl_url_cleanup(handle);
		handle = NULL;
	}
	return handle;
}

/* Names are compared in lower case; "host." is "host"; an IPv6 address loses its brackets. */
static void
normalise_host(char *host)
{
	size_t len = strlen(host);

	for (char *c = host; *c != '\0'; c++)
		*c = pg_tolower((unsigned char) *c);
	if (len > 1 && host[len - 1] == '.')
		host[--len] = '\0';
	if (len > 2 && host[0] == '[' && host[len - 1] == ']')
	{
		memmove(host, host + 1, len - 2);
		host[len - 2] = '\0';
	}
}

static bool
split_url(const char *url, UrlParts *parts)
{
	const char *authority = strstr(url, "://");
	CURLU *handle;
	bool ok;

	/* libcurl takes one slash and three for two; then others would see another host in the URL than it does */
	if (authority == NULL || authority[3] == '/' || (handle = open_url(url)) == NULL)
		return false;
	ok = copy_part(handle, CURLUPART_SCHEME, parts->scheme, sizeof(parts->scheme)) &&
		 copy_part(handle, CURLUPART_HOST, parts->host, sizeof(parts->host));
	parts->has_user = has_part(handle, CURLUPART_USER) || has_part(handle, CURLUPART_PASSWORD);
	curl_url_cleanup(handle);
	normalise_host(parts->host);
	return ok && parts->host[0] != '\0';
}

static bool
is_loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (strcmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* Take the next comma-separated pattern off *list into buf, trimmed. False at the end of the list. */
static bool
next_pattern(const char **list, char *buf, size_t size)
{
	const char *start = *list;
	const char *end;

	if (start == NULL || *start == '\0')
		return false;
	end = strchrnul(start, ',');
	*list = *end == ',' ? end + 1 : end;
	while (start < end && isspace((unsigned char) *start))
		start++;
	while (end > start && isspace((unsigned char) end[-1]))
		end--;
	strlcpy(buf, start, Min(size, (size_t) (end - start) + 1));
	return true;
}

/* "name" is that host, "*.name" every host below it. */
static bool
host_matches(const char *host, const char *pattern)
{
	size_t host_len = strlen(host);
	size_t suffix_len;

	if (strncmp(pattern, "*.", 2) != 0)
		return pg_strcasecmp(host, pattern) == 0;
	suffix_len = strlen(pattern + 1);
	return host_len > suffix_len && pg_strcasecmp(host + host_len - suffix_len, pattern + 1) == 0;
}

bool
mls_url_host_allowed(const char *list, const char *host)
{
	char pattern[MAX_HOST + 3];

	if (list == NULL || list[strspn(list, " \t")] == '\0')
		return true;
	while (next_pattern(&list, pattern, sizeof(pattern)))
		if (host_matches(host, pattern))
			return true;
	return false;
}

/* A pattern is a host name or address, "*." before it for those below. */
static bool
pattern_valid(const char *pattern)
{
	if (strncmp(pattern, "*.", 2) == 0)
		pattern += 2;
	return *pattern != '\0' &&
		   strspn(pattern, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:") == strlen(pattern);
}

bool
mls_url_check_patterns(const char *list)
{
	char pattern[MAX_HOST + 3];

	if (list[strspn(list, " \t")] == '\0')
		return true;
	while (next_pattern(&list, pattern, sizeof(pattern)))
		if (!pattern_valid(pattern))
			return false;
	return true;
}

/* What holds for servers and proxies alike: no credentials in the URL, an allowed host. */
static char *
common_refusal(const UrlParts *parts)
{
	if (parts->has_user)
		return pstrdup("A URL must not contain a user name or password; credentials go into a user mapping.");
	if (!mls_url_host_allowed(mls_allowed_hosts, parts->host))
		return psprintf("The host \"%s\" is not among ml_score.allowed_hosts.", parts->host);
	return NULL;
}

char *
mls_url_refusal(const char *url)
{
	UrlParts parts;
	bool plain;

	if (!split_url(url, &parts))
		return pstrdup("It is not a well-formed URL like https://host/score.");
	plain = strcmp(parts.scheme, "http") == 0;
	if (!plain && strcmp(parts.scheme, "https") != 0)
		return pstrdup("The URL must begin with https://, or http:// for a loopback address.");
	if (plain && !mls_allow_http && !is_loopback(parts.host))
		return pstrdup("http:// is for loopback addresses only, unless a superuser turns on ml_score.allow_http.");
	return common_refusal(&parts);
}

char *
mls_url_proxy_refusal(const char *url)
{
	UrlParts parts;

	if (!split_url(url, &parts))
		return pstrdup("It is not a well-formed URL.");
	if (strcmp(parts.scheme, "http") != 0 && strcmp(parts.scheme, "https") != 0)
		return pstrdup("The URL of a proxy must begin with http:// or https://.");
	return common_refusal(&parts);
}

/* A part of url in palloc'd memory, or NULL; the buffer is made first, so that nothing of curl's can leak. */
static char *
part_of(const char *url, CURLUPart what)
{
	size_t size = strlen(url) + 2;
	char *buf = palloc(size);
	CURLU *handle = open_url(url);
	bool ok;

	if (handle == NULL)
		return NULL;
	ok = copy_part(handle, what, buf, size);
	curl_url_cleanup(handle);
	return ok ? buf : NULL;
}

char *
mls_url_path(const char *url)
{
	return part_of(url, CURLUPART_PATH);
}

char *
mls_url_sibling(const char *url, const char *segment)
{
	int len = strcspn(url, "?#");
	const char *authority = strstr(url, "://");
	const char *path = authority == NULL ? NULL : memchr(authority + 3, '/', url + len - authority - 3);

	if (path == NULL)
		return psprintf("%.*s/%s", len, url, segment);
	while (len > path - url && url[len - 1] != '/')
		len--;
	return psprintf("%.*s%s", len, url, segment);
}

char *
mls_url_add_query(const char *url, const char *parameter)
{
	int len = strcspn(url, "#");

	return psprintf("%.*s%c%s", len, url, memchr(url, '?', len) != NULL ? '&' : '?', parameter);
}
