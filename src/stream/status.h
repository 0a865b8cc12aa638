/*
 * status.h - what a stream's workers say of its partitions, in shared memory.
 *
 * Counts that must survive are in ml_score.stream_offset; this is what changes too fast for it or is not committed: state,
 * ends, rates, the last error. When there is no room the partition is worked on all the same, unseen.
 */
#ifndef MLS_STREAM_STATUS_H
#define MLS_STREAM_STATUS_H

#include "stream/stream.h"

#define MLS_STATUS_NO_PARTITION (-1) /* of a worker that has none yet */

typedef enum MlsStreamState
{
	MLS_STREAM_STARTING,
	MLS_STREAM_RUNNING,
	MLS_STREAM_WAITING /* something is wrong; it tries again */
} MlsStreamState;

typedef struct MlsStreamRate
{
	int64 events;
	int64 bytes;
	TimestampTz since;
	double events_per_second;
	double bytes_per_second;
} MlsStreamRate;

typedef struct MlsStreamStatus
{
	Oid dboid; /* InvalidOid: free */
	int64 stream_id;
	Oid owner;
	int partition;
	int worker; /* its index */
	int pid;	/* 0: its worker has ended */
	Latch *latch;
	MlsStreamState state;
	int64 end_offset;  /* -1: not known */
	int64 seen_offset; /* events before it are stored, or there are none; -1: not known */
	uint64 asked;	   /* wait_stream wants to know the end: the number of its question */
	uint64 answered;   /* the last question that answer is for */
	int64 answer;	   /* where the partition ended then */
	int64 throttled;
	MlsStreamRate rate;
	char last_error[256];
	TimestampTz last_error_at; /* 0: none */
} MlsStreamStatus;

/* From _PG_init. */
extern void mls_status_init(void);

/* A worker: take over (or make) the partition's entry; a handle, NULL when there is no room. Freed at process exit. */
extern MlsStreamStatus *mls_status_open(const MlsStream *stream, int partition, int worker);

/* Let go of one's entries; those without a partition are removed. */
extern void mls_status_close_all(void);

/* Change an entry (which may be NULL) of one's own. */
extern void mls_status_set_state(MlsStreamStatus *status, MlsStreamState state);
extern void mls_status_set_error(MlsStreamStatus *status, const char *message);
extern void mls_status_set_ends(MlsStreamStatus *status, int64 seen_offset, int64 end_offset, int64 throttled);
extern void mls_status_count(MlsStreamStatus *status, int64 events, int64 bytes);

/* The question that waits for an answer, 0 if none; and the answer. */
extern uint64 mls_status_question(MlsStreamStatus *status);
extern void mls_status_answer(MlsStreamStatus *status, uint64 question, int64 end_offset);

/* The number of a new question; ask the stream's workers it, those that have not heard it. Answered by answered >= it. */
extern uint64 mls_status_new_question(void);
extern void mls_status_ask(int64 stream_id, uint64 question);

/* Has the entry's worker stored what was there when question was asked? */
extern bool mls_status_has_caught_up(const MlsStreamStatus *status, uint64 question);

/* Wait until a worker has caught up or answered, or for ms; the first time perhaps not at all. Once, at last: wait no more. */
extern void mls_status_wait(long ms, uint32 wait_event);
extern void mls_status_end_wait(void);

/* Entries of this database's streams; of one with stream_id > 0. palloc'd copies. */
extern MlsStreamStatus *mls_status_list(int64 stream_id, int *count);

#endif
