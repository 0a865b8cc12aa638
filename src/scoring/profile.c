/*
 * profile.c - ml_score.profile: how fast an endpoint is at which batch size and parallelism.
 *
 * Each setting sends rows of the sample, over and over, through a call of its own, as a scan would, for a second or
 * MAX_ROWS. The clock stops when as many requests have ended after that as were in flight then, so that neither filling
 * nor emptying the pipeline counts against a setting.
 */
#include "ml_score.h"

#include <math.h>

#include "catalog/function_arg.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "scoring/call.h"
#include "scoring/latencies.h"
#include "scoring/sample.h"
#include "utils/array.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"

#include "compat.h"

#define SAMPLE_ROWS 10000
#define SAMPLE_BYTES (64 * 1024 * 1024)
#define MAX_SECONDS 1.0
#define MAX_ROWS 1000000
#define MAX_COUNT 1000000 /* what the settings ml_score.max_batch_rows and max_parallel_requests take */
#define WITHIN 0.95		  /* of the best is as good */

/* A batch under way. Without dedup its tickets are numbered from 0. */
typedef struct Sent
{
	MlsBatch *batch;
	int rows;
} Sent;

/* One setting, its run and its figures. */
typedef struct Setting
{
	int batch_rows;
	int parallel;
	MlsCall *call;
	const MlsSample *sample;
	int64 next_row;
	Sent *sent; /* a ring, oldest first */
	int nsent;
	int first_sent;
	int sent_capacity;
	int64 batches_done;
	int64 released_rows;
	int64 rows; /* that were scored */
	int64 requests;
	int64 errors;
	double seconds;
	MlsLatencies latencies; /* of requests */
	char *first_reason;
	bool recommended;
} Setting;

static double
seconds_since(instr_time start)
{
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return INSTR_TIME_GET_DOUBLE(now);
}

static Sent *
sent_at(Setting *setting, int position)
{
	return &setting->sent[(setting->first_sent + position) % setting->sent_capacity];
}

static void
remember_sent(Setting *setting, MlsBatch *batch)
{
	Sent *last = setting->nsent > 0 ? sent_at(setting, setting->nsent - 1) : NULL;

	if (last && last->batch == batch)
	{
		last->rows++;
		return;
	}
	if (setting->nsent == setting->sent_capacity)
	{
		Sent *larger = palloc(sizeof(Sent) * setting->sent_capacity * 2);

		for (int i = 0; i < setting->nsent; i++)
			larger[i] = *sent_at(setting, i);
		pfree(setting->sent);
		setting->sent = larger;
		setting->first_sent = 0;
		setting->sent_capacity *= 2;
	}
	*sent_at(setting, setting->nsent++) = (Sent){.batch = batch, .rows = 1};
}

/* Add the rows of one batch. */
static void
add_batch(Setting *setting)
{
	const MlsSample *sample = setting->sample;

	for (int i = 0; i < setting->batch_rows; i++)
	{
		int64 at = (setting->next_row % sample->nrows) * sample->nargs;
		MlsTicket ticket = mls_call_add(setting->call, sample->values + at, sample->nulls + at, setting->next_row++);

		remember_sent(setting, ticket.batch);
	}
}

/* Take in the results of batches that are done, in order. */
static void
take_results(Setting *setting)
{
	while (setting->nsent > 0)
	{
		Sent *sent = sent_at(setting, 0);
		MlsTicket ticket = {sent->batch, 0};
		bool isnull;

		if (!mls_ticket_ready(ticket))
			break;
		for (; ticket.index < sent->rows; ticket.index++)
			(void) mls_ticket_result(setting->call, ticket, &isnull);
		setting->released_rows += sent->rows;
		mls_call_release(setting->call, setting->released_rows);
		setting->batches_done++;
		setting->first_sent = (setting->first_sent + 1) % setting->sent_capacity;
		setting->nsent--;
	}
}

static bool
has_failed(const Setting *setting)
{
	MlsCallStats stats;

	mls_call_stats(setting->call, &stats);
	return stats.wire.failed > 0;
}

