/*
 * batch.h - the argument tuples that travel together, and their results. For call.c only.
 *
 * A batch is filled, closed, sent as one segment (cut into more when the endpoint wants less at a time, or when a row
 * is bad), and done when every tuple has a result or a failure.
 */
#ifndef MLS_BATCH_H
#define MLS_BATCH_H

#include "codec/encode.h"
#include "lib/ilist.h"
#include "scoring/call.h"

/* What is decided of a request when it is first sent, and holds for what it is cut into. */
typedef struct MlsDeal
{
	bool dealt;
	bool canary;  /* it goes to the canary deployment */
	bool sampled; /* it is logged */
} MlsDeal;

/* A run of a batch's tuples that is one request. */
typedef struct MlsSegment
{
	dlist_node node;
	int first;
	int count;
	MlsDeal deal;
	MlsExchange *exchange; /* NULL: waiting for its turn */
	int64 sent_at;		   /* us, for a call that is measured */
	StringInfoData body;
} MlsSegment;

struct MlsBatch
{
	dlist_node node;
	MemoryContext owner;   /* where the arrays live */
	MemoryContext context; /* segments, results, failures; reset when the batch is used again */
	StringInfoData rows;   /* the encoded tuples, one after the other */
	int ntuples;
	int max_tuples; /* what the arrays have room for */
	int *offsets;	/* where each tuple starts in rows; one more than tuples */
	int *model_rows;
	uint32 *hashes;
	uint32 *buckets; /* hash table over tuples: index + 1, 0 = empty; nbuckets is a power of two */
	int nbuckets;
	Datum *values;
	bool *nulls;
	const MlsFailure **failures; /* per tuple, NULL when it has a result */
	int total_model_rows;
	bool unusual_rows; /* some tuple is not exactly one model row */
	int64 last_row;	   /* the caller's last row that refers to it */
	bool closed;
	int unfinished;		/* tuples without result or failure */
	dlist_head waiting; /* segments not sent yet */
	dlist_head sent;
	dlist_head arrived; /* whose exchange is done, to be collected */
};

extern MlsBatch *mls_batch_create(MemoryContext owner);

/* Empty it for up to max_tuples new ones. */
extern void mls_batch_reset(MlsBatch *batch, int max_tuples);

/*
 * A tuple was encoded behind rows.data[start]: keep it, and tell its index. With dedup, an equal one that is already
 * there is told instead, and *repeated set.
 */
extern int mls_batch_keep(MlsBatch *batch, int start, int model_rows, bool dedup, bool *repeated);

/* Close: one waiting segment over all tuples. */
extern void mls_batch_close(MlsBatch *batch);

/* Cut segment into halves, both waiting; the request, if any, is dropped. */
extern void mls_batch_halve(MlsBatch *batch, MlsSegment *segment);

/* Segment's encoded tuples, palloc'd in the current context. */
extern MlsRowSlice *mls_batch_slices(const MlsBatch *batch, const MlsSegment *segment);

/* Encode segment's body. */
extern void mls_batch_assemble(MlsBatch *batch, MlsEncoder *encoder, MlsSegment *segment);

/* Every tuple of segment failed for this reason (which must live in the batch's context); segment is freed. */
extern void mls_batch_fail(MlsBatch *batch, MlsSegment *segment, const MlsFailure *failure);

/* segment's tuples have their results; segment is freed. */
extern void mls_batch_finish(MlsBatch *batch, MlsSegment *segment);

/* Drop all segments, cutting their requests. */
extern void mls_batch_cut(MlsBatch *batch);

extern Size mls_batch_memory(const MlsBatch *batch);

#endif
