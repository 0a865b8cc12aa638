/*
 * tally.c - counts a feature's values as they come. See tally.h.
 */
#include "postgres.h"

#include "drift/tally.h"

#include "drift/numbers.h"
#include "drift/runs.h"
#include "drift/words.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#define LEAST_BUDGET (64 * 1024)

struct MlsTally
{
	MlsTotals totals;
	MemoryContext context;
	Size budget;
	MlsNumbers numbers;
	MlsWords *words;
	MlsRuns *runs; /* NULL: all is in memory */
};

/* MlsCounts over what is in memory. */
typedef struct Memory
{
	MlsCounts counts;
	const MlsTally *tally;
	MlsWordCount *words; /* sorted; NULL: numbers */
	int64 at;
} Memory;

MlsTally *
mls_tally_create(bool numeric, Size budget)
{
	MlsTally *tally = palloc0(sizeof(MlsTally));

	mls_totals_init(&tally->totals, numeric);
	tally->context = CurrentMemoryContext;
	tally->budget = budget == 0 ? 0 : Max(budget, LEAST_BUDGET);
	if (numeric) /* a quarter for two buffers, a quarter while one is sorted, half for the entries */
		mls_numbers_init(&tally->numbers, tally->budget / 8 / sizeof(uint64));
	else
		tally->words = mls_words_create();
	return tally;
}

static bool
next_in_memory(MlsCounts *counts, MlsCount *count)
{
	Memory *memory = (Memory *) counts;
	const MlsTally *tally = memory->tally;

	if (memory->words == NULL)
	{
		const MlsNumberCount *entry = tally->numbers.entries + memory->at;

		if (memory->at++ >= tally->numbers.nentries)
			return false;
		*count = (MlsCount){.key = entry->key, .count = entry->count};
	}
	else
	{
		const MlsWordCount *entry = memory->words + memory->at;

		if (memory->at++ >= mls_words_number(tally->words))
			return false;
		*count = (MlsCount){.word = entry->word, .len = entry->len, .count = entry->count};
	}
	return true;
}

static MlsCounts *
read_memory(const MlsTally *tally)
{
	Memory *memory = palloc0(sizeof(Memory));

	memory->counts = (MlsCounts){&tally->totals, next_in_memory};
	memory->tally = tally;
	if (!tally->totals.numeric)
		memory->words = mls_words_sorted(tally->words);
	return &memory->counts;
}

/* What is in memory goes to a run. */
static void
spill(MlsTally *tally)
{
	MlsCounts *source = read_memory(tally);
	MlsCount count;

	CHECK_FOR_INTERRUPTS();
	if (tally->runs == NULL)
		tally->runs = mls_runs_create(tally->totals.numeric);
	mls_runs_begin(tally->runs);
	while (source->next(source, &count))
		mls_runs_put(tally->runs, &count);
	if (tally->totals.numeric)
		tally->numbers.nentries = 0;
	else
	{
		pfree(((Memory *) source)->words);
		mls_words_free(tally->words);
		tally->words = mls_words_create();
	}
	pfree(source);
}

/* Bring the buffered numbers into the entries, which first go to a run where they would become too many. */
static void
fold(MlsTally *tally)
{
	MlsNumbers *numbers = &tally->numbers;
	MlsNumberCount *sorted;
	int64 nsorted;

	CHECK_FOR_INTERRUPTS();
	if (tally->budget == 0)
	{
		mls_numbers_fold(numbers);
		return;
	}
	nsorted = mls_numbers_sort(numbers, &sorted);
	if (numbers->nentries > 0 && numbers->nentries + nsorted > tally->budget / 2 / sizeof(MlsNumberCount))
		spill(tally);
	mls_numbers_merge(numbers, sorted, nsorted);
	pfree(sorted);
}

void
mls_tally_add_number(MlsTally *tally, double number)
{
	if (unlikely(isnan(number)))
	{
		tally->totals.missing++;
		return;
	}
	tally->totals.values++;
	mls_totals_see(&tally->totals, mls_number_key(number), number + 0.0);
	if (unlikely(!mls_numbers_add(&tally->numbers, number)))
	{
		MemoryContext old = MemoryContextSwitchTo(tally->context);

		fold(tally);
		mls_numbers_add(&tally->numbers, number);
		MemoryContextSwitchTo(old);
	}
}

static void
add_words(MlsTally *tally, const char *word, Size len, int64 count)
{
	MemoryContext old = MemoryContextSwitchTo(tally->context);

	tally->totals.values += count;
	mls_words_add(tally->words, word, len, count);
	if (tally->budget > 0 && mls_words_size(tally->words) > tally->budget)
		spill(tally);
	MemoryContextSwitchTo(old);
}

void
mls_tally_add_word(MlsTally *tally, const char *word, Size len)
{
	add_words(tally, word, len, 1);
}

void
mls_tally_add_missing(MlsTally *tally)
{
	tally->totals.missing++;
}

void
mls_tally_add_misfit(MlsTally *tally)
{
	tally->totals.misfits++;
}

/* Numbers come in order, so they are merged as a whole. */
static void
absorb_numbers(MlsTally *tally, MlsCounts *source)
{
	int64 size = 64;
	int64 nsorted = 0;
	MlsNumberCount *sorted = palloc(size * sizeof(MlsNumberCount));
	MlsCount count;

	while (source->next(source, &count))
	{
		if (nsorted == size)
			sorted = repalloc_huge(sorted, (size *= 2) * sizeof(MlsNumberCount));
		sorted[nsorted++] = (MlsNumberCount){count.key, count.count};
		tally->totals.values += count.count;
		mls_totals_see(&tally->totals, count.key, mls_number_of_key(count.key));
	}
	mls_numbers_merge(&tally->numbers, sorted, nsorted);
	pfree(sorted);
}

void
mls_tally_absorb(MlsTally *tally, MlsCounts *source)
{
	MemoryContext old = MemoryContextSwitchTo(tally->context);
	MlsCount count;

	Assert(tally->budget == 0);
	tally->totals.missing += source->totals->missing;
	tally->totals.misfits += source->totals->misfits;
	if (tally->totals.numeric)
		absorb_numbers(tally, source);
	else
		while (source->next(source, &count))
			add_words(tally, count.word, count.len, count.count);
	MemoryContextSwitchTo(old);
}

const MlsTotals *
mls_tally_totals(const MlsTally *tally)
{
	return &tally->totals;
}

MlsCounts *
mls_tally_read(MlsTally *tally)
{
	MemoryContext old = MemoryContextSwitchTo(tally->context);

	if (tally->totals.numeric)
		fold(tally);
	if (tally->runs != NULL && (tally->numbers.nentries > 0 || tally->words != NULL))
		spill(tally);
	MemoryContextSwitchTo(old);
	return tally->runs != NULL ? mls_runs_read(tally->runs, &tally->totals) : read_memory(tally);
}

void
mls_tally_close(MlsTally *tally)
{
	if (tally->runs != NULL)
		mls_runs_free(tally->runs);
	tally->runs = NULL;
}
