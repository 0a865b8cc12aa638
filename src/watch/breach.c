/*
 * breach.c - see breach.h.
 */
#include "postgres.h"

#include "watch/breach.h"

#include <math.h>

bool
mls_breach_is(double value, double threshold, MlsBound bound)
{
	if (isnan(value) || isnan(threshold))
		return false;
	return bound == MLS_BOUND_ABOVE ? value > threshold : value < threshold;
}

MlsOutcome
mls_outcome_add(MlsOutcome outcome, double value, double threshold, MlsBound bound)
{
	if (isnan(value) || isnan(threshold))
		return outcome;
	return mls_outcome_worse(outcome, mls_breach_is(value, threshold, bound) ? MLS_OUTCOME_BREACHED : MLS_OUTCOME_OK);
}

MlsOutcome
mls_outcome_worse(MlsOutcome a, MlsOutcome b)
{
	return Max(a, b);
}

const char *
mls_outcome_name(MlsOutcome outcome)
{
	static const char *const names[] = {"no data", "ok", "breached"};

	return names[outcome];
}

MlsAnnouncement
mls_announce(bool announced, double since_ms, MlsOutcome outcome, double cool_down_ms)
{
	if (announced)
		return outcome == MLS_OUTCOME_OK ? MLS_ANNOUNCE_RECOVERY : MLS_ANNOUNCE_NOTHING;
	if (outcome != MLS_OUTCOME_BREACHED || (since_ms >= 0 && since_ms < cool_down_ms))
		return MLS_ANNOUNCE_NOTHING;
	return MLS_ANNOUNCE_BREACH;
}
