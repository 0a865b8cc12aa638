/*
 * state.h - the transition state of aggregates that count values: a few tallies of one kind.
 *
 * Drift: the baseline's and the current values (ml_score.distribution: the former alone). AUC: the scores of negatives
 * and positives. Classification: what was true, what was predicted, and what was rightly predicted.
 */
#ifndef MLS_STATE_H
#define MLS_STATE_H

#include "ml_score.h"

#include "drift/tally.h"

#define MLS_STATE_TALLIES 3

typedef struct MlsState
{
	bool numeric;
	MlsTally *tallies[MLS_STATE_TALLIES];
	text *positive; /* classification: the one class that is asked about; NULL: all */
} MlsState;

/* The state that a transition or combine function has as its first argument; one is made where it is NULL. */
extern MlsState *mls_state_argument(FunctionCallInfo fcinfo, bool numeric);

/* Arguments to a tally: NULL is missing. */
extern void mls_state_add_number(MlsTally *tally, FunctionCallInfo fcinfo, int argument);

#endif
