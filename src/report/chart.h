/*
 * chart.h - charts as SVG, written piece by piece. Pure.
 *
 * Places across are percentages, heights are pixels, so that a chart takes the width that is there and its text keeps its
 * size. Colours are classes of the page's style: s0, s1, ... are series. Each chart is a figure with a title and a
 * description for those who do not see it. Texts are UTF-8.
 */
#ifndef MLS_CHART_H
#define MLS_CHART_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "report/axis.h"

/* How a number on an axis is written; palloc'd. Where NULL is given, the axis is one of time. */
typedef char *(*MlsWriteNumber)(double number);

typedef enum MlsMark
{
	MLS_MARK_CIRCLE,
	MLS_MARK_SQUARE,
	MLS_MARK_DIAMOND,
	MLS_MARK_TRIANGLE,
	MLS_MARK_CROSS,
	MLS_MARK_LINE,
	MLS_MARKS
} MlsMark;

typedef struct MlsLegend
{
	const char *label;
	int series;
	MlsMark mark; /* MLS_MARKS: a filled square, for bars */
} MlsLegend;

typedef struct MlsChart
{
	StringInfo out;
	const char *id;
	const char *title;
	const char *description;
	const MlsLegend *legend;
	int nlegend;
	int height; /* so far */
} MlsChart;

/* What the series are; a chart that has a legend writes it itself. */
extern void mls_chart_legend(StringInfo out, const MlsLegend *legend, int nlegend);

/* A figure begins: its title, legend, and the svg, height pixels high. id is unique within the page. */
extern void mls_chart_open(MlsChart *chart, int height);
extern void mls_chart_close(MlsChart *chart);

/*
 * A chart of rows: open_rows for so many of them, then for each a row and its marks, then close. Every row has a label, a
 * figure at the right, and below them a lane in which the marks are placed along the axis.
 */
extern void mls_chart_open_rows(MlsChart *chart, int nrows, const MlsAxis *axis, MlsWriteNumber write);
extern void mls_chart_row(MlsChart *chart, const char *label, const char *figure);

/* A bar in the row, in part lane of lanes from above. tip is shown to who points at it. */
extern void mls_chart_bar(MlsChart *chart, double from_percent, double to_percent, int series, int lane, int lanes,
						  const char *tip);
extern void mls_chart_mark(MlsChart *chart, double percent, MlsMark mark, int series, const char *tip);

/* A chart with two axes: y from below, x across. */
typedef struct MlsPlot
{
	MlsChart chart;
	const MlsAxis *x;
	const MlsAxis *y;
} MlsPlot;

typedef struct MlsPoint
{
	double x;
	double y;
	const char *tip;
	bool marked; /* ringed */
} MlsPoint;

extern void mls_plot_open(MlsPlot *plot, MlsWriteNumber write_x, MlsWriteNumber write_y);
extern void mls_plot_line(MlsPlot *plot, const MlsPoint *points, int npoints, int series, MlsMark mark);
extern void mls_plot_close(MlsPlot *plot);

/* Bars of two series in each of nbins equal bins, the second narrower and in front; shares of 0 to 1. */
extern void mls_chart_bins(MlsChart *chart, const double *back, const double *front, int nbins, const char *low,
						   const char *high);

#endif
