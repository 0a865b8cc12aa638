/*
 * pair.h - two features of one kind read side by side, in order. Pure.
 */
#ifndef MLS_PAIR_H
#define MLS_PAIR_H

#include "drift/counts.h"

/* How often something came, on either side. */
typedef struct MlsPairCount
{
	int64 baseline;
	int64 current;
} MlsPairCount;

typedef struct MlsPair
{
	MlsCounts *sources[2];
	MlsCount counts[2];
	bool more[2];
	bool due[2]; /* to be moved on before it is looked at */
} MlsPair;

/* Both sources are at their beginning. */
extern MlsPair mls_pair_open(MlsCounts *baseline, MlsCounts *current);

/*
 * The next value of either, and its counts: count 0 means that the side does not have it. The value's word is valid until
 * the next call. False at the end of both.
 */
extern bool mls_pair_next(MlsPair *pair, MlsCount *value, MlsPairCount *here);

#endif