/* Send until it is enough, then await what was in flight. */
static void
run_requests(Setting *setting, double max_seconds)
{
	int64 enough = -1; /* batches done, once no more are added */
	instr_time start;

	INSTR_TIME_SET_CURRENT(start);
	for (;;)
	{
		setting->seconds = seconds_since(start);
		if (enough < 0 && setting->nsent > 0 && (setting->seconds >= max_seconds || setting->released_rows >= MAX_ROWS))
		{
			mls_call_flush(setting->call);
			enough = setting->batches_done + Min(setting->nsent, setting->parallel);
		}
		while (enough < 0 && mls_call_wants_rows(setting->call))
		{
			add_batch(setting);
			mls_call_advance(setting->call);
			mls_exchange_pump(false);
		}
		mls_call_advance(setting->call);
		take_results(setting);
		if (enough >= 0 && setting->batches_done >= enough)
			break;
		/* A refused batch is cut smaller and smaller, which says nothing more. */
		if (enough >= 0 && setting->seconds >= 2 * MAX_SECONDS && has_failed(setting))
			break;
		mls_exchange_pump(true);
	}
	setting->seconds = seconds_since(start);
}

static void
read_figures(Setting *setting, MemoryContext context)
{
	const char *reason = mls_call_first_reason(setting->call);
	MlsCallStats stats;

	mls_call_stats(setting->call, &stats);
	setting->rows = setting->released_rows - stats.failed_rows;
	setting->requests = stats.wire.requests;
	setting->errors = stats.wire.failed + stats.wire.retries;
	setting->first_reason = reason ? MemoryContextStrdup(context, reason) : NULL;
}

/* Measure one setting, with the session's settings put back after. */
static void
run_setting(Setting *setting, Oid function, const MlsSample *sample, double max_seconds)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ml_score profile", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	int nest = NewGUCNestLevel();

	mls_guc_set_for_level("ml_score.max_batch_rows", psprintf("%d", setting->batch_rows));
	mls_guc_set_for_level("ml_score.max_parallel_requests", psprintf("%d", setting->parallel));
	mls_guc_set_for_level("ml_score.on_error", "null");

	setting->sample = sample;
	mls_latencies_init(&setting->latencies);
	old = MemoryContextSwitchTo(context);
	setting->sent_capacity = 64;
	setting->sent = palloc(sizeof(Sent) * setting->sent_capacity);
	setting->call = mls_call_open_at(function, GetUserId(), NULL);
	mls_call_measure(setting->call, mls_latencies_note, &setting->latencies);
	run_requests(setting, max_seconds);
	read_figures(setting, old);
	MemoryContextSwitchTo(old);

	setting->call = NULL;
	MemoryContextDelete(context);
	AtEOXact_GUC(true, nest);
}

/* The first requests open connections and wake the endpoint up: not a setting's fault. */
static void
warm_up(const Setting *settings, int count, Oid function, const MlsSample *sample)
{
	Setting setting = {.batch_rows = settings[0].batch_rows, .parallel = settings[0].parallel};

	for (int i = 1; i < count; i++)
	{
		setting.batch_rows = Min(setting.batch_rows, settings[i].batch_rows);
		setting.parallel = Max(setting.parallel, settings[i].parallel);
	}
	run_setting(&setting, function, sample, 0);
}

static double
rate(const Setting *setting)
{
	return setting->rows / Max(setting->seconds, 1e-6);
}

/* Of those as good as the best, without errors: the one with the fewest rows, then requests, in flight. */
static void
recommend(Setting *settings, int count)
{
	Setting *chosen = NULL;
	double best = 0;

	for (int i = 0; i < count; i++)
	{
		if (settings[i].errors == 0)
			best = Max(best, rate(&settings[i]));
	}
	for (int i = 0; i < count; i++)
	{
		Setting *setting = &settings[i];
		int64 size = (int64) setting->batch_rows * setting->parallel;
		int64 chosen_size = chosen ? (int64) chosen->batch_rows * chosen->parallel : 0;

		if (setting->errors > 0 || setting->rows == 0 || rate(setting) < WITHIN * best)
			continue;
		if (chosen == NULL || size < chosen_size || (size == chosen_size && setting->parallel < chosen->parallel))
			chosen = setting;
	}
	if (chosen)
		chosen->recommended = true;
}

