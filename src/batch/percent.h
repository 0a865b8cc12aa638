/*
 * percent.h - percent-encoding in URLs. Pure.
 */
#ifndef MLS_PERCENT_H
#define MLS_PERCENT_H

#include "lib/stringinfo.h"

/* Append text with everything encoded but letters, digits, "-._~" and the characters in keep. */
extern void mls_percent_encode(StringInfo out, const char *text, const char *keep);

/* len bytes of text decoded; a "%" that no two digits follow stays. palloc'd. */
extern char *mls_percent_decode(const char *text, size_t len);

#endif
