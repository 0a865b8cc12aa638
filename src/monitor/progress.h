/*
 * progress.h - how far the runs of ml_score.score_table are, for the view ml_score.progress_score_table.
 */
#ifndef MLS_PROGRESS_H
#define MLS_PROGRESS_H

#include "ml_score.h"

#include "datatype/timestamp.h"

typedef struct MlsProgress
{
	Oid source;
	Oid target;
	Oid function;
	int64 rows_total; /* estimate */
	int64 rows_scored;
	int64 chunks;
	TimestampTz started_at;
	TimestampTz last_chunk_at; /* 0: no chunk was committed yet */
} MlsProgress;

/* Show progress as this backend's, in place of what it showed before. */
extern void mls_progress_show(const MlsProgress *progress);

/* The run made its end. An error ends it by itself, and so does the backend's exit. */
extern void mls_progress_end(void);

#endif
