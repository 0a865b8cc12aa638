/*
 * distribution.h - a feature's values frozen into bytes: what a value of type ml_score.distribution holds. Pure.
 *
 * Distinct values in order, each with its count, so that whatever can be told of the values regardless of their order can
 * be told of it exactly. Bytes, the same on every machine:
 *
 *   'D', version, kind ('n' or 'c'), server encoding, length of the type's name, the type's name,
 *   missing, misfits, then for each value its count and it (8 bytes, most significant first; or length and bytes), then 0
 *
 * Numbers without a stated size are variable: 7 bits a byte, the lowest first, the high bit on all but the last.
 */
#ifndef MLS_DISTRIBUTION_H
#define MLS_DISTRIBUTION_H

#include "postgres.h"

#include "drift/counts.h"
#include "lib/stringinfo.h"

#define MLS_TYPE_NAME_SIZE 256

typedef struct MlsDistribution
{
	MlsCounts counts; /* reads it from the beginning, once; mls_distribution_rewind: again */
	MlsTotals totals;
	int64 distinct;
	int encoding;
	char type[MLS_TYPE_NAME_SIZE]; /* as SQL writes it */
	const unsigned char *values;   /* where they begin */
	const unsigned char *at;	   /* where counts is */
	const unsigned char *end;
	uint64 key; /* the value before, for the order */
	const unsigned char *word;
	uint32 len;
} MlsDistribution;

/* Append the bytes of what source gives. False: they would be more than max. */
extern bool mls_distribution_write(StringInfo out, MlsCounts *source, const char *type, int encoding, Size max);

/* Read and check bytes, which must stay; NULL, or what is wrong with them. */
extern const char *mls_distribution_open(MlsDistribution *distribution, const char *bytes, Size len);

/* Its counts from the beginning. */
extern MlsCounts *mls_distribution_rewind(MlsDistribution *distribution);

#endif
