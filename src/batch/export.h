/*
 * export.h - a job's query run, and its rows written into files of the storage.
 */
#ifndef MLS_EXPORT_H
#define MLS_EXPORT_H

#include "batch/job.h"

/*
 * In the job's worker, outside of a transaction: from exporting to submitting, or to completed when there are no rows.
 * What an earlier try has left is not touched; this one writes into a folder of its own. Raises when something fails,
 * nothing of the job being changed but its folder.
 */
extern void mls_export_run(MlsJob *job);

#endif
