/*
 * sent_rows.c - see sent_rows.h.
 *
 * A bit for each row says whether it came back. Keys are read a file at a time, and those of the files asked for last
 * are kept: results come in runs of one file's rows, but of a few files by turns.
 */
#include "ml_score.h"

#include "batch/sent_rows.h"

#include "batch/copy_text.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"

#define CACHED_FILES 8

typedef struct SentFile
{
	int64 rows;
	int64 next; /* row, when results do not say it */
	uint8 *seen;
} SentFile;

/* One file's keys: lines, and where each begins. */
typedef struct FileKeys
{
	int file; /* 0: none */
	uint64 used_at;
	MemoryContext cxt;
	char *text;
	int len;
	int *starts;
} FileKeys;

struct MlsSentRows
{
	const MlsJob *job;
	bool has_keys;
	SentFile *files; /* by number, from 1 */
	int nfiles;
	FileKeys cache[CACHED_FILES];
	uint64 clock;
	int64 missing;
};

static void
read_files(MlsSentRows *rows)
{
	const char *id = psprintf(INT64_FORMAT, rows->job->id);
	MemoryContext cxt = CurrentMemoryContext;
	MlsLedger ledger;
	uint64 n;

	mls_ledger_open(&ledger);
	n = mls_ledger_run_texts("SELECT rows FROM ml_score.batch_file WHERE job = $1::bigint ORDER BY file", 1, &id);
	rows->nfiles = (int) n;
	rows->files = MemoryContextAllocZero(cxt, sizeof(SentFile) * (n + 1));
	for (uint64 i = 0; i < n; i++)
	{
		bool isnull;
		SentFile *file = &rows->files[i + 1];

		file->rows = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
		file->seen = MemoryContextAllocZero(cxt, file->rows / 8 + 1);
		rows->missing += file->rows;
	}
	mls_ledger_close(&ledger);
}

MlsSentRows *
mls_sent_rows_open(const MlsJob *job)
{
	MlsSentRows *rows = palloc0(sizeof(MlsSentRows));

	rows->job = job;
	rows->has_keys = job->nkeys > 0 && !job->send_key;
	for (int i = 0; i < CACHED_FILES; i++)
		rows->cache[i].cxt = AllocSetContextCreate(CurrentMemoryContext, "ml_score keys", ALLOCSET_DEFAULT_SIZES);
	read_files(rows);
	return rows;
}

/* Find where each line begins. */
static void
index_lines(FileKeys *keys, int64 rows)
{
	const char *end = keys->text + keys->len;
	const char *at = keys->text;

	keys->starts = palloc(sizeof(int) * (rows + 1));
	for (int64 i = 0; i < rows; i++)
	{
		const char *newline = memchr(at, '\n', end - at);

		if (newline == NULL)
			elog(ERROR, "the keys of file %d are incomplete", keys->file);
		keys->starts[i] = (int) (at - keys->text);
		at = newline + 1;
	}
	keys->starts[rows] = (int) (at - keys->text);
}

static void
read_keys(MlsSentRows *rows, FileKeys *keys, int file)
{
	const char *arguments[] = {psprintf(INT64_FORMAT, rows->job->id), psprintf("%d", file)};
	MlsLedger ledger;
	MemoryContext old;
	bool isnull;
	bytea *text;

	MemoryContextReset(keys->cxt);
	keys->file = 0;
	mls_ledger_open(&ledger);
	if (mls_ledger_run_texts("SELECT keys FROM ml_score.batch_file WHERE job = $1::bigint AND file = $2::integer", 2,
							 arguments) != 1)
		elog(ERROR, "the keys of file %d are gone", file);
	text = DatumGetByteaPP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	keys->len = (int) VARSIZE_ANY_EXHDR(text);
	keys->text = MemoryContextAlloc(keys->cxt, keys->len + 1);
	memcpy(keys->text, VARDATA_ANY(text), keys->len);
	keys->file = file;
	mls_ledger_close(&ledger);
	old = MemoryContextSwitchTo(keys->cxt);
	index_lines(keys, rows->files[file].rows);
	MemoryContextSwitchTo(old);
}

