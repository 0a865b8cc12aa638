/*
 * batch.c - the argument tuples that travel together, and their results. See batch.h.
 */
#include "scoring/batch.h"

#include "port/pg_bitutils.h"
#include "utils/memutils.h"

MlsBatch *
mls_batch_create(MemoryContext owner)
{
	MemoryContext old = MemoryContextSwitchTo(owner);
	MlsBatch *batch = palloc0(sizeof(MlsBatch));

	batch->owner = owner;
	batch->context = AllocSetContextCreate(owner, "ml_score batch", ALLOCSET_DEFAULT_SIZES);
	initStringInfo(&batch->rows);
	dlist_init(&batch->waiting);
	dlist_init(&batch->sent);
	dlist_init(&batch->arrived);
	MemoryContextSwitchTo(old);
	return batch;
}

static void *
replace_array(MemoryContext owner, void *array, Size size)
{
	if (array)
		pfree(array);
	return MemoryContextAllocExtended(owner, size, MCXT_ALLOC_HUGE);
}

/* Make the per-tuple arrays large enough; they are kept from use to use. */
static void
reserve_tuples(MlsBatch *batch, int max_tuples)
{
	Size n = max_tuples + 1;

	batch->offsets = replace_array(batch->owner, batch->offsets, n * sizeof(int));
	batch->model_rows = replace_array(batch->owner, batch->model_rows, n * sizeof(int));
	batch->hashes = replace_array(batch->owner, batch->hashes, n * sizeof(uint32));
	batch->values = replace_array(batch->owner, batch->values, n * sizeof(Datum));
	batch->nulls = replace_array(batch->owner, batch->nulls, n * sizeof(bool));
	batch->failures = replace_array(batch->owner, batch->failures, n * sizeof(MlsFailure *));
	batch->nbuckets = pg_nextpower2_32(Max(max_tuples * 2, 16));
	batch->buckets = replace_array(batch->owner, batch->buckets, batch->nbuckets * sizeof(uint32));
	batch->max_tuples = max_tuples;
}

void
mls_batch_reset(MlsBatch *batch, int max_tuples)
{
	mls_batch_cut(batch);
	MemoryContextReset(batch->context);
	resetStringInfo(&batch->rows);
	if (max_tuples > batch->max_tuples)
		reserve_tuples(batch, max_tuples);
	memset(batch->buckets, 0, batch->nbuckets * sizeof(uint32));
	batch->ntuples = 0;
	batch->offsets[0] = 0;
	batch->total_model_rows = 0;
	batch->unusual_rows = false;
	batch->last_row = -1;
	batch->closed = false;
	batch->unfinished = 0;
}

/* What hashes alike is compared, so a simple mix does. */
static inline uint64
mix(uint64 hash, const char *eight_bytes)
{
	uint64 word;

	memcpy(&word, eight_bytes, sizeof(word));
	hash = (hash ^ word) * UINT64CONST(0x9E3779B97F4A7C15);
	return hash ^ (hash >> 32);
}

/* Two words at a time, which do not wait for each other: tuples are a hundred bytes or so, and every one is hashed. */
static uint32
hash_tuple(const char *data, int len)
{
	uint64 even = (uint64) len;
	uint64 odd = 1;
	char rest[16] = {0};

	for (; len >= 16; len -= 16, data += 16)
	{
		even = mix(even, data);
		odd = mix(odd, data + 8);
	}
	memcpy(rest, data, len);
	even = mix(even, rest);
	odd = mix(odd ^ even, rest + 8);
	return (uint32) odd;
}

/* Look for a tuple equal to the one just encoded; -1 and the bucket where it belongs when there is none. */
static int
find_equal(const MlsBatch *batch, int start, uint32 hash, uint32 *bucket)
{
	uint32 mask = batch->nbuckets - 1;
	int len = batch->rows.len - start;
	uint32 i;

	for (i = hash & mask; batch->buckets[i] != 0; i = (i + 1) & mask)
	{
		int tuple = (int) batch->buckets[i] - 1;

		if (batch->hashes[tuple] == hash && batch->offsets[tuple + 1] - batch->offsets[tuple] == len &&
			memcmp(batch->rows.data + batch->offsets[tuple], batch->rows.data + start, len) == 0)
			return tuple;
	}
	*bucket = i;
	return -1;
}

