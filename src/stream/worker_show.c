/*
 * worker_show.c - what a stream's worker shows of its partitions in stat_stream; see work.h.
 */
#include "stream/work.h"

#include "miscadmin.h"

void
mls_work_show_state(MlsStreamWork *w, MlsStreamState state)
{
	mls_status_set_state(w->no_share, state);
	for (int i = 0; i < w->nshares; i++)
		mls_status_set_state(w->shares[i].status, state);
}

void
mls_work_show_error(MlsStreamWork *w, const char *message)
{
	mls_status_set_error(w->no_share, message);
	for (int i = 0; i < w->nshares; i++)
		mls_status_set_error(w->shares[i].status, message);
}

void
mls_work_show_trouble(MlsStreamWork *w)
{
	const MlsConsumerTrouble *trouble;

	if (w->consumer == NULL)
		return;
	trouble = mls_consumer_trouble(w->consumer);
	if (trouble->number == w->trouble_seen)
		return;
	w->trouble_seen = trouble->number;
	w->in_trouble = true;
	mls_work_show_state(w, MLS_STREAM_WAITING);
	mls_work_show_error(w, trouble->message);
}

void
mls_work_show_ends(MlsStreamWork *w)
{
	int64 throttled = mls_consumer_trouble(w->consumer)->throttled;

	for (int i = 0; i < w->nshares; i++)
	{
		MlsShare *share = &w->shares[i];
		int64 end = mls_consumer_known_end(w->consumer, share->partition);

		mls_status_set_ends(share->status, w->batch->count == 0 ? share->seen_offset : share->next_offset, end,
							throttled);
	}
}

void
mls_work_answer_questions(MlsStreamWork *w)
{
	uint64 question = 0;
	int64 *ends;

	for (int i = 0; i < w->nshares; i++)
		question = Max(question, mls_status_question(w->shares[i].status));
	if (question == 0)
		return;
	ends = palloc(sizeof(int64) * w->nshares);
	if (mls_consumer_find_all_ends(w->consumer, ends, w->ask_ms))
		for (int i = 0; i < w->nshares; i++)
			mls_status_answer(w->shares[i].status, question, ends[i]);
	pfree(ends);
	CHECK_FOR_INTERRUPTS();
}
