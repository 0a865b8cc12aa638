/*
 * monitor.h - monitors: scheduled looks at drift, data quality and how right predictions are.
 *
 * Monitor      what is looked at: queries, thresholds, a window of time, a schedule; a row of ml_score.monitor.
 * Signal       a group of metrics that is breached or not: data_drift, ... (metric.h).
 * Reading      one value of one metric, of one feature or none, at one run.
 * Run          one look: its readings, and what became of each signal.
 * Action       what a monitor does when a signal is breached, and when that is over; a row of ml_score.monitor_action.
 * Alert        an action to be done once; a row of ml_score.alert, until it is and after.
 */
#ifndef MLS_MONITOR_H
#define MLS_MONITOR_H

#include "ml_score.h"

#include "utils/array.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "watch/breach.h"
#include "watch/threshold.h"
#include "worker/worker.h"

/* A stretch of time: from start up to, but not including, end. */
typedef struct MlsPeriod
{
	bool given;
	TimestampTz start;
	TimestampTz end;
} MlsPeriod;

/* A row of ml_score.monitor. Texts are NULL where the column is. */
typedef struct MlsMonitor
{
	int64 id;
	char *name;
	Oid owner;
	char *current;
	char *baseline;
	ArrayType *signal_list; /* text[], as given, or NULL */
	Jsonb *threshold_object;
	ArrayType *predictions; /* text[]; so are these */
	ArrayType *features;	/* or NULL: all */
	ArrayType *categorical;
	char *performance;
	char *custom;
	char *time_column;
	char *formulas;
	int min_rows;
	char *search_path;
	char *time_zone;
	bool is_restored;	 /* it came with a dump of another database */
	TimestampTz last_at; /* of the latest run that counts; DT_NOBEGIN: none */

	/* Of the moment that it was loaded for. */
	MlsPeriod window;
	MlsPeriod baseline_window;

	/* From these, by mls_monitor_check. */
	unsigned signals; /* bits */
	List *thresholds; /* of MlsThreshold *, complete */
} MlsMonitor;

typedef struct MlsReading
{
	MlsSignal signal;
	char *feature; /* or NULL */
	const char *metric;
	double value;	  /* NaN: none */
	double threshold; /* NaN: none */
	MlsBound bound;
} MlsReading;

/* The monitor as it looks at the moment at, locked against other runs of it for the transaction if lock. NULL: there is none. */
extern MlsMonitor *mls_monitor_load(const char *name, TimestampTz at, bool lock);

/* The same, of whose owner the caller is a member; else raises UNDEFINED_OBJECT or INSUFFICIENT_PRIVILEGE. */
extern MlsMonitor *mls_monitor_load_own(const char *name, TimestampTz at, bool lock);

/* Raise unless the arguments fit together; sets signals and thresholds. Runs nothing. */
extern void mls_monitor_check(MlsMonitor *monitor);

/* What makes code of the monitor's owner run as the owner and no one else, with the settings of its making. */
typedef struct MlsAsOwner
{
	Oid userid;
	int context;
	int nest_level;
} MlsAsOwner;

extern void mls_monitor_become_owner(const MlsMonitor *monitor, MlsAsOwner *before);
extern void mls_monitor_unbecome_owner(const MlsAsOwner *before);

/* As the owner: raise unless the queries can be prepared and give the columns that are needed. */
extern void mls_monitor_prepare(const MlsMonitor *monitor);

/* As the owner: run the queries. List of MlsReading *, palloc'd. */
extern List *mls_monitor_measure(const MlsMonitor *monitor);

/*
 * Run the monitor for the moment at: measure, store, have actions done. In a transaction, all of which it belongs to; the
 * caller may do so. Its outcome.
 */
extern MlsOutcome mls_monitor_run(MlsMonitor *monitor, TimestampTz at);

/* Write down that a run failed, and why. In a transaction. */
extern void mls_monitor_note_failure(int64 id, TimestampTz at, const ErrorData *error);

/* The run's signal with its outcome: write alerts for the actions that announce something of it. Within a ledger. */
extern void mls_monitor_announce(const MlsMonitor *monitor, int64 run, MlsSignal signal, MlsOutcome outcome,
								 TimestampTz at);

extern const MlsWorkerKind mls_monitor_kind; /* runs monitors when they are due; a worker an owner, by oid */
extern const MlsWorkerKind mls_alert_kind;	 /* does what alerts say; likewise */

/* From _PG_init. */
extern void mls_monitor_init(void);

#endif
