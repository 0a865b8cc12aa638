/*
 * download.c - see download.h.
 *
 * Fetching and loading are two steps so that the one does not hold a transaction open over network waits, and the other
 * reads from the disk beside the table that it fills.
 */
#include "ml_score.h"

#include "batch/download.h"

#include "batch/progress.h"
#include "miscadmin.h"

#define PART_BYTES (4 * 1024 * 1024)
#define PARALLEL 4

typedef struct Fetch
{
	MlsDownload *download;
	const MlsJob *job;
	int64 total; /* bytes */
} Fetch;

/* A part that is being fetched. */
typedef struct Part
{
	MlsExchange *get;
	int64 len;
} Part;

/* Append one blob, of size bytes, to the file. Parts are written in order, so a ring of them is all that is held. */
static void
fetch_blob(MlsBlobStore *store, const char *path, int64 size, Fetch *fetch)
{
	Part parts[PARALLEL];
	int64 started = 0;
	int64 written = 0;
	int first = 0;
	int n = 0;

	while (written < size)
	{
		while (n < PARALLEL && started < size)
		{
			Part *part = &parts[(first + n++) % PARALLEL];

			part->len = Min(PART_BYTES, size - started);
			part->get = mls_blob_get(store, path, started, part->len);
			started += part->len;
		}
		BufFileWrite(fetch->download->data,
					 unconstify(char *, mls_blob_finish_get(store, parts[first].get, path, parts[first].len)),
					 parts[first].len);
		mls_exchange_free(parts[first].get);
		written += parts[first].len;
		fetch->download->bytes += parts[first].len;
		mls_batch_progress_show(fetch->job, fetch->download->bytes, fetch->total);
		first = (first + 1) % PARALLEL;
		n--;
	}
}

static int
compare_items(const void *a, const void *b)
{
	return strcmp(((const MlsBlobItem *) a)->name, ((const MlsBlobItem *) b)->name);
}

MlsDownload *
mls_download_folder(MlsBlobStore *store, const char *folder, const MlsJob *job)
{
	MlsDownload *download = palloc0(sizeof(MlsDownload));
	Fetch fetch = {.download = download, .job = job};
	MlsBlobListing listing;

	mls_blob_list(store, psprintf("%s/", folder), &listing);
	if (listing.n == 0)
		ereport(
			ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND), errmsg("the job has left no output"),
			 errdetail("There is nothing at %s.", mls_blob_url(store, folder)),
			 errhint("Check that the server's option output_uri names the same place as its storage's url, and that "
					 "the deployment's output_action is append_row.")));
	qsort(listing.items, listing.n, sizeof(MlsBlobItem), compare_items);
	download->files = palloc0(sizeof(MlsDownloadedFile) * listing.n);
	download->data = BufFileCreateTemp(true);
	for (int i = 0; i < listing.n; i++)
	{
		if (listing.items[i].size < 0)
			ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
							errmsg("server \"%s\" does not say how long the blob \"%s\" is",
								   mls_blob_server(store)->name, listing.items[i].name)));
		fetch.total += listing.items[i].size;
	}
	for (int i = 0; i < listing.n; i++)
	{
		MlsDownloadedFile *file = &download->files[download->nfiles++];

		file->path = listing.items[i].name;
		file->size = listing.items[i].size;
		fetch_blob(store, file->path, file->size, &fetch);
	}
	if (BufFileSeek(download->data, 0, 0, SEEK_SET) != 0)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not rewind a temporary file: %m")));
	return download;
}

void
mls_download_close(MlsDownload *download)
{
	BufFileClose(download->data);
}