static void
put_row(ReturnSetInfo *rsinfo, Setting *setting)
{
	Datum values[9];
	bool nulls[9] = {false};

	values[0] = Int32GetDatum(setting->batch_rows);
	values[1] = Int32GetDatum(setting->parallel);
	values[2] = Int64GetDatum(setting->requests);
	values[3] = Int64GetDatum(setting->rows);
	values[4] = Float8GetDatum(rint(rate(setting) * 10) / 10);
	nulls[5] = nulls[6] = setting->latencies.count == 0;
	if (setting->latencies.count > 0)
	{
		mls_latencies_sort(&setting->latencies);
		values[5] = Float8GetDatum(mls_latencies_quantile(&setting->latencies, 0.5));
		values[6] = Float8GetDatum(mls_latencies_quantile(&setting->latencies, 0.95));
	}
	values[7] = Int64GetDatum(setting->errors);
	values[8] = BoolGetDatum(setting->recommended);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* The numbers of an array argument. */
static int *
counts_argument(ArrayType *array, const char *name, int *count)
{
	Datum *elements;
	bool *nulls;
	int *counts;

	deconstruct_array(array, INT4OID, sizeof(int32), true, TYPALIGN_INT, &elements, &nulls, count);
	counts = palloc(sizeof(int) * Max(*count, 1));
	for (int i = 0; i < *count; i++)
	{
		counts[i] = nulls[i] ? 0 : DatumGetInt32(elements[i]);
		if (counts[i] < 1 || counts[i] > MAX_COUNT)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("%s must be numbers from 1 to %d", name, MAX_COUNT)));
	}
	if (*count == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must not be empty", name)));
	return counts;
}

static Setting *
make_settings(ArrayType *batch_rows, ArrayType *parallel, int *count)
{
	int nbatch;
	int nparallel;
	int *batch = counts_argument(batch_rows, "batch_rows", &nbatch);
	int *par = counts_argument(parallel, "parallel", &nparallel);
	Setting *settings = palloc0(sizeof(Setting) * nbatch * nparallel);

	*count = nbatch * nparallel;
	for (int i = 0; i < *count; i++)
	{
		settings[i].batch_rows = batch[i / nparallel];
		settings[i].parallel = par[i % nparallel];
	}
	return settings;
}

/* Say why, for the first setting that had rows fail. */
static void
tell_failures(const Setting *settings, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (settings[i].first_reason == NULL)
			continue;
		ereport(WARNING,
				(errmsg("some rows could not be scored"), errdetail("First reason: %s.", settings[i].first_reason)));
		return;
	}
}

static void
profile(FunctionCallInfo fcinfo, Oid function)
{
	int count;
	Setting *settings = make_settings(PG_GETARG_ARRAYTYPE_P(2), PG_GETARG_ARRAYTYPE_P(3), &count);
	MlsSample *sample;

	InitMaterializedSRF(fcinfo, 0);
	mls_function_check_callable(function);
	sample =
		mls_sample_take(mls_function_load(function), text_to_cstring(PG_GETARG_TEXT_PP(1)), SAMPLE_ROWS, SAMPLE_BYTES);
	warm_up(settings, count, function, sample);
	for (int i = 0; i < count; i++)
		run_setting(&settings[i], function, sample, MAX_SECONDS);
	tell_failures(settings, count);
	recommend(settings, count);
	for (int i = 0; i < count; i++)
		put_row((ReturnSetInfo *) fcinfo->resultinfo, &settings[i]);
}

static void
check_not_null(FunctionCallInfo fcinfo)
{
	static const char *const names[] = {"function", "query", "batch_rows", "parallel"};

	for (int i = 0; i < lengthof(names); i++)
	{
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument \"%s\" must not be null", names[i])));
	}
}

/* profile(function regprocedure, query text, batch_rows int[], parallel int[]) returns table (...) */
PG_FUNCTION_INFO_V1(mls_profile);

PGDLLEXPORT Datum
mls_profile(PG_FUNCTION_ARGS)
{
	check_not_null(fcinfo);
	profile(fcinfo, PG_GETARG_OID(0));
	return (Datum) 0;
}

/* The same with the function's name. */
PG_FUNCTION_INFO_V1(mls_profile_named);

PGDLLEXPORT Datum
mls_profile_named(PG_FUNCTION_ARGS)
{
	check_not_null(fcinfo);
	profile(fcinfo, mls_function_of_text(PG_GETARG_TEXT_PP(0)));
	return (Datum) 0;
}
