/*
 * jobs.c - the report's part on batch jobs: when each did what.
 */
#include "report/sections.h"

#include <math.h>

#include "report/chart.h"
#include "report/html.h"
#include "report/rows.h"
#include "report/units.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define MOST_JOBS 30
#define ERROR_CHARACTERS 300

/* The times are in the order in which they come; between them are the phases. */
enum
{
	ID,
	SERVER,
	STATE,
	SUBMITTED_AT,
	EXPORTED_AT,
	INVOKED_AT,
	ENDED_AT,
	DOWNLOADED_AT,
	COMPLETED_AT,
	ROWS_OUT,
	ROWS_IN,
	MISSING,
	DEAD_LETTERS,
	ERROR_TEXT
};

static const MlsLegend phases[] = {{"export", 2, MLS_MARKS},   {"submit", 4, MLS_MARKS}, {"run in Azure", 1, MLS_MARKS},
								   {"download", 0, MLS_MARKS}, {"load", 3, MLS_MARKS},	 {"failed", 5, MLS_MARK_CROSS}};

static MlsRows *
read_jobs(TimestampTz since)
{
	char *from = quote_literal_cstr(timestamptz_to_str(since));

	return mls_rows_read(
		NULL, psprintf("SELECT id, server, state, extract(epoch FROM submitted_at)::float8, "
					   "extract(epoch FROM exported_at)::float8, extract(epoch FROM invoked_at)::float8, "
					   "extract(epoch FROM ended_at)::float8, extract(epoch FROM downloaded_at)::float8, "
					   "extract(epoch FROM completed_at)::float8, rows_out, rows_in, missing, dead_letters, error "
					   "FROM ml_score.batch_job WHERE submitted_at OPERATOR(pg_catalog.>=) %s::pg_catalog.timestamptz "
					   "OR completed_at IS NULL ORDER BY id DESC LIMIT 10000",
					   from));
}

/* When it was over; of one that is not, now. */
static double
end_of(const MlsRows *rows, int row, double now)
{
	double completed = mls_rows_number(rows, row, COMPLETED_AT);

	return isnan(completed) ? now : completed;
}

static void
put_phase(MlsChart *chart, const MlsAxis *axis, int phase, double from, double to)
{
	if (to >= from)
		mls_chart_bar(chart, mls_axis_percent(axis, from), mls_axis_percent(axis, to), phases[phase].series, 0, 1,
					  psprintf("%s: %s", phases[phase].label, mls_units_seconds(to - from)));
}

/* The phases that are over, and the one in which it is or in which it ended. */
static void
put_phases(MlsChart *chart, const MlsAxis *axis, const MlsRows *rows, int row, double now)
{
	int phase = 0;
	double from = mls_rows_number(rows, row, SUBMITTED_AT);

	for (int i = EXPORTED_AT; i <= DOWNLOADED_AT; i++)
	{
		double at = mls_rows_number(rows, row, i);

		if (isnan(at) || at < from)
			continue;
		put_phase(chart, axis, i - EXPORTED_AT, from, at);
		from = at;
		phase = i - EXPORTED_AT + 1;
	}
	put_phase(chart, axis, phase, from, end_of(rows, row, now));
	if (strcmp(mls_rows_text(rows, row, STATE), "failed") == 0)
		mls_chart_mark(chart, mls_axis_percent(axis, end_of(rows, row, now)), MLS_MARK_CROSS, 5, "failed");
}

