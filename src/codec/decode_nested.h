/*
 * decode_nested.h - the part of decode_value.h that takes objects and arrays apart.
 */
#ifndef MLS_DECODE_NESTED_H
#define MLS_DECODE_NESTED_H

#include "codec/decode_value.h"

/*
 * While item is a container that stands for the one value in it, replace it with that value. NULL, or the reason why
 * none of its values is the one.
 */
extern char *mls_unwrap_item(MlsValueReader *reader, MlsSpan *item);

/* The member of object that is the result: a scalar's reader asks. NULL, or the reason with the list of the keys. */
extern char *mls_result_member(const MlsResultNames *names, const MlsSpan *object, MlsSpan *result);

#endif
