/*
 * decode_nested.c - arrays, composites, and values wrapped in containers; see decode_value.h.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "codec/decode_nested.h"
#include "codec/encoding.h"
#include "codec/key_hint.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

typedef struct MlsRecordReader
{
	TupleDesc desc;
	int skip; /* this column stays NULL, or -1 */
	int nlive;
	char **names;			  /* UTF-8; NULL for columns that are dropped or skipped */
	MlsValueReader **readers; /* likewise */
	MlsSpan *items;			  /* of the row being read; MLS_SPAN_NONE: not there yet */
	bool *exact;			  /* the item came under the column's very name */
	Datum *values;
	bool *nulls;
	bool partial; /* columns may be missing: they are NULL */
	MlsKeyHints hints;
} MlsRecordReader;

static bool
is_input(const MlsResultNames *names, const MlsSpan *key)
{
	for (int i = 0; i < names->ninputs; i++)
	{
		if (mls_json_equals(key, names->inputs[i]))
			return true;
	}
	return false;
}

char *
mls_result_member(const MlsResultNames *names, const MlsSpan *object, MlsSpan *result)
{
	MlsJsonReader r;
	MlsSpan key;
	MlsSpan value;
	MlsSpan named = {.kind = MLS_SPAN_NONE};
	MlsSpan other = {.kind = MLS_SPAN_NONE};
	int nothers = 0;
	int n = 0;

	mls_json_inside(&r, object);
	while (mls_json_next(&r, &key, &value))
	{
		n++;
		*result = value;
		if (names && names->column && mls_json_equals(&key, names->column))
			return NULL;
		if (names && ((names->output && mls_json_equals(&key, names->output)) ||
					  (names->column && named.kind == MLS_SPAN_NONE && mls_names_alike(&key, names->column))))
			named = value;
		if (names && !is_input(names, &key))
		{
			other = value;
			nothers++;
		}
	}
	if (named.kind != MLS_SPAN_NONE)
		*result = named;
	else if (n == 0)
		return pstrdup("the result is an object without members");
	else if (n > 1 && nothers == 1)
		*result = other;
	else if (n > 1)
		return psprintf("it is not clear which member of the result is the value: %s", mls_json_keys(object));
	return NULL;
}

char *
mls_unwrap_item(MlsValueReader *reader, MlsSpan *item)
{
	for (;;)
	{
		if (item->kind == MLS_SPAN_ARRAY && reader->unwrap_array)
		{
			MlsJsonReader r;
			MlsSpan first;
			MlsSpan second;

			mls_json_inside(&r, item);
			if (!mls_json_next(&r, NULL, &first))
				return psprintf("an empty array stands where one value of type %s is expected",
								format_type_be(reader->type));
			if (mls_json_next(&r, NULL, &second))
				return psprintf("an array of %d values stands where one value of type %s is expected",
								mls_json_count(item), format_type_be(reader->type));
			*item = first;
		}
		else if (item->kind == MLS_SPAN_OBJECT && reader->unwrap_object)
		{
			MlsSpan object = *item;
			char *reason = mls_result_member(reader->names, &object, item);

			if (reason)
				return reason;
		}
		else
			return NULL;
	}
}

/* The elements of an array that is being read. */
typedef struct Elements
{
	Datum *values;
	bool *nulls;
	int n;
	int room;
	int ndims;
	int dims[MAXDIM];
} Elements;

static void
grow(Elements *elements)
{
	if (elements->n < elements->room)
		return;
	elements->room = elements->room == 0 ? 16 : elements->room * 2;
	if (elements->values == NULL)
	{
		elements->values = palloc(elements->room * sizeof(Datum));
		elements->nulls = palloc(elements->room * sizeof(bool));
	}
	else
	{
		elements->values = repalloc(elements->values, elements->room * sizeof(Datum));
		elements->nulls = repalloc(elements->nulls, elements->room * sizeof(bool));
	}
}

/* Read one dimension; the first array met at each depth fixes the length for the others. */
static char *
read_dimension(MlsValueReader *reader, const MlsSpan *array, int dim, Elements *elements)
{
	MlsJsonReader r;
	MlsSpan item;
	int n = 0;

	mls_json_inside(&r, array);
	while (mls_json_next(&r, NULL, &item))
	{
		bool nested = item.kind == MLS_SPAN_ARRAY && !reader->flat;
		char *reason;

		if (n == 0 && nested && dim + 1 == elements->ndims && elements->n == 0)
		{
			if (elements->ndims == MAXDIM)
				return psprintf("arrays of more than %d dimensions do not exist here", MAXDIM);
			elements->dims[elements->ndims++] = mls_json_count(&item);
		}
		if (nested != (dim + 1 < elements->ndims))
			return pstrdup("arrays and single values are mixed in one array");
		if (nested)
			reason = read_dimension(reader, &item, dim + 1, elements);
		else
		{
			grow(elements);
			reason =
				mls_read_value(reader->element, &item, &elements->values[elements->n], &elements->nulls[elements->n]);
			elements->n++;
		}
		if (reason)
			return reason;
		n++;
	}
	if (n != elements->dims[dim])
		return psprintf("an array has rows of %d and of %d elements", elements->dims[dim], n);
	return NULL;
}

