/*
 * chart.c - charts of rows, and of bins. See chart.h.
 */
#include "postgres.h"

#include "report/chart.h"

#include "report/html.h"

#define ROW_HEIGHT 48
#define LANE_TOP 22
#define LANE_HEIGHT 14
#define AXIS_HEIGHT 24
#define BINS_HEIGHT 96
#define LEAST_WIDTH 0.4
#define LABEL_CHARACTERS 40
#define LONG_CHARACTERS 18 /* leave no room for a figure where there is little */

static const char *const mark_paths[] = {
	[MLS_MARK_CIRCLE] = "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",
	[MLS_MARK_SQUARE] = "M-4 -4h8v8h-8z",
	[MLS_MARK_DIAMOND] = "M0 -5.5l5.5 5.5l-5.5 5.5l-5.5-5.5z",
	[MLS_MARK_TRIANGLE] = "M0 -5l5.2 9h-10.4z",
	[MLS_MARK_CROSS] =
		"M-4 -2.8l1.2-1.2l2.8 2.8l2.8-2.8l1.2 1.2l-2.8 2.8l2.8 2.8l-1.2 1.2l-2.8-2.8l-2.8 2.8l-1.2-1.2l2.8-2.8z",
	[MLS_MARK_LINE] = "M-1.25 -9h2.5v18h-2.5z",
	[MLS_MARKS] = "M-6 -6h12v12h-12z",
};

void
mls_chart_legend(StringInfo out, const MlsLegend *legend, int nlegend)
{
	mls_html_put(out, "<ul class=\"legend\">");
	for (int i = 0; i < nlegend; i++)
		mls_html_put(out,
					 "<li><svg width=\"16\" height=\"16\" viewBox=\"-8 -8 16 16\" aria-hidden=\"true\">"
					 "<path class=\"s%d\" d=\"%s\"/></svg>%s</li>",
					 legend[i].series, mark_paths[legend[i].mark], legend[i].label);
	mls_html_put(out, "</ul>\n");
}

void
mls_chart_open(MlsChart *chart, int height)
{
	mls_html_put(chart->out, "<figure><figcaption>%s</figcaption>", chart->title);
	if (chart->nlegend > 0)
		mls_chart_legend(chart->out, chart->legend, chart->nlegend);
	mls_html_put(chart->out,
				 "<svg class=\"chart\" width=\"100%%\" height=\"%d\" role=\"img\" aria-labelledby=\"%s-t %s-d\">"
				 "<title id=\"%s-t\">%s</title><desc id=\"%s-d\">%s</desc>\n",
				 height, chart->id, chart->id, chart->id, chart->title, chart->id, chart->description);
	chart->height = 0;
}

void
mls_chart_close(MlsChart *chart)
{
	mls_html_put(chart->out, "</svg></figure>\n");
}

/* Text on an axis across: at the ends it stays within the chart. */
static void
put_tick(StringInfo out, double percent, int y, const char *text)
{
	mls_html_put(out, "<text class=\"tick\" x=\"%.2f%%\" y=\"%d\" text-anchor=\"%s\">%s</text>\n", percent, y,
				 percent < 4	? "start"
				 : percent > 96 ? "end"
								: "middle",
				 text);
}

static char *
write_tick(const MlsAxis *axis, double tick, MlsWriteNumber write)
{
	return write != NULL ? write(tick) : mls_axis_time_label(axis, tick);
}

void
mls_chart_open_rows(MlsChart *chart, int nrows, const MlsAxis *axis, MlsWriteNumber write)
{
	int bottom = nrows * ROW_HEIGHT;

	mls_chart_open(chart, bottom + AXIS_HEIGHT);
	for (int i = 0; i < axis->nticks; i++)
	{
		double percent = mls_axis_percent(axis, axis->ticks[i]);
		mls_html_put(chart->out, "<line class=\"grid\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" y2=\"%d\"/>\n", percent,
					 percent, bottom + 4);
		put_tick(chart->out, percent, bottom + 19, write_tick(axis, axis->ticks[i], write));
	}
	chart->height = -ROW_HEIGHT;
}

void
mls_chart_row(MlsChart *chart, const char *label, const char *figure)
{
	bool is_long = strcmp(mls_html_clip(label, LONG_CHARACTERS), label) != 0;

	chart->height += ROW_HEIGHT;
	mls_html_put(chart->out,
				 "<text class=\"%s\" x=\"0\" y=\"%d\">%s</text>"
				 "<text class=\"figure\" x=\"100%%\" y=\"%d\" text-anchor=\"end\">%s</text>"
				 "<rect class=\"lane\" x=\"0\" y=\"%d\" width=\"100%%\" height=\"%d\" rx=\"3\"/>\n",
				 is_long ? "label long" : "label", chart->height + 15, mls_html_clip(label, LABEL_CHARACTERS),
				 chart->height + 15, figure, chart->height + LANE_TOP, LANE_HEIGHT);
}

