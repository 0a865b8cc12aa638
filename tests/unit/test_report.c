/* sources: src/report/html.c src/report/units.c src/report/axis.c src/report/chart.c src/report/page.c src/report/style.c
 *
 * test_report.c - what the report is written with: escaping, numbers, axes, charts, the page.
 */
#include "postgres.h"

#include <math.h>

#include "report/axis.h"
#include "report/chart.h"
#include "report/html.h"
#include "report/page.h"
#include "report/units.h"
#include "tap.h"

static void
is(const char *got, const char *expected, const char *name)
{
	ok(strcmp(got, expected) == 0, "%s: \"%s\", expected \"%s\"", name, got, expected);
}

static const char *
escaped(const char *text)
{
	StringInfoData out;

	initStringInfo(&out);
	mls_html_put(&out, "%s", text);
	return out.data;
}

static void
test_escaping(void)
{
	StringInfoData out;
	bool safe = true;

	is(escaped("<script>\"&'"), "&#60;script&#62;&#34;&#38;&#39;", "what HTML would take for its own");
	is(escaped("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"), "caf&#233; &#8364; &#128512;",
	   "other characters are references");
	is(escaped("a\x01\x7f\xc2\x85"), "a&#65533;&#65533;&#65533;", "controls");
	is(escaped("\xe2\x80\xae\xe2\x81\xa6\xef\xbf\xbf"), "&#65533;&#65533;&#65533;",
	   "what turns text around, and what is no character");
	ok(strcmp(escaped("a\tb\nc"), "a\tb\nc") == 0, "white space stays");
	is(escaped("\xff\xc3(\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82"),
	   "&#65533;&#65533;(&#65533;&#65533;&#65533;&#65533;&#65533;&#65533;&#65533;&#65533;&#65533;&#65533;&#65533;",
	   "what is no UTF-8: each byte");
	for (int byte = 1; byte < 256; byte++)
		for (int after = 1; after < 256; after++)
		{
			char text[] = {(char) byte, (char) after, '\0'};

			for (const char *at = escaped(text); *at != '\0'; at++)
				safe &= (unsigned char) *at < 0x7f && strchr("<>\"'", *at) == NULL &&
						(*at >= ' ' || *at == '\t' || *at == '\n');
		}
	ok(safe, "whatever two bytes there are, what comes out is harmless ASCII");
	initStringInfo(&out);
	mls_html_put(&out, "<a b=\"%s\" c=\"%d%%\" d=\"%.2f\">", "x\"y", -3, 1.5);
	is(out.data, "<a b=\"x&#34;y\" c=\"-3%\" d=\"1.50\">", "only what is put in is escaped");
	is(mls_html_clip("caf\xc3\xa9s", 5), "caf\xc3\xa9s", "short enough");
	is(mls_html_clip("caf\xc3\xa9s", 4), "caf\xc3\xa9\xe2\x80\xa6", "cut between characters");
	is(mls_html_clip("", 0), "", "nothing to cut");
}

static void
test_units(void)
{
	is(mls_units_count(0), "0", "count");
	is(mls_units_count(1234567), "1,234,567", "count");
	is(mls_units_count(-999), "-999", "count");
	is(mls_units_count(1e15), "1,000,000,000,000,000", "count");
	is(mls_units_count(NAN), "\xe2\x80\x93", "no count");
	is(mls_units_short(0), "0", "short");
	is(mls_units_short(999), "999", "short");
	is(mls_units_short(999.6), "1k", "short");
	is(mls_units_short(1234567), "1.23M", "short");
	is(mls_units_short(5e20), "500000P", "short, beyond its suffixes");
	is(mls_units_short(0.5), "0.5", "short");
	is(mls_units_number(0.0123456), "0.0123", "number");
	is(mls_units_number(-12.3456), "-12.3", "number");
	is(mls_units_number(1234.5), "1234", "number");
	is(mls_units_number(-0.00001), "-1.00e-05", "number");
	is(mls_units_number(INFINITY), "\xe2\x88\x9e", "number without end");
	is(mls_units_number(1e300), "1.00e+300", "number");
	is(mls_units_ms(0.0421), "0.0421 ms", "milliseconds");
	is(mls_units_ms(999.4), "999 ms", "milliseconds");
	is(mls_units_ms(999.6), "1 s", "milliseconds");
	is(mls_units_ms(1234), "1.23 s", "milliseconds");
	is(mls_units_seconds(59.96), "1 min", "seconds");
	is(mls_units_seconds(125), "2 min 5 s", "seconds");
	is(mls_units_seconds(3599.6), "1 h", "seconds");
	is(mls_units_seconds(11520), "3 h 12 min", "seconds");
	is(mls_units_seconds(86380), "1 d", "seconds");
	is(mls_units_seconds(349200), "4 d 1 h", "seconds");
	is(mls_units_bytes(20), "20 bytes", "bytes");
	is(mls_units_bytes(1023.6), "1 kB", "bytes");
	is(mls_units_bytes(88604672), "84.5 MB", "bytes");
	is(mls_units_percent(0.1234), "12.3 %", "percent");
	is(mls_units_percent(0.0001), "< 0.1 %", "percent");
	is(mls_units_percent(0), "0.0 %", "percent");
	is(mls_units_time(1795659030.9), "2026-11-26 02:10:30", "time");
	is(mls_units_date(-86400), "1969-12-31", "date");
	is(mls_units_time(1e300), "1.00e+300", "a time that is none");
	is(mls_units_time(-INFINITY), "-\xe2\x88\x9e", "a time without beginning");
}

