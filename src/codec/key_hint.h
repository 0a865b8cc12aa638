/*
 * key_hint.h - which place an object's key means, remembered by the key's position: objects of one source are alike, so
 * most keys are where they were the last time and need no search.
 */
#ifndef MLS_KEY_HINT_H
#define MLS_KEY_HINT_H

#include "codec/json_read.h"

typedef struct MlsKeyHint
{
	char *key;
	size_t len;
	int place; /* -1: none of ours */
	bool exact;
} MlsKeyHint;

typedef struct MlsKeyHints
{
	MlsKeyHint *hints;
	int room;
} MlsKeyHints;

/* The place that key means, or -1; *exact: by its very name. */
typedef int (*MlsKeyFinder)(const void *arg, const MlsSpan *key, bool *exact);

/* What the key at this position means; find is asked when another one was there the last time. Hints live in cxt. */
extern const MlsKeyHint *mls_key_hint(MlsKeyHints *hints, MemoryContext cxt, int position, const MlsSpan *key,
									  MlsKeyFinder find, const void *arg);

/* Compare a key with a name as people write them: without case, spaces, underscores, dashes. */
extern bool mls_names_alike(const MlsSpan *key, const char *name);

#endif
