/*
 * location.c - see location.h.
 */
#include "postgres.h"

#include "batch/location.h"

/* The path's next segment, palloc'd; NULL when there is none. *path goes behind it. */
static char *
next_segment(const char **path)
{
	size_t len;
	char *segment;

	*path += strspn(*path, "/");
	len = strcspn(*path, "/?#");
	if (len == 0)
		return NULL;
	segment = pnstrdup(*path, len);
	*path += len;
	return segment;
}

/* Is the account in the path rather than in the host's name? */
static bool
is_path_style(const char *host, size_t len)
{
	return host[0] == '[' || strspn(host, "0123456789.") == len ||
		   (len == 9 && pg_strncasecmp(host, "localhost", 9) == 0);
}

bool
mls_location_parse(const char *url, const char *account, MlsLocation *location)
{
	const char *host = strstr(url, "://");
	const char *path;
	const char *service_end;
	size_t host_len;
	size_t len;

	if (host == NULL)
		return false;
	host += 3;
	len = strcspn(host, "/?#");
	path = host + len;
	host_len = host[0] == '[' ? strcspn(host, "]") : strcspn(host, ":/?#");
	service_end = path;

	location->account = account != NULL ? pstrdup(account) : pnstrdup(host, strcspn(host, ".:/?#"));
	if (account == NULL && is_path_style(host, host_len))
	{
		location->account = next_segment(&path);
		service_end = path;
	}
	location->service = pnstrdup(url, service_end - url);
	location->container = next_segment(&path);
	if (location->account == NULL || location->container == NULL)
		return false;
	path += strspn(path, "/");
	len = strcspn(path, "?#");
	while (len > 0 && path[len - 1] == '/')
		len--;
	location->prefix = pnstrdup(path, len);
	return true;
}
