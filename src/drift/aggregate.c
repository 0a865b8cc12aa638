/*
 * aggregate.c - aggregates: ml_score.distribution(value), and the figures of drift as ml_score.psi(value, current).
 *
 * All have one state (state.h), which the figures over the same arguments share. Between processes it travels as
 * distributions.
 */
#include "postgres.h"

#include "drift/distribution_value.h"
#include "drift/measure.h"
#include "drift/state.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

PGDLLEXPORT Datum mls_tally_number(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_tally_word(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_tally_combine(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_tally_serialize(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_tally_deserialize(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_tally_distribution(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_tally_psi(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_tally_jensen_shannon_distance(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_tally_wasserstein_distance(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_tally_normalized_wasserstein_distance(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_tally_kolmogorov_smirnov_test(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_tally_chi_squared_test(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_tally_out_of_bounds_rate(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(mls_tally_number);
PG_FUNCTION_INFO_V1(mls_tally_word);
PG_FUNCTION_INFO_V1(mls_tally_combine);
PG_FUNCTION_INFO_V1(mls_tally_serialize);
PG_FUNCTION_INFO_V1(mls_tally_deserialize);
PG_FUNCTION_INFO_V1(mls_tally_distribution);
PG_FUNCTION_INFO_V1(mls_tally_psi);
PG_FUNCTION_INFO_V1(mls_tally_jensen_shannon_distance);
PG_FUNCTION_INFO_V1(mls_tally_wasserstein_distance);
PG_FUNCTION_INFO_V1(mls_tally_normalized_wasserstein_distance);
PG_FUNCTION_INFO_V1(mls_tally_kolmogorov_smirnov_test);
PG_FUNCTION_INFO_V1(mls_tally_chi_squared_test);
PG_FUNCTION_INFO_V1(mls_tally_out_of_bounds_rate);

static MlsState *
create_state(MemoryContext context, bool numeric)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	MlsState *state = palloc0(sizeof(MlsState));

	state->numeric = numeric;
	for (int i = 0; i < MLS_STATE_TALLIES; i++)
		state->tallies[i] = mls_tally_create(numeric, 0);
	MemoryContextSwitchTo(old);
	return state;
}

MlsState *
mls_state_argument(FunctionCallInfo fcinfo, bool numeric)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return PG_ARGISNULL(0) ? create_state(context, numeric) : (MlsState *) PG_GETARG_POINTER(0);
}

/* The tally that a row goes to; NULL: to none, because it is not said whether it is current. */
static MlsTally *
tally_argument(FunctionCallInfo fcinfo, MlsState *state)
{
	if (PG_NARGS() < 3)
		return state->tallies[0];
	return PG_ARGISNULL(2) ? NULL : state->tallies[PG_GETARG_BOOL(2) ? 1 : 0];
}

void
mls_state_add_number(MlsTally *tally, FunctionCallInfo fcinfo, int argument)
{
	if (PG_ARGISNULL(argument))
		mls_tally_add_missing(tally);
	else
		mls_tally_add_number(tally, PG_GETARG_FLOAT8(argument));
}

Datum
mls_tally_number(PG_FUNCTION_ARGS)
{
	MlsState *state = mls_state_argument(fcinfo, true);
	MlsTally *tally = tally_argument(fcinfo, state);

	if (tally != NULL)
		mls_state_add_number(tally, fcinfo, 1);
	PG_RETURN_POINTER(state);
}

Datum
mls_tally_word(PG_FUNCTION_ARGS)
{
	MlsState *state = mls_state_argument(fcinfo, false);
	MlsTally *tally = tally_argument(fcinfo, state);

	if (tally != NULL)
	{
		if (PG_ARGISNULL(1))
			mls_tally_add_missing(tally);
		else
		{
			text *word = PG_GETARG_TEXT_PP(1);

			mls_tally_add_word(tally, VARDATA_ANY(word), VARSIZE_ANY_EXHDR(word));
			PG_FREE_IF_COPY(word, 1);
		}
	}
	PG_RETURN_POINTER(state);
}

static text *
copy_text(FunctionCallInfo fcinfo, const text *word)
{
	MemoryContext context;
	text *copy;

	AggCheckCallContext(fcinfo, &context);
	copy = MemoryContextAlloc(context, VARSIZE(word));
	return memcpy(copy, word, VARSIZE(word));
}

Datum
mls_tally_combine(PG_FUNCTION_ARGS)
{
	MlsState *other;
	MlsState *state;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	other = (MlsState *) PG_GETARG_POINTER(1);
	state = mls_state_argument(fcinfo, other->numeric);
	if (state->positive == NULL && other->positive != NULL)
		state->positive = copy_text(fcinfo, other->positive);
	for (int i = 0; i < MLS_STATE_TALLIES; i++)
		mls_tally_absorb(state->tallies[i], mls_tally_read(other->tallies[i]));
	PG_RETURN_POINTER(state);
}

Datum
mls_tally_serialize(PG_FUNCTION_ARGS)
{
	MlsState *state = (MlsState *) PG_GETARG_POINTER(0);
	StringInfoData out;

	pq_begintypsend(&out);
	pq_sendint32(&out, state->positive == NULL ? 0 : VARSIZE(state->positive));
	if (state->positive != NULL)
		pq_sendbytes(&out, (char *) state->positive, VARSIZE(state->positive));
	for (int i = 0; i < MLS_STATE_TALLIES; i++)
	{
		bytea *bytes = DatumGetByteaPP(mls_distribution_make(mls_tally_read(state->tallies[i]), ""));

		pq_sendint32(&out, VARSIZE_ANY_EXHDR(bytes));
		pq_sendbytes(&out, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
		pfree(bytes);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&out));
}

Datum
mls_tally_deserialize(PG_FUNCTION_ARGS)
{
	bytea *bytes = PG_GETARG_BYTEA_PP(0);
	StringInfoData in = {.data = VARDATA_ANY(bytes), .len = VARSIZE_ANY_EXHDR(bytes)};
	MlsState *state = NULL;
	int positive_size = pq_getmsgint(&in, 4);
	text *positive = NULL;

	if (positive_size > 0)
		positive = memcpy(palloc(positive_size), pq_getmsgbytes(&in, positive_size), positive_size);
	for (int i = 0; i < MLS_STATE_TALLIES; i++)
	{
		MlsDistribution distribution;
		int len = pq_getmsgint(&in, 4);
		const char *reason = mls_distribution_open(&distribution, pq_getmsgbytes(&in, len), len);

		if (reason != NULL)
			elog(ERROR, "invalid state of an aggregate: %s", reason);
		if (state == NULL)
			state = create_state(CurrentMemoryContext, distribution.totals.numeric);
		mls_tally_absorb(state->tallies[i], &distribution.counts);
	}
	state->positive = positive;
	PG_RETURN_POINTER(state);
}

Datum
mls_tally_distribution(PG_FUNCTION_ARGS)
{
	MlsState *state;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (MlsState *) PG_GETARG_POINTER(0);
	PG_RETURN_DATUM(
		mls_distribution_make(mls_tally_read(state->tallies[0]), state->numeric ? "double precision" : "text"));
}

/* By Azure's formulas; of nothing without a row. */
static MlsFigures
measure_state(FunctionCallInfo fcinfo, MlsKsMethod method)
{
	MlsState *state;

	if (PG_ARGISNULL(0))
		return (MlsFigures){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
	state = (MlsState *) PG_GETARG_POINTER(0);
	return mls_measure(mls_tally_read(state->tallies[0]), mls_tally_read(state->tallies[1]), MLS_FORMULAS_AZURE,
					   method);
}

Datum
mls_tally_psi(PG_FUNCTION_ARGS)
{
	return mls_measure_number(fcinfo, measure_state(fcinfo, MLS_KS_ASYMPTOTIC).psi);
}

Datum
mls_tally_jensen_shannon_distance(PG_FUNCTION_ARGS)
{
	return mls_measure_number(fcinfo, measure_state(fcinfo, MLS_KS_ASYMPTOTIC).js_distance);
}

Datum
mls_tally_wasserstein_distance(PG_FUNCTION_ARGS)
{
	return mls_measure_number(fcinfo, measure_state(fcinfo, MLS_KS_ASYMPTOTIC).wasserstein);
}

Datum
mls_tally_normalized_wasserstein_distance(PG_FUNCTION_ARGS)
{
	return mls_measure_number(fcinfo, measure_state(fcinfo, MLS_KS_ASYMPTOTIC).normalized_wasserstein);
}

Datum
mls_tally_kolmogorov_smirnov_test(PG_FUNCTION_ARGS)
{
	MlsFigures figures = measure_state(fcinfo, MLS_KS_AUTO);

	return mls_measure_test(fcinfo, figures.ks_statistic, figures.ks_p_value);
}

Datum
mls_tally_chi_squared_test(PG_FUNCTION_ARGS)
{
	MlsFigures figures = measure_state(fcinfo, MLS_KS_ASYMPTOTIC);

	return mls_measure_test(fcinfo, figures.chi_squared, figures.chi_squared_p_value);
}

Datum
mls_tally_out_of_bounds_rate(PG_FUNCTION_ARGS)
{
	return mls_measure_number(fcinfo, measure_state(fcinfo, MLS_KS_ASYMPTOTIC).out_of_bounds_rate);
}
