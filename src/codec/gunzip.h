/*
 * gunzip.h - gzip'd bodies to what they hold, with a bound on its size. Pure, but for the memory.
 */
#ifndef MLS_GUNZIP_H
#define MLS_GUNZIP_H

typedef enum MlsGunzipStatus
{
	MLS_GUNZIP_OK,
	MLS_GUNZIP_TOO_LARGE, /* more than limit bytes */
	MLS_GUNZIP_TRUNCATED,
	MLS_GUNZIP_MALFORMED
} MlsGunzipStatus;

/* Does it begin as gzip's files do (RFC 1952, the only compression method there is)? */
extern bool mls_gunzip_detect(const char *data, size_t len);

/* Inflate all members of data. *out is palloc'd when the status is OK; nothing is left behind otherwise. */
extern MlsGunzipStatus mls_gunzip(const char *data, size_t len, size_t limit, char **out, size_t *out_len);

#endif
