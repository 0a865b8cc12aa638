/*
 * event.c - see event.h: what all formats share. Each format has a file of its own.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "codec/encoding.h"
#include "codec/event_decoder.h"
#include "codec/gunzip.h"
#include "compat.h"
#include "subtransaction.h"
#include "utils/lsyscache.h"

static const char *const format_names[] = {"json", "json_lines", "json_array", "csv", "avro", "raw", "eventgrid"};

static MlsEventFormat
parse_format(const char *name)
{
	for (int i = 0; i < lengthof(format_names); i++)
	{
		if (strcmp(name, format_names[i]) == 0)
			return (MlsEventFormat) i;
	}
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("event format \"%s\" does not exist", name),
					errhint("Formats are: json, json_lines, json_array, csv, avro, raw, eventgrid.")));
}

static bool
of_event(const MlsEventSpec *spec, Form_pg_attribute att)
{
	const char *name = NameStr(att->attname);

	if (spec->windowed && (strcmp(name, "window_start") == 0 || strcmp(name, "window_end") == 0))
		return false;
	return !att->attisdropped && att->attgenerated == '\0' && mls_event_metadata(name) == MLS_EVENT_NO_METADATA;
}

/* A reader for each column that events fill. */
static void
make_readers(MlsEventDecoder *decoder, const MlsEventSpec *spec)
{
	int natts = decoder->columns->natts;
	int n = 0;

	decoder->readers = palloc0(natts * sizeof(MlsValueReader *));
	decoder->values = palloc0(natts * sizeof(Datum));
	decoder->nulls = palloc(natts * sizeof(bool));
	memset(decoder->nulls, true, natts * sizeof(bool));
	for (int i = 0; i < natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(decoder->columns, i);

		if (!of_event(spec, att))
			continue;
		decoder->readers[i] = mls_value_reader(att->atttypid, att->atttypmod, NULL);
		decoder->guarded |= mls_value_reader_may_raise(decoder->readers[i]);
		n++;
	}
	if (n == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("there is no column that events could fill")));
}

static void
raw_prepare(MlsEventDecoder *decoder)
{
	MlsValueReader *reader;

	decoder->raw_column = -1;
	for (int i = 0; i < decoder->columns->natts; i++)
	{
		if (decoder->readers[i] && decoder->raw_column >= 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("format \"raw\" fills one column, and there are \"%s\" and \"%s\"",
								   NameStr(TupleDescAttr(decoder->columns, decoder->raw_column)->attname),
								   NameStr(TupleDescAttr(decoder->columns, i)->attname))));
		if (decoder->readers[i])
			decoder->raw_column = i;
	}
	reader = decoder->readers[decoder->raw_column];
	if (reader->element || reader->record)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("format \"raw\" cannot fill column \"%s\" of type %s",
							   NameStr(TupleDescAttr(decoder->columns, decoder->raw_column)->attname),
							   format_type_be(TupleDescAttr(decoder->columns, decoder->raw_column)->atttypid))));
	mls_value_reader_for_text(reader);
}

MlsEventDecoder *
mls_event_decoder_create(const MlsEventSpec *spec)
{
	MlsEventDecoder *decoder = palloc0(sizeof(MlsEventDecoder));

	decoder->format = parse_format(spec->format);
	decoder->cxt = CurrentMemoryContext;
	decoder->columns = CreateTupleDescCopyConstr(spec->columns);
	decoder->userid = spec->userid;
	make_readers(decoder, spec);
	mls_event_read_options(decoder, spec->options);
	for (int i = 0; i < decoder->columns->natts; i++)
	{
		if (decoder->readers[i])
			mls_value_reader_for_events(decoder->readers[i], decoder->options.time_units[i]);
	}
	switch (decoder->format)
	{
		case MLS_EVENT_RAW:
			raw_prepare(decoder);
			break;
		case MLS_EVENT_CSV:
			mls_event_csv_prepare(decoder);
			break;
		case MLS_EVENT_AVRO:
			mls_event_avro_prepare(decoder);
			break;
		default:
			mls_event_json_prepare(decoder);
			break;
	}
	return decoder;
}

