/*
 * stream.h - a stream as ml_score.stream has it, and what is kept of it in the catalog.
 */
#ifndef MLS_STREAM_H
#define MLS_STREAM_H

#include "catalog/ledger.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "worker/worker.h"

typedef enum MlsOutOfRange
{
	MLS_OUT_OF_RANGE_STOP,
	MLS_OUT_OF_RANGE_EARLIEST,
	MLS_OUT_OF_RANGE_LATEST
} MlsOutOfRange;

/* Of a stream with windows (window.h). Times in microseconds. */
typedef struct MlsWindow
{
	int64 size;
	int64 hop;
	int64 lateness;
	int64 idle;
	char *event_time; /* a column of "batch" */
	bool update;	  /* late events have the query run again; else they are dead letters */
} MlsWindow;

typedef struct MlsStream
{
	char *name;
	int64 id;
	Oid owner;
	char *server;
	char *topic;
	char *target; /* qualified and quoted, or NULL; else query is set */
	char *columns;
	char *query;
	char *format;
	Jsonb *format_options; /* or NULL */
	char *consumer_group;
	char *start;	 /* "earliest", "latest" or a timestamp */
	int *partitions; /* NULL: all */
	int npartitions;
	int workers;
	int max_batch_rows;
	int max_batch_delay_ms;
	int max_batch_bytes;
	bool dead_letters; /* false: on_error 'fail' */
	MlsOutOfRange out_of_range;
	char *search_path;
	char *state;
	int64 version;
	bool elsewhere;	   /* it came with a copy of its database, and does not run here */
	MlsWindow *window; /* NULL: the query runs over each micro-batch */
} MlsStream;

/* How far a partition is. */
typedef struct MlsStreamPosition
{
	int partition;
	int64 next_offset;	   /* -1: to be found as the stream's start says */
	TimestampTz last_time; /* of the event before, which was stored; 0: not known */
} MlsStreamPosition;

extern const MlsWorkerKind mls_stream_kind;

/* From _PG_init. */
extern void mls_stream_init(void);

/* The server that its format's option "registry" names; palloc'd. NULL: none. */
extern char *mls_stream_registry(const MlsStream *stream);

/* The named stream; palloc'd. NULL if missing_ok, else raises UNDEFINED_OBJECT. Needs no privileges. */
extern MlsStream *mls_stream_load(const char *name, bool missing_ok);

/* The same with the caller a member of its owner; else raises INSUFFICIENT_PRIVILEGE. */
extern MlsStream *mls_stream_load_own(const char *name);

/* The same, and nobody else changes it until the transaction's end. */
extern MlsStream *mls_stream_lock_own(const char *name);

/* Positions of all partitions of the stream that are known; palloc'd in the caller's context. */
extern MlsStreamPosition *mls_stream_positions(const char *name, int *count);

/*
 * Note first positions. With growing, they are of partitions that came later; without, none of theirs may be known, or
 * nothing is done: another worker was first.
 */
extern void mls_stream_add_positions(const char *name, const MlsStreamPosition *positions, int count, bool growing);

/*
 * In a worker's transaction: nobody changes the stream until its end. False when somebody has, since the worker read it,
 * or dropped it; what this very transaction has changed does not count.
 */
extern bool mls_stream_keep(const MlsStream *stream);

/*
 * Have the stream not run any more, for reason; unless it was changed since the worker read it. In a transaction; its
 * workers are told at commit.
 */
extern void mls_stream_stop(const MlsStream *stream, const char *reason);

/* Has its own query dropped the stream, in the running transaction? */
extern bool mls_stream_dropped_here(const MlsStream *stream);

/* Remove dead letters of streams that the caller may change, or of the one called so: those as old as that. How many. */
extern int64 mls_stream_purge(Interval *older_than, const char *stream);

/* "earliest", "latest"; else stop. */
extern MlsOutOfRange mls_stream_parse_out_of_range(const char *word);

#endif
