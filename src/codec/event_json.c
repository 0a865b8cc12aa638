/*
 * event_json.c - events that are JSON: an object, lines of them, an array of them, Event Grid's and CloudEvents' envelopes.
 */
#include "postgres.h"

#include "codec/encoding.h"
#include "codec/event_decoder.h"

/* The spellings of an envelope's attributes: Event Grid's schema, CloudEvents 1.0, Azure ML's SDK. */
static const char *const envelope[][4] = {{"id"},
										  {"source", "topic"},
										  {"type", "eventType", "event_type"},
										  {"time", "eventTime", "event_time"},
										  {"subject"},
										  {"data"},
										  {"dataVersion", "data_version"},
										  {"metadataVersion", "metadata_version"},
										  {"specversion"},
										  {"datacontenttype"},
										  {"dataschema"}};

static const char *
column_name(MlsEventDecoder *decoder, int column)
{
	const char *name = NameStr(TupleDescAttr(decoder->columns, column)->attname);
	int len = strlen(name);

	return mls_to_utf8(name, &len);
}

static bool
is_spelling(const char *const *spellings, const char *name)
{
	MlsSpan span = {.start = name, .len = strlen(name), .kind = MLS_SPAN_STRING};

	for (int i = 0; i < 4 && spellings[i]; i++)
	{
		if (mls_names_alike(&span, spellings[i]))
			return true;
	}
	return false;
}

/* A column of an envelope: an attribute in any spelling, else a member of data, else an extension attribute. */
static void
add_envelope_column(MlsEventDecoder *decoder, int column)
{
	const char *name = column_name(decoder, column);

	for (int i = 0; i < lengthof(envelope); i++)
	{
		if (!is_spelling(envelope[i], name))
			continue;
		for (int j = 0; j < 4 && envelope[i][j]; j++)
			mls_path_target(mls_path_member(&decoder->root, envelope[i][j]), column, j, true);
		return;
	}
	mls_path_target(mls_path_member(mls_path_member(&decoder->root, "data"), name), column, 0, true);
	mls_path_target(mls_path_member(&decoder->root, name), column, 1, true);
}

static void
add_paths(MlsEventDecoder *decoder, int column)
{
	ListCell *cell;
	int rank = 0;

	foreach (cell, decoder->options.paths[column])
	{
		const char *path = lfirst(cell);
		int len = strlen(path);
		char *reason = mls_path_add(&decoder->root, mls_to_utf8(path, &len), column, rank++);

		if (reason)
			ereport(
				ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid path for column \"%s\"", NameStr(TupleDescAttr(decoder->columns, column)->attname)),
				 errdetail("The %s.", reason),
				 errhint("A path is \"$\" followed by .name, .\"any name\" or [subscript from 0], in any number.")));
	}
}

void
mls_event_json_prepare(MlsEventDecoder *decoder)
{
	decoder->items = palloc0(decoder->columns->natts * sizeof(MlsPathItem));
	for (int i = 0; i < decoder->columns->natts; i++)
	{
		if (!decoder->readers[i])
			continue;
		if (decoder->options.paths[i] != NIL)
			add_paths(decoder, i);
		else if (decoder->format == MLS_EVENT_EVENTGRID)
			add_envelope_column(decoder, i);
		else
			mls_path_target(mls_path_member(&decoder->root, column_name(decoder, i)), i, 0, true);
	}
}

static MlsEventStatus
malformed(MlsEventRun *run, const MlsJsonReader *r, const char *body)
{
	return mls_event_fail(run, ERRCODE_INVALID_JSON_TEXT,
						  psprintf("the event is not JSON: %s at byte %zu", r->error, (size_t) (r->at - body) + 1));
}

