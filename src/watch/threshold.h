/*
 * threshold.h - the thresholds of a monitor: those that its argument "thresholds" gives, for other signals Azure's.
 */
#ifndef MLS_THRESHOLD_H
#define MLS_THRESHOLD_H

#include "ml_score.h"

#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "watch/metric.h"

typedef struct MlsThreshold
{
	MlsSignal signal;
	unsigned kinds;		/* of features */
	const char *metric; /* as MlsMetric has it; of signal custom as it was given */
	double value;		/* NaN: none, it is only recorded */
	MlsBound bound;
} MlsThreshold;

/*
 * What thresholds, an object or NULL, says: {"signal": {"metric": limit, "numerical": {"metric": limit}, ...}, ...}, where a
 * limit is a number, null, {"above": number} or {"below": number}. List of MlsThreshold *, palloc'd. Raises
 * INVALID_PARAMETER_VALUE.
 */
extern List *mls_thresholds_parse(Jsonb *thresholds);

/* The threshold of a metric for a kind of features; NULL when there is none. Of several the last one holds. */
extern const MlsThreshold *mls_threshold_find(List *thresholds, MlsSignal signal, unsigned kind, const char *metric);

/* Does the list have any of the signal's? */
extern bool mls_thresholds_have(List *thresholds, MlsSignal signal);

/* The list with Azure's for those of the signals (bits) that it has none of. */
extern List *mls_thresholds_complete(List *thresholds, unsigned signals);

#endif
