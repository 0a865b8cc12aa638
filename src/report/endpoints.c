/*
 * endpoints.c - the report's part on scoring endpoints: latencies, batch sizes, errors.
 */
#include "report/sections.h"

#include <math.h>

#include "report/chart.h"
#include "report/html.h"
#include "report/rows.h"
#include "report/units.h"

#define MOST_ENDPOINTS 40
#define ERROR_CHARACTERS 300

enum
{
	SERVER,
	REQUESTS,
	ROWS,
	BYTES_SENT,
	BYTES_RECEIVED,
	RETRIES,
	THROTTLED,
	FAILED,
	P50,
	P95,
	P99,
	MAX_MS,
	IN_FLIGHT,
	BATCH_ROWS,
	PARALLEL,
	BREAKER,
	LAST_ERROR,
	LAST_ERROR_AT,
	LOGGED,
	LOG_DROPPED,
	SHADOW_DROPPED,
	SERVER_ALONE,
	SHADOW
};

/* The first column tells the lines of a server apart: the deployment, and whether it is the shadow. */
static const char query[] =
	"SELECT pg_catalog.concat(server, CASE WHEN deployment IS NOT NULL THEN pg_catalog.concat(' / ', deployment) END, "
	"CASE WHEN shadow THEN ' (shadow)' END), requests, rows, bytes_sent, bytes_received, retries, throttled, failed, "
	"p50_ms, "
	"p95_ms, p99_ms, max_ms, in_flight, batch_rows, parallel_requests, breaker, last_error, "
	"extract(epoch FROM last_error_at)::float8, logged, log_dropped, shadow_dropped, server, shadow "
	"FROM ml_score.stat_endpoint ORDER BY server COLLATE \"C\", deployment COLLATE \"C\" NULLS FIRST, shadow";

static double
sum(const MlsRows *rows, int column)
{
	double total = 0;

	for (int i = 0; i < rows->nrows; i++)
		total += mls_rows_number(rows, i, column);
	return total;
}

/* Endpoints that a chart shows: those that were asked, as many as fit. */
static int
list_asked(const MlsRows *rows, int *asked)
{
	int nasked = 0;

	for (int i = 0; i < rows->nrows && nasked < MOST_ENDPOINTS; i++)
		if (mls_rows_number(rows, i, REQUESTS) > 0 && !isnan(mls_rows_number(rows, i, P50)))
			asked[nasked++] = i;
	return nasked;
}

static void
put_latency_marks(MlsChart *chart, const MlsAxis *axis, const MlsRows *rows, int row)
{
	static const struct
	{
		int column;
		const char *name;
		MlsMark mark;
		int series;
	} marks[] = {{MAX_MS, "longest", MLS_MARK_TRIANGLE, 5},
				 {P99, "99 %", MLS_MARK_DIAMOND, 3},
				 {P95, "95 %", MLS_MARK_SQUARE, 2},
				 {P50, "50 %", MLS_MARK_CIRCLE, 1}};

	mls_chart_bar(chart, mls_axis_percent(axis, mls_rows_number(rows, row, P50)),
				  mls_axis_percent(axis, mls_rows_number(rows, row, P99)), 0, 0, 1,
				  "from 50 % to 99 % of the attempts");
	for (int i = 0; i < lengthof(marks); i++)
	{
		double ms = mls_rows_number(rows, row, marks[i].column);

		mls_chart_mark(chart, mls_axis_percent(axis, ms), marks[i].mark, marks[i].series,
					   psprintf("%s: %s", marks[i].name, mls_units_ms(ms)));
	}
}

static void
chart_latencies(StringInfo out, const MlsRows *rows, const int *asked, int nasked)
{
	static const MlsLegend legend[] = {{"half of the attempts within", 1, MLS_MARK_CIRCLE},
									   {"95 %", 2, MLS_MARK_SQUARE},
									   {"99 %", 3, MLS_MARK_DIAMOND},
									   {"longest", 5, MLS_MARK_TRIANGLE}};
	MlsChart chart = {out,
					  "latency",
					  "Latency of an attempt",
					  "For each endpoint the time within which 50, 95 and 99 % of the attempts were answered, and the "
					  "longest, on a logarithmic scale. The table below has the figures.",
					  legend,
					  lengthof(legend)};
	double low = INFINITY;
	double high = 0;
	MlsAxis axis;

	for (int i = 0; i < nasked; i++)
	{
		low = Min(low, Max(mls_rows_number(rows, asked[i], P50), 0.001));
		high = Max(high, mls_rows_number(rows, asked[i], MAX_MS));
	}
	axis = mls_axis_log(low, high);
	mls_chart_open_rows(&chart, nasked, &axis, mls_units_ms);
	for (int i = 0; i < nasked; i++)
	{
		mls_chart_row(&chart, mls_rows_text(rows, asked[i], SERVER),
					  psprintf("%s, 99 %% %s", mls_units_ms(mls_rows_number(rows, asked[i], P50)),
							   mls_units_ms(mls_rows_number(rows, asked[i], P99))));
		put_latency_marks(&chart, &axis, rows, asked[i]);
	}
	mls_chart_close(&chart);
}

