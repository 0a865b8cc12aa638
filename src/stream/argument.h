/*
 * argument.h - the arguments of ml_score.create_stream and alter_stream.
 */
#ifndef MLS_STREAM_ARGUMENT_H
#define MLS_STREAM_ARGUMENT_H

#include "stream/stream.h"

/* The arguments of create_stream and alter_stream, in their order. */
typedef enum MlsStreamArg
{
	MLS_ARG_NAME,
	MLS_ARG_SERVER,
	MLS_ARG_TOPIC,
	MLS_ARG_TARGET,
	MLS_ARG_COLUMNS,
	MLS_ARG_QUERY,
	MLS_ARG_FORMAT,
	MLS_ARG_FORMAT_OPTIONS,
	MLS_ARG_CONSUMER_GROUP,
	MLS_ARG_START,
	MLS_ARG_PARTITIONS,
	MLS_ARG_WORKERS,
	MLS_ARG_MAX_BATCH_ROWS,
	MLS_ARG_MAX_BATCH_DELAY,
	MLS_ARG_MAX_BATCH_BYTES,
	MLS_ARG_ON_ERROR,
	MLS_ARG_ON_OFFSET_OUT_OF_RANGE,
	MLS_ARG_PAUSED,
	MLS_ARG_WINDOW,
	MLS_ARG_HOP,
	MLS_ARG_ALLOWED_LATENESS,
	MLS_ARG_EVENT_TIME,
	MLS_ARG_LATE_EVENTS,
	MLS_ARG_IDLE_TIMEOUT,
	MLS_ARG_COUNT,				   /* of create_stream */
	MLS_ARG_OWNER = MLS_ARG_COUNT, /* of alter_stream only */
	MLS_ARG_ALTER_COUNT
} MlsStreamArg;

extern const char *mls_stream_arg_name(MlsStreamArg arg);

/* Raise NULL_VALUE_NOT_ALLOWED for an argument of create_stream that is NULL and may not be. */
extern void mls_stream_arg_check_nulls(FunctionCallInfo fcinfo);

/*
 * Have stream be as the arguments that are not NULL say; raises INVALID_PARAMETER_VALUE for those that make no sense by
 * themselves. What it points to is palloc'd or the arguments' own.
 */
extern void mls_stream_arg_take(FunctionCallInfo fcinfo, MlsStream *stream);

/* What seek_stream goes to, as create_stream takes it: a timestamp as every session reads it, earliest and latest as they are. */
extern char *mls_stream_arg_start(const char *text);

#endif
