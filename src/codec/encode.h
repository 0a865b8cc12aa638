/*
 * encode.h - argument tuples to request bodies.
 *
 * An encoder is made once per call and plan, then fed rows: each row is appended to a buffer by itself, so that any run
 * of rows can be assembled into a body (and a rejected body be cut into smaller ones).
 */
#ifndef MLS_ENCODE_H
#define MLS_ENCODE_H

#include "catalog/function.h"
#include "codec/schema.h"
#include "lib/stringinfo.h"

typedef struct MlsEncoder MlsEncoder;

/* palloc'd in the current context; schema may be NULL. Raises when the format cannot carry the function's arguments. */
extern MlsEncoder *mls_encoder_create(const MlsFunction *fn, const MlsServer *server, const MlsSchema *schema);

/*
 * Append one argument tuple's encoding to out. Returns how many of the model's rows it is: 1, or for a data frame (an
 * array of composites) the array's length. Raises, naming function, argument and kind, for values JSON cannot carry.
 * Equal encodings mean equal model input.
 */
extern int mls_encode_row(MlsEncoder *encoder, const Datum *values, const bool *nulls, StringInfo out);

/* A slice of an encoded buffer: one argument tuple. */
typedef struct MlsRowSlice
{
	const char *data;
	int len;
	int model_rows; /* as mls_encode_row returned */
} MlsRowSlice;

/* Append to out the body that carries these argument tuples, in order. */
extern void mls_encode_body(MlsEncoder *encoder, const MlsRowSlice *rows, int nrows, StringInfo out);

/*
 * Append to out what the model was given for an argument tuple, as JSON that explains itself: an object with its columns'
 * names, an array of them for a data frame.
 */
extern void mls_encode_inputs(const MlsEncoder *encoder, const MlsRowSlice *row, StringInfo out);

/* How many bytes a body is longer than the sum of its rows, about: for max_batch_bytes. */
extern int mls_encode_overhead(const MlsEncoder *encoder);

/* For hints: was the format guessed because the endpoint declares nothing? */
extern bool mls_encoder_guessed(const MlsEncoder *encoder);

/* For errors: an input that the endpoint declares and the function does not send, or NULL. */
extern const char *mls_encoder_missing(const MlsEncoder *encoder);

#endif
