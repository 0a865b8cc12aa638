/*
 * decode.h - reply bodies to result values.
 */
#ifndef MLS_DECODE_H
#define MLS_DECODE_H

#include "catalog/function.h"
#include "codec/json_read.h"
#include "codec/schema.h"

typedef struct MlsDecoder MlsDecoder;

extern MlsDecoder *mls_decoder_create(const MlsFunction *fn, const MlsServer *server, const MlsSchema *schema);

/*
 * Read the results of nrows argument tuples from a reply. model_rows[i] tells how many of the model's rows tuple i was
 * (NULL: one each). Values are made in cxt. Returns NULL, or what is wrong with the body (palloc'd; nothing of the
 * payload beyond a short excerpt): not JSON, no results found, one too few or too many, invalid UTF-8, a value the
 * result type cannot hold. bad_row gets the tuple at fault, or -1 when it is the body as a whole. items, if not NULL,
 * gets each tuple's result as the reply has it, in the reply's memory or in cxt.
 */
extern char *mls_decode_reply(MlsDecoder *decoder, const char *body, size_t len, int nrows, const int *model_rows,
							  MemoryContext cxt, Datum *values, bool *nulls, MlsSpan *items, int *bad_row);

/* The result for a row that failed with reason: NULL, or a row of NULLs with its error column set. */
extern Datum mls_decode_failed_row(MlsDecoder *decoder, const char *reason, MemoryContext cxt, bool *isnull);

/*
 * Functions that return a set: a tuple's value is an array of fn->result_type, of the items that the reply has for the
 * tuple (one item that is no array counts as an array of one).
 */

#endif
