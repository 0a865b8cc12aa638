/*
 * event_decoder.h - the event decoder's insides, shared by the files that know one format each.
 */
#ifndef MLS_EVENT_DECODER_H
#define MLS_EVENT_DECODER_H

#include "codec/decode_value.h"
#include "codec/event.h"
#include "codec/event_path.h"
#include "nodes/pg_list.h"

typedef enum MlsEventFormat
{
	MLS_EVENT_JSON,
	MLS_EVENT_JSON_LINES,
	MLS_EVENT_JSON_ARRAY,
	MLS_EVENT_CSV,
	MLS_EVENT_AVRO,
	MLS_EVENT_RAW,
	MLS_EVENT_EVENTGRID
} MlsEventFormat;

typedef enum MlsEventCompression
{
	MLS_COMPRESSED_AUTO, /* when it looks like gzip */
	MLS_COMPRESSED_NONE,
	MLS_COMPRESSED_GZIP
} MlsEventCompression;

/* What an event without a value gives. */
typedef enum MlsEventTombstones
{
	MLS_TOMBSTONE_SKIP, /* no row */
	MLS_TOMBSTONE_ROW,	/* a row of NULLs */
	MLS_TOMBSTONE_FAIL	/* a fault */
} MlsEventTombstones;

typedef struct MlsEventOptions
{
	MlsEventCompression compression;
	size_t max_size; /* bytes an event may have once it is inflated */
	MlsEventTombstones tombstones;
	MlsTimeUnit *time_units; /* by column */
	List **paths;			 /* by column: char *, in the server's encoding; NIL: by the column's name */

	/* csv */
	bool header; /* the first line has the columns' names */
	char delimiter;
	char quote;
	char escape;
	const char *null;

	/* avro */
	const char *schema;	  /* JSON, in the server's encoding */
	const char *registry; /* name of a server of TYPE 'registry' */
} MlsEventOptions;

struct MlsEventDecoder
{
	MlsEventFormat format;
	MlsEventOptions options;
	MemoryContext cxt;
	TupleDesc columns;
	Oid userid;
	MlsValueReader **readers; /* by column; NULL: not of the event */
	Datum *values;
	bool *nulls;
	bool guarded; /* a reader may raise */

	MlsPathNode root; /* formats that are, or become, JSON */
	MlsPathItem *items;

	int raw_column;
	struct MlsCsvColumns *csv;
	struct MlsAvroReader *avro;
};

/* One event on its way. */
typedef struct MlsEventRun
{
	MlsEventDecoder *decoder;
	MlsEventRow row;
	void *arg;
	MlsEventFault *fault;
	int column;	 /* whose value is being read, or -1 */
	bool in_row; /* the caller's function is running */
} MlsEventRun;

/* event_option.c: fill decoder->options from a list that may be NULL; raises. */
extern void mls_event_read_options(MlsEventDecoder *decoder, Jsonb *options);

/* event.c: note what is wrong, for the status to be returned at once. reason is palloc'd, or a static text. */
extern MlsEventStatus mls_event_fail(MlsEventRun *run, int sqlstate, const char *reason);

/* Read an item into the column's place among the decoder's values; a fault when it does not fit. */
extern MlsEventStatus mls_event_read(MlsEventRun *run, int column, const MlsSpan *item);

/* Hand the decoder's values and nulls to the caller. */
extern void mls_event_emit(MlsEventRun *run);

/* event_json.c */
extern void mls_event_json_prepare(MlsEventDecoder *decoder);
extern MlsEventStatus mls_event_json_decode(MlsEventRun *run, const char *body, size_t len);

/* event_csv.c */
extern void mls_event_csv_prepare(MlsEventDecoder *decoder);
extern MlsEventStatus mls_event_csv_decode(MlsEventRun *run, const char *body, size_t len);

/* event_avro.c */
extern void mls_event_avro_prepare(MlsEventDecoder *decoder);
extern MlsEventStatus mls_event_avro_decode(MlsEventRun *run, const char *body, size_t len);
extern void mls_event_avro_fetch(MlsEventDecoder *decoder);

#endif
