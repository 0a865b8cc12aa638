/*
 * assert_shim.c - what a failed Assert calls, for headers of a PostgreSQL that was built with --enable-cassert. Without
 * postgres.h, because its arguments differ between versions and none is needed.
 */
#include <stdio.h>
#include <stdlib.h>

void ExceptionalCondition(const char *condition);

void
ExceptionalCondition(const char *condition)
{
	fprintf(stderr, "assertion failed: %s\n", condition);
	abort();
}
