/*
 * download.h - the files of a job's results, fetched into a temporary file.
 */
#ifndef MLS_DOWNLOAD_H
#define MLS_DOWNLOAD_H

#include "batch/job.h"
#include "batch/blob.h"
#include "storage/buffile.h"

typedef struct MlsDownloadedFile
{
	char *path;
	int64 size;
} MlsDownloadedFile;

/* Results, one after the other in one temporary file, which goes with the process or with mls_download_close. */
typedef struct MlsDownload
{
	BufFile *data;
	MlsDownloadedFile *files;
	int nfiles;
	int64 bytes;
} MlsDownload;

/*
 * Fetch all blobs below folder, the results of job, by name, several parts of one at a time. Outside of a transaction. In
 * the current context. Raises when there is none.
 */
extern MlsDownload *mls_download_folder(MlsBlobStore *store, const char *folder, const MlsJob *job);

extern void mls_download_close(MlsDownload *download);

#endif