/* Ticks are in order and on the axis, neither too few nor too many. */
static void
check_axis(const MlsAxis *axis, double low, double high, const char *name)
{
	bool good = axis->low <= low && axis->high >= high * (1 - 1e-9) && axis->high > axis->low && axis->nticks >= 1 &&
				axis->nticks <= MLS_MOST_TICKS;

	for (int i = 0; i < axis->nticks; i++)
		good &= axis->ticks[i] >= axis->low * (1 - 1e-9) && axis->ticks[i] <= axis->high * (1 + 1e-9) &&
				(i == 0 || axis->ticks[i] > axis->ticks[i - 1]);
	ok(good, "%s from %g to %g: %g to %g, %d ticks", name, low, high, axis->low, axis->high, axis->nticks);
}

static void
test_axes(void)
{
	static const double highs[] = {1e-9, 0.3, 1, 3, 7, 99.9, 100, 100.1, 54321, 1e18, 1e300};
	static const double spans[] = {0, 1, 7, 59, 61, 3599, 7300, 86399, 86401, 1e6, 1e7, 1e9};
	MlsAxis axis;

	for (int i = 0; i < lengthof(highs); i++)
	{
		axis = mls_axis_from_zero(highs[i]);
		check_axis(&axis, 0, highs[i], "linear");
		ok(axis.nticks >= 3 && axis.high <= highs[i] * 2, "it is not much longer than it must be");
		for (int j = 0; j <= i; j++)
		{
			axis = mls_axis_log(highs[j], highs[i]);
			check_axis(&axis, highs[j], highs[i], "logarithmic");
		}
	}
	axis = mls_axis_from_zero(0);
	ok(axis.nticks == 1 && axis.high > 0 && mls_axis_percent(&axis, 0) == 0, "nothing at all has an axis");
	axis = mls_axis_from_zero(INFINITY);
	ok(isfinite(axis.high), "what is infinite does not");
	axis = mls_axis_log(1, 100);
	ok(mls_axis_percent(&axis, 10) == 50 && mls_axis_percent(&axis, 0) == 0 && mls_axis_percent(&axis, 1e9) == 100,
	   "places on it");
	for (int i = 0; i < lengthof(spans); i++)
	{
		axis = mls_axis_time(1795659001, 1795659001 + spans[i]);
		check_axis(&axis, 1795659001, 1795659001 + spans[i], "time");
	}
	axis = mls_axis_time(1795659001, 1795659001 + 7300);
	is(mls_axis_time_label(&axis, 1795660200), "02:30", "a time");
	is(mls_axis_time_label(&axis, 1795651200), "26 Nov", "midnight");
	axis = mls_axis_time(1795659001, 1795659010);
	is(mls_axis_time_label(&axis, 1795659005), "02:10:05", "a time with seconds");
}

