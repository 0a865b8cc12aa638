/*
 * avro_schema.h - Avro schemas (specification 1.11) as graphs of nodes. Pure, but for the memory.
 *
 * libavro would parse them, too, but knows no logical types, resolves neither defaults nor the symbols of enums, and does
 * not bound what a malformed event makes it do.
 */
#ifndef MLS_AVRO_SCHEMA_H
#define MLS_AVRO_SCHEMA_H

#include "codec/json_read.h"
#include "lib/stringinfo.h"

typedef enum MlsAvroType
{
	MLS_AVRO_NULL,
	MLS_AVRO_BOOLEAN,
	MLS_AVRO_INT,
	MLS_AVRO_LONG,
	MLS_AVRO_FLOAT,
	MLS_AVRO_DOUBLE,
	MLS_AVRO_BYTES,
	MLS_AVRO_STRING,
	MLS_AVRO_RECORD,
	MLS_AVRO_ENUM,
	MLS_AVRO_ARRAY,
	MLS_AVRO_MAP,
	MLS_AVRO_UNION,
	MLS_AVRO_FIXED,
	MLS_AVRO_UNREADABLE /* of a resolved schema: the reader's has no place for this */
} MlsAvroType;

typedef enum MlsAvroLogical
{
	MLS_AVRO_PLAIN,
	MLS_AVRO_DECIMAL,
	MLS_AVRO_DATE,
	MLS_AVRO_TIME_MILLIS,
	MLS_AVRO_TIME_MICROS,
	MLS_AVRO_TIMESTAMP_MILLIS,
	MLS_AVRO_TIMESTAMP_MICROS,
	MLS_AVRO_LOCAL_MILLIS,
	MLS_AVRO_LOCAL_MICROS,
	MLS_AVRO_DURATION
} MlsAvroLogical;

typedef struct MlsAvroNode MlsAvroNode;

/* A record's field, or a union's branch, an array's items, a map's values: those have no name. */
typedef struct MlsAvroField
{
	char *name; /* UTF-8; of a resolved schema, NULL for what is skipped */
	MlsAvroNode *node;
	char **aliases;
	int naliases;
	MlsSpan def; /* the default, in the schema's text; MLS_SPAN_NONE: there is none */
} MlsAvroField;

struct MlsAvroNode
{
	MlsAvroType type;
	MlsAvroLogical logical;
	char *name; /* of named types: the full name */
	int size;	/* of fixed */
	int scale;	/* of decimal */
	MlsAvroField *fields;
	int nfields;
	char **symbols; /* of an enum; of a resolved one NULL where the reader has none */
	int nsymbols;
	char *symbol_default; /* or NULL */
	char *defaults;		  /* of a resolved record: members that the writer has not, as JSON ("" or "a":1,...) */
	const char *reason;	  /* of what is unreadable */
};

/* Parse a schema, JSON in UTF-8 that must outlive the result. NULL, or the palloc'd reason why it is none. */
extern char *mls_avro_parse(const char *json, size_t len, MlsAvroNode **result);

/*
 * What is written by one schema, read as another: a graph with the writer's layout that tells what becomes of each part
 * (avro_resolve.c). Never fails as a whole but when nothing could be read: then it is MLS_AVRO_UNREADABLE.
 */
extern MlsAvroNode *mls_avro_resolve(const MlsAvroNode *writer, const MlsAvroNode *reader);

/*
 * Append one value in Avro's binary encoding to out as JSON, moving *data past it (avro_json.c). Null unions are the
 * value itself; bytes are base64; decimals numbers; dates, times, timestamps ISO 8601; durations the interval's. NULL, or
 * the palloc'd reason why the data is none; strings are not checked to be UTF-8. limit: bytes that out may have.
 */
extern char *mls_avro_to_json(const MlsAvroNode *node, const char **data, const char *end, StringInfo out, int limit);

/* The same for parts: an int or long, bytes or a fixed, as their logical type wants them. */
extern char *mls_avro_write_whole(StringInfo out, const MlsAvroNode *node, int64 value);
extern char *mls_avro_write_bytes(StringInfo out, const MlsAvroNode *node, const char *bytes, int len);

#endif
