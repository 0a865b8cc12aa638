/*
 * units.h - numbers as people read them. Pure; results are palloc'd. NaN gives a dash.
 */
#ifndef MLS_UNITS_H
#define MLS_UNITS_H

#include "postgres.h"

extern char *mls_units_count(double count);		/* 1,234,567 */
extern char *mls_units_short(double number);	/* 1.23M, three digits */
extern char *mls_units_number(double number);	/* 0.0123, three digits, plain */
extern char *mls_units_ms(double ms);			/* 12.3 ms, 1.23 s, and so on */
extern char *mls_units_seconds(double seconds); /* 12.3 s, 2 min 5 s, 3 h 12 min, 4 d 1 h */
extern char *mls_units_bytes(double bytes);		/* 12.3 MB */
extern char *mls_units_percent(double share);	/* 12.3 % */
extern char *mls_units_date(double epoch);		/* 2026-11-25, UTC */
extern char *mls_units_time(double epoch);		/* 2026-11-25 10:20:30, UTC */

#endif
