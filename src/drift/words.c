/*
 * words.c - distinct categories and how often each came. See words.h.
 *
 * An array of entries, an open-addressed table of positions in it, and blocks that hold the words.
 */
#include "postgres.h"

#include "drift/words.h"

#include "common/hashfn.h"

#define FIRST_TABLE 32
#define FIRST_BLOCK 256
#define MOST_BLOCK (256 * 1024)
#define FREE (-1)

typedef struct Block
{
	struct Block *next;
	char bytes[FLEXIBLE_ARRAY_MEMBER];
} Block;

struct MlsWords
{
	MlsWordCount *entries;
	int64 nentries;
	int64 *table;	  /* positions in entries, or FREE */
	int64 table_size; /* a power of two, at least twice nentries */
	Block *blocks;
	Size block_size;
	Size block_used;
	Size blocks_total;
};

static void
make_table(MlsWords *words, int64 size)
{
	words->table_size = size;
	words->table = palloc_extended(size * sizeof(int64), MCXT_ALLOC_HUGE);
	for (int64 i = 0; i < size; i++)
		words->table[i] = FREE;
}

MlsWords *
mls_words_create(void)
{
	MlsWords *words = palloc0(sizeof(MlsWords));

	make_table(words, FIRST_TABLE);
	words->entries = palloc(sizeof(MlsWordCount) * (FIRST_TABLE / 2));
	return words;
}

void
mls_words_free(MlsWords *words)
{
	while (words->blocks != NULL)
	{
		Block *next = words->blocks->next;

		pfree(words->blocks);
		words->blocks = next;
	}
	pfree(words->table);
	pfree(words->entries);
	pfree(words);
}

int64
mls_words_number(const MlsWords *words)
{
	return words->nentries;
}

Size
mls_words_size(const MlsWords *words)
{
	return words->blocks_total + words->table_size * (sizeof(int64) + sizeof(MlsWordCount) / 2);
}

int
mls_word_compare(const char *a, uint32 alen, const char *b, uint32 blen)
{
	int order = memcmp(a, b, Min(alen, blen));

	if (order != 0)
		return order;
	return alen < blen ? -1 : alen > blen;
}

/* The place in the table that has the word, or is free for it. */
static int64 *
find_place(MlsWords *words, const char *word, uint32 len, uint32 hash)
{
	int64 mask = words->table_size - 1;

	for (int64 i = hash & mask;; i = (i + 1) & mask)
	{
		MlsWordCount *entry;

		if (words->table[i] == FREE)
			return &words->table[i];
		entry = &words->entries[words->table[i]];
		if (entry->hash == hash && entry->len == len && memcmp(entry->word, word, len) == 0)
			return &words->table[i];
	}
}

static void
grow_table(MlsWords *words)
{
	MlsWordCount *old = words->entries;

	pfree(words->table);
	make_table(words, words->table_size * 2);
	words->entries = palloc_extended(sizeof(MlsWordCount) * (words->table_size / 2), MCXT_ALLOC_HUGE);
	memcpy(words->entries, old, sizeof(MlsWordCount) * words->nentries);
	pfree(old);
	for (int64 i = 0; i < words->nentries; i++)
		*find_place(words, words->entries[i].word, words->entries[i].len, words->entries[i].hash) = i;
}

static const char *
keep_word(MlsWords *words, const char *word, uint32 len)
{
	char *kept;

	if (words->blocks == NULL || words->block_size - words->block_used < len)
	{
		Block *block;

		words->block_size = Max(Min(Max(words->blocks_total, FIRST_BLOCK), MOST_BLOCK), len);
		block = palloc_extended(offsetof(Block, bytes) + words->block_size, MCXT_ALLOC_HUGE);
		block->next = words->blocks;
		words->blocks = block;
		words->block_used = 0;
		words->blocks_total += words->block_size;
	}
	kept = words->blocks->bytes + words->block_used;
	memcpy(kept, word, len);
	words->block_used += len;
	return kept;
}

void
mls_words_add(MlsWords *words, const char *word, uint32 len, int64 count)
{
	uint32 hash = hash_bytes((const unsigned char *) word, len);
	int64 *place = find_place(words, word, len, hash);

	if (*place != FREE)
	{
		words->entries[*place].count += count;
		return;
	}
	if (words->nentries * 2 >= words->table_size)
	{
		grow_table(words);
		place = find_place(words, word, len, hash);
	}
	*place = words->nentries;
	words->entries[words->nentries++] =
		(MlsWordCount){.word = keep_word(words, word, len), .len = len, .hash = hash, .count = count};
}

static int
compare_entries(const void *a, const void *b)
{
	const MlsWordCount *left = a;
	const MlsWordCount *right = b;

	return mls_word_compare(left->word, left->len, right->word, right->len);
}

MlsWordCount *
mls_words_sorted(const MlsWords *words)
{
	MlsWordCount *sorted = palloc_extended(sizeof(MlsWordCount) * Max(words->nentries, 1), MCXT_ALLOC_HUGE);

	memcpy(sorted, words->entries, sizeof(MlsWordCount) * words->nentries);
	qsort(sorted, words->nentries, sizeof(MlsWordCount), compare_entries);
	return sorted;
}
