/*
 * row_writer.h - rows of a query as the lines of an exported file, and their keys as they are kept in the database.
 */
#ifndef MLS_ROW_WRITER_H
#define MLS_ROW_WRITER_H

#include "access/tupdesc.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"

typedef struct MlsRowWriter MlsRowWriter;

/*
 * For rows of desc, in the current context. keys: columns that do not go into the file unless send_keys says so; each
 * must be there. server: for messages. Raises when no column is left.
 */
extern MlsRowWriter *mls_row_writer(TupleDesc desc, const char *format, char *const *keys, int nkeys, bool send_keys,
									const char *server);

/* "csv" or "jsonl", and the content type. */
extern const char *mls_row_writer_ending(const MlsRowWriter *writer);
extern const char *mls_row_writer_type(const MlsRowWriter *writer);

/* What stands at a file's beginning. */
extern void mls_row_writer_header(MlsRowWriter *writer, StringInfo out);

/* Append a row to out, and its keys to keys: a line of COPY's text format. */
extern void mls_row_writer_row(MlsRowWriter *writer, TupleTableSlot *slot, StringInfo out, StringInfo keys);

#endif
