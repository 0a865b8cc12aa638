/*
 * monitors.c - the report's part on monitors: how near each metric is to its threshold, now and before.
 *
 * Metrics have scales of their own, so the charts have them as parts of their threshold: 100 % is the threshold, beyond it
 * is a breach. Of those that must not be below it the part is turned over. More than three times as much is as much as that.
 */
#include "report/sections.h"

#include <math.h>

#include "report/chart.h"
#include "report/html.h"
#include "report/rows.h"
#include "report/units.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define MOST_METRICS 30
#define MOST_MONITORS 6 /* lines that can be told apart */
#define MOST_SIGNALS 100
#define ERROR_CHARACTERS 300

enum
{
	STATUS_MONITOR,
	STATUS_STATE,
	STATUS_SIGNAL,
	STATUS_BREACHED,
	STATUS_SINCE,
	STATUS_LAST_RUN_AT,
	STATUS_OUTCOME,
	STATUS_LAST_ERROR,
	STATUS_PENDING,
	STATUS_FAILED
};

enum
{
	METRIC_PART,
	METRIC_MONITOR,
	METRIC_SIGNAL,
	METRIC_FEATURE,
	METRIC_NAME,
	METRIC_VALUE,
	METRIC_BOUND,
	METRIC_THRESHOLD,
	METRIC_BREACHED
};

enum
{
	RUN_MONITOR,
	RUN_AT,
	RUN_PART
};

static const char status_query[] =
	"SELECT monitor, state, signal, breached, extract(epoch FROM since)::float8, extract(epoch FROM "
	"last_run_at)::float8, "
	"last_outcome, last_error, pending_alerts, failed_alerts "
	"FROM ml_score.monitor_status ORDER BY monitor COLLATE \"C\", signal COLLATE \"C\" LIMIT 10000";

/* A result's part of its threshold. Against 0 it is all or nothing. */
#define PART                                                                                                           \
	"CASE WHEN r.bound OPERATOR(pg_catalog.=) 'above' AND r.threshold OPERATOR(pg_catalog.>) 0 "                       \
	"THEN least(greatest(r.value OPERATOR(pg_catalog./) r.threshold, 0), 3) "                                          \
	"WHEN r.bound OPERATOR(pg_catalog.=) 'below' AND r.value OPERATOR(pg_catalog.>) 0 "                                \
	"THEN least(greatest(r.threshold OPERATOR(pg_catalog./) r.value, 0), 3) WHEN r.breached THEN 3 ELSE 0 END"

/* What the last run that could tell found, the nearest to a breach first. */
static const char metric_query[] =
	"SELECT " PART ", r.monitor, r.signal, r.feature, r.metric, r.value, r.bound, r.threshold, r.breached "
	"FROM ml_score.monitor m CROSS JOIN LATERAL (SELECT x.id FROM ml_score.monitor_run x "
	"WHERE x.monitor OPERATOR(pg_catalog.=) m.name AND x.outcome OPERATOR(pg_catalog.=) ANY (ARRAY['ok', 'breached']) "
	"ORDER BY x.at DESC, x.id DESC LIMIT 1) l JOIN ml_score.monitor_result r ON r.run OPERATOR(pg_catalog.=) l.id "
	"WHERE r.threshold IS NOT NULL AND r.value IS NOT NULL "
	"ORDER BY 1 DESC, r.monitor COLLATE \"C\", r.signal COLLATE \"C\", r.feature COLLATE \"C\", r.metric COLLATE \"C\" "
	"LIMIT 10000";

/* Of each run the part that was nearest to a breach; the latest runs are kept when there are too many. */
static const char run_query[] =
	"SELECT * FROM (SELECT r.monitor, extract(epoch FROM r.at)::float8 AS at, max(" PART
	") FROM ml_score.monitor_result r "
	"WHERE r.threshold IS NOT NULL AND r.value IS NOT NULL AND r.at OPERATOR(pg_catalog.>=) %s::pg_catalog.timestamptz "
	"GROUP BY r.monitor, r.run, r.at ORDER BY r.at DESC, r.run DESC LIMIT 2000) r ORDER BY r.monitor COLLATE \"C\", "
	"r.at";

static char *
write_part(double part)
{
	return psprintf("%.0f %%", part * 100);
}

static const char *
metric_label(const MlsRows *rows, int row)
{
	const char *feature = mls_rows_text(rows, row, METRIC_FEATURE);

	return psprintf("%s%s%s", feature, feature[0] != '\0' ? ": " : "", mls_rows_text(rows, row, METRIC_NAME));
}

static bool
is_breached(const MlsRows *rows, int row, int column)
{
	return strcmp(mls_rows_text(rows, row, column), "t") == 0;
}

