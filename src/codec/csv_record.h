/*
 * csv_record.h - CSV (RFC 4180) to records of fields; pure.
 *
 * Fields may be quoted and then hold anything. Blank lines are nothing.
 */
#ifndef MLS_CSV_RECORD_H
#define MLS_CSV_RECORD_H

#include "postgres.h"

#include "codec/json_read.h"
#include "lib/stringinfo.h"

typedef struct MlsCsvDialect
{
	char delimiter;
	char quote;
	char escape; /* before a quote or itself, within quotes; may be the quote */
} MlsCsvDialect;

typedef struct MlsCsvField
{
	MlsSpan text; /* of kind MLS_SPAN_STRING, in the body or in the reader's scratch buffer */
	bool quoted;
	int copied; /* where in the scratch buffer the text is, or -1: in the body */
} MlsCsvField;

typedef struct MlsCsvReader
{
	MlsCsvDialect dialect;
	const char *at;
	const char *end;
	int record;			 /* number of the current one, from 1 */
	MlsCsvField *fields; /* of the current record; until the next is read */
	int nfields;
	int room;
	StringInfoData scratch; /* texts with escapes in them */
} MlsCsvReader;

/* Make a reader, with room for so many fields until it needs more; palloc'd. */
extern void mls_csv_init(MlsCsvReader *reader, MlsCsvDialect dialect, int room);

/* Begin with another body, which must stay. */
extern void mls_csv_start(MlsCsvReader *reader, const char *body, size_t len);

/* Read the next record; *more is false when there is none. NULL, or what is wrong with it, to stand after "record 3". */
extern const char *mls_csv_next(MlsCsvReader *reader, bool *more);

#endif
