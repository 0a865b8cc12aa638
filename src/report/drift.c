/*
 * drift.c - the report's part on drift: each feature's baseline and current values side by side.
 */
#include "report/sections.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "drift/feature.h"
#include "drift/histogram.h"
#include "drift/measure.h"
#include "miscadmin.h"
#include "report/chart.h"
#include "report/html.h"
#include "report/rows.h"
#include "report/units.h"

#define MOST_FEATURES 100
#define NAME_CHARACTERS 60

/* The usual rule of thumb for the population stability index. */
#define PSI_SOME 0.1
#define PSI_MUCH 0.2

/* A feature that both sides have, and its figures. */
typedef struct Compared
{
	const MlsFeature *baseline;
	const MlsFeature *current;
	MlsFigures figures;
} Compared;

static const MlsLegend legend[] = {{"baseline", 0, MLS_MARKS}, {"current", 1, MLS_MARKS}};

static const char *
tone_of_psi(double psi)
{
	if (isnan(psi))
		return MLS_PLAIN;
	return psi > PSI_MUCH ? MLS_BAD : psi > PSI_SOME ? MLS_WARN : MLS_GOOD;
}

static double
share(int64 part, int64 whole)
{
	return whole == 0 ? 0 : (double) part / whole;
}

static double
rate(int64 part, const MlsTotals *totals)
{
	return mls_totals_rows(totals) == 0 ? NAN : (double) part / mls_totals_rows(totals);
}

/* A number of the feature, as its type would say it. */
static char *
value_text(Oid type, double number)
{
	if (type == DATEOID)
		return mls_units_date(number);
	if (type == TIMESTAMPOID || type == TIMESTAMPTZOID)
		return mls_units_time(number);
	return mls_units_number(number);
}

static void
chart_numbers(MlsChart *chart, const MlsHistogram *histogram, const Compared *feature)
{
	int64 before = mls_feature_totals(feature->baseline)->values;
	int64 now = mls_feature_totals(feature->current)->values;
	double back[MLS_HISTOGRAM_MOST];
	double front[MLS_HISTOGRAM_MOST];

	for (int i = 0; i < histogram->nbins; i++)
	{
		back[i] = share(histogram->bins[i].baseline, before);
		front[i] = share(histogram->bins[i].current, now);
	}
	mls_chart_bins(chart, back, front, histogram->nbins, value_text(feature->baseline->type, histogram->low),
				   value_text(feature->baseline->type, histogram->high));
}

static const char *
bin_label(const MlsHistogram *histogram, const MlsHistogramBin *bin)
{
	if (bin->word == NULL)
		return psprintf("%s others", mls_units_count((double) histogram->others));
	return bin->word[0] == '\0' ? "(empty)" : mls_html_clip(mls_rows_utf8(bin->word), NAME_CHARACTERS);
}

static void
chart_categories(MlsChart *chart, const MlsHistogram *histogram, const Compared *feature)
{
	int64 before = mls_feature_totals(feature->baseline)->values;
	int64 now = mls_feature_totals(feature->current)->values;
	double most = 0;
	MlsAxis axis;

	for (int i = 0; i < histogram->nbins; i++)
		most = Max(most, Max(share(histogram->bins[i].baseline, before), share(histogram->bins[i].current, now)));
	axis = mls_axis_from_zero(most);
	mls_chart_open_rows(chart, histogram->nbins, &axis, mls_units_percent);
	for (int i = 0; i < histogram->nbins; i++)
	{
		double back = share(histogram->bins[i].baseline, before);
		double front = share(histogram->bins[i].current, now);
		const char *tip = psprintf("%s, now %s", mls_units_percent(back), mls_units_percent(front));

		mls_chart_row(chart, bin_label(histogram, &histogram->bins[i]), tip);
		mls_chart_bar(chart, 0, mls_axis_percent(&axis, back), 0, 0, 2, tip);
		mls_chart_bar(chart, 0, mls_axis_percent(&axis, front), 1, 1, 2, tip);
	}
	mls_chart_close(chart);
}

/* A feature's picture; number tells it apart from others within the page. */
static void
put_feature(StringInfo out, int number, const Compared *feature)
{
	const char *name = mls_rows_utf8(feature->baseline->name);
	MlsChart chart = {out, psprintf("feature-%d", number), psprintf("%s, baseline against current", name),
					  "Shares of the values in each bin or category, of the baseline and now. The table below has the "
					  "figures of drift."};
	MlsHistogram histogram;

	mls_histogram_make(&histogram, mls_feature_read(feature->baseline), mls_feature_read(feature->current));
	mls_html_put(out,
				 "<div class=\"feature\"><h3>%s</h3><p><span>%s</span><span class=\"badge %s\">PSI %s</span></p>\n",
				 name, feature->baseline->numeric ? "numerical" : "categorical", tone_of_psi(feature->figures.psi),
				 mls_units_number(feature->figures.psi));
	if (histogram.nbins == 0)
		mls_html_put(out, "<p>Neither side has values.</p>");
	else if (histogram.numeric)
		chart_numbers(&chart, &histogram, feature);
	else
		chart_categories(&chart, &histogram, feature);
	mls_html_put(out, "</div>\n");
}