static int
count(const char *text, const char *what)
{
	int n = 0;

	for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

static void
test_charts(void)
{
	static const MlsLegend legend[] = {{"one <b>", 1, MLS_MARKS}, {"two", 2, MLS_MARK_CIRCLE}};
	MlsAxis axis = mls_axis_from_zero(100);
	StringInfoData out;
	MlsChart chart = {&out, "id", "Title <i>", "Description \"d\"", legend, 2};
	MlsPlot plot = {{&out, "plot", "T", "D"}, &axis, &axis};
	MlsPoint points[] = {{0, 0, "first", false}, {50, 100, "second", true}};
	double back[] = {0.5, 0.5, 0};
	double front[] = {0, 0, 1};

	initStringInfo(&out);
	mls_chart_open_rows(&chart, 2, &axis, mls_units_count);
	mls_chart_row(&chart, "<server>", "1 & 2");
	mls_chart_bar(&chart, 0, 40, 1, 0, 1, "tip <t>");
	mls_chart_row(&chart, "a name of more than forty characters, much more, which is cut", "");
	mls_chart_bar(&chart, 100, 100, 2, 1, 2, "");
	mls_chart_mark(&chart, 50, MLS_MARK_DIAMOND, 2, "mark");
	mls_chart_close(&chart);
	ok(strstr(out.data, "aria-labelledby=\"id-t id-d\"") != NULL &&
		   strstr(out.data, "<title id=\"id-t\">Title &#60;i&#62;</title>") != NULL &&
		   strstr(out.data, "<desc id=\"id-d\">Description &#34;d&#34;</desc>") != NULL,
	   "a chart says what it is");
	ok(strstr(out.data, "one &#60;b&#62;") != NULL && strstr(out.data, "&#60;server&#62;") != NULL &&
		   strstr(out.data, "1 &#38; 2") != NULL && strstr(out.data, "tip &#60;t&#62;") != NULL,
	   "all texts are escaped");
	ok(count(out.data, "class=\"label\"") == 1 && count(out.data, "class=\"label long\"") == 1 &&
		   strstr(out.data, "is cut") == NULL,
	   "long labels are cut, and marked");
	ok(strstr(out.data, "<rect class=\"s1\" x=\"0.00%\" y=\"22.0\" width=\"40.00%\" height=\"14.0\"") != NULL, "a bar");
	ok(strstr(out.data, "<rect class=\"s2\" x=\"99.60%\" y=\"77.0\" width=\"0.40%\" height=\"6.5\"") != NULL,
	   "a bar of nothing at the end, in the lower half of the second row");
	ok(strstr(out.data, "<svg class=\"mark\" x=\"50.00%\" y=\"77.0\">") != NULL, "a mark");
	ok(strstr(out.data, "height=\"120\" role=\"img\"") != NULL, "its height");

	resetStringInfo(&out);
	mls_plot_open(&plot, mls_units_count, mls_units_count);
	mls_plot_line(&plot, points, 2, 3, MLS_MARK_SQUARE);
	mls_plot_close(&plot);
	ok(strstr(out.data, "<line class=\"l3\" x1=\"9.00%\" y1=\"208.0\" x2=\"53.00%\" y2=\"18.0\"/>") != NULL, "a line");
	ok(count(out.data, "class=\"ring\"") == 1 && count(out.data, "class=\"mark\"") == 2,
	   "its points, one of them ringed");

	resetStringInfo(&out);
	chart.nlegend = 0;
	mls_chart_bins(&chart, back, front, 3, "low", "high");
	ok(count(out.data, "<rect class=\"s0\"") == 2 && count(out.data, "<rect class=\"s1\"") == 1 &&
		   strstr(out.data, "height=\"48.0\"") != NULL && strstr(out.data, "height=\"96.0\"") != NULL,
	   "bins: the highest is as high as the chart");
}

static void
test_page(void)
{
	MlsPage page;
	char *html;

	mls_page_init(&page);
	mls_page_section(&page, "a", "A", "about a");
	mls_page_section_empty(&page, "no a");
	mls_page_section_end(&page);
	html = mls_page_finish(&page, "T<", "S&");
	ok(strncmp(html, "<!DOCTYPE html>", 15) == 0 && strstr(html, "<title>T&#60;</title>") != NULL &&
		   strstr(html, "S&#38;") != NULL,
	   "a page");
	ok(strstr(html, "There is nothing to show yet") != NULL && strstr(html, "no a") != NULL, "of nothing says so");
	mls_page_section(&page, "b", "B", "about b");
	mls_page_tile(&page, "1", "<tile>", MLS_BAD);
	mls_table_open(&page.body, "Caption", "One|#Two");
	mls_table_row(&page.body);
	mls_table_head(&page.body, "<h>");
	mls_table_number(&page.body, "2");
	mls_table_row_end(&page.body);
	mls_table_close(&page.body, 3);
	mls_page_section_end(&page);
	html = mls_page_finish(&page, "T", "S");
	ok(strstr(html, "There is nothing to show yet") == NULL, "of something does not");
	ok(strstr(html, "<a href=\"#a\">A</a><a href=\"#b\">B</a>") != NULL, "links to its sections");
	ok(strstr(html, "<div class=\"tile bad\"><dt>&#60;tile&#62;</dt><dd>1</dd></div>") != NULL, "tiles");
	ok(strstr(html, "<th scope=\"col\">One</th><th scope=\"col\" class=\"n\">Two</th>") != NULL &&
		   strstr(html, "<tr><th scope=\"row\">&#60;h&#62;</th><td class=\"n\">2</td></tr>") != NULL &&
		   strstr(html, "3 more are not shown.") != NULL,
	   "tables");
	ok(strpbrk(mls_page_style, "<&") == NULL && strstr(mls_page_style, "url(") == NULL &&
		   strstr(mls_page_style, "@import") == NULL,
	   "the style needs nothing else, and is XML");
}

int
main(void)
{
	test_escaping();
	test_units();
	test_axes();
	test_charts();
	test_page();
	return done_testing();
}