/* An object without any of the columns is somebody else's, not a row of NULLs. */
static MlsEventStatus
nothing_found(MlsEventRun *run, const char *object, size_t len)
{
	MlsSpan span = {.start = object, .len = len, .kind = MLS_SPAN_OBJECT};

	if (mls_json_count(&span) == 0)
		return mls_event_fail(run, ERRCODE_INVALID_TEXT_REPRESENTATION, "the event is an object without members");
	return mls_event_fail(run, ERRCODE_INVALID_TEXT_REPRESENTATION,
						  psprintf("none of the columns is in the event, which has %s", mls_json_keys(&span)));
}

static MlsEventStatus
not_an_object(MlsEventRun *run, MlsJsonReader *r, const char *body)
{
	MlsSpan item;

	if (!mls_json_value(r, &item))
		return malformed(run, r, body);
	return mls_event_fail(run, ERRCODE_INVALID_TEXT_REPRESENTATION,
						  psprintf("%s stands where an object is expected", mls_excerpt(item.start, item.len)));
}

/* A row of the object that comes next. */
static MlsEventStatus
decode_object(MlsEventRun *run, MlsJsonReader *r, const char *body)
{
	MlsEventDecoder *decoder = run->decoder;
	int natts = decoder->columns->natts;
	const char *start;
	bool found = false;

	for (int i = 0; i < natts; i++)
		decoder->items[i].span.kind = MLS_SPAN_NONE;
	if (mls_json_peek(r) != MLS_SPAN_OBJECT)
		return not_an_object(run, r, body);
	start = r->at;
	if (!mls_path_read(&decoder->root, r, decoder->cxt, decoder->items))
		return malformed(run, r, body);

	for (int i = 0; i < natts; i++)
	{
		MlsPathItem *item = &decoder->items[i];

		if (!decoder->readers[i])
			continue;
		if (item->span.kind == MLS_SPAN_NONE)
			item->span.kind = MLS_SPAN_NULL;
		else
			found = true;
		if (mls_event_read(run, i, &item->span) != MLS_EVENT_OK)
			return MLS_EVENT_BAD;
	}
	if (!found)
		return nothing_found(run, start, r->at - start);
	mls_event_emit(run);
	return MLS_EVENT_OK;
}

/* Rows of the array's elements. */
static MlsEventStatus
decode_array(MlsEventRun *run, MlsJsonReader *r, const char *body)
{
	MlsEventStatus status;

	mls_json_open(r);
	while (mls_json_more(r))
	{
		status = decode_object(run, r, body);
		if (status != MLS_EVENT_OK)
			return status;
	}
	return r->error ? malformed(run, r, body) : MLS_EVENT_OK;
}

static MlsEventStatus
decode_document(MlsEventRun *run, const char *body, size_t len)
{
	MlsEventFormat format = run->decoder->format;
	MlsJsonReader r;
	MlsEventStatus status;

	mls_json_start(&r, body, len);
	if ((format == MLS_EVENT_JSON_ARRAY || format == MLS_EVENT_EVENTGRID) && mls_json_peek(&r) == MLS_SPAN_ARRAY)
		status = decode_array(run, &r, body);
	else
		status = decode_object(run, &r, body);
	if (status == MLS_EVENT_OK && !mls_json_finish(&r))
		status = malformed(run, &r, body);
	return status;
}

/* A row of each line that is not blank. */
static MlsEventStatus
decode_lines(MlsEventRun *run, const char *body, size_t len)
{
	const char *end = body + len;

	while (body < end)
	{
		const char *line_end = memchr(body, '\n', end - body);
		MlsJsonReader r;

		if (!line_end)
			line_end = end;
		mls_json_start(&r, body, line_end - body);
		if (mls_json_peek(&r) != MLS_SPAN_NONE || r.at < r.end)
		{
			MlsEventStatus status = decode_document(run, body, line_end - body);

			if (status != MLS_EVENT_OK)
				return status;
		}
		body = line_end + 1;
	}
	return MLS_EVENT_OK;
}

MlsEventStatus
mls_event_json_decode(MlsEventRun *run, const char *body, size_t len)
{
	if (run->decoder->format == MLS_EVENT_JSON_LINES)
		return decode_lines(run, body, len);
	return decode_document(run, body, len);
}
