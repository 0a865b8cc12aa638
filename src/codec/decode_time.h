/*
 * decode_time.h - times as JSON has them, ISO 8601 texts and numbers since the epoch, to PostgreSQL's microseconds. Pure.
 */
#ifndef MLS_DECODE_TIME_H
#define MLS_DECODE_TIME_H

#include "codec/decode_value.h"
#include "datatype/timestamp.h"

/*
 * Read YYYY-MM-DD{T| }HH:MM[:SS[.ffffff]][Z|+HH[[:]MM]]. local: as the clock shows it; utc: only when *zoned. False for
 * everything else, right or wrong: then the type's input function is to decide.
 */
extern bool mls_time_parse_iso(const char *text, size_t len, Timestamp *local, TimestampTz *utc, bool *zoned);

/*
 * The time that a valid number token is, in unit. MLS_TIME_AUTO: up to 10^11 in size it is seconds (until the year 5138),
 * up to 10^14 milliseconds, up to 10^17 microseconds, beyond that nanoseconds. False when no timestamp can be that.
 */
extern bool mls_time_from_number(const char *token, size_t len, MlsTimeUnit unit, TimestampTz *result);

#endif
