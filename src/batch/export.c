/*
 * export.c - see export.h.
 *
 * The query runs in one transaction, on one snapshot, in which the files are uploaded, too: the only transaction of a job
 * that lasts over network waits. Writing the rows to disk first would avoid it at the price of a second copy and of
 * doing one after the other. Key columns that stay are kept as they come, a line of COPY's text format for each row, one
 * value for each file in ml_score.batch_file: no heap tuple a row, compressed, and ready to be copied into the target.
 */
#include "ml_score.h"

#include "batch/export.h"

#include "access/xact.h"
#include "batch/place.h"
#include "batch/progress.h"
#include "batch/row_writer.h"
#include "batch/upload.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "worker/worker.h"

/* Together with the buffer being filled this is what an export holds in memory. */
#define BLOCK_BYTES (4 * 1024 * 1024)
#define PARALLEL 4

#define PROGRESS_ROWS 64

typedef struct Export
{
	DestReceiver receiver; /* must be first */
	MlsJob *job;
	MlsUpload *upload;
	MlsRowWriter *writer;
	int file; /* number of the open file, or of the last */
	bool open;
	int64 file_rows;
	int64 rows;
	int64 expected; /* rows, as the planner estimates them */
	int64 bytes;
	StringInfoData keys; /* of the open file */
	MemoryContext cxt;
} Export;

static void
open_file(Export *export)
{
	char *path;

	export->file++;
	path = psprintf("%s/" MLS_PART_NAME ".%s%s", mls_place_input(export->job), export->file,
					mls_row_writer_ending(export->writer), export->job->gzip ? ".gz" : "");
	mls_upload_open(export->upload, path, export->job->gzip ? "application/gzip" : mls_row_writer_type(export->writer));
	mls_row_writer_header(export->writer, mls_upload_buffer(export->upload));
	export->open = true;
	export->file_rows = 0;
	pfree(path);
}

/* Note the file, with the keys of its rows. */
static void
note_file(Export *export, int64 bytes)
{
	static MlsStatement insert_file = {
		"INSERT INTO ml_score.batch_file (job, file, rows, bytes, keys) VALUES ($1, $2, $3, $4, $5)",
		5,
		{INT8OID, INT4OID, INT8OID, INT8OID, BYTEAOID}};
	bytea *keys = palloc(VARHDRSZ + export->keys.len);
	Datum values[] = {Int64GetDatum(export->job->id), Int32GetDatum(export->file), Int64GetDatum(export->file_rows),
					  Int64GetDatum(bytes), PointerGetDatum(keys)};
	MlsLedger ledger;

	SET_VARSIZE(keys, VARHDRSZ + export->keys.len);
	memcpy(VARDATA(keys), export->keys.data, export->keys.len);
	mls_ledger_open(&ledger);
	(void) mls_ledger_run(&insert_file, values, NULL);
	mls_ledger_close(&ledger);
	pfree(keys);
}

static void
close_file(Export *export)
{
	int64 bytes = mls_upload_close(export->upload);

	note_file(export, bytes);
	export->bytes += bytes;
	export->open = false;
	resetStringInfo(&export->keys);
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	Export *export = (Export *) self;
	MemoryContext old = MemoryContextSwitchTo(export->cxt);

	if (!export->open)
		open_file(export);
	mls_row_writer_row(export->writer, slot, mls_upload_buffer(export->upload), &export->keys);
	mls_upload_filled(export->upload);
	if (export->rows++ % PROGRESS_ROWS == 0)
		mls_batch_progress_show(export->job, export->rows, export->rows <= export->expected ? export->expected : -1);
	if (++export->file_rows >= export->job->rows_per_file)
		close_file(export);
	MemoryContextSwitchTo(old);
	return true;
}

static void
start_up(DestReceiver *self, int operation, TupleDesc desc)
{
}

static void
shut_down(DestReceiver *self)
{
}

/* What the submitter's session was set to, and what makes text the same everywhere; for this transaction. */
static void
apply_settings(const MlsJob *job)
{
	const char *const settings[][2] = {{"search_path", job->search_path}, {"TimeZone", job->time_zone},
									   {"DateStyle", "ISO, YMD"},		  {"IntervalStyle", "postgres"},
									   {"extra_float_digits", "1"},		  {"bytea_output", "hex"}};

	for (int i = 0; i < lengthof(settings); i++)
		mls_guc_set_for_transaction(settings[i][0], settings[i][1]);
}