/* Rows of a request on average: requests that were sent again carried the same ones. */
static double
mean_batch(const MlsRows *rows, int row)
{
	return mls_rows_number(rows, row, ROWS) /
		   Max(mls_rows_number(rows, row, REQUESTS) - mls_rows_number(rows, row, RETRIES), 1);
}

static void
chart_batches(StringInfo out, const MlsRows *rows, const int *asked, int nasked)
{
	static const MlsLegend legend[] = {{"rows in a request, on average", 1, MLS_MARKS},
									   {"most it would take, as last used", 5, MLS_MARK_LINE}};
	MlsChart chart = {
		out,
		"batches",
		"Batch size",
		"For each endpoint how many rows a request had on average, beside the most that one may have, on a "
		"logarithmic scale. The table below has the figures.",
		legend,
		lengthof(legend)};
	double high = 2;
	MlsAxis axis;

	for (int i = 0; i < nasked; i++)
	{
		double most = mls_rows_number(rows, asked[i], BATCH_ROWS);

		high = Max(high, Max(mean_batch(rows, asked[i]), isnan(most) ? 0 : most));
	}
	axis = mls_axis_log(1, high);
	mls_chart_open_rows(&chart, nasked, &axis, mls_units_short);
	for (int i = 0; i < nasked; i++)
	{
		double mean = mean_batch(rows, asked[i]);
		double most = mls_rows_number(rows, asked[i], BATCH_ROWS);

		mls_chart_row(&chart, mls_rows_text(rows, asked[i], SERVER),
					  psprintf("%s of %s rows", mls_units_short(mean), mls_units_count(most)));
		mls_chart_bar(&chart, 0, mls_axis_percent(&axis, Max(mean, 1)), 1, 0, 1,
					  psprintf("%s rows on average", mls_units_short(mean)));
		if (!isnan(most))
			mls_chart_mark(&chart, mls_axis_percent(&axis, most), MLS_MARK_LINE, 5,
						   psprintf("%s rows at the most", mls_units_count(most)));
	}
	mls_chart_close(&chart);
}

static void
chart_errors(StringInfo out, const MlsRows *rows, const int *asked, int nasked)
{
	static const MlsLegend legend[] = {
		{"tried again", 3, MLS_MARKS}, {"throttled (429)", 4, MLS_MARKS}, {"given up", 5, MLS_MARKS}};
	static const char *const names[] = {"tried again", "throttled", "given up"};
	MlsChart chart = {
		out,
		"errors",
		"Attempts that went wrong",
		"For each endpoint the shares of its attempts that were tried again, that it refused as too many, and "
		"that were given up. The table below has the counts.",
		legend,
		lengthof(legend)};
	double high = 0;
	MlsAxis axis;

	for (int i = 0; i < nasked; i++)
		for (int j = RETRIES; j <= FAILED; j++)
			high = Max(high, mls_rows_number(rows, asked[i], j) / mls_rows_number(rows, asked[i], REQUESTS));
	axis = mls_axis_from_zero(high);
	mls_chart_open_rows(&chart, nasked, &axis, mls_units_percent);
	for (int i = 0; i < nasked; i++)
	{
		double requests = mls_rows_number(rows, asked[i], REQUESTS);

		mls_chart_row(&chart, mls_rows_text(rows, asked[i], SERVER),
					  psprintf("%s given up of %s", mls_units_count(mls_rows_number(rows, asked[i], FAILED)),
							   mls_units_count(requests)));
		for (int j = RETRIES; j <= FAILED; j++)
			if (mls_rows_number(rows, asked[i], j) > 0)
				mls_chart_bar(&chart, 0, mls_axis_percent(&axis, mls_rows_number(rows, asked[i], j) / requests),
							  3 + j - RETRIES, j - RETRIES, 3,
							  psprintf("%s: %s", names[j - RETRIES],
									   mls_units_percent(mls_rows_number(rows, asked[i], j) / requests)));
	}
	mls_chart_close(&chart);
}

static const char *
tone_of_breaker(const char *breaker)
{
	return strcmp(breaker, "closed") == 0 ? MLS_GOOD : strcmp(breaker, "open") == 0 ? MLS_BAD : MLS_WARN;
}

