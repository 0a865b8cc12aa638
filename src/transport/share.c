/*
 * share.c - see share.h.
 */
#include "transport/share.h"

#include <math.h>

/* A percentage such as 29 % is no binary fraction: without this the hundredth request might miss its number by a hair. */
#define ROUNDING 1e-9

static double
taken_before(uint64 number, double share)
{
	return floor((double) number * share + ROUNDING);
}

bool
mls_share_takes(uint64 number, double share)
{
	return taken_before(number + 1, share) > taken_before(number, share);
}
