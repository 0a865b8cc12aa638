/*
 * decode_value.h - one value of a reply's JSON to an SQL value.
 *
 * Readers are made once per call and plan. They do not raise for what the endpoint sent (but before PostgreSQL 16 the
 * input functions of an extension's types do): they return NULL, or the palloc'd reason why the value does not fit.
 */
#ifndef MLS_DECODE_VALUE_H
#define MLS_DECODE_VALUE_H

#include "access/tupdesc.h"
#include "codec/json_read.h"
#include "fmgr.h"

/* What a number means where a time is wanted; the epoch is 1970-01-01 UTC. */
typedef enum MlsTimeUnit
{
	MLS_TIME_TEXT, /* nothing: times are texts */
	MLS_TIME_AUTO, /* told by the number's size: see decode_time.h */
	MLS_TIME_SECONDS,
	MLS_TIME_MILLISECONDS,
	MLS_TIME_MICROSECONDS,
	MLS_TIME_NANOSECONDS
} MlsTimeUnit;

/* How to tell the one result among an object's members. */
typedef struct MlsResultNames
{
	char *column; /* the function's only OUT argument, or NULL */
	char *output; /* the only output that the endpoint declares and that is not an input, or NULL */
	int ninputs;
	char **inputs; /* the function's arguments; all names in UTF-8 */
} MlsResultNames;

typedef struct MlsValueReader MlsValueReader;

struct MlsValueReader
{
	/* item is not null and, for types that unwrap, no container of one */
	char *(*read)(MlsValueReader *reader, const MlsSpan *item, Datum *value);
	Oid type; /* domains looked through */
	int32 typmod;
	bool unwrap_array;			 /* [1] stands for 1 */
	bool unwrap_object;			 /* {"score": 1} stands for 1 */
	const MlsResultNames *names; /* for unwrapping objects; NULL: only those with one member */
	MlsTimeUnit time_unit;
	Oid domain; /* to check the value against, or invalid */
	void *domain_cache;
	MemoryContext cxt; /* the reader's own */

	FmgrInfo input;
	Oid input_param;

	MlsValueReader *element; /* of an array */
	int16 element_len;
	bool element_byval;
	char element_align;
	bool flat; /* nested arrays are the elements' own */
	bool lone; /* what is no array is an array of one */

	struct MlsRecordReader *record;
};

extern MlsValueReader *mls_value_reader(Oid type, int32 typmod, const MlsResultNames *names);

/* Rows of desc, which must be blessed or a named type's; the column skip (or -1) is left NULL. */
extern MlsValueReader *mls_record_reader(TupleDesc desc, int skip, const MlsResultNames *names);

/* Arrays of what element reads, one dimension; an item that is no array counts as an array of one when lone. */
extern MlsValueReader *mls_array_reader(MlsValueReader *element, Oid element_type, bool lone);

/* Is there a column of this name (or one that differs in case, spaces, underscores)? Its index, or -1. */
extern int mls_record_column(MlsValueReader *reader, const MlsSpan *key);
extern int mls_record_live_columns(MlsValueReader *reader);

/*
 * Make reader, with those inside it, one for events: what stands for a value is the value itself, no container of it;
 * an object need not have all columns of a composite; numbers may be times.
 */
extern void mls_value_reader_for_events(MlsValueReader *reader, MlsTimeUnit unit);

/* Make reader, of a scalar, one of texts as they are: JSON, too, is read from the text that a string span is. */
extern void mls_value_reader_for_text(MlsValueReader *reader);

/* Might reading a value raise? What the database's version cannot say softly: an extension's input function, a domain. */
extern bool mls_value_reader_may_raise(const MlsValueReader *reader);

extern char *mls_read_value(MlsValueReader *reader, const MlsSpan *item, Datum *value, bool *isnull);

#endif
