/*
 * breach.h - when a signal is breached, and when that, or its end, is announced. Pure.
 *
 * A signal is breached when any of its values is beyond its threshold, and fine when none is and there is a value to tell
 * by. Where there is nothing to tell by it stays what it was.
 *
 * An action announces a breach once, and then its end once:
 *
 *	quiet ----- breached, and cool-down over -----> announced (breach)
 *	announced - fine -----------------------------> quiet     (recovery)
 *
 * A breach within the cool-down of the last one announced is not announced, unless it lasts longer than that.
 */
#ifndef MLS_BREACH_H
#define MLS_BREACH_H

#include "watch/metric.h"

typedef enum MlsOutcome
{
	MLS_OUTCOME_NO_DATA,
	MLS_OUTCOME_OK,
	MLS_OUTCOME_BREACHED
} MlsOutcome;

typedef enum MlsAnnouncement
{
	MLS_ANNOUNCE_NOTHING,
	MLS_ANNOUNCE_BREACH,
	MLS_ANNOUNCE_RECOVERY
} MlsAnnouncement;

/* Is value beyond threshold? NaN, a missing one, never is. */
extern bool mls_breach_is(double value, double threshold, MlsBound bound);

/* The outcome of several values, of which one more is this. */
extern MlsOutcome mls_outcome_add(MlsOutcome outcome, double value, double threshold, MlsBound bound);

/* The worse of two. */
extern MlsOutcome mls_outcome_worse(MlsOutcome a, MlsOutcome b);

extern const char *mls_outcome_name(MlsOutcome outcome);

/*
 * What an action does at a run with this outcome. announced: it has announced a breach and not its end; since_ms: for how
 * long a breach was not announced, negative: never.
 */
extern MlsAnnouncement mls_announce(bool announced, double since_ms, MlsOutcome outcome, double cool_down_ms);

#endif
