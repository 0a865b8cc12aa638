/*
 * event.h - the bytes of a stream's events to rows of typed columns.
 *
 * A decoder is made once per stream and worker, then given one event after the other. It never raises for what an event
 * holds: an event that cannot be read gives a fault, and the next one is read as if nothing had been.
 *
 *	decoder = mls_event_decoder_create(&spec);
 *	status = mls_event_decode(decoder, body, len, store_row, arg, &fault);
 */
#ifndef MLS_EVENT_H
#define MLS_EVENT_H

#include "access/tupdesc.h"
#include "catalog/server.h"
#include "utils/jsonb.h"

/* How events are laid out, and the columns that they fill. */
typedef struct MlsEventSpec
{
	const char *format; /* "json", "json_lines", "json_array", "csv", "avro", "raw", "eventgrid" */
	Jsonb *options;		/* an object of the format's options, or NULL for none */
	TupleDesc columns;	/* dropped, generated and metadata columns are not of the event: they stay NULL */
	bool windowed;		/* window_start and window_end are not of the event, either */
	Oid userid;			/* whose user mapping opens the schema registry */
} MlsEventSpec;

/* Columns of these names are the position's and the envelope's, filled by the stream. */
typedef enum MlsEventMetadata
{
	MLS_EVENT_PARTITION, /* _partition */
	MLS_EVENT_OFFSET,	 /* _offset */
	MLS_EVENT_TIME,		 /* _time */
	MLS_EVENT_KEY,		 /* _key */
	MLS_EVENT_HEADERS,	 /* _headers */
	MLS_EVENT_NO_METADATA
} MlsEventMetadata;

extern MlsEventMetadata mls_event_metadata(const char *column);

typedef struct MlsEventDecoder MlsEventDecoder;

typedef enum MlsEventStatus
{
	MLS_EVENT_OK,
	MLS_EVENT_BAD,		   /* the event cannot be read: the fault says why */
	MLS_EVENT_WANTS_SCHEMA /* mls_event_fetch_schema, then decode it again */
} MlsEventStatus;

typedef struct MlsEventFault
{
	int sqlstate;
	char *reason; /* a message without the event's position; palloc'd */
} MlsEventFault;

/*
 * Takes one row. Both arrays have an entry per column of the spec and are the decoder's own: copy them. An event that
 * turns out to be bad may have given rows before: forget those.
 */
typedef void (*MlsEventRow)(void *arg, const Datum *values, const bool *nulls);

/*
 * palloc'd in the current context, where what it keeps stays. Raises INVALID_PARAMETER_VALUE for an unknown format, an
 * option that the format does not have (naming those that it has) or that is malformed, and for columns that no event of
 * the format could fill: call it at DDL time. Needs a transaction.
 */
extern MlsEventDecoder *mls_event_decoder_create(const MlsEventSpec *spec);

/*
 * Read one event. body may be NULL: a tombstone, an event without a value. The rows' values are made in the current
 * context, as is the fault. Whatever the caller's row function raises goes through. Needs a transaction.
 */
extern MlsEventStatus mls_event_decode(MlsEventDecoder *decoder, const char *body, size_t len, MlsEventRow row,
									   void *arg, MlsEventFault *fault);

/*
 * Get the schema that the last event wanted from the registry. Needs no transaction, so do not hold one open: it waits
 * for the network, cancellably, and raises as any request does. A schema that the registry has not, or that cannot be
 * used, is remembered: events that want it are bad.
 */
extern void mls_event_fetch_schema(MlsEventDecoder *decoder);

/*
 * The server of TYPE 'registry' that an option names; palloc'd. Raises UNDEFINED_OBJECT, WRONG_OBJECT_TYPE, and
 * INSUFFICIENT_PRIVILEGE when userid may not use it. Needs a transaction.
 */
extern MlsServer *mls_event_registry(const char *name, Oid userid);

/*
 * The columns that a text like 'id bigint, at timestamptz' declares, as a descriptor (not blessed). Raises what CREATE
 * TYPE ... AS would.
 */
extern TupleDesc mls_event_columns(const char *columns);

#endif
