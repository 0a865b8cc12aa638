/*
 * queue_file.h - where what waits to be logged is while the server is down.
 *
 * Written by the postmaster when it stops in good order, read and removed when it starts. Nothing here raises: a file that
 * cannot be written or read is told of in the server's log, and what is in it is lost.
 */
#ifndef MLS_QUEUE_FILE_H
#define MLS_QUEUE_FILE_H

#include "inference/record.h"

typedef struct MlsQueueFile MlsQueueFile;

/* Begin a new file; NULL: it cannot be. */
extern MlsQueueFile *mls_queue_file_create(void);
extern void mls_queue_file_write(MlsQueueFile *file, Oid dboid, Oid owner, const MlsRecord *record);

/* The file that the last server left; NULL: none. Records of more than max_size bytes are not in it. */
extern MlsQueueFile *mls_queue_file_open(Size max_size);

/* The next record, which lives until the next call; NULL: there is no other. */
extern const MlsRecord *mls_queue_file_read(MlsQueueFile *file, Oid *dboid, Oid *owner);

/* End writing, so that the file is all there or not at all; or end reading, and remove it. */
extern void mls_queue_file_close(MlsQueueFile *file);

#endif
