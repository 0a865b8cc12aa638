/*
 * numbers.c - distinct numbers and how often each came. See numbers.h.
 */
#include "postgres.h"

#include "drift/numbers.h"

#define FIRST_BUFFER 64
#define MOST_BUFFER (1 << 20)
#define RADIX_FROM 512 /* fewer are sorted by comparing */
#define DIGIT_BITS 11
#define DIGITS 6
#define DIGIT_VALUES (1 << DIGIT_BITS)
#define DIGIT(key, digit) (((key) >> ((digit) *DIGIT_BITS)) & (DIGIT_VALUES - 1))

#define ST_SORT sort_keys
#define ST_ELEMENT_TYPE uint64
#define ST_COMPARE(a, b) (*(a) < *(b) ? -1 : *(a) > *(b))
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static void *
allocate(int64 size)
{
	return palloc_extended(Max(size, 1), MCXT_ALLOC_HUGE);
}

static void
make_buffer(MlsNumbers *numbers, int64 size)
{
	numbers->buffer_size = size;
	numbers->buffer = allocate(size * sizeof(uint64));
	numbers->scratch = allocate(size * sizeof(uint64));
}

void
mls_numbers_init(MlsNumbers *numbers, int64 buffer_size)
{
	memset(numbers, 0, sizeof(*numbers));
	numbers->grows = buffer_size == 0;
	make_buffer(numbers, buffer_size == 0 ? FIRST_BUFFER : buffer_size);
}

double
mls_number_of_key(uint64 key)
{
	uint64 bits = key ^ ((key >> 63) ? UINT64CONST(1) << 63 : ~UINT64CONST(0));
	double number;

	memcpy(&number, &bits, sizeof(number));
	return number;
}

/* Move the keys to "to", in the order of this digit, stable. */
static void
sort_by_digit(const uint64 *keys, uint64 *to, int64 nkeys, int digit, uint32 *counts)
{
	uint32 sum = 0;

	for (int value = 0; value < DIGIT_VALUES; value++)
	{
		uint32 count = counts[value];

		counts[value] = sum;
		sum += count;
	}
	for (int64 i = 0; i < nkeys; i++)
		to[counts[DIGIT(keys[i], digit)]++] = keys[i];
}

/* Least significant digit first; digits that all keys share are passed over. */
static void
sort_by_digits(MlsNumbers *numbers)
{
	static const uint32 none[DIGITS][DIGIT_VALUES] = {{0}};
	uint32 counts[DIGITS][DIGIT_VALUES];

	memcpy(counts, none, sizeof(counts));
	for (int64 i = 0; i < numbers->nbuffer; i++)
		for (int digit = 0; digit < DIGITS; digit++)
			counts[digit][DIGIT(numbers->buffer[i], digit)]++;
	for (int digit = 0; digit < DIGITS; digit++)
	{
		uint64 *keys = numbers->buffer;

		if (counts[digit][DIGIT(keys[0], digit)] == numbers->nbuffer)
			continue;
		sort_by_digit(keys, numbers->scratch, numbers->nbuffer, digit, counts[digit]);
		numbers->buffer = numbers->scratch;
		numbers->scratch = keys;
	}
}

int64
mls_numbers_sort(MlsNumbers *numbers, MlsNumberCount **sorted)
{
	int64 nsorted = 0;
	MlsNumberCount *entries;

	if (numbers->nbuffer < RADIX_FROM)
		sort_keys(numbers->buffer, numbers->nbuffer);
	else
		sort_by_digits(numbers);
	for (int64 i = 0; i < numbers->nbuffer; i++)
		nsorted += i == 0 || numbers->buffer[i] != numbers->buffer[i - 1];
	entries = *sorted = allocate(nsorted * sizeof(MlsNumberCount));
	entries--;
	for (int64 i = 0; i < numbers->nbuffer; i++)
	{
		if (i == 0 || numbers->buffer[i] != entries->key)
			*++entries = (MlsNumberCount){numbers->buffer[i], 0};
		entries->count++;
	}
	numbers->nbuffer = 0;
	return nsorted;
}

static void
reserve_entries(MlsNumbers *numbers, int64 nentries)
{
	MlsNumberCount *old = numbers->entries;

	if (nentries <= numbers->entries_size)
		return;
	numbers->entries_size = Max(nentries, numbers->entries_size + numbers->entries_size / 2);
	numbers->entries = allocate(numbers->entries_size * sizeof(MlsNumberCount));
	if (old != NULL)
	{
		memcpy(numbers->entries, old, numbers->nentries * sizeof(MlsNumberCount));
		pfree(old);
	}
}

/* From the ends backwards, so that nothing is overwritten before it was read. */
void
mls_numbers_merge(MlsNumbers *numbers, const MlsNumberCount *sorted, int64 nsorted)
{
	int64 mine = numbers->nentries - 1;
	int64 theirs = nsorted - 1;
	int64 end = numbers->nentries + nsorted;
	int64 to = end;
	MlsNumberCount *entries;

	if (nsorted == 0)
		return;
	reserve_entries(numbers, end);
	entries = numbers->entries;
	while (theirs >= 0)
	{
		if (mine < 0 || entries[mine].key < sorted[theirs].key)
			entries[--to] = sorted[theirs--];
		else
		{
			MlsNumberCount merged = entries[mine--];

			if (merged.key == sorted[theirs].key)
				merged.count += sorted[theirs--].count;
			entries[--to] = merged;
		}
	}
	/* Entries up to mine stand where they belong; close the gap that equal keys left. */
	memmove(entries + mine + 1, entries + to, (end - to) * sizeof(MlsNumberCount));
	numbers->nentries = mine + 1 + (end - to);
}

static void
grow_buffer(MlsNumbers *numbers)
{
	int64 size = Min(numbers->nentries, MOST_BUFFER);

	if (!numbers->grows || size < numbers->buffer_size * 2)
		return;
	pfree(numbers->buffer);
	pfree(numbers->scratch);
	make_buffer(numbers, size);
}

void
mls_numbers_fold(MlsNumbers *numbers)
{
	MlsNumberCount *sorted;
	int64 nsorted;

	if (numbers->nbuffer == 0)
		return;
	nsorted = mls_numbers_sort(numbers, &sorted);
	mls_numbers_merge(numbers, sorted, nsorted);
	pfree(sorted);
	grow_buffer(numbers);
}
