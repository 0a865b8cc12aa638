/*
 * sent_rows.h - the rows that a job has sent: their keys, and which of them have come back.
 */
#ifndef MLS_SENT_ROWS_H
#define MLS_SENT_ROWS_H

#include "batch/job.h"

typedef struct MlsSentRows MlsSentRows;

/* In a transaction, in the current context. */
extern MlsSentRows *mls_sent_rows_open(const MlsJob *job);

/*
 * A prediction for a row of a file has come; row -1: for its next one. NULL, or what is wrong with it. keys: the row's
 * keys as COPY's text, valid until the next call; "" when the job has none.
 */
extern const char *mls_sent_rows_take(MlsSentRows *rows, int file, int64 row, const char **keys, int *keys_len);

/* Note in ml_score.batch_missing what has not come back; how many they are. */
extern int64 mls_sent_rows_note_missing(MlsSentRows *rows);

/* How many have not. */
extern int64 mls_sent_rows_missing(const MlsSentRows *rows);

#endif