MlsEventStatus
mls_event_fail(MlsEventRun *run, int sqlstate, const char *reason)
{
	run->fault->sqlstate = sqlstate;
	run->fault->reason = unconstify(char *, reason);
	return MLS_EVENT_BAD;
}

/* Say which column a reason is about, when one was being read. */
static char *
with_column(const MlsEventRun *run, char *reason)
{
	if (run->column < 0)
		return reason;
	return psprintf("column \"%s\": %s", NameStr(TupleDescAttr(run->decoder->columns, run->column)->attname), reason);
}

MlsEventStatus
mls_event_read(MlsEventRun *run, int column, const MlsSpan *item)
{
	MlsEventDecoder *decoder = run->decoder;
	char *reason;

	run->column = column;
	reason = mls_read_value(decoder->readers[column], item, &decoder->values[column], &decoder->nulls[column]);
	if (reason)
		return mls_event_fail(run, ERRCODE_INVALID_TEXT_REPRESENTATION, with_column(run, reason));
	run->column = -1;
	return MLS_EVENT_OK;
}

void
mls_event_emit(MlsEventRun *run)
{
	run->in_row = true;
	run->row(run->arg, run->decoder->values, run->decoder->nulls);
	run->in_row = false;
}

/* How often a byte occurs, counted no further than most + 1. */
static int
count_byte(const char *body, size_t len, char byte, int most)
{
	const char *end = body + len;
	int n = 0;

	while (n <= most && (body = memchr(body, byte, end - body)) != NULL)
	{
		n++;
		body++;
	}
	return n;
}

/* Could this nest deeper than JSON may? Every level has a bracket. */
static bool
many_brackets(const char *body, size_t len)
{
	return count_byte(body, len, '{', MLS_JSON_MAX_DEPTH) + count_byte(body, len, '[', MLS_JSON_MAX_DEPTH) >
		   MLS_JSON_MAX_DEPTH;
}

/* jsonb_in is left to say what is no JSON, but for nesting, at which it gives up its statement. */
static MlsEventStatus
check_nesting(MlsEventRun *run, const char *body, size_t len)
{
	MlsJsonReader r;
	MlsSpan value;

	if (!many_brackets(body, len))
		return MLS_EVENT_OK;
	mls_json_start(&r, body, len);
	mls_json_value(&r, &value);
	if (mls_json_finish(&r))
		return MLS_EVENT_OK;
	return mls_event_fail(run, ERRCODE_INVALID_JSON_TEXT,
						  psprintf("the event is not JSON: %s at byte %zu", r.error, (size_t) (r.at - body) + 1));
}

static MlsEventStatus
raw_decode(MlsEventRun *run, const char *body, size_t len)
{
	int column = run->decoder->raw_column;
	Oid type = run->decoder->readers[column]->type;
	MlsSpan text = {.start = body, .len = len, .kind = MLS_SPAN_STRING};

	if ((type == JSONBOID || type == JSONOID) && check_nesting(run, body, len) != MLS_EVENT_OK)
		return MLS_EVENT_BAD;
	if (mls_event_read(run, column, &text) != MLS_EVENT_OK)
		return MLS_EVENT_BAD;
	mls_event_emit(run);
	return MLS_EVENT_OK;
}

static MlsEventStatus
check_utf8(MlsEventRun *run, const char *body, size_t len)
{
	int invalid = mls_invalid_utf8(body, len);

	if (likely(invalid < 0))
		return MLS_EVENT_OK;
	return mls_event_fail(run, ERRCODE_CHARACTER_NOT_IN_REPERTOIRE,
						  psprintf("the event is not valid UTF-8 at byte %d", invalid + 1));
}

/* Is the body not text as a whole? */
static bool
is_binary(const MlsEventDecoder *decoder)
{
	if (decoder->format == MLS_EVENT_AVRO)
		return true;
	return decoder->format == MLS_EVENT_RAW && decoder->readers[decoder->raw_column]->type == BYTEAOID;
}

static MlsEventStatus
decode_body(MlsEventRun *run, const char *body, size_t len)
{
	if (!is_binary(run->decoder) && check_utf8(run, body, len) != MLS_EVENT_OK)
		return MLS_EVENT_BAD;
	switch (run->decoder->format)
	{
		case MLS_EVENT_RAW:
			return raw_decode(run, body, len);
		case MLS_EVENT_CSV:
			return mls_event_csv_decode(run, body, len);
		case MLS_EVENT_AVRO:
			return mls_event_avro_decode(run, body, len);
		default:
			return mls_event_json_decode(run, body, len);
	}
}

