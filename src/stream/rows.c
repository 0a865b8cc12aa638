/*
 * rows.c - events to rows: the decoder's columns, those of the event's position and envelope, and defaults.
 *
 * The relation "batch" has the columns that the stream declares, or else the target's own; then a column with a default
 * takes it when the event has nothing for it.
 */
#include "stream/rows.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "codec/encoding.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "stream/window.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/varlena.h"

struct MlsRowMaker
{
	const MlsStream *stream;
	TupleDesc desc;
	bool targets;	   /* the columns are the target's own */
	TupleDesc decoded; /* desc, as the decoder is given it */
	MlsEventDecoder *decoder;
	int metadata[MLS_EVENT_NO_METADATA]; /* by MlsEventMetadata: the column, or -1 */
	Expr **defaults;					 /* by column, NULL: none */
	bool any_default;

	/* between begin and end */
	EState *estate;
	ExprState **default_states;

	/* the event at hand */
	const MlsEvent *event;
	MlsSink *sink;
	int64 count;
	Datum *values;
	bool *nulls;
	Datum envelope[MLS_EVENT_NO_METADATA];
	bool envelope_nulls[MLS_EVENT_NO_METADATA];
};

static Relation
open_target(const MlsStream *stream)
{
	RangeVar *range = makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(stream->target)));

	return table_openrv(range, AccessShareLock);
}

/* The column "batch" gets without being declared. */
static const struct
{
	const char *name;
	Oid type;
} metadata_columns[] = {{"_partition", INT4OID},
						{"_offset", INT8OID},
						{"_time", TIMESTAMPTZOID},
						{"_key", TEXTOID},
						{"_headers", JSONBOID}};

static bool
has_column(TupleDesc desc, const char *name)
{
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped && strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) == 0)
			return true;
	return false;
}

/* The columns that the stream declares; for a query those of the position and envelope too. */
static TupleDesc
declared_columns(const MlsStream *stream)
{
	TupleDesc declared = mls_event_columns(stream->columns);
	TupleDesc desc;
	int natts = declared->natts;
	int missing = 0;

	for (int i = 0; stream->query != NULL && i < lengthof(metadata_columns); i++)
		missing += !has_column(declared, metadata_columns[i].name);
	desc = CreateTemplateTupleDesc(natts + missing + (stream->window != NULL ? 2 : 0));
	for (int i = 0; i < natts; i++)
		TupleDescCopyEntry(desc, i + 1, declared, i + 1);
	if (stream->window != NULL && (has_column(declared, MLS_WINDOW_START) || has_column(declared, MLS_WINDOW_END)))
		ereport(ERROR, errcode(ERRCODE_DUPLICATE_COLUMN),
				errmsg("columns " MLS_WINDOW_START " and " MLS_WINDOW_END " are the window's own"));
	for (int i = 0; stream->query != NULL && i < lengthof(metadata_columns); i++)
		if (!has_column(declared, metadata_columns[i].name))
			TupleDescInitEntry(desc, ++natts, metadata_columns[i].name, metadata_columns[i].type, -1, 0);
	if (stream->window != NULL)
	{
		TupleDescInitEntry(desc, ++natts, MLS_WINDOW_START, TIMESTAMPTZOID, -1, 0);
		TupleDescInitEntry(desc, ++natts, MLS_WINDOW_END, TIMESTAMPTZOID, -1, 0);
	}
	return desc;
}

/* Can the event's position or envelope go into a column of this type? */
static bool
fits_metadata(MlsEventMetadata metadata, Oid type)
{
	switch (metadata)
	{
		case MLS_EVENT_PARTITION:
			return type == INT4OID || type == INT8OID;
		case MLS_EVENT_OFFSET:
			return type == INT8OID;
		case MLS_EVENT_TIME:
			return type == TIMESTAMPTZOID;
		case MLS_EVENT_KEY:
			return type == TEXTOID || type == VARCHAROID || type == BYTEAOID;
		case MLS_EVENT_HEADERS:
			return type == JSONBOID;
		case MLS_EVENT_NO_METADATA:
			break;
	}
	return true;
}

static void
find_metadata(MlsRowMaker *rows)
{
	for (int i = 0; i < MLS_EVENT_NO_METADATA; i++)
		rows->metadata[i] = -1;
	for (int i = 0; i < rows->desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(rows->desc, i);
		MlsEventMetadata metadata =
			att->attisdropped ? MLS_EVENT_NO_METADATA : mls_event_metadata(NameStr(att->attname));

		if (metadata == MLS_EVENT_NO_METADATA)
			continue;
		if (!fits_metadata(metadata, att->atttypid))
			ereport(ERROR, errcode(ERRCODE_DATATYPE_MISMATCH),
					errmsg("column \"%s\" cannot be of type %s", NameStr(att->attname), format_type_be(att->atttypid)),
					errhint("_partition is integer, _offset bigint, _time timestamptz, _key text or bytea, _headers "
							"jsonb."));
		rows->metadata[metadata] = i;
	}
}