static void
table_endpoints(StringInfo out, const MlsRows *rows)
{
	mls_table_open(out, "Latencies and batches",
				   "Server|Breaker|#In flight|#Attempts|#50 %|#95 %|#99 %|#Longest|#Rows|#Rows a request|#At most");
	for (int i = 0; i < Min(rows->nrows, MOST_ENDPOINTS); i++)
	{
		mls_table_row(out);
		mls_table_head(out, mls_rows_text(rows, i, SERVER));
		mls_table_badge(out, mls_rows_text(rows, i, BREAKER), tone_of_breaker(mls_rows_text(rows, i, BREAKER)));
		mls_table_number(out, mls_units_count(mls_rows_number(rows, i, IN_FLIGHT)));
		mls_table_number(out, mls_units_count(mls_rows_number(rows, i, REQUESTS)));
		for (int j = P50; j <= MAX_MS; j++)
			mls_table_number(out, mls_units_ms(mls_rows_number(rows, i, j)));
		mls_table_number(out, mls_units_count(mls_rows_number(rows, i, ROWS)));
		mls_table_number(out, mls_units_short(mean_batch(rows, i)));
		mls_table_number(out, mls_units_count(mls_rows_number(rows, i, BATCH_ROWS)));
		mls_table_row_end(out);
	}
	mls_table_close(out, rows->nrows - MOST_ENDPOINTS);
}

static void
table_errors(StringInfo out, const MlsRows *rows)
{
	mls_table_open(
		out, "Errors and traffic",
		"Server|#Tried again|#Throttled|#Given up|#Sent|#Received|#Logged|#Not logged|#Not shadowed|Last error at|"
		"Last error");
	for (int i = 0; i < Min(rows->nrows, MOST_ENDPOINTS); i++)
	{
		mls_table_row(out);
		mls_table_head(out, mls_rows_text(rows, i, SERVER));
		for (int j = RETRIES; j <= FAILED; j++)
			mls_table_number(out, mls_units_count(mls_rows_number(rows, i, j)));
		mls_table_number(out, mls_units_bytes(mls_rows_number(rows, i, BYTES_SENT)));
		mls_table_number(out, mls_units_bytes(mls_rows_number(rows, i, BYTES_RECEIVED)));
		for (int j = LOGGED; j <= SHADOW_DROPPED; j++)
			mls_table_number(out, mls_units_count(mls_rows_number(rows, i, j)));
		mls_table_time(out, mls_units_time(mls_rows_number(rows, i, LAST_ERROR_AT)));
		mls_table_text(out, mls_html_clip(mls_rows_text(rows, i, LAST_ERROR), ERROR_CHARACTERS));
		mls_table_row_end(out);
	}
	mls_table_close(out, 0);
}

static void
put_tiles(MlsPage *page, const MlsRows *rows)
{
	double failed = sum(rows, FAILED);
	double scored = 0;
	int servers = 0;
	int open = 0;

	for (int i = 0; i < rows->nrows; i++)
	{
		open += strcmp(mls_rows_text(rows, i, BREAKER), "closed") != 0;
		servers +=
			i == 0 || strcmp(mls_rows_text(rows, i, SERVER_ALONE), mls_rows_text(rows, i - 1, SERVER_ALONE)) != 0;
		/* A shadow's rows are copies. */
		if (strcmp(mls_rows_text(rows, i, SHADOW), "t") != 0)
			scored += mls_rows_number(rows, i, ROWS);
	}
	mls_page_tile(page, mls_units_count(servers), servers == 1 ? "endpoint" : "endpoints",
				  open > 0 ? MLS_BAD : MLS_PLAIN);
	mls_page_tile(page, mls_units_short(scored), "rows scored", MLS_PLAIN);
	mls_page_tile(page, mls_units_count(failed), "requests given up", failed > 0 ? MLS_WARN : MLS_GOOD);
}

void
mls_report_endpoints(MlsPage *page)
{
	MlsRows *rows = mls_rows_read(NULL, query);
	int asked[MOST_ENDPOINTS];
	int nasked = list_asked(rows, asked);

	mls_page_section(page, "endpoints", "Endpoints",
					 mls_preloaded ? "All backends together, since the server started or the counts were set back."
								   : "This session alone: shared_preload_libraries does not have ml_score.");
	if (rows->nrows == 0)
		mls_page_section_empty(page, "No endpoint that you may see was asked.");
	else
	{
		put_tiles(page, rows);
		if (nasked > 0)
		{
			mls_html_put(&page->body, "<div class=\"charts\">\n");
			chart_latencies(&page->body, rows, asked, nasked);
			chart_batches(&page->body, rows, asked, nasked);
			if (sum(rows, RETRIES) + sum(rows, THROTTLED) + sum(rows, FAILED) > 0)
				chart_errors(&page->body, rows, asked, nasked);
			mls_html_put(&page->body, "</div>\n");
		}
		table_endpoints(&page->body, rows);
		table_errors(&page->body, rows);
	}
	mls_page_section_end(page);
}