static void
put_features(StringInfo out, const Compared *features, int nfeatures)
{
	mls_chart_legend(out, legend, lengthof(legend));
	mls_html_put(out, "<div class=\"features\">\n");
	for (int i = 0; i < nfeatures; i++)
		put_feature(out, i + 1, &features[i]);
	mls_html_put(out, "</div>\n");
}

static void
table_features(StringInfo out, const Compared *features, int nfeatures, int left_out)
{
	mls_table_open(out, "Figures of drift",
				   "Feature|#Rows before|#Rows now|PSI|#JS distance|#KS p|#Chi-squared p|#Wasserstein|"
				   "#Missing before|#Missing now|#Out of bounds|#Type errors");
	for (int i = 0; i < nfeatures; i++)
	{
		const MlsFigures *figures = &features[i].figures;
		const MlsTotals *before = mls_feature_totals(features[i].baseline);
		const MlsTotals *now = mls_feature_totals(features[i].current);

		mls_table_row(out);
		mls_table_head(out, mls_rows_utf8(features[i].baseline->name));
		mls_table_number(out, mls_units_count((double) mls_totals_rows(before)));
		mls_table_number(out, mls_units_count((double) mls_totals_rows(now)));
		mls_table_badge(out, mls_units_number(figures->psi), tone_of_psi(figures->psi));
		mls_table_number(out, mls_units_number(figures->js_distance));
		mls_table_number(out, mls_units_number(figures->ks_p_value));
		mls_table_number(out, mls_units_number(figures->chi_squared_p_value));
		mls_table_number(out, mls_units_number(figures->normalized_wasserstein));
		mls_table_number(out, mls_units_percent(rate(before->missing, before)));
		mls_table_number(out, mls_units_percent(rate(now->missing, now)));
		mls_table_number(out, mls_units_percent(figures->out_of_bounds_rate));
		mls_table_number(out, mls_units_percent(rate(now->misfits, now)));
		mls_table_row_end(out);
	}
	mls_table_close(out, left_out);
}

/* The features that both have, in the baseline's order: how many. Raises when there are none. */
static int
compare_features(const MlsFeatures *baseline, const MlsFeatures *current, MlsFormulas formulas, Compared *features)
{
	int nfeatures = 0;

	for (int i = 0; i < baseline->nfeatures; i++)
	{
		const MlsFeature *before = &baseline->features[i];
		const MlsFeature *now = mls_features_find(current, before->name);

		if (now != NULL)
			features[nfeatures++] = (Compared){
				before, now, mls_measure(mls_feature_read(before), mls_feature_read(now), formulas, MLS_KS_AUTO)};
	}
	return nfeatures;
}

static void
put_drift(MlsPage *page, const MlsReportRequest *request)
{
	Size budget = (Size) work_mem * 1024 / 2;
	MlsFeatures *baseline = mls_features_take("baseline", request->baseline, request->categorical, NULL, budget);
	MlsFeatures *current = mls_features_take("current", request->current, request->categorical, baseline, budget);
	Compared *features = palloc(sizeof(Compared) * Max(baseline->nfeatures, 1));
	int nfeatures;
	int shown;
	int drifted = 0;

	mls_features_match(baseline, current);
	nfeatures = compare_features(baseline, current, request->formulas, features);
	shown = Min(nfeatures, MOST_FEATURES);
	for (int i = 0; i < nfeatures; i++)
		drifted += features[i].figures.psi > PSI_MUCH;
	mls_page_tile(page, psprintf("%d of %d", drifted, nfeatures), "features drifted (PSI above 0.2)",
				  drifted > 0 ? MLS_BAD : MLS_GOOD);
	put_features(&page->body, features, shown);
	table_features(&page->body, features, shown, nfeatures - shown);
	mls_features_close(baseline);
	mls_features_close(current);
}

void
mls_report_drift(MlsPage *page, const MlsReportRequest *request)
{
	if (request->baseline == NULL)
		return;
	mls_page_section(
		page, "drift", "Drift",
		"Current values against the baseline's. A population stability index (PSI) up to 0.1 is usually taken "
		"for none, above 0.2 for much.");
	put_drift(page, request);
	mls_page_section_end(page);
}
