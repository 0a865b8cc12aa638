/*
 * html.h - text into HTML. Pure.
 *
 * Everything that goes into a page is written by mls_html_put, so nothing gets there unescaped. What is written is ASCII,
 * other characters being numeric references: the page is the same in every encoding. It is well-formed XML as well.
 */
#ifndef MLS_HTML_H
#define MLS_HTML_H

#include "postgres.h"

#include "lib/stringinfo.h"

/*
 * As appendStringInfo, with %s (UTF-8, escaped for text and for attributes in double quotes), %d, %.1f to %.9f and %% only.
 * Bytes that are no UTF-8, and characters that would not show or would turn the text around, become U+FFFD.
 */
extern void mls_html_put(StringInfo out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The first so many characters of UTF-8 text, and an ellipsis if that is not all; palloc'd. */
extern char *mls_html_clip(const char *text, int characters);

#endif
