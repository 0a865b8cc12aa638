/*
 * find_results.c - see find_results.h.
 */
#include "postgres.h"

#include "codec/encoding.h"
#include "codec/find_results.h"
#include "codec/reshape.h"

#define MAX_ENCODINGS 3 /* JSON in a string in a string */
#define MAX_WRAPPERS 4	/* objects around the results */

/* What the search is for. */
typedef struct Search
{
	int wanted;
	const char *results_key;
	const MlsResultColumns *columns;
	int encodings;
	int wrappers;
} Search;

/* Names that endpoints put results under, the most telling first. */
static const char *const result_keys[] = {"predictions", "Predictions", "Results", "results", "Result",
										  "result",		 "outputs",		"output",  "Output",  "prediction",
										  "scores",		 "score",		"data"};

static char *search_text(Search *search, const char *text, size_t len, MlsResults *results);
static char *search_nested(Search *search, const MlsSpan *object, MlsResults *results);

static char *
not_json(const MlsJsonReader *r, const char *text, size_t len)
{
	size_t at = r->at - text;

	if (len == 0)
		return pstrdup("the reply is empty");
	if (at >= len)
		return psprintf("the reply is not JSON: %s after %zu bytes", r->error, len);
	return psprintf("the reply is not JSON: %s at byte %zu: %s", r->error, at, mls_excerpt(text + at, len - at));
}

/* The value counts as the only result, if one is wanted. */
static char *
take_single(const Search *search, const MlsSpan *value, MlsResults *results)
{
	if (search->wanted == 1)
	{
		results->single = *value;
		return NULL;
	}
	if (value->kind == MLS_SPAN_OBJECT)
		return psprintf("the reply has no list of results, but an object with %s", mls_json_keys(value));
	return psprintf("the reply has no list of results, but %s", mls_excerpt(value->start, value->len));
}

static void
take_array(const MlsSpan *array, MlsResults *results)
{
	mls_json_inside(&results->reader, array);
}

/* What was rewritten by row is read instead. */
static char *
take_reshaped(const char *text, size_t len, char *reason, MlsResults *results)
{
	if (!text)
		return reason;
	mls_json_start(&results->reader, text, len);
	mls_json_open(&results->reader);
	return NULL;
}

/* A string in place of a document or of results: JSON once more, or a text that is the result. */
static char *
search_string(Search *search, const MlsSpan *string, MlsResults *results)
{
	char *inner = palloc(string->len + 1);
	int len = mls_json_unescape(string, inner);
	MlsJsonReader r;
	MlsSpan value;
	MlsSpanKind kind;

	if (len >= 0 && search->encodings < MAX_ENCODINGS)
	{
		mls_json_start(&r, inner, len);
		kind = mls_json_peek(&r);
		if ((kind == MLS_SPAN_ARRAY || kind == MLS_SPAN_OBJECT || kind == MLS_SPAN_STRING) &&
			mls_json_value(&r, &value) && mls_json_finish(&r))
		{
			search->encodings++;
			return search_text(search, inner, len, results);
		}
	}
	return take_single(search, string, results);
}

/* A value that is known to hold the results. */
static char *
search_value(Search *search, const MlsSpan *value, MlsResults *results)
{
	switch (value->kind)
	{
		case MLS_SPAN_ARRAY:
			take_array(value, results);
			return NULL;
		case MLS_SPAN_OBJECT:
			if (++search->wrappers > MAX_WRAPPERS)
				return take_single(search, value, results);
			return search_nested(search, value, results);
		case MLS_SPAN_STRING:
			return search_string(search, value, results);
		default:
			return take_single(search, value, results);
	}
}

/*
 * The members of an object, gathered in one walk: a member may be most of the reply, and walking it again for every name
 * that is looked for would take longer than reading it.
 */
typedef struct Members
{
	int n;
	int room;
	MlsSpan *keys;
	MlsSpan *values;
	int narrays;
	int nfound; /* columns of the result among them */
} Members;

static void
add_member(const Search *search, Members *members, const MlsSpan *key, const MlsSpan *value)
{
	if (members->n == members->room)
	{
		members->room = Max(16, members->room * 2);
		members->keys = members->keys ? repalloc(members->keys, members->room * sizeof(MlsSpan))
									  : palloc(members->room * sizeof(MlsSpan));
		members->values = members->values ? repalloc(members->values, members->room * sizeof(MlsSpan))
										  : palloc(members->room * sizeof(MlsSpan));
	}
	members->keys[members->n] = *key;
	members->values[members->n++] = *value;
	members->narrays += value->kind == MLS_SPAN_ARRAY;
	if (search->columns && search->columns->find(search->columns->arg, key) >= 0)
		members->nfound++;
}

static MlsSpan
get_member(const Members *members, const char *name)
{
	MlsSpan none = {.kind = MLS_SPAN_NONE};

	for (int i = 0; i < members->n; i++)
	{
		if (mls_json_equals(&members->keys[i], name))
			return members->values[i];
	}
	return none;
}

/* Follow the dotted path that the schema gives. */
static MlsSpan
follow_path(const Members *members, const char *path)
{
	size_t len = strcspn(path, ".");
	MlsSpan at = get_member(members, pnstrdup(path, len));

	while (at.kind != MLS_SPAN_NONE && path[len] == '.')
	{
		path += len + 1;
		len = strcspn(path, ".");
		at = mls_json_member(&at, path, len);
	}
	return at;
}

