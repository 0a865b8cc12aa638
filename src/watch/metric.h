/*
 * metric.h - what monitors look at: signals, the metrics of each, and which values of them are a breach. Pure.
 *
 * Names, default thresholds and directions are those of Azure Machine Learning's monitors (azure-ai-ml's thresholds.py, and
 * the component that evaluates them).
 */
#ifndef MLS_METRIC_H
#define MLS_METRIC_H

typedef enum MlsSignal
{
	MLS_SIGNAL_DATA_DRIFT,
	MLS_SIGNAL_PREDICTION_DRIFT,
	MLS_SIGNAL_DATA_QUALITY,
	MLS_SIGNAL_MODEL_PERFORMANCE,
	MLS_SIGNAL_CUSTOM
} MlsSignal;

#define MLS_SIGNALS 5
#define MLS_SIGNAL_BIT(signal) (1U << (signal))
#define MLS_SIGNALS_OF_DRIFT                                                                                           \
	(MLS_SIGNAL_BIT(MLS_SIGNAL_DATA_DRIFT) | MLS_SIGNAL_BIT(MLS_SIGNAL_PREDICTION_DRIFT) |                             \
	 MLS_SIGNAL_BIT(MLS_SIGNAL_DATA_QUALITY))

/* On which side of its threshold a value is a breach; one that equals it never is. */
typedef enum MlsBound
{
	MLS_BOUND_ABOVE,
	MLS_BOUND_BELOW
} MlsBound;

/* Kinds of features. */
#define MLS_KIND_NUMERICAL 1U
#define MLS_KIND_CATEGORICAL 2U
#define MLS_KIND_ANY 3U

typedef struct MlsMetric
{
	const char *name;
	const char *alias; /* another word for it, or NULL */
	unsigned signals;  /* bits */
	unsigned kinds;	   /* of features that have it by default a threshold */
	double by_default; /* that threshold; NaN: none */
	MlsBound bound;
	const char *column; /* of ml_score.drift; or NULL */
} MlsMetric;

/* All metrics, but those of the signal custom, which may have any name. */
extern const MlsMetric *mls_metric_at(int number); /* NULL behind the last */

/* The signal's metric of this name, letter case and underscores aside; NULL when it has none. */
extern const MlsMetric *mls_metric_find(MlsSignal signal, const char *name);

extern const char *mls_signal_name(MlsSignal signal);

/* False when there is no signal of this name. */
extern bool mls_signal_parse(const char *name, MlsSignal *signal);

extern const char *mls_bound_name(MlsBound bound);

#endif
