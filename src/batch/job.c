/*
 * job.c - see job.h.
 */
#include "ml_score.h"

#include "batch/job.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "worker/worker.h"

/* The columns that load_row reads, in its order. */
static const char select_job[] =
	"SELECT id, owner, server, state, query, input, target, key, send_key, format, rows_per_file, gzip, result_format, "
	"result_columns, (SELECT array_agg(key ORDER BY key) FROM jsonb_each_text(columns)), "
	"(SELECT array_agg(value ORDER BY key) FROM jsonb_each_text(columns)), on_conflict, on_missing = 'fail', "
	"on_error = 'fail', parameters::text, outputs::text, overrides::text, tags::text, experiment, retain, "
	"search_path, time_zone, request_id::text, folder, job_name, invoke_started_at, attempts, polls, deadline, "
	"rows_out, cleanup, invoked_at, azure_status, cancel_sent, ended_at IS NOT NULL, error_detail, "
	"home <> ml_score.home() "
	"FROM ml_score.batch_job WHERE id = $1::bigint";

/* Walks over a row's columns. */
typedef struct RowReader
{
	HeapTuple tuple;
	TupleDesc desc;
	int column;
	bool isnull;
} RowReader;

static Datum
next_datum(RowReader *row)
{
	return SPI_getbinval(row->tuple, row->desc, ++row->column, &row->isnull);
}

static int64
next_int64(RowReader *row)
{
	Datum value = next_datum(row);

	return row->isnull ? 0 : DatumGetInt64(value);
}

static int
next_int32(RowReader *row)
{
	Datum value = next_datum(row);

	return row->isnull ? 0 : DatumGetInt32(value);
}

static Oid
next_oid(RowReader *row)
{
	Datum value = next_datum(row);

	return row->isnull ? InvalidOid : DatumGetObjectId(value);
}

static bool
next_bool(RowReader *row)
{
	Datum value = next_datum(row);

	return !row->isnull && DatumGetBool(value);
}

static char *
next_text(RowReader *row)
{
	Datum value = next_datum(row);

	return row->isnull ? NULL : TextDatumGetCString(value);
}

static char **
next_texts(RowReader *row, int *n)
{
	Datum value = next_datum(row);
	Datum *elements;
	char **result;

	*n = 0;
	if (row->isnull)
		return NULL;
	deconstruct_array_builtin(DatumGetArrayTypeP(value), TEXTOID, &elements, NULL, n);
	result = palloc(sizeof(char *) * (*n + 1));
	for (int i = 0; i < *n; i++)
		result[i] = TextDatumGetCString(elements[i]);
	return result;
}

static void
load_row(MlsJob *job, RowReader *row)
{
	job->id = next_int64(row);
	job->owner = next_oid(row);
	job->server = next_text(row);
	if (!mls_job_state_parse(next_text(row), &job->state))
		elog(ERROR, "unexpected state of batch job " INT64_FORMAT, job->id);
	job->query = next_text(row);
	job->input = next_text(row);
	job->target = next_oid(row);
	job->keys = next_texts(row, &job->nkeys);
	job->send_key = next_bool(row);
	job->format = next_text(row);
	job->rows_per_file = next_int32(row);
	job->gzip = next_bool(row);
	if (!mls_result_format_parse(next_text(row), &job->result_format))
		elog(ERROR, "unexpected result format of batch job " INT64_FORMAT, job->id);
	job->result_columns = next_texts(row, &job->nresult_columns);
	job->columns = next_texts(row, &job->ncolumns);
	job->fields = next_texts(row, &job->ncolumns);
	job->on_conflict = next_text(row);
	job->fail_missing = next_bool(row);
	job->fail_bad = next_bool(row);
	job->parameters = next_text(row);
	job->outputs = next_text(row);
	job->overrides = next_text(row);
	job->tags = next_text(row);
	job->experiment = next_text(row);
	job->retain = next_text(row);
	job->search_path = next_text(row);
	job->time_zone = next_text(row);
	job->uuid = next_text(row);
	job->folder = next_text(row);
	job->job_name = next_text(row);
	job->invoke_started_at = next_int64(row);
	job->invoke_started = !row->isnull;
	job->attempts = next_int32(row);
	job->polls = next_int32(row);
	job->deadline = next_int64(row);
	job->rows_out = next_int64(row);
	job->cleanup = next_bool(row);
	job->invoked_at = next_int64(row);
	job->azure_status = next_text(row);
	job->cancel_sent = next_bool(row);
	job->has_ended = next_bool(row);
	job->error_detail = next_text(row);
	job->elsewhere = next_bool(row);
}

MlsJob *
mls_job_load(int64 id, bool lock)
{
	MemoryContext cxt = CurrentMemoryContext;
	const char *argument = psprintf(INT64_FORMAT, id);
	char *statement = psprintf("%s%s", select_job, lock ? " FOR NO KEY UPDATE" : "");
	MlsJob *job = NULL;
	MlsLedger ledger;

	mls_ledger_open(&ledger);
	if (mls_ledger_run_texts(statement, 1, &argument) == 1)
	{
		RowReader row = {.tuple = SPI_tuptable->vals[0], .desc = SPI_tuptable->tupdesc};
		MemoryContext old = MemoryContextSwitchTo(cxt);

		job = palloc0(sizeof(MlsJob));
		load_row(job, &row);
		MemoryContextSwitchTo(old);
	}
	mls_ledger_close(&ledger);
	return job;
}

void
mls_job_note(int64 id, const char *state, const char *message)
{
	const char *arguments[] = {psprintf(INT64_FORMAT, id), state, message};
	MlsLedger ledger;

	mls_ledger_open(&ledger);
	mls_ledger_run_texts("INSERT INTO ml_score.batch_job_event (job, state, message) VALUES ($1::bigint, $2, $3)", 3,
						 arguments);
	mls_ledger_close(&ledger);
}

/* UPDATE the job if it is in the state that it was; $1 and $2 are id and state. */
static bool
update_job(const MlsJob *job, const char *set, int n, const char *const *arguments)
{
	const char **all = palloc(sizeof(char *) * (n + 2));
	MlsLedger ledger;
	uint64 rows;

	all[0] = psprintf(INT64_FORMAT, job->id);
	all[1] = mls_job_state_name(job->state);
	for (int i = 0; i < n; i++)
		all[i + 2] = arguments[i];
	mls_ledger_open(&ledger);
	rows = mls_ledger_run_texts(psprintf("UPDATE ml_score.batch_job SET %s WHERE id = $1::bigint AND state = $2", set),
								n + 2, all);
	mls_ledger_close(&ledger);
	return rows == 1;
}

bool
mls_job_set(const MlsJob *job, const char *set, int n, const char *const *arguments)
{
	return update_job(job, set, n, arguments);
}

bool
mls_job_move(const MlsJob *job, MlsJobState to, const char *message, const char *set, int n,
			 const char *const *arguments)
{
	const char *name = mls_job_state_name(to);
	char *all;

	Assert(mls_job_state_may_follow(job->state, to));
	all = psprintf("state = '%s', attempts = 0%s%s", name, set != NULL ? ", " : "", set != NULL ? set : "");
	if (!update_job(job, all, n, arguments))
		return false;
	mls_job_note(job->id, name, message);
	mls_worker_wake_at_commit();
	return true;
}
