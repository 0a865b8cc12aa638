/*
 * argument.c - see argument.h.
 */
#include "stream/argument.h"

#include "catalog/pg_type.h"
#include "stream/window.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#define LONGEST_WINDOW_DAYS 366
#define MOST_WINDOWS 1000 /* that an event is in */

static const char *const arg_names[] = {"name",
										"server",
										"topic",
										"target",
										"columns",
										"query",
										"format",
										"format_options",
										"consumer_group",
										"start",
										"partitions",
										"workers",
										"max_batch_rows",
										"max_batch_delay",
										"max_batch_bytes",
										"on_error",
										"on_offset_out_of_range",
										"paused",
										"window",
										"hop",
										"allowed_lateness",
										"event_time",
										"late_events",
										"idle_timeout",
										"owner"};

const char *
mls_stream_arg_name(MlsStreamArg arg)
{
	return arg_names[arg];
}

pg_noreturn static void
raise_bad_argument(int arg, const char *value, const char *expected)
{
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("invalid value for argument \"%s\": \"%s\"", arg_names[arg], value), errdetail("%s", expected));
}

/* A text argument, or NULL. */
static char *
text_arg(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

void
mls_stream_arg_check_nulls(FunctionCallInfo fcinfo)
{
	for (int i = 0; i < MLS_ARG_COUNT; i++)
	{
		bool optional = i == MLS_ARG_TARGET || i == MLS_ARG_COLUMNS || i == MLS_ARG_QUERY ||
						i == MLS_ARG_FORMAT_OPTIONS || i == MLS_ARG_PARTITIONS || i == MLS_ARG_WINDOW ||
						i == MLS_ARG_HOP;

		if (PG_ARGISNULL(i) && !optional)
			ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("argument \"%s\" must not be null", arg_names[i]));
	}
}

static int
count_arg(FunctionCallInfo fcinfo, int arg, int max)
{
	int value = PG_GETARG_INT32(arg);

	if (value < 1 || value > max)
		raise_bad_argument(arg, psprintf("%d", value), psprintf("The value must be between 1 and %d.", max));
	return value;
}

/* A text with a unit, as settings take it. */
static int
unit_arg(FunctionCallInfo fcinfo, int arg, int flags, int max, const char *expected)
{
	char *text = text_arg(fcinfo, arg);
	int value;

	if (!parse_int(text, &value, flags, NULL) || value < 1 || value > max)
		raise_bad_argument(arg, text, expected);
	return value;
}

static char *
word_arg(FunctionCallInfo fcinfo, int arg, const char *first, const char *second, const char *third)
{
	char *word = text_arg(fcinfo, arg);

	if (strcmp(word, first) == 0 || strcmp(word, second) == 0 || (third != NULL && strcmp(word, third) == 0))
		return word;
	raise_bad_argument(arg, word,
					   third == NULL ? psprintf("Valid values are: '%s', '%s'.", first, second)
									 : psprintf("Valid values are: '%s', '%s', '%s'.", first, second, third));
}

/* The words that a start may be are not known to timestamptz_in, whose error it is. */
static void
explain_start(void *arg)
{
	errdetail("The value must be 'earliest', 'latest' or a finite timestamp.");
}

static Datum
parse_start(const char *text)
{
	ErrorContextCallback callback = {error_context_stack, explain_start, NULL};
	Datum value;

	error_context_stack = &callback;
	value = DirectFunctionCall3(timestamptz_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	error_context_stack = callback.previous;
	return value;
}

char *
mls_stream_arg_start(const char *text)
{
	Datum value;

	if (strcmp(text, "earliest") == 0 || strcmp(text, "latest") == 0)
		return pstrdup(text);
	value = parse_start(text);
	if (TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(value)))
		raise_bad_argument(MLS_ARG_START, text, "The value must be 'earliest', 'latest' or a finite timestamp.");
	return pstrdup(timestamptz_to_str(DatumGetTimestampTz(value)));
}

