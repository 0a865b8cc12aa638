/*
 * row_shape.h - what an argument tuple is to the model: its columns, one record, a data frame, or the row itself.
 * Encoder and decoder have to agree on it.
 */
#ifndef MLS_ROW_SHAPE_H
#define MLS_ROW_SHAPE_H

#include "catalog/function.h"
#include "codec/schema.h"

typedef enum MlsRowShape
{
	MLS_SHAPE_COLUMNS,	  /* each argument is a column */
	MLS_SHAPE_RECORD,	  /* the only argument is a composite: its columns are the row's */
	MLS_SHAPE_DATA_FRAME, /* the only argument is an array of composites: each is a row of its own */
	MLS_SHAPE_ARRAY		  /* the only argument is an array (or json) and the layout has no names: it is the row */
} MlsRowShape;

/* The layout that requests to server have. guessed: nothing said so. schema may be NULL. */
extern MlsRequestFormat mls_row_format(const MlsServer *server, const MlsSchema *schema, bool *guessed);

extern MlsRowShape mls_row_shape(const MlsFunction *fn, MlsRequestFormat format, const MlsSchema *schema);

#endif