/* Are these the tensors of an Open Inference reply? */
static bool
is_tensors(const MlsSpan *outputs)
{
	MlsJsonReader r;
	MlsSpan first;

	if (outputs->kind != MLS_SPAN_ARRAY)
		return false;
	mls_json_inside(&r, outputs);
	return mls_json_next(&r, NULL, &first) && first.kind == MLS_SPAN_OBJECT &&
		   mls_json_member(&first, "shape", 5).kind == MLS_SPAN_ARRAY &&
		   mls_json_member(&first, "data", 4).kind == MLS_SPAN_ARRAY;
}

/* Columns of one value each, of which one result is wanted: they are its columns, whichever way one looks at it. */
static bool
all_of_one(const Members *members)
{
	for (int i = 0; i < members->n; i++)
	{
		if (members->values[i].kind != MLS_SPAN_ARRAY || mls_json_count(&members->values[i]) != 1)
			return false;
	}
	return true;
}

static char *
search_columns(const MlsSpan *object, MlsResults *results)
{
	char *reason = NULL;
	size_t len;
	char *text = mls_reshape_columns(object, &len, &reason);

	return take_reshaped(text, len, reason, results);
}

/* Is there more in the value of a telling name than a single result's part? single: it may be the result itself. */
static bool
may_hold_results(const MlsSpan *value, bool single)
{
	if (value->kind == MLS_SPAN_STRING && !single)
		return value->len > 0 && (value->start[0] == '[' || value->start[0] == '{');
	return value->kind == MLS_SPAN_ARRAY || value->kind == MLS_SPAN_OBJECT || (value->kind != MLS_SPAN_NONE && single);
}

/* Objects that are told by their form: tensors, a split frame. False when it is none of them. */
static bool
search_forms(const Members *members, MlsResults *results, char **reason)
{
	MlsSpan outputs = get_member(members, "outputs");
	MlsSpan columns = get_member(members, "columns");
	MlsSpan data = get_member(members, "data");
	char *text;
	size_t len;

	*reason = NULL;
	if (is_tensors(&outputs))
		text = mls_reshape_tensors(&outputs, &len, reason);
	else if (columns.kind == MLS_SPAN_ARRAY && data.kind == MLS_SPAN_ARRAY)
		text = mls_reshape_split(&columns, &data, &len, reason);
	else
		return false;
	*reason = take_reshaped(text, len, *reason, results);
	return true;
}

/* An object around the results, or the only result itself. */
static char *
search_object(Search *search, const MlsSpan *object, const Members *members, MlsResults *results)
{
	MlsSpan value;
	char *reason;

	if (search->results_key)
	{
		value = follow_path(members, search->results_key);
		search->results_key = NULL;
		if (value.kind != MLS_SPAN_NONE)
			return search_value(search, &value, results);
	}
	if (search_forms(members, results, &reason))
		return reason;

	if (search->columns && members->nfound >= search->columns->n)
	{
		if (members->narrays == members->n && (search->wanted != 1 || all_of_one(members)))
			return search_columns(object, results);
		if (search->wanted == 1)
			return take_single(search, object, results);
	}

	for (int i = 0; i < lengthof(result_keys); i++)
	{
		value = get_member(members, result_keys[i]);
		if (may_hold_results(&value, search->wanted == 1 && members->n == 1))
			return search_value(search, &value, results);
	}
	if (members->n == 1)
		return search_value(search, &members->values[0], results);
	if (members->n > 1 && members->narrays == members->n)
		return search_columns(object, results);
	return take_single(search, object, results);
}

/* An object inside the document, which was checked with it. */
static char *
search_nested(Search *search, const MlsSpan *object, MlsResults *results)
{
	MlsJsonReader r;
	MlsSpan key;
	MlsSpan value;
	Members members = {0};

	mls_json_inside(&r, object);
	while (mls_json_next(&r, &key, &value))
		add_member(search, &members, &key, &value);
	return search_object(search, object, &members, results);
}

/* The document is an object: it is checked while its members are gathered. */
static char *
search_document(Search *search, MlsJsonReader *r, MlsResults *results, const char *text, size_t len)
{
	MlsSpan object = {.kind = MLS_SPAN_OBJECT, .start = r->at};
	MlsSpan key;
	MlsSpan value;
	Members members = {0};

	mls_json_open(r);
	while (mls_json_next(r, &key, &value))
		add_member(search, &members, &key, &value);
	object.len = r->at - object.start;
	if (!mls_json_finish(r))
		return not_json(r, text, len);
	return search_object(search, &object, &members, results);
}

static char *
search_text(Search *search, const char *text, size_t len, MlsResults *results)
{
	MlsJsonReader r;
	MlsSpan value;

	mls_json_start(&r, text, len);
	if (mls_json_peek(&r) == MLS_SPAN_ARRAY)
	{
		/* The usual case: items are checked as they are read. */
		mls_json_open(&r);
		results->reader = r;
		return NULL;
	}
	if (mls_json_peek(&r) == MLS_SPAN_OBJECT)
		return search_document(search, &r, results, text, len);
	if (!mls_json_value(&r, &value) || !mls_json_finish(&r))
		return not_json(&r, text, len);
	return search_value(search, &value, results);
}

char *
mls_find_results(const char *body, size_t len, int wanted, const char *results_key, const MlsResultColumns *columns,
				 MlsResults *results)
{
	Search search = {0};

	search.wanted = wanted;
	search.results_key = results_key;
	search.columns = columns;
	memset(results, 0, sizeof(*results));
	return search_text(&search, body, len, results);
}