/* How many rows the planner expects; -1: it does not say (of EXPLAIN, SHOW), or so many that it says nothing. */
static int64
estimate_rows(const PlannedStmt *statement)
{
	double rows = statement->planTree == NULL ? -1 : statement->planTree->plan_rows;

	return rows < (double) PG_INT64_MAX ? (int64) rows : -1;
}

/* Run the query into the files. */
static void
run_query(Export *export)
{
	MlsJob *job = export->job;
	SPIPlanPtr plan;
	Portal portal;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	plan = SPI_prepare_cursor(job->query, 0, NULL, CURSOR_OPT_NO_SCROLL);
	if (plan == NULL || !SPI_is_cursor_plan(plan))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_CURSOR_DEFINITION), errmsg("the query gives no rows: it is no SELECT")));
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, false);
	MemoryContextSwitchTo(export->cxt);
	export->expected = estimate_rows(linitial_node(PlannedStmt, portal->stmts));
	export->writer = mls_row_writer(portal->tupDesc, job->format, job->keys, job->nkeys, job->send_key, job->server);
	(void) PortalRunFetch(portal, FETCH_FORWARD, FETCH_ALL, &export->receiver);
	if (export->open)
		close_file(export);
	SPI_cursor_close(portal);
	SPI_finish();
}

/* A new folder for this try. */
static void
begin_try(MlsJob *job)
{
	const char *id = psprintf(INT64_FORMAT, job->id);
	MlsLedger ledger;

	(void) mls_job_set(job,
					   "request_id = t.uuid, folder = 'ml_score/' || id || '-' || t.uuid, "
					   "folders = folders || ('ml_score/' || id || '-' || t.uuid), invoke_started_at = NULL, "
					   "job_name = NULL FROM (SELECT gen_random_uuid() AS uuid) t",
					   0, NULL);
	mls_ledger_open(&ledger);
	mls_ledger_run_texts("DELETE FROM ml_score.batch_file WHERE job = $1::bigint", 1, &id);
	mls_ledger_close(&ledger);
}

static void
end_try(Export *export)
{
	MlsJob *job = export->job;
	const char *arguments[] = {psprintf("%d", export->file), psprintf(INT64_FORMAT, export->rows),
							   psprintf(INT64_FORMAT, export->bytes)};
	char *message =
		psprintf(INT64_FORMAT " rows in %d files, " INT64_FORMAT " bytes", export->rows, export->file, export->bytes);
	static const char set[] = "files = $3::integer, rows_out = $4::bigint, bytes_out = $5::bigint, "
							  "exported_at = clock_timestamp()";

	if (export->rows > 0)
		(void) mls_job_move(job, MLS_JOB_SUBMITTING, message, set, 3, arguments);
	else
		(void) mls_job_move(job, MLS_JOB_COMPLETED, "the query gave no rows",
							psprintf("%s, rows_in = 0, missing = 0, completed_at = clock_timestamp()", set), 3,
							arguments);
}

void
mls_export_run(MlsJob *job)
{
	Export export = {.receiver = {.receiveSlot = receive_row,
								  .rStartup = start_up,
								  .rShutdown = shut_down,
								  .rDestroy = shut_down,
								  .mydest = DestNone},
					 .cxt = CurrentMemoryContext};
	MlsBlobStore *store = mls_place_open_storage(job);

	mls_worker_begin();
	begin_try(job);
	mls_worker_commit();

	mls_worker_begin();
	MemoryContextSwitchTo(export.cxt);
	export.job = mls_job_load(job->id, false);
	if (export.job == NULL || export.job->state != MLS_JOB_EXPORTING)
	{
		mls_worker_commit();
		return;
	}
	export.upload = mls_upload_begin(store, BLOCK_BYTES, PARALLEL, job->gzip);
	initStringInfo(&export.keys);
	apply_settings(export.job);
	run_query(&export);
	mls_upload_finish(export.upload);
	end_try(&export);
	mls_worker_commit();
	MemoryContextSwitchTo(export.cxt);
}
