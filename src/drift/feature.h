/*
 * feature.h - the features of a query: its columns, counted in one pass; or what a frozen profile has of them.
 *
 * A query whose columns are "feature" (text) and "distribution" (ml_score.distribution) is a frozen profile, a feature a
 * row. Of any other query each column is a feature.
 */
#ifndef MLS_FEATURE_H
#define MLS_FEATURE_H

#include "ml_score.h"

#include "drift/distribution.h"
#include "drift/tally.h"
#include "utils/array.h"

typedef struct MlsFeature
{
	char *name;
	Oid type; /* what its values are judged by; domains stand for their base type */
	bool numeric;
	MlsTally *tally;			   /* counted here, or */
	MlsDistribution *distribution; /* frozen */
} MlsFeature;

typedef struct MlsFeatures
{
	int nfeatures;
	MlsFeature *features;
} MlsFeatures;

/*
 * Run query, as the caller, reading only, and count its columns, within budget bytes altogether. word says in errors which
 * query it is. categorical: names of columns that are categories whatever their type. baseline: count only what it has,
 * as what it has there; NULL: everything, by the columns' own types. The result is in the current memory context.
 */
extern MlsFeatures *mls_features_take(const char *word, const char *query, ArrayType *categorical,
									  const MlsFeatures *baseline, Size budget);

extern const MlsFeature *mls_features_find(const MlsFeatures *features, const char *name);

/* A NOTICE of the features that only the baseline has; an error when the current query has none of them. */
extern void mls_features_match(const MlsFeatures *baseline, const MlsFeatures *current);

extern const MlsTotals *mls_feature_totals(const MlsFeature *feature);

/* Its counts from the beginning; what was read of them before is void. */
extern MlsCounts *mls_feature_read(const MlsFeature *feature);

/* Close their temporary files. */
extern void mls_features_close(MlsFeatures *features);

#endif
