/*
 * distribution_type.c - the type ml_score.distribution, and what can be asked of its values.
 *
 * As text it is its bytes in hexadecimal, like bytea's. Bytes are checked where they come in, so that all else may trust
 * them; only what was written straight into a table's file could be wrong, and is refused as well.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "compat.h"
#include "drift/distribution_value.h"
#include "drift/numbers.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PGDLLEXPORT Datum mls_distribution_in(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_distribution_out(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_distribution_recv(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_distribution_send(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_distribution_summary(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_distribution_counts(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_null_value_rate(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_data_type_error_rate(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(mls_distribution_in);
PG_FUNCTION_INFO_V1(mls_distribution_out);
PG_FUNCTION_INFO_V1(mls_distribution_recv);
PG_FUNCTION_INFO_V1(mls_distribution_send);
PG_FUNCTION_INFO_V1(mls_distribution_summary);
PG_FUNCTION_INFO_V1(mls_distribution_counts);
PG_FUNCTION_INFO_V1(mls_null_value_rate);
PG_FUNCTION_INFO_V1(mls_data_type_error_rate);

MlsDistribution *
mls_distribution_get(Datum datum)
{
	MlsDistribution *distribution = palloc(sizeof(MlsDistribution));
	bytea *bytes = DatumGetByteaPP(datum);
	const char *reason = mls_distribution_open(distribution, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));

	if (reason != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
						errmsg("invalid value of type %s", MLS_SCHEMA ".distribution"), errdetail("%s", reason)));
	if (!distribution->totals.numeric && distribution->encoding != GetDatabaseEncoding())
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("a distribution of categories cannot be used in a database of another encoding"),
						errdetail("It was made with encoding %s, this database has %s.",
								  pg_encoding_to_char(distribution->encoding), GetDatabaseEncodingName())));
	return distribution;
}

Datum
mls_distribution_make(MlsCounts *source, const char *type)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoSpaces(&out, VARHDRSZ);
	if (!mls_distribution_write(&out, source, type, GetDatabaseEncoding(), MaxAllocSize))
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("a distribution is too large to be one value"),
						errdetail("It may have 1 GB, about 100 million distinct numbers."),
						errhint("Round the values or take a sample, or compare with ml_score.drift.")));
	SET_VARSIZE(out.data, out.len);
	return PointerGetDatum(out.data);
}

/* What comes from outside: its words must be text of this database. */
static Datum
check_input(Datum bytes)
{
	MlsDistribution *distribution = mls_distribution_get(bytes);
	MlsCount count;

	pg_verifymbstr(distribution->type, (int) strlen(distribution->type), false);
	while (!distribution->totals.numeric && distribution->counts.next(&distribution->counts, &count))
		pg_verifymbstr(count.word, (int) count.len, false);
	return bytes;
}

Datum
mls_distribution_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(check_input(DirectFunctionCall1(byteain, PG_GETARG_DATUM(0))));
}

Datum
mls_distribution_out(PG_FUNCTION_ARGS)
{
	bytea *bytes = PG_GETARG_BYTEA_PP(0);
	Size len = VARSIZE_ANY_EXHDR(bytes);
	char *out = palloc_extended(len * 2 + 3, MCXT_ALLOC_HUGE);

	out[0] = '\\';
	out[1] = 'x';
	hex_encode(VARDATA_ANY(bytes), len, out + 2);
	out[len * 2 + 2] = '\0';
	PG_RETURN_CSTRING(out);
}

Datum
mls_distribution_recv(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(check_input(DirectFunctionCall1(bytearecv, PG_GETARG_DATUM(0))));
}

Datum
mls_distribution_send(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(PG_GETARG_BYTEA_P_COPY(0));
}

static double
share(int64 part, int64 rows)
{
	return (double) part / rows;
}

Datum
mls_null_value_rate(PG_FUNCTION_ARGS)
{
	const MlsTotals *totals = &mls_distribution_get(PG_GETARG_DATUM(0))->totals;

	if (mls_totals_rows(totals) == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(share(totals->missing, mls_totals_rows(totals)));
}

Datum
mls_data_type_error_rate(PG_FUNCTION_ARGS)
{
	const MlsTotals *totals = &mls_distribution_get(PG_GETARG_DATUM(0))->totals;

	if (mls_totals_rows(totals) == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(share(totals->misfits, mls_totals_rows(totals)));
}

Datum
mls_distribution_summary(PG_FUNCTION_ARGS)
{
	MlsDistribution *distribution = mls_distribution_get(PG_GETARG_DATUM(0));
	const MlsTotals *totals = &distribution->totals;
	Datum values[8];
	bool nulls[8] = {false};
	TupleDesc desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = CStringGetTextDatum(totals->numeric ? "numerical" : "categorical");
	values[1] = CStringGetTextDatum(distribution->type);
	values[2] = Int64GetDatum(mls_totals_rows(totals));
	values[3] = Int64GetDatum(distribution->distinct);
	values[4] = Int64GetDatum(totals->missing);
	values[5] = Int64GetDatum(totals->misfits);
	values[6] = Float8GetDatum(mls_number_of_key(totals->min));
	values[7] = Float8GetDatum(mls_number_of_key(totals->max));
	nulls[6] = nulls[7] = !totals->numeric || totals->values == 0;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

/* One line per distinct value: of numbers, the number in text as well. */
Datum
mls_distribution_counts(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MlsDistribution *distribution = mls_distribution_get(PG_GETARG_DATUM(0));
	MlsCount count;

	InitMaterializedSRF(fcinfo, 0);
	while (distribution->counts.next(&distribution->counts, &count))
	{
		Datum values[3] = {0};
		bool nulls[3] = {distribution->totals.numeric, !distribution->totals.numeric, false};

		if (distribution->totals.numeric)
			values[1] = Float8GetDatum(mls_number_of_key(count.key));
		else
			values[0] = PointerGetDatum(cstring_to_text_with_len(count.word, (int) count.len));
		values[2] = Int64GetDatum(count.count);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		if (!nulls[0])
			pfree(DatumGetPointer(values[0]));
	}
	return (Datum) 0;
}
