/*
 * find_results.h - where in a reply the results are.
 *
 * Endpoints wrap them in many ways: a bare array, an object with the array under one of several names (maybe one level
 * deeper), a string that holds JSON once more, columns instead of rows, tensors. All of them become one run of items.
 */
#ifndef MLS_FIND_RESULTS_H
#define MLS_FIND_RESULTS_H

#include "codec/json_read.h"

/* The columns of a composite result, for replies that are told by them. NULL functions: the result is no composite. */
typedef struct MlsResultColumns
{
	int n;
	int (*find)(void *arg, const MlsSpan *key); /* index, or -1 */
	void *arg;
} MlsResultColumns;

typedef struct MlsResults
{
	MlsJsonReader reader; /* stands inside the array of items; mls_json_next gives them */
	MlsSpan single;		  /* or the only item, when its kind is not MLS_SPAN_NONE */
} MlsResults;

/*
 * Find wanted results in body, which is valid UTF-8. results_key: the dotted path to them where the schema knows it,
 * else NULL. Returns NULL, or the palloc'd reason why there are none. What was rewritten is palloc'd. The array may
 * not have been checked up to its end yet: mls_json_finish after the last item does.
 */
extern char *mls_find_results(const char *body, size_t len, int wanted, const char *results_key,
							  const MlsResultColumns *columns, MlsResults *results);

#endif
