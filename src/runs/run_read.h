/*
 * run_read.h - the facts that an event, and the run history, tell of a run. Pure.
 *
 * Names of facts: status, experiment, experiment_id, parent_run_id, run_type, workspace, resource_group, subscription_id,
 * compute_target, compute_type, docker_image, snapshot_id, script, step_type, node_id, error; created_at, start_time and
 * end_time (microseconds since 2000-01-01 UTC, as decimal text); tag:NAME, property:NAME and run:NAME for all else.
 */
#ifndef MLS_RUN_READ_H
#define MLS_RUN_READ_H

#include "runs/run_facts.h"

/* What an event says of a run; texts are UTF-8, NULL for what it does not say. */
typedef struct MlsRunEvent
{
	bool completed; /* a RunCompleted: no status, but an end */
	int64 time;		/* microseconds since 2000-01-01 UTC, or MLS_RUN_NO_TIME */
	const char *resource;
	const char *experiment_id;
	const char *experiment;
	const char *run_type;
	const char *status;
	const char *tags; /* JSON */
	const char *properties;
} MlsRunEvent;

extern void mls_run_read_event(const MlsRunEvent *event, MlsRunFacts *facts);

/*
 * A Run or RunDetails of the run-history API, as it was at the time as_of. run_id: set to whose it is, palloc'd. False,
 * and nothing added, when it is no such document.
 */
extern bool mls_run_read_history(const char *json, size_t len, int64 as_of, MlsRunFacts *facts, char **run_id);

/* Is the run over, as these facts have it? */
extern bool mls_run_is_over(const MlsRunFacts *facts);

/* A time as Azure writes it, of any number of fractional digits (those past microseconds are cut), UTC if it has no zone. */
extern bool mls_run_time_parse(const char *text, size_t len, int64 *time);

/* "experiments/ID/runs/ID": the parts, palloc'd; false when subject is something else. */
extern bool mls_run_subject_parse(const char *subject, char **experiment_id, char **run_id);

#endif
