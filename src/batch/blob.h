/*
 * blob.h - a container of Azure's Blob Storage: what is written to it and read from it, a request at a time.
 *
 * Requests are exchanges: several may be in flight, faults are tried again in there. Paths are percent-encoded and
 * relative to the server's url, whose folder they are put into.
 */
#ifndef MLS_BLOB_H
#define MLS_BLOB_H

#include "batch/blob_xml.h"
#include "batch/location.h"
#include "pgtime.h"
#include "transport/exchange.h"

typedef struct MlsBlobStore MlsBlobStore;

/* As long as base64 of an MD5, and its end. */
#define MLS_MD5_SIZE 25

/*
 * The container of a server of type 'blob', as userid. Lives in the current context. May wait for a token or a key vault;
 * background work calls it outside of a transaction, as mls_endpoint_open. Raises for missing credentials.
 */
extern MlsBlobStore *mls_blob_open(const MlsServer *server, Oid userid);
extern const MlsLocation *mls_blob_location(const MlsBlobStore *store);
extern const MlsServer *mls_blob_server(const MlsBlobStore *store);

/* path within the container, and its URL, without credentials; palloc'd. */
extern char *mls_blob_full_path(const MlsBlobStore *store, const char *path);
extern char *mls_blob_url(const MlsBlobStore *store, const char *path);

/* The opposite: what follows the server's url in url, palloc'd; NULL when url is elsewhere. */
extern char *mls_blob_path_of_url(const MlsBlobStore *store, const char *url);

/*
 * Start writing a whole blob that must not exist yet; the body (kept by the caller until the exchange is freed) goes
 * with its MD5, which the service checks.
 */
extern MlsExchange *mls_blob_put(MlsBlobStore *store, const char *path, const char *type, const char *body, size_t len);

/* The same in blocks, whose number and MD5 over all are said at the end. */
extern MlsExchange *mls_blob_put_block(MlsBlobStore *store, const char *path, int number, const char *body, size_t len);
extern MlsExchange *mls_blob_put_block_list(MlsBlobStore *store, const char *path, const char *type, const char *md5,
											StringInfo list);

/* Start reading len bytes from offset on. */
extern MlsExchange *mls_blob_get(MlsBlobStore *store, const char *path, int64 offset, int64 len);

/*
 * Wait for put's end. Raises when it failed; not when the blob exists with what was to be written (md5, base64): then
 * an earlier attempt's answer was lost.
 */
extern void mls_blob_finish_put(MlsBlobStore *store, MlsExchange *put, const char *path, const char *md5);

/* Wait for get's end and check that all len bytes have come, unharmed. They live until the exchange is freed. */
extern const char *mls_blob_finish_get(MlsBlobStore *store, MlsExchange *get, const char *path, int64 len);

/* All blobs whose paths begin with prefix; their names are paths that this module takes (encoded, relative). */
extern void mls_blob_list(MlsBlobStore *store, const char *prefix, MlsBlobListing *listing);

/* False: there was none. */
extern bool mls_blob_delete(MlsBlobStore *store, const char *path);

/* MD5 in base64. */
extern void mls_blob_md5(const char *data, size_t len, char md5[MLS_MD5_SIZE]);

/* Start asking the service for a user delegation key, with the identity's token. The body is XML: KeyInfo. */
extern MlsExchange *mls_blob_post_key_info(MlsBlobStore *store, const char *body, size_t len);

/*
 * A query that lets its bearer read (and write, when that is asked for) in the container for so many seconds: the mapping's
 * sas_token, or one that is made. One of an identity may end a day earlier, and may wait for the network; it needs no
 * transaction. palloc'd; NULL when the server's auth can give none. Raises when the service gives no key to sign with.
 */
extern char *mls_blob_sas_query(MlsBlobStore *store, bool may_write, int64 seconds);

/* When a SAS ends, as it says itself, palloc'd; NULL when it does not. And a time as it would say it. */
extern char *mls_blob_sas_expiry(const char *sas);
extern char *mls_blob_time(pg_time_t time);

/* The part of a SAS that must not be shown. */
extern const char *mls_blob_sas_signature(const char *sas);

/* Raise about a request that failed. doing: "write", "read", ... */
pg_noreturn extern void mls_blob_raise(MlsBlobStore *store, MlsExchange *exchange, const char *doing, const char *path);

#endif