static void
find_defaults(MlsRowMaker *rows, Relation target)
{
	rows->defaults = palloc0(sizeof(Expr *) * rows->desc->natts);
	for (int i = 0; i < rows->desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(rows->desc, i);

		if (att->attisdropped || att->attgenerated != '\0' || (!att->atthasdef && att->attidentity == '\0'))
			continue;
		rows->defaults[i] = (Expr *) build_column_default(target, i + 1);
		if (rows->defaults[i] == NULL)
			continue;
		rows->defaults[i] = expression_planner(rows->defaults[i]);
		rows->any_default = true;
	}
}

MlsRowMaker *
mls_row_maker_create(const MlsStream *stream)
{
	MlsRowMaker *rows = palloc0(sizeof(MlsRowMaker));
	MlsEventSpec spec = {.format = stream->format,
						 .options = stream->format_options,
						 .windowed = stream->window != NULL,
						 .userid = stream->owner};

	rows->stream = stream;
	rows->targets = stream->columns == NULL;
	if (rows->targets)
	{
		Relation target = open_target(stream);

		rows->desc = CreateTupleDescCopyConstr(RelationGetDescr(target));
		find_defaults(rows, target);
		table_close(target, NoLock);
	}
	else
		rows->desc = declared_columns(stream);
	find_metadata(rows);
	spec.columns = rows->desc;
	rows->decoder = mls_event_decoder_create(&spec);
	rows->values = palloc(sizeof(Datum) * rows->desc->natts);
	rows->nulls = palloc(sizeof(bool) * rows->desc->natts);
	return rows;
}

bool
mls_row_maker_outdated(const MlsRowMaker *rows)
{
	Relation target;
	bool outdated;

	if (!rows->targets)
		return false;
	target = open_target(rows->stream);
	outdated = !equalTupleDescs(rows->desc, RelationGetDescr(target));
	table_close(target, NoLock);
	return outdated;
}

static void
check_target(const MlsStream *stream, const MlsRowMaker *rows)
{
	Relation target = open_target(stream);
	char kind = target->rd_rel->relkind;

	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE && kind != RELKIND_VIEW &&
		kind != RELKIND_FOREIGN_TABLE)
		ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE),
				errmsg("\"%s\" is not a table", RelationGetRelationName(target)));
	if (pg_class_aclcheck(RelationGetRelid(target), stream->owner, ACL_INSERT) != ACLCHECK_OK &&
		pg_attribute_aclcheck_all(RelationGetRelid(target), stream->owner, ACL_INSERT, ACLMASK_ANY) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(kind), RelationGetRelationName(target));
	for (int i = 0; i < rows->desc->natts; i++)
	{
		const char *name = NameStr(TupleDescAttr(rows->desc, i)->attname);

		if (!rows->targets && get_attnum(RelationGetRelid(target), name) <= 0)
			ereport(ERROR, errcode(ERRCODE_UNDEFINED_COLUMN),
					errmsg("column \"%s\" of relation \"%s\" does not exist", name, RelationGetRelationName(target)));
	}
	table_close(target, NoLock);
}

void
mls_row_maker_check(const MlsStream *stream)
{
	MlsRowMaker *rows = mls_row_maker_create(stream);

	if (stream->target != NULL)
		check_target(stream, rows);
	if (stream->window != NULL)
		mls_window_check(rows);
}

const MlsStream *
mls_row_maker_stream(const MlsRowMaker *rows)
{
	return rows->stream;
}

MlsEventDecoder *
mls_row_maker_decoder(const MlsRowMaker *rows)
{
	return rows->decoder;
}

TupleDesc
mls_row_maker_desc(const MlsRowMaker *rows)
{
	return rows->desc;
}

bool
mls_row_maker_are_targets(const MlsRowMaker *rows)
{
	return rows->targets;
}

bool
mls_row_maker_fills(const MlsRowMaker *rows, int column)
{
	Form_pg_attribute att = TupleDescAttr(rows->desc, column);

	return !att->attisdropped && att->attgenerated == '\0' && att->attidentity != ATTRIBUTE_IDENTITY_ALWAYS;
}

void
mls_row_maker_begin(MlsRowMaker *rows)
{
	if (!rows->any_default)
		return;
	rows->estate = CreateExecutorState();
	rows->default_states = palloc0(sizeof(ExprState *) * rows->desc->natts);
	for (int i = 0; i < rows->desc->natts; i++)
		if (rows->defaults[i] != NULL)
			rows->default_states[i] = ExecPrepareExpr(rows->defaults[i], rows->estate);
}

void
mls_row_maker_end(MlsRowMaker *rows)
{
	if (!rows->any_default)
		return;
	FreeExecutorState(rows->estate);
	rows->estate = NULL;
}

