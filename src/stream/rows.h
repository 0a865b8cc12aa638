/*
 * rows.h - events to the rows of the relation "batch", and where rows go.
 */
#ifndef MLS_ROWS_H
#define MLS_ROWS_H

#include "ml_score.h"

#include <librdkafka/rdkafka.h>

#include "codec/event.h"
#include "stream/stream.h"

/* An event, wherever it comes from. Nothing in it is owned. */
typedef struct MlsEvent
{
	int partition;
	int64 offset;
	TimestampTz time; /* 0: it has none */
	const char *key;  /* NULL: it has none */
	size_t key_len;
	const char *value; /* NULL: a tombstone */
	size_t value_len;
	rd_kafka_message_t *message; /* whose headers it has, or NULL: it has these */
	Jsonb *headers;				 /* or NULL */
} MlsEvent;

/* Takes rows, all of one micro-batch. */
typedef struct MlsSink MlsSink;
struct MlsSink
{
	void (*put)(MlsSink *sink, Datum *values, bool *nulls); /* what values point to stays until flush */
	void (*flush)(MlsSink *sink);
	void (*finish)(MlsSink *sink); /* the rows are where they belong, after this */
};

/* Puts some more rows into its sink. False: there are none left. */
typedef bool (*MlsRowSource)(void *arg);

typedef struct MlsRowMaker MlsRowMaker;

/* Raise unless a stream's columns, format and target go together, as its owner. In a transaction. */
extern void mls_row_maker_check(const MlsStream *stream);

/* How to make rows of a stream's events; palloc'd in the current context, where it stays. In a transaction. */
extern MlsRowMaker *mls_row_maker_create(const MlsStream *stream);

/* Was the target changed since, so that rows must be made anew? In a transaction. */
extern bool mls_row_maker_outdated(const MlsRowMaker *rows);

extern const MlsStream *mls_row_maker_stream(const MlsRowMaker *rows);
extern MlsEventDecoder *mls_row_maker_decoder(const MlsRowMaker *rows);

/* The columns of the relation "batch". Those of the target itself, when rows_are_target's. */
extern TupleDesc mls_row_maker_desc(const MlsRowMaker *rows);
extern bool mls_row_maker_are_targets(const MlsRowMaker *rows);

/* Does the column (of the target) take what the event has? Dropped, generated and always-identity columns do not. */
extern bool mls_row_maker_fills(const MlsRowMaker *rows, int column);

/* Before and after rows are put, within one resource owner: makes ready the defaults of columns. */
extern void mls_row_maker_begin(MlsRowMaker *rows);
extern void mls_row_maker_end(MlsRowMaker *rows);

/* Decode an event and put its rows. */
extern MlsEventStatus mls_row_maker_put(MlsRowMaker *rows, const MlsEvent *event, MlsSink *sink, int64 *count,
										MlsEventFault *fault);

/* The event's headers, an object of texts; NULL when there are none. palloc'd. */
extern Jsonb *mls_event_headers(const MlsEvent *event);

/* insert.c: a sink that writes a plain table as COPY does; NULL when the target is not plain enough. */
extern MlsSink *mls_insert_sink(const MlsRowMaker *rows);

/*
 * batch_relation.c: a sink that runs the stream's query, or INSERT, over the relation "batch". In SPI_connect. finish asks
 * source(arg) for rows as the query reads them, and to its end in any case; expected is about how many. Or source is NULL
 * and all rows are put before.
 */
extern MlsSink *mls_batch_sink(const MlsRowMaker *rows, MlsRowSource source, void *arg, int expected);

/* From _PG_init. */
extern void mls_batch_relation_init(void);

#endif
