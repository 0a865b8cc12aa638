/*
 * profile.c - the report's part on how fast endpoints are: what ml_score.profile gave, as curves.
 */
#include "report/sections.h"

#include <math.h>

#include "report/chart.h"
#include "report/html.h"
#include "report/rows.h"
#include "report/units.h"

#define MOST_FUNCTIONS 20
#define MOST_LINES 6

enum
{
	BATCH_ROWS,
	PARALLEL,
	ROWS_PER_SECOND,
	P50_MS,
	P95_MS,
	ERRORS,
	RECOMMENDED,
	FUNCTION,
	COLUMN_COUNT
};

static const char *const names[] = {"batch_rows", "parallel", "rows_per_second", "p50_ms",
									"p95_ms",	  "errors",	  "recommended",	 "function"};

typedef struct Setting
{
	const char *function;
	double batch_rows;
	double parallel;
	double rows_per_second;
	double p50_ms;
	double p95_ms;
	double errors;
	bool recommended;
} Setting;

/* Where the columns are; the function's may be missing. */
static void
find_columns(const MlsRows *rows, int *columns)
{
	for (int i = 0; i < COLUMN_COUNT; i++)
	{
		columns[i] = mls_rows_find(rows, names[i]);
		if (columns[i] < 0 && i != FUNCTION)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN), errmsg("the profile query has no column \"%s\"", names[i]),
					 errhint("It gives what ml_score.profile gave, such as SELECT * FROM ml_score.profile(...), or the "
							 "table that this was stored in; a column \"function\" tells several apart.")));
	}
}

static Setting
read_setting(const MlsRows *rows, int row, const int *columns)
{
	Setting setting = {
		.function = columns[FUNCTION] < 0 ? "" : mls_rows_text(rows, row, columns[FUNCTION]),
		.batch_rows = mls_rows_number(rows, row, columns[BATCH_ROWS]),
		.parallel = mls_rows_number(rows, row, columns[PARALLEL]),
		.rows_per_second = mls_rows_number(rows, row, columns[ROWS_PER_SECOND]),
		.p50_ms = mls_rows_number(rows, row, columns[P50_MS]),
		.p95_ms = mls_rows_number(rows, row, columns[P95_MS]),
		.errors = mls_rows_number(rows, row, columns[ERRORS]),
		.recommended = strcmp(mls_rows_text(rows, row, columns[RECOMMENDED]), "t") == 0,
	};

	if (!(setting.batch_rows >= 1) || isinf(setting.batch_rows) || !(setting.parallel >= 1) ||
		!(setting.rows_per_second >= 0))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the profile query gives what ml_score.profile would not"),
						errdetail("batch_rows, parallel or rows_per_second is no number, too small, or infinite.")));
	return setting;
}

static int
order_of(double a, double b)
{
	return (a > b) - (a < b);
}

static int
compare_settings(const void *a, const void *b)
{
	const Setting *x = a;
	const Setting *y = b;
	int order = strcmp(x->function, y->function);

	if (order == 0)
		order = order_of(x->parallel, y->parallel);
	return order != 0 ? order : order_of(x->batch_rows, y->batch_rows);
}

static char *
tip_of(const Setting *setting)
{
	return psprintf("%s rows in a request, %s at once: %s rows/s, half of them within %s%s",
					mls_units_count(setting->batch_rows), mls_units_count(setting->parallel),
					mls_units_short(setting->rows_per_second), mls_units_ms(setting->p50_ms),
					setting->recommended ? ", recommended" : "");
}

/* How many of the settings have the first one's number in parallel. */
static int
line_length(const Setting *settings, int nsettings)
{
	int n = 1;

	while (n < nsettings && settings[n].parallel == settings[0].parallel)
		n++;
	return n;
}

/* A line for each number in parallel; of more than there are colours the first. Fills in the legend: its entries. */
static int
make_legend(const Setting *settings, int nsettings, MlsLegend *legend)
{
	int nlines = 0;

	for (int at = 0; at < nsettings && nlines < MOST_LINES; at += line_length(settings + at, nsettings - at), nlines++)
		legend[nlines] = (MlsLegend){psprintf("%s at once", mls_units_count(settings[at].parallel)), nlines + 1,
									 (MlsMark) (nlines % MLS_MARK_CROSS)};
	return nlines;
}