static void
take_partitions(ArrayType *partitions, MlsStream *stream)
{
	Datum *elements;
	bool *nulls;

	deconstruct_array(partitions, INT4OID, sizeof(int32), true, TYPALIGN_INT, &elements, &nulls, &stream->npartitions);
	stream->partitions = palloc(sizeof(int) * Max(stream->npartitions, 1));
	for (int i = 0; i < stream->npartitions; i++)
	{
		stream->partitions[i] = DatumGetInt32(elements[i]);
		if (nulls[i] || stream->partitions[i] < 0)
			raise_bad_argument(MLS_ARG_PARTITIONS, "...", "Partitions are numbers from 0.");
	}
	if (stream->npartitions == 0)
		raise_bad_argument(MLS_ARG_PARTITIONS, "{}", "Name at least one partition, or leave it out to read all.");
}

/* An interval of a fixed length, in microseconds. */
static int64
length_arg(FunctionCallInfo fcinfo, int arg, int64 min)
{
	Interval *interval = PG_GETARG_INTERVAL_P(arg);
	int64 length = interval->day * USECS_PER_DAY + interval->time;

	if (interval->month != 0 || interval->day < -LONGEST_WINDOW_DAYS || interval->day > LONGEST_WINDOW_DAYS ||
		length < min || length > LONGEST_WINDOW_DAYS * USECS_PER_DAY)
		raise_bad_argument(arg, DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(interval))),
						   psprintf("The value must be an interval without months, from %g seconds to %d days.",
									min / 1e6, LONGEST_WINDOW_DAYS));
	return length;
}

/* Those that only a stream with windows has, and that may be changed. */
static void
take_window_changes(FunctionCallInfo fcinfo, MlsWindow *window)
{
	if (!PG_ARGISNULL(MLS_ARG_ALLOWED_LATENESS))
		window->lateness = length_arg(fcinfo, MLS_ARG_ALLOWED_LATENESS, 0);
	if (!PG_ARGISNULL(MLS_ARG_IDLE_TIMEOUT))
		window->idle = length_arg(fcinfo, MLS_ARG_IDLE_TIMEOUT, 1000);
}

/* The windows that the arguments want. */
static MlsWindow *
read_window(FunctionCallInfo fcinfo)
{
	MlsWindow *window = palloc0(sizeof(MlsWindow));

	window->size = length_arg(fcinfo, MLS_ARG_WINDOW, 1000);
	window->hop = PG_ARGISNULL(MLS_ARG_HOP) ? window->size : length_arg(fcinfo, MLS_ARG_HOP, 1000);
	if (window->hop > window->size || window->size / window->hop > MOST_WINDOWS)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("\"hop\" must be at most as long as \"window\", and at least a %dth of it", MOST_WINDOWS));
	window->event_time = text_arg(fcinfo, MLS_ARG_EVENT_TIME);
	window->update = strcmp(word_arg(fcinfo, MLS_ARG_LATE_EVENTS, "dead_letter", "update", NULL), "update") == 0;
	return window;
}

static bool
is_interval(FunctionCallInfo fcinfo, int arg, int64 length)
{
	Interval *interval = PG_GETARG_INTERVAL_P(arg);

	return interval->month == 0 && interval->day == 0 && interval->time == length;
}

/* Is an argument that only windows have something else than create_stream's default? */
static bool
wants_windows(FunctionCallInfo fcinfo, int arg)
{
	if (PG_ARGISNULL(arg))
		return false;
	switch (arg)
	{
		case MLS_ARG_ALLOWED_LATENESS:
			return !is_interval(fcinfo, arg, 0);
		case MLS_ARG_EVENT_TIME:
			return strcmp(text_arg(fcinfo, arg), "_time") != 0;
		case MLS_ARG_LATE_EVENTS:
			return strcmp(text_arg(fcinfo, arg), "dead_letter") != 0;
		case MLS_ARG_IDLE_TIMEOUT:
			return !is_interval(fcinfo, arg, USECS_PER_MINUTE);
		default:
			return true;
	}
}

/* Of a stream without windows. */
static void
refuse_window_arguments(FunctionCallInfo fcinfo)
{
	for (int arg = MLS_ARG_HOP; arg <= MLS_ARG_IDLE_TIMEOUT; arg++)
		if (wants_windows(fcinfo, arg))
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("argument \"%s\" needs \"window\"", arg_names[arg]));
}

static void
take_window(FunctionCallInfo fcinfo, MlsStream *stream)
{
	if (!PG_ARGISNULL(MLS_ARG_WINDOW))
	{
		if (stream->query == NULL)
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a stream with windows needs \"query\""),
					errhint("It runs once per window, over the relation \"batch\"."));
		stream->window = read_window(fcinfo);
	}
	if (stream->window != NULL)
		take_window_changes(fcinfo, stream->window);
	else
		refuse_window_arguments(fcinfo);
}

