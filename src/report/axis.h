/*
 * axis.h - where a value is along a chart, in percent of its length, and where the ticks are. Pure.
 */
#ifndef MLS_AXIS_H
#define MLS_AXIS_H

#include "postgres.h"

#define MLS_MOST_TICKS 8

typedef enum MlsScale
{
	MLS_SCALE_LINEAR,
	MLS_SCALE_LOG
} MlsScale;

typedef struct MlsAxis
{
	MlsScale scale;
	double low;
	double high;
	double step; /* between ticks of time, seconds */
	int nticks;
	double ticks[MLS_MOST_TICKS];
} MlsAxis;

/* From 0 to high (at least 0), rounded up to a tick. */
extern MlsAxis mls_axis_from_zero(double high);

/* Logarithmic, from low to high (both above 0), widened to ticks. */
extern MlsAxis mls_axis_log(double low, double high);

/* From one time to another, as they are; seconds. Ticks are at round times of UTC. */
extern MlsAxis mls_axis_time(double from, double to);

/* 0 to 100; values beyond the axis are at its ends. */
extern double mls_axis_percent(const MlsAxis *axis, double value);

/* How a tick of mls_axis_time is written; palloc'd. */
extern char *mls_axis_time_label(const MlsAxis *axis, double tick);

#endif