static void
draw_lines(MlsPlot *plot, const Setting *settings, int nsettings, bool latency)
{
	int at = 0;

	for (int line = 0; line < plot->chart.nlegend; line++)
	{
		int n = line_length(settings + at, nsettings - at);
		MlsPoint *points = palloc(sizeof(MlsPoint) * n);
		int npoints = 0;

		for (int i = at; i < at + n; i++)
		{
			double y = latency ? settings[i].p50_ms : settings[i].rows_per_second;

			if (!isnan(y))
				points[npoints++] =
					(MlsPoint){settings[i].batch_rows, y, tip_of(&settings[i]), settings[i].recommended};
		}
		mls_plot_line(plot, points, npoints, plot->chart.legend[line].series, plot->chart.legend[line].mark);
		at += n;
	}
}

static void
put_curves(StringInfo out, const Setting *settings, int nsettings, int number)
{
	MlsLegend legend[MOST_LINES];
	int nlegend = make_legend(settings, nsettings, legend);
	double least = INFINITY;
	double most = 0;
	double rate = 0;
	double latency = 0;
	MlsAxis x;
	MlsAxis y;
	MlsPlot plot = {{.out = out, .legend = legend, .nlegend = nlegend}, &x, &y};

	for (int i = 0; i < nsettings; i++)
	{
		least = Min(least, settings[i].batch_rows);
		most = Max(most, settings[i].batch_rows);
		rate = Max(rate, settings[i].rows_per_second);
		latency = Max(latency, isnan(settings[i].p50_ms) ? 0 : settings[i].p50_ms);
	}
	x = mls_axis_log(least, most);
	mls_html_put(out, "<div class=\"charts\">\n");
	y = mls_axis_from_zero(rate);
	plot.chart.id = psprintf("profile-%d", number);
	plot.chart.title = "Rows a second against batch size";
	plot.chart.description =
		"A line for each number of requests at once, over the rows in a request (logarithmic); the "
		"recommended setting is ringed. The table below has the figures.";
	mls_plot_open(&plot, mls_units_short, mls_units_short);
	draw_lines(&plot, settings, nsettings, false);
	mls_plot_close(&plot);
	y = mls_axis_from_zero(latency);
	plot.chart.id = psprintf("profile-latency-%d", number);
	plot.chart.title = "Latency of half of the requests against batch size";
	mls_plot_open(&plot, mls_units_short, mls_units_ms);
	draw_lines(&plot, settings, nsettings, true);
	mls_plot_close(&plot);
	mls_html_put(out, "</div>\n");
}

static void
table_settings(StringInfo out, const Setting *settings, int nsettings)
{
	mls_table_open(out, "Settings measured",
				   "#Rows in a request|#At once|#Rows a second|#50 %|#95 %|#Errors|Recommended");
	for (int i = 0; i < nsettings; i++)
	{
		mls_table_row(out);
		mls_table_number(out, mls_units_count(settings[i].batch_rows));
		mls_table_number(out, mls_units_count(settings[i].parallel));
		mls_table_number(out, mls_units_count(settings[i].rows_per_second));
		mls_table_number(out, mls_units_ms(settings[i].p50_ms));
		mls_table_number(out, mls_units_ms(settings[i].p95_ms));
		mls_table_number(out, mls_units_count(settings[i].errors));
		if (settings[i].recommended)
			mls_table_badge(out, "recommended", MLS_GOOD);
		else
			mls_table_text(out, "");
		mls_table_row_end(out);
	}
	mls_table_close(out, 0);
}

static void
put_functions(StringInfo out, const Setting *settings, int nsettings)
{
	int number = 0;

	for (int at = 0, n; at < nsettings && number < MOST_FUNCTIONS; at += n)
	{
		for (n = 1; at + n < nsettings && strcmp(settings[at].function, settings[at + n].function) == 0;)
			n++;
		number++;
		if (settings[at].function[0] != '\0')
			mls_html_put(out, "<h3>%s</h3>\n", settings[at].function);
		put_curves(out, settings + at, n, number);
		table_settings(out, settings + at, n);
	}
}

static void
put_profile(MlsPage *page, const char *query)
{
	MlsRows *rows = mls_rows_read("profile", query);
	Setting *settings = palloc(sizeof(Setting) * Max(rows->nrows, 1));
	int columns[COLUMN_COUNT];

	find_columns(rows, columns);
	for (int i = 0; i < rows->nrows; i++)
		settings[i] = read_setting(rows, i, columns);
	qsort(settings, rows->nrows, sizeof(Setting), compare_settings);
	if (rows->nrows == 0)
		mls_page_section_empty(page, "The profile query gives no rows.");
	else
		put_functions(&page->body, settings, rows->nrows);
}

void
mls_report_profile(MlsPage *page, const MlsReportRequest *request)
{
	if (request->profile == NULL)
		return;
	mls_page_section(page, "profile", "Profile", "What ml_score.profile measured with batches of different sizes.");
	put_profile(page, request->profile);
	mls_page_section_end(page);
}
