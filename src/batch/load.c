/*
 * load.c - see load.h.
 *
 * Records are read from the downloaded file; load_begin.c looks at the first one, load_lines.c makes lines for the target of
 * them: the row's keys as they were kept, then the fields that the target's columns take. Some thousand of them are stored at
 * a time, so memory does not grow with the results.
 */
#include "ml_score.h"

#include "batch/loader.h"

#include "batch/progress.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#define READ_BYTES (256 * 1024)
#define MAX_RECORD_BYTES (64 * 1024 * 1024)

/* One record, with its line break. */
static void
load_record(MlsLoader *loader, char *record, size_t size)
{
	size_t len = mls_result_trim(record, size);

	loader->number++;
	if (len == 0)
		return;
	if (memchr(record, '\0', len) != NULL)
	{
		mls_loader_refuse(loader, record, (int) len, "it has a zero byte, which no text can hold");
		return;
	}
	if (loader->target == NULL)
	{
		if (mls_loader_begin(loader, record, len))
			return;
	}
	else if (loader->number == 1 && loader->format == MLS_RESULT_CSV_HEADER)
		return; /* each file has one */
	mls_loader_take(loader, record, (int) len);
}

/* Does a line break in quotes belong to the record? Before the format is known, unless it looks like JSON. */
static bool
respects_quotes(const MlsLoader *loader, const char *record)
{
	MlsResultFormat format = loader->target != NULL ? loader->format : loader->job->result_format;

	if (format == MLS_RESULT_AUTO)
		return *record != '{';
	return format != MLS_RESULT_JSON_LINES;
}

static void
load_one_file(MlsLoader *loader, BufFile *data, const MlsDownloadedFile *file, MemoryContext record_cxt)
{
	MemoryContext cxt = CurrentMemoryContext;
	StringInfoData buffer;
	int64 left = file->size;

	loader->path = file->path;
	loader->number = 0;
	initStringInfo(&buffer);
	do
	{
		size_t want = (size_t) Min(left, READ_BYTES);
		char *at;
		const char *end;

		CHECK_FOR_INTERRUPTS();
		enlargeStringInfo(&buffer, (int) want + 1);
		if (want > 0 && BufFileRead(data, buffer.data + buffer.len, want) != want)
			ereport(ERROR, (errcode_for_file_access(), errmsg("could not read a temporary file")));
		buffer.len += (int) want;
		buffer.data[buffer.len] = '\0';
		left -= want;
		loader->read += (int64) want;
		mls_batch_progress_show(loader->job, loader->read, loader->size);
		at = buffer.data;
		while ((end = mls_csv_record_end(at, buffer.data + buffer.len, respects_quotes(loader, at), left == 0)) != NULL)
		{
			if (loader->target != NULL)
				MemoryContextSwitchTo(record_cxt);
			load_record(loader, at, end - at);
			MemoryContextSwitchTo(cxt);
			MemoryContextReset(record_cxt);
			at = unconstify(char *, end);
		}
		buffer.len -= (int) (at - buffer.data);
		memmove(buffer.data, at, buffer.len);
		if (buffer.len > MAX_RECORD_BYTES)
			ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
							errmsg("a line of \"%s\" is longer than %d bytes", file->path, MAX_RECORD_BYTES)));
	} while (left > 0);
	pfree(buffer.data);
}

/* Compare what went out with what came. */
static void
settle(MlsLoader *loader)
{
	const MlsJob *job = loader->job;
	MlsLoaded *loaded = &loader->loaded;

	loaded->missing = -1;
	if (loader->sent == NULL && job->query != NULL)
		loaded->missing = Max(job->rows_out - loaded->rows - loaded->bad, 0);
	if (loader->sent != NULL)
		loaded->missing = mls_sent_rows_missing(loader->sent);
	if (loaded->missing > 0 && job->fail_missing)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg(INT64_FORMAT " of " INT64_FORMAT " rows have no prediction", loaded->missing, job->rows_out),
				 errdetail("Files that failed are absent from the results."),
				 errhint("See the job's logs in the studio; with on_missing 'record' the others are stored.")));
	if (loader->sent != NULL && loaded->missing > 0)
		(void) mls_sent_rows_note_missing(loader->sent);
}

MlsLoaded
mls_load_results(const MlsJob *job, MlsDownload *download)
{
	MlsLoader loader = {.job = job, .size = download->bytes, .file_field = -1, .row_field = -1};
	MemoryContext record_cxt =
		AllocSetContextCreate(CurrentMemoryContext, "ml_score result record", ALLOCSET_DEFAULT_SIZES);

	initStringInfo(&loader.lines);
	initStringInfo(&loader.raw);
	initStringInfo(&loader.text);
	initStringInfo(&loader.last_reason);
	loader.starts = palloc(sizeof(int) * (MLS_CHUNK_LINES + 1));
	loader.raw_starts = palloc(sizeof(int) * (MLS_CHUNK_LINES + 1));
	loader.numbers = palloc(sizeof(int64) * MLS_CHUNK_LINES);
	loader.csv = palloc(sizeof(MlsResultField) * MLS_RESULT_MAX_FIELDS);
	for (int i = 0; i < download->nfiles; i++)
		load_one_file(&loader, download->data, &download->files[i], record_cxt);
	if (loader.target == NULL)
	{
		/* Not one line: still, the target must be there, and all rows are missing. */
		mls_loader_join(&loader, true);
	}
	else
		mls_loader_store(&loader);
	if (loader.loaded.bad > 0 && loader.taken == 0)
		mls_loader_raise_hopeless(&loader, "", loader.last_sqlstate, loader.last_reason.data);
	settle(&loader);
	return loader.loaded;
}