static const FileKeys *
keys_of_file(MlsSentRows *rows, int file)
{
	FileKeys *oldest = &rows->cache[0];

	for (int i = 0; i < CACHED_FILES; i++)
	{
		FileKeys *keys = &rows->cache[i];

		if (keys->file == file)
		{
			keys->used_at = ++rows->clock;
			return keys;
		}
		if (keys->used_at < oldest->used_at)
			oldest = keys;
	}
	read_keys(rows, oldest, file);
	oldest->used_at = ++rows->clock;
	return oldest;
}

/* The row's line without its end. */
static void
key_line(MlsSentRows *rows, int file, int64 row, const char **line, int *len)
{
	const FileKeys *keys = keys_of_file(rows, file);

	*line = keys->text + keys->starts[row];
	*len = keys->starts[row + 1] - keys->starts[row] - 1;
}

const char *
mls_sent_rows_take(MlsSentRows *rows, int file, int64 row, const char **keys, int *keys_len)
{
	SentFile *sent;

	if (file < 1 || file > rows->nfiles)
		return "it names no file of this job";
	sent = &rows->files[file];
	if (row < 0)
		row = sent->next++;
	if (row >= sent->rows)
		return "its file has fewer rows";
	if (sent->seen[row / 8] & (1 << (row % 8)))
		return "there is another prediction for the same row";
	sent->seen[row / 8] |= 1 << (row % 8);
	rows->missing--;
	*keys = "";
	*keys_len = 0;
	if (rows->has_keys)
		key_line(rows, file, row, keys, keys_len);
	return NULL;
}

int64
mls_sent_rows_missing(const MlsSentRows *rows)
{
	return rows->missing;
}

/* The row's keys as the text of an array; NULL when it has none. */
static char *
key_array(MlsSentRows *rows, int file, int64 row)
{
	int n = rows->job->nkeys;
	int lower = 1;
	char **values = palloc(sizeof(char *) * (n + 1));
	Datum *datums = palloc(sizeof(Datum) * (n + 1));
	bool *nulls = palloc(sizeof(bool) * (n + 1));
	const char *line;
	int len;

	if (!rows->has_keys)
		return NULL;
	key_line(rows, file, row, &line, &len);
	mls_copy_split(pg_any_to_server(pnstrdup(line, len), len, PG_UTF8), values, n);
	for (int i = 0; i < n; i++)
	{
		nulls[i] = values[i] == NULL;
		datums[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(values[i]);
	}
	return OidOutputFunctionCall(F_ARRAY_OUT, PointerGetDatum(construct_md_array(datums, nulls, 1, &n, &lower, TEXTOID,
																				 -1, false, TYPALIGN_INT)));
}

static void
note_missing(MlsSentRows *rows, int file, int64 row)
{
	const char *arguments[] = {psprintf(INT64_FORMAT, rows->job->id), psprintf("%d", file), psprintf(INT64_FORMAT, row),
							   key_array(rows, file, row)};
	MlsLedger ledger;

	mls_ledger_open(&ledger);
	mls_ledger_run_texts(
		"INSERT INTO ml_score.batch_missing (job, file, \"row\", key) VALUES ($1::bigint, $2::integer, "
		"$3::bigint, $4::text[])",
		4, arguments);
	mls_ledger_close(&ledger);
}

int64
mls_sent_rows_note_missing(MlsSentRows *rows)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "ml_score missing", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);

	for (int file = 1; file <= rows->nfiles; file++)
	{
		SentFile *sent = &rows->files[file];

		for (int64 row = 0; row < sent->rows; row++)
		{
			if (sent->seen[row / 8] & (1 << (row % 8)))
				continue;
			note_missing(rows, file, row);
			MemoryContextReset(cxt);
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
	return rows->missing;
}