/* Is it the event's fault, and not the server's or the operator's? */
static bool
is_data_fault(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_SYSTEM_ERROR:
		case ERRCODE_INTERNAL_ERROR:
		case ERRCODE_TRANSACTION_ROLLBACK:
			return false;
		default:
			return true;
	}
}

/* A body to be decoded where that may raise. */
typedef struct GuardedBody
{
	MlsEventRun *run;
	const char *body;
	size_t len;
	MlsEventStatus status;
} GuardedBody;

static void
decode_guarded_body(void *arg)
{
	GuardedBody *guarded = arg;

	guarded->status = decode_body(guarded->run, guarded->body, guarded->len);
}

/* Decode in a subtransaction, for values whose types may raise: what they raise becomes the fault. */
static MlsEventStatus
decode_guarded(MlsEventRun *run, const char *body, size_t len)
{
	GuardedBody guarded = {.run = run, .body = body, .len = len};
	ErrorData *error = mls_try(decode_guarded_body, &guarded);

	if (error == NULL)
		return guarded.status;
	if (run->in_row || !is_data_fault(error->sqlerrcode))
		ReThrowError(error);
	return mls_event_fail(run, error->sqlerrcode, with_column(run, error->message));
}

/* Replace a gzip'd body with what it holds, which is palloc'd; inflated stays NULL for others. */
static MlsEventStatus
inflate_body(MlsEventRun *run, const char **body, size_t *len, char **inflated)
{
	const MlsEventOptions *options = &run->decoder->options;

	if (options->compression == MLS_COMPRESSED_NONE ||
		(options->compression == MLS_COMPRESSED_AUTO && !mls_gunzip_detect(*body, *len)))
		return MLS_EVENT_OK;
	switch (mls_gunzip(*body, *len, options->max_size, inflated, len))
	{
		case MLS_GUNZIP_OK:
			*body = *inflated;
			return MLS_EVENT_OK;
		case MLS_GUNZIP_TOO_LARGE:
			return mls_event_fail(run, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
								  psprintf("the event is larger than %zu bytes when inflated", options->max_size));
		case MLS_GUNZIP_TRUNCATED:
			return mls_event_fail(run, ERRCODE_INVALID_BINARY_REPRESENTATION, "the event's gzip data ends early");
		case MLS_GUNZIP_MALFORMED:
			break;
	}
	return mls_event_fail(run, ERRCODE_INVALID_BINARY_REPRESENTATION, "the event is not valid gzip data");
}

static MlsEventStatus
decode_tombstone(MlsEventRun *run)
{
	MlsEventDecoder *decoder = run->decoder;

	if (decoder->options.tombstones == MLS_TOMBSTONE_FAIL)
		return mls_event_fail(run, ERRCODE_NULL_VALUE_NOT_ALLOWED, "the event has no value");
	if (decoder->options.tombstones == MLS_TOMBSTONE_ROW)
	{
		memset(decoder->nulls, true, decoder->columns->natts * sizeof(bool));
		memset(decoder->values, 0, decoder->columns->natts * sizeof(Datum));
		mls_event_emit(run);
	}
	return MLS_EVENT_OK;
}

MlsEventStatus
mls_event_decode(MlsEventDecoder *decoder, const char *body, size_t len, MlsEventRow row, void *arg,
				 MlsEventFault *fault)
{
	MlsEventRun run = {decoder, row, arg, fault, -1, false};
	char *inflated = NULL;
	MlsEventStatus status;

	if (!body)
		return decode_tombstone(&run);
	status = inflate_body(&run, &body, &len, &inflated);
	if (status != MLS_EVENT_OK)
		return status;
	status = decoder->guarded ? decode_guarded(&run, body, len) : decode_body(&run, body, len);
	if (inflated)
		pfree(inflated);
	return status;
}

void
mls_event_fetch_schema(MlsEventDecoder *decoder)
{
	Assert(decoder->format == MLS_EVENT_AVRO);
	mls_event_avro_fetch(decoder);
}
