/*
 * upload.h - files written into a container while they are made: one after the other, several requests in flight.
 *
 * What is held at a time is bounded: a buffer that is being filled, and one for each request in flight. A file that fits
 * a buffer goes as one request, a longer one in blocks, which are committed when the last has arrived.
 */
#ifndef MLS_UPLOAD_H
#define MLS_UPLOAD_H

#include "batch/blob.h"

typedef struct MlsUpload MlsUpload;

/* In the current context. gzip: files are compressed as they go. */
extern MlsUpload *mls_upload_begin(MlsBlobStore *store, size_t block_bytes, int parallel, bool gzip);

/* Begin a file; path and type are copied. */
extern void mls_upload_open(MlsUpload *upload, const char *path, const char *type);

/* Where the file's next bytes are appended; call mls_upload_filled from time to time. */
extern StringInfo mls_upload_buffer(MlsUpload *upload);
extern void mls_upload_filled(MlsUpload *upload);

/* End the file. Its requests may still be under way. Returns its size, as uploaded. */
extern int64 mls_upload_close(MlsUpload *upload);

/* Wait for everything. Raises when something could not be written. */
extern void mls_upload_finish(MlsUpload *upload);

#endif