static void
chart_timeline(StringInfo out, const MlsRows *rows, int njobs, double now)
{
	MlsChart chart = {
		out,
		"timeline",
		"Timeline, UTC",
		"For each job when it exported, was submitted, ran in Azure, was downloaded and loaded. The table below "
		"has when each began and ended.",
		phases,
		lengthof(phases)};
	double from = INFINITY;
	double to = 0;
	MlsAxis axis;

	for (int i = 0; i < njobs; i++)
	{
		from = Min(from, mls_rows_number(rows, i, SUBMITTED_AT));
		to = Max(to, end_of(rows, i, now));
	}
	axis = mls_axis_time(from, to);
	mls_chart_open_rows(&chart, njobs, &axis, NULL);
	for (int i = njobs - 1; i >= 0; i--)
	{
		mls_chart_row(
			&chart, psprintf("%s %s", mls_rows_text(rows, i, ID), mls_rows_text(rows, i, SERVER)),
			psprintf("%s, %s", mls_rows_text(rows, i, STATE),
					 mls_units_seconds(Max(end_of(rows, i, now) - mls_rows_number(rows, i, SUBMITTED_AT), 0))));
		put_phases(&chart, &axis, rows, i, now);
	}
	mls_chart_close(&chart);
}

static const char *
tone_of_state(const char *state)
{
	if (strcmp(state, "completed") == 0)
		return MLS_GOOD;
	if (strcmp(state, "failed") == 0)
		return MLS_BAD;
	return strncmp(state, "cancel", 6) == 0 ? MLS_PLAIN : MLS_WARN;
}

static void
table_jobs(StringInfo out, const MlsRows *rows, int njobs)
{
	mls_table_open(out, "Batch jobs",
				   "Job|Server|State|Submitted|Ended|#Rows out|#Rows in|#Missing|#Dead letters|Error");
	for (int i = njobs - 1; i >= 0; i--)
	{
		mls_table_row(out);
		mls_table_head(out, mls_rows_text(rows, i, ID));
		mls_table_text(out, mls_rows_text(rows, i, SERVER));
		mls_table_badge(out, mls_rows_text(rows, i, STATE), tone_of_state(mls_rows_text(rows, i, STATE)));
		mls_table_time(out, mls_units_time(mls_rows_number(rows, i, SUBMITTED_AT)));
		mls_table_time(out, mls_units_time(mls_rows_number(rows, i, COMPLETED_AT)));
		for (int j = ROWS_OUT; j <= DEAD_LETTERS; j++)
			mls_table_number(out, mls_units_count(mls_rows_number(rows, i, j)));
		mls_table_text(out, mls_html_clip(mls_rows_text(rows, i, ERROR_TEXT), ERROR_CHARACTERS));
		mls_table_row_end(out);
	}
	mls_table_close(out, rows->nrows - njobs);
}

static void
put_tiles(MlsPage *page, const MlsRows *rows)
{
	int under_way = 0;
	int failed = 0;

	for (int i = 0; i < rows->nrows; i++)
	{
		under_way += isnan(mls_rows_number(rows, i, COMPLETED_AT));
		failed += strcmp(mls_rows_text(rows, i, STATE), "failed") == 0;
	}
	mls_page_tile(page, mls_units_count(under_way), "batch jobs under way", MLS_PLAIN);
	mls_page_tile(page, mls_units_count(failed), "batch jobs failed", failed > 0 ? MLS_BAD : MLS_GOOD);
}

void
mls_report_jobs(MlsPage *page, const MlsReportRequest *request)
{
	MlsRows *rows = read_jobs(request->since);
	double now = (double) timestamptz_to_time_t(request->now);
	int njobs = Min(rows->nrows, MOST_JOBS);

	mls_page_section(page, "jobs", "Batch jobs",
					 TIMESTAMP_IS_NOBEGIN(request->since)
						 ? "All jobs that are kept."
						 : psprintf("Those submitted since %s UTC, and those under way.",
									mls_units_time((double) timestamptz_to_time_t(request->since))));
	if (rows->nrows == 0)
		mls_page_section_empty(page, "There is no such batch job that you may see.");
	else
	{
		put_tiles(page, rows);
		mls_html_put(&page->body, "<div class=\"charts\">\n");
		chart_timeline(&page->body, rows, njobs, now);
		mls_html_put(&page->body, "</div>\n");
		table_jobs(&page->body, rows, njobs);
	}
	mls_page_section_end(page);
}
