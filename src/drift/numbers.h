/*
 * numbers.h - distinct numbers and how often each came, in order. Pure.
 *
 * Numbers are kept as keys: unsigned integers in the numbers' order, so that they sort by their bytes. -0 is 0. What
 * arrives is buffered and folded into the sorted entries a bufferful at a time: 16 bytes for each distinct number, and 8
 * for each one buffered.
 */
#ifndef MLS_NUMBERS_H
#define MLS_NUMBERS_H

#include "postgres.h"

typedef struct MlsNumberCount
{
	uint64 key;
	int64 count;
} MlsNumberCount;

typedef struct MlsNumbers
{
	uint64 *buffer;
	uint64 *scratch; /* as large as the buffer */
	int64 nbuffer;
	int64 buffer_size;
	MlsNumberCount *entries; /* ascending, no key twice */
	int64 nentries;
	int64 entries_size;
	bool grows; /* the buffer, with the entries */
} MlsNumbers;

/* Room for buffer_size numbers between two folds; 0: a buffer that grows with the entries. */
extern void mls_numbers_init(MlsNumbers *numbers, int64 buffer_size);

/* Sort the buffer into its own distinct entries, appended to none: their number. The buffer is then empty. */
extern int64 mls_numbers_sort(MlsNumbers *numbers, MlsNumberCount **sorted);

/* Add sorted entries to those there. */
extern void mls_numbers_merge(MlsNumbers *numbers, const MlsNumberCount *sorted, int64 nsorted);

/* Bring what is buffered into the entries. */
extern void mls_numbers_fold(MlsNumbers *numbers);

extern double mls_number_of_key(uint64 key);

/* number is no NaN. */
static inline uint64
mls_number_key(double number)
{
	uint64 bits;

	number += 0.0; /* -0 becomes 0 */
	memcpy(&bits, &number, sizeof(bits));
	return bits ^ ((bits >> 63) ? ~UINT64CONST(0) : UINT64CONST(1) << 63);
}

/* False: the buffer is full, fold it first. */
static inline bool
mls_numbers_add(MlsNumbers *numbers, double number)
{
	if (numbers->nbuffer == numbers->buffer_size)
		return false;
	numbers->buffer[numbers->nbuffer++] = mls_number_key(number);
	return true;
}

#endif