void
mls_chart_bar(MlsChart *chart, double from_percent, double to_percent, int series, int lane, int lanes, const char *tip)
{
	double height = (double) LANE_HEIGHT / lanes;
	double width = Max(to_percent - from_percent, LEAST_WIDTH);

	mls_html_put(chart->out,
				 "<rect class=\"s%d\" x=\"%.2f%%\" y=\"%.1f\" width=\"%.2f%%\" height=\"%.1f\" rx=\"2\">"
				 "<title>%s</title></rect>\n",
				 series, Min(from_percent, 100 - width), chart->height + LANE_TOP + lane * height, width,
				 lanes > 1 ? height - 0.5 : height, tip);
}

/* A mark at a place that may be between pixels. */
static void
put_mark(StringInfo out, double percent, double y, MlsMark mark, const char *classes, int series, const char *tip)
{
	mls_html_put(
		out,
		"<svg class=\"mark\" x=\"%.2f%%\" y=\"%.1f\"><path class=\"%s s%d\" d=\"%s\"><title>%s</title></path></svg>\n",
		percent, y, classes, series, mark_paths[mark], tip);
}

void
mls_chart_mark(MlsChart *chart, double percent, MlsMark mark, int series, const char *tip)
{
	put_mark(chart->out, percent, chart->height + LANE_TOP + LANE_HEIGHT / 2.0, mark, "", series, tip);
}

#define PLOT_TOP 18
#define PLOT_HEIGHT 190
#define PLOT_LEFT 9.0
#define PLOT_WIDTH 88.0

static double
plot_x(const MlsPlot *plot, double x)
{
	return PLOT_LEFT + mls_axis_percent(plot->x, x) * PLOT_WIDTH / 100;
}

static double
plot_y(const MlsPlot *plot, double y)
{
	return PLOT_TOP + PLOT_HEIGHT - mls_axis_percent(plot->y, y) * PLOT_HEIGHT / 100;
}

void
mls_plot_open(MlsPlot *plot, MlsWriteNumber write_x, MlsWriteNumber write_y)
{
	StringInfo out = plot->chart.out;

	mls_chart_open(&plot->chart, PLOT_TOP + PLOT_HEIGHT + AXIS_HEIGHT);
	for (int i = 0; i < plot->y->nticks; i++)
	{
		double y = plot_y(plot, plot->y->ticks[i]);

		mls_html_put(out,
					 "<line class=\"grid\" x1=\"0\" x2=\"100%%\" y1=\"%.1f\" y2=\"%.1f\"/>"
					 "<text class=\"tick\" x=\"0\" y=\"%.1f\">%s</text>\n",
					 y, y, y - 4, write_y(plot->y->ticks[i]));
	}
	for (int i = 0; i < plot->x->nticks; i++)
		put_tick(out, plot_x(plot, plot->x->ticks[i]), PLOT_TOP + PLOT_HEIGHT + 19,
				 write_tick(plot->x, plot->x->ticks[i], write_x));
}

void
mls_plot_line(MlsPlot *plot, const MlsPoint *points, int npoints, int series, MlsMark mark)
{
	StringInfo out = plot->chart.out;

	for (int i = 1; i < npoints; i++)
		mls_html_put(out, "<line class=\"l%d\" x1=\"%.2f%%\" y1=\"%.1f\" x2=\"%.2f%%\" y2=\"%.1f\"/>\n", series,
					 plot_x(plot, points[i - 1].x), plot_y(plot, points[i - 1].y), plot_x(plot, points[i].x),
					 plot_y(plot, points[i].y));
	for (int i = 0; i < npoints; i++)
	{
		double x = plot_x(plot, points[i].x);
		double y = plot_y(plot, points[i].y);

		if (points[i].marked)
			mls_html_put(out, "<circle class=\"ring\" cx=\"%.2f%%\" cy=\"%.1f\" r=\"9\"/>\n", x, y);
		put_mark(out, x, y, mark, "point", series, points[i].tip);
	}
}

void
mls_plot_close(MlsPlot *plot)
{
	mls_chart_close(&plot->chart);
}

/* A bar of a bin, which stands on the bottom. */
static void
put_bin(StringInfo out, double x, double width, double share, double most, int series)
{
	double height = share / most * BINS_HEIGHT;

	if (share > 0)
		mls_html_put(out, "<rect class=\"s%d\" x=\"%.2f%%\" y=\"%.1f\" width=\"%.2f%%\" height=\"%.1f\"/>\n", series, x,
					 BINS_HEIGHT - height, width, height);
}

void
mls_chart_bins(MlsChart *chart, const double *back, const double *front, int nbins, const char *low, const char *high)
{
	double width = 100.0 / nbins;
	double most = 1e-9;

	for (int i = 0; i < nbins; i++)
		most = Max(most, Max(back[i], front[i]));
	mls_chart_open(chart, BINS_HEIGHT + AXIS_HEIGHT);
	for (int i = 0; i < nbins; i++)
	{
		put_bin(chart->out, i * width + width * 0.04, width * 0.92, back[i], most, 0);
		put_bin(chart->out, i * width + width * 0.28, width * 0.44, front[i], most, 1);
	}
	mls_html_put(chart->out, "<line class=\"base\" x1=\"0\" x2=\"100%%\" y1=\"%d\" y2=\"%d\"/>\n", BINS_HEIGHT,
				 BINS_HEIGHT);
	put_tick(chart->out, 0, BINS_HEIGHT + 19, low);
	put_tick(chart->out, 100, BINS_HEIGHT + 19, high);
	mls_chart_close(chart);
}