static void
chart_metrics(StringInfo out, const MlsRows *rows)
{
	static const MlsLegend legend[] = {
		{"within", 1, MLS_MARKS}, {"breached", 5, MLS_MARKS}, {"threshold", 6, MLS_MARK_LINE}};
	MlsChart chart = {
		out,
		"metrics",
		"How near to the threshold, by the last run",
		"For each metric of each monitor its part of the threshold, the nearest to a breach first. The table "
		"below has the values.",
		legend,
		lengthof(legend)};
	int nmetrics = Min(rows->nrows, MOST_METRICS);
	MlsAxis axis = mls_axis_from_zero(Max(mls_rows_number(rows, 0, METRIC_PART), 1));

	mls_chart_open_rows(&chart, nmetrics, &axis, write_part);
	for (int i = 0; i < nmetrics; i++)
	{
		double part = mls_rows_number(rows, i, METRIC_PART);
		const char *figure = psprintf("%s: %s", mls_rows_text(rows, i, METRIC_MONITOR),
									  mls_units_number(mls_rows_number(rows, i, METRIC_VALUE)));

		mls_chart_row(&chart, metric_label(rows, i), figure);
		mls_chart_bar(&chart, 0, mls_axis_percent(&axis, part), is_breached(rows, i, METRIC_BREACHED) ? 5 : 1, 0, 1,
					  psprintf("%s of the threshold", write_part(part)));
		mls_chart_mark(&chart, mls_axis_percent(&axis, 1), MLS_MARK_LINE, 6,
					   psprintf("threshold %s", mls_units_number(mls_rows_number(rows, i, METRIC_THRESHOLD))));
	}
	mls_chart_close(&chart);
}

/* How many of the runs from row on are of the same monitor. */
static int
runs_of_monitor(const MlsRows *rows, int row)
{
	int n = 1;

	while (row + n < rows->nrows &&
		   strcmp(mls_rows_text(rows, row, RUN_MONITOR), mls_rows_text(rows, row + n, RUN_MONITOR)) == 0)
		n++;
	return n;
}

static void
draw_runs(MlsPlot *plot, const MlsRows *rows, int row, int n, const MlsLegend *legend)
{
	MlsPoint *points = palloc(sizeof(MlsPoint) * n);

	for (int i = 0; i < n; i++)
	{
		double at = mls_rows_number(rows, row + i, RUN_AT);
		double part = mls_rows_number(rows, row + i, RUN_PART);

		points[i] = (MlsPoint){
			at, part, psprintf("%s, %s: %s of the threshold", legend->label, mls_units_time(at), write_part(part))};
	}
	mls_plot_line(plot, points, n, legend->series, legend->mark);
}

static void
chart_history(StringInfo out, const MlsRows *rows)
{
	MlsLegend legend[MOST_MONITORS];
	MlsAxis x;
	MlsAxis y;
	MlsPlot plot = {{out, "history", "The nearest to a breach, run by run, UTC",
					 "A line for each monitor: the greatest part of a threshold that each of its runs found.", legend},
					&x,
					&y};
	double from = INFINITY;
	double to = -INFINITY;
	double most = 1;

	for (int i = 0; i < rows->nrows; i++)
	{
		from = Min(from, mls_rows_number(rows, i, RUN_AT));
		to = Max(to, mls_rows_number(rows, i, RUN_AT));
		most = Max(most, mls_rows_number(rows, i, RUN_PART));
	}
	for (int i = 0; i < rows->nrows && plot.chart.nlegend < MOST_MONITORS; i += runs_of_monitor(rows, i))
	{
		int line = plot.chart.nlegend++;

		legend[line] = (MlsLegend){mls_rows_text(rows, i, RUN_MONITOR), line + 1, (MlsMark) (line % MLS_MARK_CROSS)};
	}
	x = mls_axis_time(from, to);
	y = mls_axis_from_zero(most);
	mls_plot_open(&plot, NULL, write_part);
	for (int i = 0, line = 0; i < rows->nrows && line < plot.chart.nlegend; i += runs_of_monitor(rows, i), line++)
		draw_runs(&plot, rows, i, runs_of_monitor(rows, i), &legend[line]);
	mls_plot_close(&plot);
}

static const char *
tone_of_outcome(const char *outcome)
{
	if (strcmp(outcome, "ok") == 0)
		return MLS_GOOD;
	return strcmp(outcome, "breached") == 0 || strcmp(outcome, "failed") == 0 ? MLS_BAD : MLS_PLAIN;
}

