/*
 * convert.h - SQL values to numbers and categories.
 */
#ifndef MLS_CONVERT_H
#define MLS_CONVERT_H

#include "ml_score.h"

#include "drift/tally.h"

/* How the values of a column get into a tally. */
typedef struct MlsConversion
{
	Oid from;	  /* the column's type, */
	Oid to;		  /* and the feature's, by which they are judged; base types */
	bool numeric; /* what the feature is */
	bool retyped; /* from's text is given to to's input function */
	FmgrInfo output;
	FmgrInfo input;
	FmgrInfo retyped_output;
	Oid input_param;
	bool is_text; /* from is text or varchar: its bytes are the category */
} MlsConversion;

/* Numbers, dates and timestamps are numeric. */
extern bool mls_type_is_numeric(Oid type);

/* A value of a numeric type; of a date or timestamp, the seconds since 1970. */
extern double mls_number_of(Datum value, Oid type);

extern void mls_conversion_init(MlsConversion *conversion, Oid from, Oid to, bool numeric);

/* Count one value that is not NULL. What it allocates is left in the current memory context. */
extern void mls_conversion_add(MlsConversion *conversion, Datum value, MlsTally *tally);

#endif
