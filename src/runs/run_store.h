/*
 * run_store.h - ml_score.run_metric: merging what was learnt of a run into its row.
 */
#ifndef MLS_RUN_STORE_H
#define MLS_RUN_STORE_H

#include "catalog/ledger.h"
#include "runs/run_facts.h"

/* Where facts of a run come from. */
typedef enum MlsRunSource
{
	MLS_RUN_FROM_EVENT,	 /* it is to be looked up as well */
	MLS_RUN_FROM_HISTORY /* it was */
} MlsRunSource;

/*
 * Merge facts into the run's row, and have it looked up or forwarded where that is due; a batch job that an event says is
 * over is looked at at once. Between mls_ledger_open and mls_ledger_close, with the runs locked. workspace_id and run_id are
 * in the server's encoding. False when the run is over, and the run history has not said so yet.
 */
extern bool mls_run_store(const char *workspace_id, const char *run_id, const MlsRunFacts *facts, MlsRunSource source);

/*
 * Until the transaction's end no other one merges runs: what each of them read, the next one sees. One lock, so that
 * those who store many runs in any order do not lock each other out for good.
 */
extern void mls_run_lock_all(void);

/* A text in UTF-8 as a datum of the server's encoding; raises when that cannot be. */
extern Datum mls_run_utf8(const char *text);

/* Forward the run though nothing will be looked up any more. */
extern void mls_run_forward_anyway(const char *workspace_id, const char *run_id);

#endif
