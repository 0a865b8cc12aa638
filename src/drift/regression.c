/*
 * regression.c - how right a regression was: aggregates over pairs of the true number and the predicted one.
 */
#include "postgres.h"

#include <math.h>

#include "drift/measure.h"
#include "libpq/pqformat.h"
#include "utils/memutils.h"

PGDLLEXPORT Datum mls_regression_add(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_regression_combine(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_regression_serialize(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_regression_deserialize(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_regression_mae(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_regression_mse(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_regression_rmse(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_regression_r2(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(mls_regression_add);
PG_FUNCTION_INFO_V1(mls_regression_combine);
PG_FUNCTION_INFO_V1(mls_regression_serialize);
PG_FUNCTION_INFO_V1(mls_regression_deserialize);
PG_FUNCTION_INFO_V1(mls_regression_mae);
PG_FUNCTION_INFO_V1(mls_regression_mse);
PG_FUNCTION_INFO_V1(mls_regression_rmse);
PG_FUNCTION_INFO_V1(mls_regression_r2);

/* Sums over the pairs, none of whose members is NULL. */
typedef struct Errors
{
	int64 rows;
	double absolute;
	double squared;
	double mean; /* of the true numbers, and the sum of squares about it */
	double squares;
} Errors;

/* The state as first argument; one is made where it is NULL. */
static Errors *
errors_argument(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return PG_ARGISNULL(0) ? MemoryContextAllocZero(context, sizeof(Errors)) : (Errors *) PG_GETARG_POINTER(0);
}

/* Chan's formula: the sums of both. */
static void
add_errors(Errors *errors, const Errors *more)
{
	int64 rows = errors->rows + more->rows;
	double distance = more->mean - errors->mean;

	if (more->rows == 0)
		return;
	errors->absolute += more->absolute;
	errors->squared += more->squared;
	errors->squares += more->squares + distance * distance * ((double) errors->rows * more->rows / rows);
	errors->mean += distance * more->rows / rows;
	errors->rows = rows;
}

Datum
mls_regression_add(PG_FUNCTION_ARGS)
{
	Errors *errors = errors_argument(fcinfo);

	if (!PG_ARGISNULL(1) && !PG_ARGISNULL(2))
	{
		double actual = PG_GETARG_FLOAT8(1);
		double error = PG_GETARG_FLOAT8(2) - actual;

		add_errors(errors, &(Errors){1, fabs(error), error * error, actual, 0});
	}
	PG_RETURN_POINTER(errors);
}

Datum
mls_regression_combine(PG_FUNCTION_ARGS)
{
	Errors *errors = errors_argument(fcinfo);

	if (!PG_ARGISNULL(1))
		add_errors(errors, (Errors *) PG_GETARG_POINTER(1));
	PG_RETURN_POINTER(errors);
}

Datum
mls_regression_serialize(PG_FUNCTION_ARGS)
{
	StringInfoData out;

	pq_begintypsend(&out);
	pq_sendbytes(&out, PG_GETARG_POINTER(0), sizeof(Errors));
	PG_RETURN_BYTEA_P(pq_endtypsend(&out));
}

Datum
mls_regression_deserialize(PG_FUNCTION_ARGS)
{
	bytea *bytes = PG_GETARG_BYTEA_PP(0);
	Errors *errors = palloc(sizeof(Errors));

	memcpy(errors, VARDATA_ANY(bytes), sizeof(Errors));
	PG_RETURN_POINTER(errors);
}

/* The sums of a final function; without any pair, NULL. */
static const Errors *
final_errors(FunctionCallInfo fcinfo)
{
	Errors *errors = PG_ARGISNULL(0) ? NULL : (Errors *) PG_GETARG_POINTER(0);

	return errors == NULL || errors->rows == 0 ? NULL : errors;
}

Datum
mls_regression_mae(PG_FUNCTION_ARGS)
{
	const Errors *errors = final_errors(fcinfo);

	if (errors == NULL)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(errors->absolute / errors->rows);
}

Datum
mls_regression_mse(PG_FUNCTION_ARGS)
{
	const Errors *errors = final_errors(fcinfo);

	if (errors == NULL)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(errors->squared / errors->rows);
}

Datum
mls_regression_rmse(PG_FUNCTION_ARGS)
{
	const Errors *errors = final_errors(fcinfo);

	if (errors == NULL)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(sqrt(errors->squared / errors->rows));
}

/* 1 less the errors' share of the variance; of constants 1 where all is right, and 0 else (scikit-learn). */
Datum
mls_regression_r2(PG_FUNCTION_ARGS)
{
	const Errors *errors = final_errors(fcinfo);

	if (errors == NULL || errors->rows < 2)
		PG_RETURN_NULL();
	if (errors->squares == 0)
		PG_RETURN_FLOAT8(errors->squared == 0 ? 1 : 0);
	PG_RETURN_FLOAT8(1 - errors->squared / errors->squares);
}