static void
table_status(StringInfo out, const MlsRows *rows)
{
	mls_table_open(out, "Monitors",
				   "Monitor|State|Signal|Is|Since|Last run|Outcome|#Alerts pending|#Alerts given up|Error");
	for (int i = 0; i < Min(rows->nrows, MOST_SIGNALS); i++)
	{
		bool known = mls_rows_cell(rows, i, STATUS_BREACHED)->text != NULL;
		bool breached = is_breached(rows, i, STATUS_BREACHED);

		mls_table_row(out);
		mls_table_head(out, mls_rows_text(rows, i, STATUS_MONITOR));
		mls_table_text(out, mls_rows_text(rows, i, STATUS_STATE));
		mls_table_text(out, mls_rows_text(rows, i, STATUS_SIGNAL));
		mls_table_badge(out,
						!known	   ? "not known"
						: breached ? "breached"
								   : "well",
						!known	   ? MLS_PLAIN
						: breached ? MLS_BAD
								   : MLS_GOOD);
		mls_table_time(out, mls_units_time(mls_rows_number(rows, i, STATUS_SINCE)));
		mls_table_time(out, mls_units_time(mls_rows_number(rows, i, STATUS_LAST_RUN_AT)));
		mls_table_badge(
			out, mls_rows_cell(rows, i, STATUS_OUTCOME)->text == NULL ? "none" : mls_rows_text(rows, i, STATUS_OUTCOME),
			tone_of_outcome(mls_rows_text(rows, i, STATUS_OUTCOME)));
		mls_table_number(out, mls_units_count(mls_rows_number(rows, i, STATUS_PENDING)));
		mls_table_number(out, mls_units_count(mls_rows_number(rows, i, STATUS_FAILED)));
		mls_table_text(out, mls_html_clip(mls_rows_text(rows, i, STATUS_LAST_ERROR), ERROR_CHARACTERS));
		mls_table_row_end(out);
	}
	mls_table_close(out, rows->nrows - MOST_SIGNALS);
}

static void
table_metrics(StringInfo out, const MlsRows *rows)
{
	mls_table_open(out, "Metrics of the last run",
				   "Monitor|Signal|Feature|Metric|#Value|Must not be|#Threshold|#Part|Is");
	for (int i = 0; i < Min(rows->nrows, MOST_METRICS); i++)
	{
		bool breached = is_breached(rows, i, METRIC_BREACHED);

		mls_table_row(out);
		mls_table_head(out, mls_rows_text(rows, i, METRIC_MONITOR));
		for (int j = METRIC_SIGNAL; j <= METRIC_NAME; j++)
			mls_table_text(out, mls_rows_text(rows, i, j));
		mls_table_number(out, mls_units_number(mls_rows_number(rows, i, METRIC_VALUE)));
		mls_table_text(out, mls_rows_text(rows, i, METRIC_BOUND));
		mls_table_number(out, mls_units_number(mls_rows_number(rows, i, METRIC_THRESHOLD)));
		mls_table_number(out, write_part(mls_rows_number(rows, i, METRIC_PART)));
		mls_table_badge(out, breached ? "breached" : "well", breached ? MLS_BAD : MLS_GOOD);
		mls_table_row_end(out);
	}
	mls_table_close(out, rows->nrows - MOST_METRICS);
}

static void
put_tiles(MlsPage *page, const MlsRows *status)
{
	int breached = 0;
	int monitors = 0;

	for (int i = 0; i < status->nrows; i++)
	{
		breached += is_breached(status, i, STATUS_BREACHED);
		monitors += i == 0 ||
					strcmp(mls_rows_text(status, i, STATUS_MONITOR), mls_rows_text(status, i - 1, STATUS_MONITOR)) != 0;
	}
	mls_page_tile(page, mls_units_count(monitors), monitors == 1 ? "monitor" : "monitors", MLS_PLAIN);
	mls_page_tile(page, mls_units_count(breached), "signals breached", breached > 0 ? MLS_BAD : MLS_GOOD);
}

static void
put_monitors(MlsPage *page, const MlsRows *status, TimestampTz since)
{
	char *from = quote_literal_cstr(timestamptz_to_str(since));
	MlsRows *metrics = mls_rows_read(NULL, metric_query);
	MlsRows *runs = mls_rows_read(NULL, psprintf(run_query, from));

	put_tiles(page, status);
	if (metrics->nrows > 0 || runs->nrows > 0)
	{
		mls_html_put(&page->body, "<div class=\"charts\">\n");
		if (metrics->nrows > 0)
			chart_metrics(&page->body, metrics);
		if (runs->nrows > 0)
			chart_history(&page->body, runs);
		mls_html_put(&page->body, "</div>\n");
	}
	table_status(&page->body, status);
	if (metrics->nrows > 0)
		table_metrics(&page->body, metrics);
}

void
mls_report_monitors(MlsPage *page, const MlsReportRequest *request)
{
	MlsRows *status = mls_rows_read(NULL, status_query);

	mls_page_section(
		page, "monitors", "Monitors",
		"What they found. 100 % is the threshold; beyond it is a breach, and more than 300 % is shown as that.");
	if (status->nrows == 0)
		mls_page_section_empty(page, "There is no monitor that you may see.");
	else
		put_monitors(page, status, request->since);
	mls_page_section_end(page);
}
