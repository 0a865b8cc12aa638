/*
 * encode_value.h - one SQL value to the JSON that the endpoint wants for it.
 *
 * Which code writes a value is settled once, when the writer is made, from its SQL type and what the endpoint's swagger
 * declares for it.
 */
#ifndef MLS_ENCODE_VALUE_H
#define MLS_ENCODE_VALUE_H

#include "catalog/function.h"
#include "codec/schema.h"
#include "lib/stringinfo.h"

typedef struct MlsValueWriter MlsValueWriter;

/* Whose values they are, for messages. */
typedef struct MlsValueOwner
{
	const char *function;
	const char *server;
	const char *argument; /* its name, with the path to a part of it: "d.carat" */
} MlsValueOwner;

struct MlsValueWriter
{
	/* Append value, which is not NULL, to out as JSON. Raises for what JSON cannot carry. May leave garbage behind. */
	void (*write)(MlsValueWriter *writer, Datum value, StringInfo out);
	MlsValueOwner owner;
	Oid type;		 /* domains looked through */
	bool point;		 /* whole floats keep their ".0" */
	FmgrInfo output; /* types that are sent as their text */

	MlsValueWriter *inner; /* an array's elements; what a quoted writer quotes */
	int16 element_len;
	bool element_byval;
	char element_align;

	struct MlsRecordWriter *record; /* a composite's columns */
};

/* A composite type's columns, ready to be written. */
typedef struct MlsRecordWriter
{
	TupleDesc desc;
	Oid type;
	int32 typmod;
	int ncolumns; /* those that are not dropped */
	int *attnums; /* 0-based position in desc */
	char **names; /* in UTF-8 */
	MlsValueWriter **writers;
	Datum *values; /* room for a deformed row */
	bool *nulls;
} MlsRecordWriter;

/*
 * A writer for values of type, in the current context. declared: what the swagger says of it, or NULL. Raises when
 * the type can never be sent as declared.
 */
extern MlsValueWriter *mls_value_writer(const MlsValueOwner *owner, Oid type, const MlsField *declared);

/* The columns of a composite type, each written as the field of the same name (or without one) in fields declares. */
extern MlsRecordWriter *mls_record_writer(const MlsValueOwner *owner, TupleDesc desc, const MlsField *fields,
										  int nfields);

/* Take a composite datum apart into record->values and nulls, which point into it. */
extern void mls_record_deform(MlsRecordWriter *record, Datum row);

#endif