static char *
read_array(MlsValueReader *reader, const MlsSpan *item, Datum *value)
{
	Elements elements = {0};
	int lower[MAXDIM];
	char *reason;

	elements.ndims = 1;
	if (item->kind == MLS_SPAN_ARRAY)
	{
		elements.dims[0] = mls_json_count(item);
		reason = read_dimension(reader, item, 0, &elements);
	}
	else if (reader->lone)
	{
		grow(&elements);
		elements.dims[0] = elements.n = 1;
		reason = mls_read_value(reader->element, item, &elements.values[0], &elements.nulls[0]);
	}
	else
		return psprintf("%s is not an array", mls_excerpt(item->start, item->len));
	if (reason)
		return reason;

	for (int i = 0; i < elements.ndims; i++)
		lower[i] = 1;
	if (elements.n == 0)
		*value = PointerGetDatum(construct_empty_array(reader->type));
	else
		*value = PointerGetDatum(construct_md_array(elements.values, elements.nulls, elements.ndims, elements.dims,
													lower, reader->type, reader->element_len, reader->element_byval,
													reader->element_align));
	return NULL;
}

MlsValueReader *
mls_array_reader(MlsValueReader *element, Oid element_type, bool lone)
{
	MlsValueReader *reader = palloc0(sizeof(MlsValueReader));

	reader->type = element_type;
	reader->typmod = -1;
	reader->read = read_array;
	reader->element = element;
	reader->lone = lone;
	reader->flat = lone;
	reader->cxt = CurrentMemoryContext;
	get_typlenbyvalalign(element_type, &reader->element_len, &reader->element_byval, &reader->element_align);
	return reader;
}

static int
find_column(const void *arg, const MlsSpan *key, bool *exact)
{
	const MlsRecordReader *record = arg;

	*exact = true;
	for (int i = 0; i < record->desc->natts; i++)
	{
		if (record->names[i] && mls_json_equals(key, record->names[i]))
			return i;
	}
	*exact = false;
	for (int i = 0; i < record->desc->natts; i++)
	{
		if (record->names[i] && mls_names_alike(key, record->names[i]))
			return i;
	}
	return -1;
}

int
mls_record_column(MlsValueReader *reader, const MlsSpan *key)
{
	bool exact;

	return find_column(reader->record, key, &exact);
}

int
mls_record_live_columns(MlsValueReader *reader)
{
	return reader->record->nlive;
}

/* Find each column's item among an object's members. NULL, or the reason: a column is missing. */
static char *
items_of_object(MlsValueReader *reader, const MlsSpan *object)
{
	MlsRecordReader *record = reader->record;
	MlsJsonReader r;
	MlsSpan key;
	MlsSpan item;
	int found = 0;

	mls_json_inside(&r, object);
	for (int position = 0; mls_json_next(&r, &key, &item); position++)
	{
		const MlsKeyHint *hint = mls_key_hint(&record->hints, reader->cxt, position, &key, find_column, record);

		if (hint->place < 0)
			continue;
		if (record->items[hint->place].kind == MLS_SPAN_NONE)
			found++;
		else if (record->exact[hint->place] && !hint->exact)
			continue;
		record->items[hint->place] = item;
		record->exact[hint->place] = hint->exact;
	}
	if (found == record->nlive || record->partial)
		return NULL;
	for (int i = 0; i < record->desc->natts; i++)
	{
		if (!record->names[i] || record->items[i].kind != MLS_SPAN_NONE)
			continue;

		/* With one column there is nothing to confuse. */
		if (record->nlive == 1 && mls_result_member(reader->names, object, &record->items[i]) == NULL)
			return NULL;
		return psprintf("column \"%s\" is missing from the result, which has %s",
						NameStr(TupleDescAttr(record->desc, i)->attname), mls_json_keys(object));
	}
	return NULL;
}

