/*
 * sections.h - the parts of ml_score.report, in the page's order. Each reads as the caller, so it shows what the caller may
 * see, and writes into the page.
 */
#ifndef MLS_SECTIONS_H
#define MLS_SECTIONS_H

#include "ml_score.h"

#include "datatype/timestamp.h"
#include "drift/compare.h"
#include "report/page.h"
#include "utils/array.h"

/* What ml_score.report was asked for. */
typedef struct MlsReportRequest
{
	char *title;	/* NULL: none was given */
	char *baseline; /* NULL, as current: no drift */
	char *current;
	ArrayType *categorical;
	MlsFormulas formulas;
	char *profile; /* NULL: none */
	TimestampTz now;
	TimestampTz since; /* jobs that were submitted before, and are over, are left out; runs of monitors as well */
} MlsReportRequest;

/* The last two write nothing when they were not asked for. */
extern void mls_report_endpoints(MlsPage *page);
extern void mls_report_streams(MlsPage *page);
extern void mls_report_jobs(MlsPage *page, const MlsReportRequest *request);
extern void mls_report_monitors(MlsPage *page, const MlsReportRequest *request);
extern void mls_report_drift(MlsPage *page, const MlsReportRequest *request);
extern void mls_report_profile(MlsPage *page, const MlsReportRequest *request);

#endif
