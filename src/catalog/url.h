/*
 * url.h - URLs, taken apart, and where requests may go.
 */
#ifndef MLS_URL_H
#define MLS_URL_H

#include "catalog/server.h"

/* The path of url, "/" when it has none; palloc'd. NULL when url is malformed. */
extern char *mls_url_path(const char *url);

/* url with the last segment of its path replaced, and without its query: a document beside it. palloc'd. */
extern char *mls_url_sibling(const char *url, const char *segment);

/* url with a query parameter ("version=3") added; palloc'd. */
extern char *mls_url_add_query(const char *url, const char *parameter);

/* May requests go through the proxy at url? NULL, or a palloc'd reason: scheme, credentials in it, allowed_hosts. */
extern char *mls_url_proxy_refusal(const char *url);

/* Is host among those of list, a value of ml_score.allowed_hosts? Safe in any thread. */
extern bool mls_url_host_allowed(const char *list, const char *host);

/* Is list a well-formed value of ml_score.allowed_hosts? */
extern bool mls_url_check_patterns(const char *list);

#endif
