/*
 * words.h - distinct categories, as bytes, and how often each came. Pure.
 */
#ifndef MLS_WORDS_H
#define MLS_WORDS_H

#include "postgres.h"

typedef struct MlsWordCount
{
	const char *word; /* len bytes, no NUL behind them */
	uint32 len;
	uint32 hash;
	int64 count;
} MlsWordCount;

typedef struct MlsWords MlsWords;

extern MlsWords *mls_words_create(void);
extern void mls_words_free(MlsWords *words);
extern void mls_words_add(MlsWords *words, const char *word, uint32 len, int64 count);
extern int64 mls_words_number(const MlsWords *words);

/* Bytes of memory that are held. */
extern Size mls_words_size(const MlsWords *words);

/* The entries in the order of their bytes, palloc'd; the words themselves stay the table's. */
extern MlsWordCount *mls_words_sorted(const MlsWords *words);

/* Order of the bytes, a prefix before what it begins. */
extern int mls_word_compare(const char *a, uint32 alen, const char *b, uint32 blen);

#endif