int
mls_batch_keep(MlsBatch *batch, int start, int model_rows, bool dedup, bool *repeated)
{
	int tuple = batch->ntuples;

	*repeated = false;
	if (dedup)
	{
		uint32 hash = hash_tuple(batch->rows.data + start, batch->rows.len - start);
		uint32 bucket = 0;
		int equal = find_equal(batch, start, hash, &bucket);

		if (equal >= 0)
		{
			batch->rows.len = start;
			batch->rows.data[start] = '\0';
			*repeated = true;
			return equal;
		}
		batch->hashes[tuple] = hash;
		batch->buckets[bucket] = tuple + 1;
	}
	batch->model_rows[tuple] = model_rows;
	batch->total_model_rows += model_rows;
	batch->unusual_rows |= model_rows != 1;
	batch->ntuples++;
	batch->offsets[batch->ntuples] = batch->rows.len;
	return tuple;
}

static MlsSegment *
make_segment(MlsBatch *batch, int first, int count, MlsDeal deal)
{
	MlsSegment *segment = MemoryContextAllocZero(batch->context, sizeof(MlsSegment));

	segment->first = first;
	segment->count = count;
	segment->deal = deal;
	return segment;
}

/* Give back what segment holds. */
static void
drop_segment(MlsSegment *segment)
{
	dlist_delete(&segment->node);
	if (segment->exchange)
		mls_exchange_free(segment->exchange);
	if (segment->body.data)
		pfree(segment->body.data);
	pfree(segment);
}

void
mls_batch_close(MlsBatch *batch)
{
	batch->closed = true;
	batch->unfinished = batch->ntuples;
	memset(batch->failures, 0, batch->ntuples * sizeof(MlsFailure *));
	if (batch->ntuples > 0)
		dlist_push_tail(&batch->waiting, &make_segment(batch, 0, batch->ntuples, (MlsDeal){0})->node);
}

void
mls_batch_halve(MlsBatch *batch, MlsSegment *segment)
{
	int left = segment->count / 2;
	MlsSegment *right = make_segment(batch, segment->first + left, segment->count - left, segment->deal);

	/* The left half goes first, and both before segments of later tuples. */
	dlist_push_head(&batch->waiting, &right->node);
	dlist_push_head(&batch->waiting, &make_segment(batch, segment->first, left, segment->deal)->node);
	drop_segment(segment);
}

MlsRowSlice *
mls_batch_slices(const MlsBatch *batch, const MlsSegment *segment)
{
	MlsRowSlice *slices = palloc_extended(sizeof(MlsRowSlice) * segment->count, MCXT_ALLOC_HUGE);

	for (int i = 0; i < segment->count; i++)
	{
		int tuple = segment->first + i;

		slices[i].data = batch->rows.data + batch->offsets[tuple];
		slices[i].len = batch->offsets[tuple + 1] - batch->offsets[tuple];
		slices[i].model_rows = batch->model_rows[tuple];
	}
	return slices;
}

void
mls_batch_assemble(MlsBatch *batch, MlsEncoder *encoder, MlsSegment *segment)
{
	MemoryContext old = MemoryContextSwitchTo(batch->context);
	MlsRowSlice *slices = mls_batch_slices(batch, segment);

	initStringInfo(&segment->body);
	mls_encode_body(encoder, slices, segment->count, &segment->body);
	pfree(slices);
	MemoryContextSwitchTo(old);
}

void
mls_batch_fail(MlsBatch *batch, MlsSegment *segment, const MlsFailure *failure)
{
	for (int i = 0; i < segment->count; i++)
	{
		batch->failures[segment->first + i] = failure;
		batch->values[segment->first + i] = (Datum) 0;
		batch->nulls[segment->first + i] = true;
	}
	mls_batch_finish(batch, segment);
}

void
mls_batch_finish(MlsBatch *batch, MlsSegment *segment)
{
	batch->unfinished -= segment->count;
	drop_segment(segment);
}

static void
drop_segments(dlist_head *segments)
{
	while (!dlist_is_empty(segments))
		drop_segment(dlist_head_element(MlsSegment, node, segments));
}

void
mls_batch_cut(MlsBatch *batch)
{
	drop_segments(&batch->waiting);
	drop_segments(&batch->sent);
	drop_segments(&batch->arrived);
}

Size
mls_batch_memory(const MlsBatch *batch)
{
	Size per_tuple = 3 * sizeof(int) + sizeof(Datum) + sizeof(bool) + sizeof(MlsFailure *) + 2 * sizeof(uint32);

	return MemoryContextMemAllocated(batch->context, true) + batch->rows.maxlen + batch->max_tuples * per_tuple;
}