static void
take_name(FunctionCallInfo fcinfo, MlsStream *stream)
{
	stream->name = text_arg(fcinfo, MLS_ARG_NAME);
	if (*stream->name == '\0' || strlen(stream->name) >= NAMEDATALEN)
		raise_bad_argument(MLS_ARG_NAME, stream->name, psprintf("A name has 1 to %d bytes.", NAMEDATALEN - 1));
}

/* What there is to do with an event: where to, and how it is read. */
static void
take_content(FunctionCallInfo fcinfo, MlsStream *stream)
{
	char **texts[] = {&stream->server,	&stream->topic, &stream->target,
					  &stream->columns, &stream->query, &stream->format};

	for (int i = 0; i < lengthof(texts); i++)
		if (!PG_ARGISNULL(MLS_ARG_SERVER + i))
			*texts[i] = text_arg(fcinfo, MLS_ARG_SERVER + i);
	if (*stream->topic == '\0')
		raise_bad_argument(MLS_ARG_TOPIC, stream->topic,
						   "Give the name of the topic, which Event Hubs calls an event hub.");
	if (!PG_ARGISNULL(MLS_ARG_FORMAT_OPTIONS))
		stream->format_options = PG_GETARG_JSONB_P(MLS_ARG_FORMAT_OPTIONS);
	if (!PG_ARGISNULL(MLS_ARG_CONSUMER_GROUP))
		stream->consumer_group = text_arg(fcinfo, MLS_ARG_CONSUMER_GROUP);
	if (!PG_ARGISNULL(MLS_ARG_START))
		stream->start = mls_stream_arg_start(text_arg(fcinfo, MLS_ARG_START));
	if (!PG_ARGISNULL(MLS_ARG_PARTITIONS))
		take_partitions(PG_GETARG_ARRAYTYPE_P(MLS_ARG_PARTITIONS), stream);
}

/* How much is done at a time. */
static void
take_sizes(FunctionCallInfo fcinfo, MlsStream *stream)
{
	if (!PG_ARGISNULL(MLS_ARG_WORKERS))
		stream->workers = count_arg(fcinfo, MLS_ARG_WORKERS, 64);
	if (!PG_ARGISNULL(MLS_ARG_MAX_BATCH_ROWS))
		stream->max_batch_rows = count_arg(fcinfo, MLS_ARG_MAX_BATCH_ROWS, 1000000);
	if (!PG_ARGISNULL(MLS_ARG_MAX_BATCH_DELAY))
		stream->max_batch_delay_ms = unit_arg(fcinfo, MLS_ARG_MAX_BATCH_DELAY, GUC_UNIT_MS, 3600 * 1000,
											  "The value must be a time such as '50ms' or '5s', up to an hour.");
	if (!PG_ARGISNULL(MLS_ARG_MAX_BATCH_BYTES))
		stream->max_batch_bytes = unit_arg(fcinfo, MLS_ARG_MAX_BATCH_BYTES, GUC_UNIT_BYTE, 512 * 1024 * 1024,
										   "The value must be a size such as '1MB', up to 512 MB.");
}

static void
take_faults(FunctionCallInfo fcinfo, MlsStream *stream)
{
	if (!PG_ARGISNULL(MLS_ARG_ON_ERROR))
		stream->dead_letters =
			strcmp(word_arg(fcinfo, MLS_ARG_ON_ERROR, "dead_letter", "fail", NULL), "dead_letter") == 0;
	if (!PG_ARGISNULL(MLS_ARG_ON_OFFSET_OUT_OF_RANGE))
		stream->out_of_range = mls_stream_parse_out_of_range(
			word_arg(fcinfo, MLS_ARG_ON_OFFSET_OUT_OF_RANGE, "stop", "earliest", "latest"));
}

void
mls_stream_arg_take(FunctionCallInfo fcinfo, MlsStream *stream)
{
	take_name(fcinfo, stream);
	take_content(fcinfo, stream);
	take_sizes(fcinfo, stream);
	take_faults(fcinfo, stream);
	take_window(fcinfo, stream);
}
