/*
 * copy_text.h - COPY's text format, in which keys are kept and lines go to the target. Pure.
 */
#ifndef MLS_COPY_TEXT_H
#define MLS_COPY_TEXT_H

#include "lib/stringinfo.h"

/* Append len bytes of text as a value. */
extern void mls_copy_write(StringInfo out, const char *text, size_t len);

/* Take a line (without its line break) apart, in place: n values, NULL for nulls. It must have so many. */
extern void mls_copy_split(char *line, char **values, int n);

#endif
