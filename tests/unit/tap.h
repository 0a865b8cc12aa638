/*
 * tap.h - what every unit test says: "ok" or "not ok" a check, and the plan at the end.
 */
#ifndef MLS_TAP_H
#define MLS_TAP_H

#include <stdarg.h>
#include <stdio.h>

static int tap_checks;
static int tap_failures;

/* One check; the format and what follows describe it. Returns passed. */
__attribute__((format(printf, 2, 3))) static inline int
ok(int passed, const char *format, ...)
{
	va_list args;

	tap_checks++;
	tap_failures += !passed;
	printf("%sok %d - ", passed ? "" : "not ", tap_checks);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	return passed;
}

/* To be returned from main. */
static inline int
done_testing(void)
{
	printf("1..%d\n", tap_checks);
	return tap_failures > 0;
}

#endif
