/*
 * encode_layout.h - the encoder's insides, shared by encode.c and encode_tensors.c.
 */
#ifndef MLS_ENCODE_LAYOUT_H
#define MLS_ENCODE_LAYOUT_H

#include "codec/encode.h"
#include "codec/encode_value.h"
#include "codec/row_shape.h"

/* A column of the model's rows. */
typedef struct MlsEncodedColumn
{
	const char *name; /* UTF-8 */
	int source;		  /* index into the values that a row is written from */
	MlsValueWriter *writer;
	const char *prefix; /* what stands before the value: a comma, the key; padded for mls_json_write_padded */
	int prefix_len;
	const char *datatype; /* of a tensor */
} MlsEncodedColumn;

struct MlsEncoder
{
	const char *function;
	const char *server;
	MlsRequestFormat format;
	MlsRowShape shape;
	bool guessed;
	const char *missing; /* an input that is declared and no column's name, or NULL */
	bool tensors;		 /* by column */
	bool objects;		 /* a row is {"name": value}, not [value] */
	bool bare;			 /* a row is its only value */

	int ncolumns;
	MlsEncodedColumn *columns;
	MlsRecordWriter *record; /* the row's composite type, for records and data frames */
	Oid element;			 /* a data frame's element type */

	const char *open;	/* of a body */
	const char *middle; /* between a split frame's index and its rows, else NULL */
	const char *close;
	MemoryContext scratch; /* reset after each row */
};

/* encode_tensors.c: the same steps for the layout that goes by column. */
extern void mls_tensors_prepare(MlsEncoder *encoder);
extern void mls_tensors_write_row(MlsEncoder *encoder, const Datum *values, const bool *nulls, StringInfo out);
extern void mls_tensors_write_body(MlsEncoder *encoder, const MlsRowSlice *rows, int nrows, StringInfo out);
extern int mls_tensors_overhead(const MlsEncoder *encoder);

/* One of the model's rows at *data, as an object; *data moves behind it. */
extern void mls_tensors_write_inputs(const MlsEncoder *encoder, const char **data, StringInfo out);

#endif