/* Columns by position. */
static char *
items_of_array(MlsRecordReader *record, const MlsSpan *array)
{
	MlsJsonReader r;
	MlsSpan item;
	int n = mls_json_count(array);
	int column = 0;

	if (n != record->nlive)
		return psprintf("the result is an array of %d values for %d columns", n, record->nlive);
	mls_json_inside(&r, array);
	while (mls_json_next(&r, NULL, &item))
	{
		while (!record->names[column])
			column++;
		record->items[column++] = item;
	}
	return NULL;
}

static char *
items_of_scalar(MlsRecordReader *record, const MlsSpan *item)
{
	if (record->nlive != 1)
		return psprintf("%s stands where a result of %d columns is expected", mls_excerpt(item->start, item->len),
						record->nlive);
	for (int i = 0; i < record->desc->natts; i++)
	{
		if (record->names[i])
			record->items[i] = *item;
	}
	return NULL;
}

static char *
read_record(MlsValueReader *reader, const MlsSpan *item, Datum *value)
{
	MlsRecordReader *record = reader->record;
	int natts = record->desc->natts;
	char *reason;

	for (int i = 0; i < natts; i++)
		record->items[i].kind = MLS_SPAN_NONE;
	if (item->kind == MLS_SPAN_OBJECT)
		reason = items_of_object(reader, item);
	else if (item->kind == MLS_SPAN_ARRAY)
		reason = items_of_array(record, item);
	else
		reason = items_of_scalar(record, item);
	if (reason)
		return reason;

	for (int i = 0; i < natts; i++)
	{
		record->nulls[i] = true;
		record->values[i] = (Datum) 0;
		if (!record->readers[i])
			continue;
		if (record->items[i].kind == MLS_SPAN_NONE)
			record->items[i].kind = MLS_SPAN_NULL;
		reason = mls_read_value(record->readers[i], &record->items[i], &record->values[i], &record->nulls[i]);
		if (reason)
			return psprintf("column \"%s\": %s", NameStr(TupleDescAttr(record->desc, i)->attname), reason);
	}
	*value = HeapTupleGetDatum(heap_form_tuple(record->desc, record->values, record->nulls));
	return NULL;
}

MlsValueReader *
mls_record_reader(TupleDesc desc, int skip, const MlsResultNames *names)
{
	MlsValueReader *reader = palloc0(sizeof(MlsValueReader));
	MlsRecordReader *record = palloc0(sizeof(MlsRecordReader));

	reader->type = desc->tdtypeid;
	reader->typmod = desc->tdtypmod;
	reader->read = read_record;
	reader->record = record;
	reader->names = names;
	reader->cxt = CurrentMemoryContext;

	record->desc = CreateTupleDescCopy(desc);
	record->skip = skip;
	record->names = palloc0(desc->natts * sizeof(char *));
	record->readers = palloc0(desc->natts * sizeof(MlsValueReader *));
	record->items = palloc0(desc->natts * sizeof(MlsSpan));
	record->exact = palloc0(desc->natts * sizeof(bool));
	record->values = palloc0(desc->natts * sizeof(Datum));
	record->nulls = palloc0(desc->natts * sizeof(bool));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		int len = strlen(NameStr(att->attname));

		if (att->attisdropped || i == skip)
			continue;
		record->names[i] = pstrdup(mls_to_utf8(NameStr(att->attname), &len));
		record->readers[i] = mls_value_reader(att->atttypid, att->atttypmod, NULL);
		record->nlive++;
	}
	return reader;
}

void
mls_value_reader_for_events(MlsValueReader *reader, MlsTimeUnit unit)
{
	reader->unwrap_array = reader->unwrap_object = false;
	reader->time_unit = unit;
	if (reader->element)
		mls_value_reader_for_events(reader->element, unit);
	if (!reader->record)
		return;
	reader->record->partial = true;
	for (int i = 0; i < reader->record->desc->natts; i++)
	{
		if (reader->record->readers[i])
			mls_value_reader_for_events(reader->record->readers[i], unit);
	}
}

/*
 * A domain's checks may call anything. What is not built in has an input function that may not know of soft errors; an
 * enum's labels are looked up before.
 */
bool
mls_value_reader_may_raise(const MlsValueReader *reader)
{
	if (OidIsValid(reader->domain))
		return true;
	if (reader->element)
		return mls_value_reader_may_raise(reader->element);
	if (!reader->record)
		return reader->type >= FirstGenbkiObjectId && !type_is_enum(reader->type);
	for (int i = 0; i < reader->record->desc->natts; i++)
	{
		if (reader->record->readers[i] && mls_value_reader_may_raise(reader->record->readers[i]))
			return true;
	}
	return false;
}
