/*
 * pair.c - two features of one kind read side by side. See pair.h.
 */
#include "postgres.h"

#include "drift/pair.h"

#include "drift/words.h"

static int
order_of(const MlsCount *a, const MlsCount *b, bool numeric)
{
	if (numeric)
		return a->key < b->key ? -1 : a->key > b->key;
	return mls_word_compare(a->word, a->len, b->word, b->len);
}

MlsPair
mls_pair_open(MlsCounts *baseline, MlsCounts *current)
{
	return (MlsPair){.sources = {baseline, current}, .due = {true, true}};
}

bool
mls_pair_next(MlsPair *pair, MlsCount *value, MlsPairCount *here)
{
	int order;

	for (int i = 0; i < 2; i++)
		if (pair->due[i])
			pair->more[i] = pair->sources[i]->next(pair->sources[i], &pair->counts[i]);
	if (!pair->more[0] && !pair->more[1])
		return false;
	if (!pair->more[0] || !pair->more[1])
		order = pair->more[0] ? -1 : 1;
	else
		order = order_of(&pair->counts[0], &pair->counts[1], pair->sources[0]->totals->numeric);
	pair->due[0] = pair->more[0] && order <= 0;
	pair->due[1] = pair->more[1] && order >= 0;
	*here = (MlsPairCount){pair->due[0] ? pair->counts[0].count : 0, pair->due[1] ? pair->counts[1].count : 0};
	*value = pair->counts[pair->due[0] ? 0 : 1];
	return true;
}
