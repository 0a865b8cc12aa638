/*
 * distribution_value.h - values of type ml_score.distribution in C.
 */
#ifndef MLS_DISTRIBUTION_VALUE_H
#define MLS_DISTRIBUTION_VALUE_H

#include "ml_score.h"

#include "drift/distribution.h"

/* A value to be read, from its beginning; raises when it is none, or is of another encoding than the database. */
extern MlsDistribution *mls_distribution_get(Datum datum);

/* A value of what source gives; type: its values' type, as SQL writes it. Raises when it would be too large. */
extern Datum mls_distribution_make(MlsCounts *source, const char *type);

#endif
