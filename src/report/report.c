/*
 * report.c - ml_score.report: one page of HTML that shows what is going on.
 *
 * The page needs nothing but itself: styles and charts stand in it, scripts there are none. Its parts are in the files
 * beside this one; see sections.h.
 */
#include "report/sections.h"

#include "commands/dbcommands.h"
#include "drift/measure.h"
#include "miscadmin.h"
#include "report/html.h"
#include "report/rows.h"
#include "report/units.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

enum
{
	ARG_TITLE,
	ARG_BASELINE,
	ARG_CURRENT,
	ARG_CATEGORICAL,
	ARG_FORMULAS,
	ARG_PROFILE,
	ARG_SINCE
};

static char *
text_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

static void
check_not_null(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument \"%s\" must not be null", name)));
}

static void
read_drift_arguments(FunctionCallInfo fcinfo, MlsReportRequest *request)
{
	check_not_null(fcinfo, ARG_CATEGORICAL, "categorical");
	check_not_null(fcinfo, ARG_FORMULAS, "formulas");
	request->baseline = text_argument(fcinfo, ARG_BASELINE);
	request->current = text_argument(fcinfo, ARG_CURRENT);
	request->categorical = PG_GETARG_ARRAYTYPE_P(ARG_CATEGORICAL);
	request->formulas = mls_formulas_parse(PG_GETARG_TEXT_PP(ARG_FORMULAS));
	if ((request->baseline == NULL) != (request->current == NULL))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("arguments \"baseline\" and \"current\" must be given together")));
	if (request->baseline == NULL && ArrayGetNItems(ARR_NDIM(request->categorical), ARR_DIMS(request->categorical)) > 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("argument \"categorical\" needs \"baseline\" and \"current\"")));
}

/* NULL: from the beginning. */
static void
read_since(FunctionCallInfo fcinfo, MlsReportRequest *request)
{
	request->now = GetCurrentTimestamp();
	TIMESTAMP_NOBEGIN(request->since);
	if (PG_ARGISNULL(ARG_SINCE))
		return;
	request->since = DatumGetTimestampTz(
		DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(request->now), PG_GETARG_DATUM(ARG_SINCE)));
	if (request->since > request->now)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("argument \"since\" must not be negative")));
}

/* ml_score.report(title, baseline, current, categorical, formulas, profile, since) */
PG_FUNCTION_INFO_V1(mls_report);

PGDLLEXPORT Datum
mls_report(PG_FUNCTION_ARGS)
{
	MlsReportRequest request = {text_argument(fcinfo, ARG_TITLE)};
	const char *database = get_database_name(MyDatabaseId);
	const char *subtitle;
	MlsPage page;

	read_drift_arguments(fcinfo, &request);
	request.profile = text_argument(fcinfo, ARG_PROFILE);
	read_since(fcinfo, &request);
	if (request.title == NULL)
		request.title = psprintf("ml_score in %s", database);
	subtitle = psprintf("Database %s, as %s sees it, at %s UTC. PostgreSQL %s.", database,
						GetUserNameFromId(GetUserId(), false),
						mls_units_time((double) timestamptz_to_time_t(request.now)), PG_VERSION);

	mls_page_init(&page);
	mls_report_endpoints(&page);
	mls_report_streams(&page);
	mls_report_jobs(&page, &request);
	mls_report_monitors(&page, &request);
	mls_report_drift(&page, &request);
	mls_report_profile(&page, &request);
	PG_RETURN_TEXT_P(cstring_to_text(mls_page_finish(&page, mls_rows_utf8(request.title), mls_rows_utf8(subtitle))));
}
