/*
 * runs.c - sorted runs in a temporary file. See runs.h.
 *
 * Each run that is read holds a buffer. So that there are never more than MOST_RUNS, that many are merged into one, in a
 * new file, before another begins.
 */
#include "postgres.h"

#include "drift/runs.h"

#include "compat.h"
#include "drift/words.h"
#include "lib/binaryheap.h"
#include "miscadmin.h"
#include "storage/buffile.h"
#include "utils/memutils.h"

#define MOST_RUNS 32
#define READ_SIZE 16384

typedef struct Run
{
	int64 begin; /* in the file */
	int64 end;
} Run;

struct MlsRuns
{
	MemoryContext context;
	bool numeric;
	BufFile *file;
	int nruns;
	Run runs[MOST_RUNS];
};

/* What stands before each value in the file. */
typedef struct Head
{
	int64 count;
	uint64 key; /* or the word's length */
} Head;

typedef struct Reader
{
	int64 at; /* of what is not in the buffer yet */
	int64 end;
	char buffer[READ_SIZE];
	int used;
	int filled;
	Head head;
	StringInfoData word;
} Reader;

typedef struct Merge
{
	MlsCounts counts;
	MlsRuns *runs;
	Reader *readers;
	binaryheap *heap; /* numbers of readers, the least value first */
	StringInfoData word;
} Merge;

MlsRuns *
mls_runs_create(bool numeric)
{
	MlsRuns *runs = palloc0(sizeof(MlsRuns));

	runs->context = CurrentMemoryContext;
	runs->numeric = numeric;
	runs->file = BufFileCreateTemp(false);
	return runs;
}

void
mls_runs_free(MlsRuns *runs)
{
	BufFileClose(runs->file);
	pfree(runs);
}

/* Read size bytes of a run from its buffer, filling that as needed. */
static void
read_bytes(MlsRuns *runs, Reader *reader, char *to, Size size)
{
	while (size > 0)
	{
		Size part;

		if (reader->used == reader->filled)
		{
			part = Min(READ_SIZE, reader->end - reader->at);
			if (part == 0 || BufFileSeek(runs->file, 0, reader->at, SEEK_SET) != 0 ||
				BufFileRead(runs->file, reader->buffer, part) != part)
				ereport(ERROR, (errcode_for_file_access(), errmsg("could not read from a temporary file: %m")));
			reader->at += part;
			reader->used = 0;
			reader->filled = part;
		}
		part = Min(size, reader->filled - reader->used);
		memcpy(to, reader->buffer + reader->used, part);
		reader->used += part;
		to += part;
		size -= part;
	}
}

/* Read a run's next value; false at its end. */
static bool
advance(MlsRuns *runs, Reader *reader)
{
	if (reader->at == reader->end && reader->used == reader->filled)
		return false;
	read_bytes(runs, reader, (char *) &reader->head, sizeof(Head));
	if (!runs->numeric)
	{
		resetStringInfo(&reader->word);
		enlargeStringInfo(&reader->word, (int) reader->head.key);
		read_bytes(runs, reader, reader->word.data, reader->head.key);
		reader->word.len = (int) reader->head.key;
	}
	return true;
}

static int
compare_readers(const Merge *merge, int a, int b)
{
	const Reader *left = &merge->readers[a];
	const Reader *right = &merge->readers[b];

	if (merge->runs->numeric)
		return left->head.key < right->head.key ? -1 : left->head.key > right->head.key;
	return mls_word_compare(left->word.data, left->word.len, right->word.data, right->word.len);
}

/* A binaryheap has its greatest element first. */
static int
heap_order(Datum a, Datum b, void *merge)
{
	return -compare_readers(merge, DatumGetInt32(a), DatumGetInt32(b));
}

static void
copy_count(Merge *merge, const Reader *reader, MlsCount *count)
{
	*count = (MlsCount){.count = reader->head.count};
	if (merge->runs->numeric)
	{
		count->key = reader->head.key;
		return;
	}
	resetStringInfo(&merge->word);
	appendBinaryStringInfo(&merge->word, reader->word.data, reader->word.len);
	count->word = merge->word.data;
	count->len = merge->word.len;
}

static bool
same_value(const Merge *merge, const Reader *reader, const MlsCount *count)
{
	if (merge->runs->numeric)
		return reader->head.key == count->key;
	return mls_word_compare(reader->word.data, reader->word.len, count->word, count->len) == 0;
}

/* MlsCounts: the least value of all runs, with the counts that any of them has. */
static bool
next_merged(MlsCounts *counts, MlsCount *count)
{
	Merge *merge = (Merge *) counts;
	bool first = true;

	CHECK_FOR_INTERRUPTS();
	while (!binaryheap_empty(merge->heap))
	{
		int number = DatumGetInt32(binaryheap_first(merge->heap));
		Reader *reader = &merge->readers[number];

		if (first)
			copy_count(merge, reader, count);
		else if (same_value(merge, reader, count))
			count->count += reader->head.count;
		else
			break;
		first = false;
		if (advance(merge->runs, reader))
			binaryheap_replace_first(merge->heap, Int32GetDatum(number));
		else
			binaryheap_remove_first(merge->heap);
	}
	return !first;
}

MlsCounts *
mls_runs_read(MlsRuns *runs, const MlsTotals *totals)
{
	Merge *merge = palloc0(sizeof(Merge));

	merge->counts = (MlsCounts){totals, next_merged};
	merge->runs = runs;
	merge->readers = palloc0(sizeof(Reader) * runs->nruns);
	merge->heap = binaryheap_allocate(Max(runs->nruns, 1), heap_order, merge);
	initStringInfo(&merge->word);
	for (int i = 0; i < runs->nruns; i++)
	{
		Reader *reader = &merge->readers[i];

		reader->at = runs->runs[i].begin;
		reader->end = runs->runs[i].end;
		initStringInfo(&reader->word);
		if (advance(runs, reader))
			binaryheap_add_unordered(merge->heap, Int32GetDatum(i));
	}
	binaryheap_build(merge->heap);
	return &merge->counts;
}

/* All runs into one, in a new file. */
static void
merge_runs(MlsRuns *runs)
{
	MemoryContext context = AllocSetContextCreate(runs->context, "ml_score merge", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	MlsCounts *source = mls_runs_read(runs, NULL);
	MlsRuns *merged;
	MlsCount count;

	MemoryContextSwitchTo(runs->context);
	merged = mls_runs_create(runs->numeric);
	mls_runs_begin(merged);
	while (source->next(source, &count))
		mls_runs_put(merged, &count);
	BufFileClose(runs->file);
	*runs = *merged;
	pfree(merged);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

void
mls_runs_begin(MlsRuns *runs)
{
	int64 end;

	if (runs->nruns == MOST_RUNS)
		merge_runs(runs);
	end = runs->nruns == 0 ? 0 : runs->runs[runs->nruns - 1].end;
	if (BufFileSeek(runs->file, 0, end, SEEK_SET) != 0)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not seek in a temporary file: %m")));
	runs->runs[runs->nruns++] = (Run){end, end};
}

void
mls_runs_put(MlsRuns *runs, const MlsCount *count)
{
	Head head = {count->count, runs->numeric ? count->key : count->len};
	Run *run = &runs->runs[runs->nruns - 1];

	BufFileWrite(runs->file, &head, sizeof(head));
	run->end += sizeof(head);
	if (!runs->numeric)
	{
		BufFileWrite(runs->file, unconstify(char *, count->word), count->len);
		run->end += count->len;
	}
}
