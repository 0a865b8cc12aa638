/*
 * encoding.h - between the server's encoding and the UTF-8 of JSON.
 */
#ifndef MLS_ENCODING_H
#define MLS_ENCODING_H

#include "codec/json_read.h"

/* text in the server's encoding as UTF-8: the same bytes, or a palloc'd copy. len is in and out. */
extern const char *mls_to_utf8(const char *text, int *len);

/*
 * Valid UTF-8 in the server's encoding, palloc'd and NUL-terminated in *text. NULL, or the palloc'd reason why that
 * cannot be.
 */
extern char *mls_from_utf8(const char *utf8, int len, char **text, int *text_len);

/* Where text stops being valid UTF-8, or -1. */
extern int mls_invalid_utf8(const char *text, size_t len);

/* The first part of a piece of a reply for messages, safe in any encoding; palloc'd. */
extern char *mls_excerpt(const char *text, size_t len);

/* The same with up to max bytes. */
extern char *mls_excerpt_of_length(const char *text, size_t len, int max);

/* The keys of an object, quoted and with commas between, likewise. */
extern char *mls_json_keys(const MlsSpan *object);

#endif