Jsonb *
mls_event_headers(const MlsEvent *event)
{
	JsonbParseState *state = NULL;
	JsonbValue *object;
	rd_kafka_headers_t *headers;
	const char *name;
	const void *bytes;
	size_t size;

	if (event->message == NULL)
		return event->headers;
	if (rd_kafka_message_headers(event->message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return NULL;
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &bytes, &size) == 0; i++)
	{
		JsonbValue key = {.type = jbvString};
		JsonbValue value = {.type = jbvNull};
		char *text = NULL;
		int len;

		if (mls_invalid_utf8(name, strlen(name)) >= 0 || mls_from_utf8(name, strlen(name), &text, &len) != NULL)
			continue;
		key.val.string.val = text;
		key.val.string.len = len;
		pushJsonbValue(&state, WJB_KEY, &key);
		if (bytes != NULL)
		{
			value.type = jbvString;
			if (memchr(bytes, '\0', size) != NULL || mls_invalid_utf8(bytes, size) >= 0 ||
				mls_from_utf8(bytes, size, &text, &len) != NULL)
			{
				text = palloc(size * 2 + 3);
				memcpy(text, "\\x", 2);
				len = 2 + (int) hex_encode(bytes, size, text + 2);
			}
			value.val.string.val = text;
			value.val.string.len = len;
		}
		pushJsonbValue(&state, WJB_VALUE, &value);
	}
	object = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(object);
}

/* A key as text; one that is no text of this database as bytea shows it. */
static Datum
key_text(const MlsEvent *event)
{
	char *text;
	int len;

	if (memchr(event->key, '\0', event->key_len) == NULL && mls_invalid_utf8(event->key, event->key_len) < 0 &&
		mls_from_utf8(event->key, (int) event->key_len, &text, &len) == NULL)
		return PointerGetDatum(cstring_to_text_with_len(text, len));
	text = palloc(event->key_len * 2 + 2);
	memcpy(text, "\\x", 2);
	len = 2 + (int) hex_encode(event->key, event->key_len, text + 2);
	return PointerGetDatum(cstring_to_text_with_len(text, len));
}

static Datum
key_datum(const MlsEvent *event, Oid type)
{
	if (type != BYTEAOID)
		return key_text(event);
	return PointerGetDatum(cstring_to_text_with_len(event->key, (int) event->key_len));
}

/* The event's position and envelope, for the columns that there are. */
static void
fill_envelope(MlsRowMaker *rows)
{
	const MlsEvent *event = rows->event;

	for (int i = 0; i < MLS_EVENT_NO_METADATA; i++)
	{
		Datum value = (Datum) 0;
		bool isnull = false;
		Jsonb *headers;

		if (rows->metadata[i] < 0)
			continue;
		switch ((MlsEventMetadata) i)
		{
			case MLS_EVENT_PARTITION:
				value = TupleDescAttr(rows->desc, rows->metadata[i])->atttypid == INT8OID
							? Int64GetDatum((int64) event->partition)
							: Int32GetDatum(event->partition);
				break;
			case MLS_EVENT_OFFSET:
				value = Int64GetDatum(event->offset);
				break;
			case MLS_EVENT_TIME:
				value = TimestampTzGetDatum(event->time);
				isnull = event->time == 0;
				break;
			case MLS_EVENT_KEY:
				isnull = event->key == NULL;
				if (!isnull)
					value = key_datum(event, TupleDescAttr(rows->desc, rows->metadata[i])->atttypid);
				break;
			case MLS_EVENT_HEADERS:
				headers = mls_event_headers(event);
				isnull = headers == NULL;
				value = JsonbPGetDatum(headers);
				break;
			case MLS_EVENT_NO_METADATA:
				break;
		}
		rows->envelope[i] = value;
		rows->envelope_nulls[i] = isnull;
	}
}

static void
fill_defaults(MlsRowMaker *rows)
{
	ExprContext *context = GetPerTupleExprContext(rows->estate);

	for (int i = 0; i < rows->desc->natts; i++)
		if (rows->default_states[i] != NULL && (rows->nulls[i] || !mls_row_maker_fills(rows, i)))
			rows->values[i] = ExecEvalExpr(rows->default_states[i], context, &rows->nulls[i]);
}

static void
take_row(void *arg, const Datum *values, const bool *nulls)
{
	MlsRowMaker *rows = arg;

	memcpy(rows->values, values, sizeof(Datum) * rows->desc->natts);
	memcpy(rows->nulls, nulls, sizeof(bool) * rows->desc->natts);
	for (int i = 0; i < MLS_EVENT_NO_METADATA; i++)
	{
		if (rows->metadata[i] < 0)
			continue;
		rows->values[rows->metadata[i]] = rows->envelope[i];
		rows->nulls[rows->metadata[i]] = rows->envelope_nulls[i];
	}
	if (rows->any_default)
		fill_defaults(rows);
	rows->sink->put(rows->sink, rows->values, rows->nulls);
	rows->count++;
}

MlsEventStatus
mls_row_maker_put(MlsRowMaker *rows, const MlsEvent *event, MlsSink *sink, int64 *count, MlsEventFault *fault)
{
	MlsEventStatus status;

	rows->event = event;
	rows->sink = sink;
	rows->count = 0;
	fill_envelope(rows);
	status = mls_event_decode(rows->decoder, event->value, event->value_len, take_row, rows, fault);
	if (status == MLS_EVENT_OK)
		*count += rows->count;
	return status;
}
