/*
 * key_hint.c - see key_hint.h.
 */
#include "postgres.h"

#include "codec/key_hint.h"

bool
mls_names_alike(const MlsSpan *key, const char *name)
{
	const char *a = key->start;
	const char *a_end = a + key->len;
	const char *b = name;

	for (;;)
	{
		while (a < a_end && strchr(" _-", *a) != NULL)
			a++;
		while (*b != '\0' && strchr(" _-", *b) != NULL)
			b++;
		if (a == a_end || *b == '\0')
			return a == a_end && *b == '\0';
		if (pg_ascii_tolower((unsigned char) *a++) != pg_ascii_tolower((unsigned char) *b++))
			return false;
	}
}

static void
make_room(MlsKeyHints *hints, MemoryContext cxt, int position)
{
	int room = Max(16, position * 2);
	MlsKeyHint *larger = MemoryContextAllocZero(cxt, room * sizeof(MlsKeyHint));

	if (hints->room > 0)
	{
		memcpy(larger, hints->hints, hints->room * sizeof(MlsKeyHint));
		pfree(hints->hints);
	}
	hints->hints = larger;
	hints->room = room;
}

const MlsKeyHint *
mls_key_hint(MlsKeyHints *hints, MemoryContext cxt, int position, const MlsSpan *key, MlsKeyFinder find,
			 const void *arg)
{
	MlsKeyHint *hint;

	if (position >= hints->room)
		make_room(hints, cxt, position);
	hint = &hints->hints[position];
	if (hint->key && hint->len == key->len && memcmp(hint->key, key->start, key->len) == 0)
		return hint;

	if (hint->key)
		pfree(hint->key);
	hint->key = MemoryContextAlloc(cxt, key->len + 1);
	memcpy(hint->key, key->start, key->len);
	hint->len = key->len;
	hint->place = find(arg, key, &hint->exact);
	return hint;
}
