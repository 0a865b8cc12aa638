/*
 * imds_retry.c - the waits that Azure documents for its metadata service.
 */
#include "postgres.h"

#include "auth/imds_retry.h"

#define LONGEST_MS (60 * 1000)

/* 1 s, 2 s, 4 s, ... for so many times. */
static int
exponential(int n, int times)
{
	return n > times ? -1 : 1000 << (n - 1);
}

int
mls_imds_retry_ms(bool imds, int status, int n, int64 retry_after_ms)
{
	int delay = -1;

	if (status == 404 && imds)
		return exponential(n, 3);
	if (status == 410 && imds)
		return n > 7 ? -1 : 10 * 1000;
	if (status == 429)
		delay = exponential(n, 5);
	else if (status >= 500)
		delay = exponential(n, 3);
	if (delay >= 0 && retry_after_ms >= 0)
		return (int) Min(retry_after_ms, LONGEST_MS);
	return delay;
}
