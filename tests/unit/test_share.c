/* sources: src/transport/share.c
 *
 * test_share.c - shares of a row of requests.
 */
#include "postgres.h"

#include "tap.h"
#include "transport/share.h"

static int
taken(double share, uint64 from, int count)
{
	int n = 0;

	for (int i = 0; i < count; i++)
		n += mls_share_takes(from + i, share);
	return n;
}

/* The longest run of requests that all are taken, or all are not. */
static int
longest_run(double share, bool wanted)
{
	int longest = 0;
	int run = 0;

	for (uint64 i = 0; i < 10000; i++)
	{
		run = mls_share_takes(i, share) == wanted ? run + 1 : 0;
		longest = Max(longest, run);
	}
	return longest;
}

int
main(void)
{
	int wrong = 0;

	for (int percent = 0; percent <= 100; percent++)
		wrong += taken(percent / 100.0, 0, 100) != percent || taken(percent / 100.0, 12300, 100) != percent;
	ok(wrong == 0, "of a hundred requests, each whole percentage takes exactly its number");
	ok(taken(0, 0, 100000) == 0 && taken(1, 0, 100000) == 100000, "nothing and everything");
	ok(taken(0.001, 0, 1000000) == 1000, "a thousandth of a million: %d", taken(0.001, 0, 1000000));
	ok(longest_run(0.25, false) == 3 && longest_run(0.75, true) == 3, "evenly spread");
	return done_testing();
}
