/*
 * location.h - what a blob server's url names: an account, a container, and a folder in it. Pure.
 */
#ifndef MLS_LOCATION_H
#define MLS_LOCATION_H

typedef struct MlsLocation
{
	char *account;
	char *service;	 /* "https://host", or "http://host:port/account" for an emulator: no slash at the end */
	char *container; /* as it stands in URLs */
	char *prefix;	 /* the folder, percent-encoded, no slash at either end; "" = the container itself */
} MlsLocation;

/*
 * Take url apart; strings are palloc'd. The account is the host's first label. Where the host is an address or
 * "localhost" (Azurite), it is the path's first segment, as is usual there; account, if not NULL, is its name when
 * neither is right (a private endpoint's own host name). False when there is no container.
 */
extern bool mls_location_parse(const char *url, const char *account, MlsLocation *location);

#endif
