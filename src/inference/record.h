/*
 * record.h - one request and its answer, flat, as it goes through shared memory.
 */
#ifndef MLS_RECORD_H
#define MLS_RECORD_H

#include "ml_score.h"

#include "codec/json_read.h"
#include "datatype/timestamp.h"
#include "lib/stringinfo.h"

typedef enum MlsRecordKind
{
	MLS_RECORD_LOG,	   /* to be written into the server's log_table */
	MLS_RECORD_SHADOW, /* to be sent to the server's shadow_deployment */
	MLS_RECORD_KINDS
} MlsRecordKind;

typedef enum MlsTraffic
{
	MLS_TRAFFIC_LIVE,
	MLS_TRAFFIC_CANARY,
	MLS_TRAFFIC_SHADOW
} MlsTraffic;

#define MLS_RECORD_ID_SIZE 40
#define MLS_RECORD_NAME_SIZE 64

typedef struct MlsRecord
{
	Size size; /* of all of it */
	MlsRecordKind kind;
	MlsTraffic traffic;
	bool logged; /* of a copy to be sent: its answer goes into the log */
	Oid serverid;
	Oid fnoid;
	Oid userid; /* whose credential it went with */
	TimestampTz time;
	int64 latency_us;
	int ntuples;						   /* of arguments */
	int model_rows;						   /* rows of the model in them */
	char id[MLS_RECORD_ID_SIZE];		   /* x-ms-client-request-id */
	char azure_id[MLS_RECORD_ID_SIZE];	   /* what the endpoint calls it; or "" */
	char deployment[MLS_RECORD_NAME_SIZE]; /* or "" */
	Size body_len;						   /* of a copy to be sent */
	char data[FLEXIBLE_ARRAY_MEMBER];
} MlsRecord;

/*
 * After the header: the request's body (of copies to be sent), then for each tuple the number of its model rows (an int),
 * its inputs and its outputs, both as text that ends in a zero byte and may be empty, then the text of the error, too.
 */

/* Copy text into a field of the header, cut where it is too long; NULL is "". */
extern void mls_record_set_text(char *field, size_t size, const char *text);

/* Begin a record in out, whose header the caller has filled. */
extern void mls_record_begin(StringInfo out, const MlsRecord *header, const char *body, size_t len);

/*
 * Add a tuple; result NULL: none. What is no JSON for every reader (NaN) becomes a string, or the whole result null where
 * it is deeper inside.
 */
extern void mls_record_add_result(StringInfo out, int model_rows, const char *inputs, int inputs_len,
								  const MlsSpan *result);

/* End it: the record is out->data then. error NULL: none. */
extern MlsRecord *mls_record_end(StringInfo out, const char *error);

/* Walk through a record: mls_record_read until all tuples are read, then mls_record_error. */
typedef struct MlsRecordReader
{
	const char *at;
} MlsRecordReader;

extern void mls_record_start(MlsRecordReader *reader, const MlsRecord *record);
extern void mls_record_read(MlsRecordReader *reader, int *model_rows, const char **inputs, const char **outputs);
extern const char *mls_record_error(MlsRecordReader *reader);

#endif
