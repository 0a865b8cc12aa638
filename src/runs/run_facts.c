/*
 * run_facts.c - see run_facts.h.
 */
#include "postgres.h"

#include "codec/json_number.h"
#include "codec/json_write.h"
#include "runs/run_facts.h"

void
mls_run_facts_init(MlsRunFacts *facts)
{
	memset(facts, 0, sizeof(*facts));
}

/* Where name is, or would be: the first fact that is not before it. */
static int
place_of(const MlsRunFacts *facts, const char *name)
{
	int low = 0;
	int high = facts->count;

	while (low < high)
	{
		int middle = (low + high) / 2;

		if (strcmp(facts->facts[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
is_at(const MlsRunFacts *facts, int place, const char *name)
{
	return place < facts->count && strcmp(facts->facts[place].name, name) == 0;
}

static void
make_room(MlsRunFacts *facts)
{
	if (facts->count < facts->room)
		return;
	facts->room = Max(32, facts->room * 2);
	if (facts->facts == NULL)
		facts->facts = palloc(facts->room * sizeof(MlsRunFact));
	else
		facts->facts = repalloc(facts->facts, facts->room * sizeof(MlsRunFact));
}

/* The order of two facts of one name. */
static int
compare(const MlsRunFact *fact, int rank, int64 stamp, const char *value)
{
	if (fact->rank != rank)
		return fact->rank < rank ? -1 : 1;
	if (fact->stamp != stamp)
		return fact->stamp < stamp ? -1 : 1;
	return strcmp(fact->value, value);
}

static bool
add(MlsRunFacts *facts, const char *name, int rank, int64 stamp, const char *value)
{
	int place = place_of(facts, name);
	MlsRunFact *fact;

	if (is_at(facts, place, name))
	{
		fact = &facts->facts[place];
		if (compare(fact, rank, stamp, value) >= 0)
			return false;
		*fact = (MlsRunFact){fact->name, rank, stamp, pstrdup(value)};
		return true;
	}
	make_room(facts);
	fact = &facts->facts[place];
	memmove(fact + 1, fact, (facts->count - place) * sizeof(MlsRunFact));
	*fact = (MlsRunFact){pstrdup(name), rank, stamp, pstrdup(value)};
	facts->count++;
	return true;
}

void
mls_run_facts_add(MlsRunFacts *facts, const char *name, int rank, int64 stamp, const char *value)
{
	(void) add(facts, name, rank, stamp, value);
}

bool
mls_run_facts_merge(MlsRunFacts *facts, const MlsRunFacts *other)
{
	bool changed = false;

	for (int i = 0; i < other->count; i++)
	{
		const MlsRunFact *fact = &other->facts[i];

		changed |= add(facts, fact->name, fact->rank, fact->stamp, fact->value);
	}
	return changed;
}

const MlsRunFact *
mls_run_fact(const MlsRunFacts *facts, const char *name)
{
	int place = place_of(facts, name);

	return is_at(facts, place, name) ? &facts->facts[place] : NULL;
}

static void
write_string(StringInfo out, const char *text)
{
	mls_json_write_string(out, text, (int) strlen(text));
}

void
mls_run_facts_write(StringInfo out, const MlsRunFacts *facts)
{
	mls_json_write_char(out, '{');
	for (int i = 0; i < facts->count; i++)
	{
		const MlsRunFact *fact = &facts->facts[i];

		if (i > 0)
			mls_json_write_char(out, ',');
		write_string(out, fact->name);
		mls_json_write_raw(out, ":[", 2);
		mls_json_write_int(out, fact->rank);
		mls_json_write_char(out, ',');
		mls_json_write_int(out, fact->stamp);
		mls_json_write_char(out, ',');
		write_string(out, fact->value);
		mls_json_write_char(out, ']');
	}
	mls_json_write_char(out, '}');
}

void
mls_run_facts_write_group(StringInfo out, const MlsRunFacts *facts, const char *prefix)
{
	size_t len = strlen(prefix);
	bool first = true;

	mls_json_write_char(out, '{');
	for (int i = place_of(facts, prefix); i < facts->count && strncmp(facts->facts[i].name, prefix, len) == 0; i++)
	{
		if (!first)
			mls_json_write_char(out, ',');
		first = false;
		write_string(out, facts->facts[i].name + len);
		mls_json_write_char(out, ':');
		write_string(out, facts->facts[i].value);
	}
	mls_json_write_char(out, '}');
}

char *
mls_run_text(const MlsSpan *span)
{
	char *text;
	int len;

	if (span->kind != MLS_SPAN_STRING)
		return NULL;
	text = palloc(span->len + 1);
	len = mls_json_unescape(span, text);
	if (len < 0 || memchr(text, '\0', len) != NULL)
		return NULL;
	text[len] = '\0';
	return text;
}

static bool
read_int(MlsJsonReader *r, int64 *number)
{
	MlsSpan span;

	return mls_json_next(r, NULL, &span) && span.kind == MLS_SPAN_NUMBER &&
		   mls_number_to_int64(span.start, span.len, number) == MLS_NUMBER_OK;
}

/* Add one member of the object: a name and [rank, stamp, value]. */
static bool
read_fact(MlsRunFacts *facts, const MlsSpan *key, const MlsSpan *item)
{
	char *name = mls_run_text(key);
	char *value;
	MlsJsonReader r;
	MlsSpan span;
	int64 rank;
	int64 stamp;

	if (name == NULL || item->kind != MLS_SPAN_ARRAY)
		return false;
	mls_json_inside(&r, item);
	if (!read_int(&r, &rank) || rank < 0 || rank > 100 || !read_int(&r, &stamp) || !mls_json_next(&r, NULL, &span))
		return false;
	value = mls_run_text(&span);
	if (value == NULL)
		return false;
	mls_run_facts_add(facts, name, (int) rank, stamp, value);
	return true;
}

bool
mls_run_facts_read(MlsRunFacts *facts, const char *json, size_t len)
{
	MlsJsonReader r;
	MlsSpan key;
	MlsSpan value;

	mls_json_start(&r, json, len);
	if (mls_json_peek(&r) != MLS_SPAN_OBJECT || !mls_json_open(&r))
		return false;
	while (mls_json_next(&r, &key, &value))
		if (!read_fact(facts, &key, &value))
			return false;
	return mls_json_finish(&r);
}
