/*
 * worker_store.c - a micro-batch into the database, in one transaction with the offsets; see work.h.
 */
#include "stream/work.h"

#include "auth/prefetch.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

/* In a transaction, in which nothing was done yet: have another one for which the registry's credential is at hand. */
static void
begin_with_credential(MlsStreamWork *w, const char *registry)
{
	MlsPrefetch *prefetch = mls_prefetch_plan(mls_event_registry(registry, w->stream->owner), w->stream->owner);

	mls_worker_commit();
	mls_prefetch_run(prefetch);
	mls_worker_begin();
}

void
mls_work_begin_with_rows(MlsStreamWork *w)
{
	char *registry = mls_stream_registry(w->stream);

	mls_worker_begin();
	MemoryContextSwitchTo(w->batch_context);
	if (w->rows != NULL && !mls_row_maker_outdated(w->rows))
		return;
	w->rows = NULL;
	if (registry != NULL)
		begin_with_credential(w, registry);
	MemoryContextReset(w->rows_context);
	MemoryContextSwitchTo(w->rows_context);
	w->rows = mls_row_maker_create(w->stream);
	MemoryContextSwitchTo(w->batch_context);
}

/* What the micro-batch does to this worker's partitions, in their order. palloc'd. */
static MlsOffsetMove *
sum_moves(const MlsStreamWork *w, const MlsStoreResult *result)
{
	MlsOffsetMove *moves = palloc0(sizeof(MlsOffsetMove) * w->nshares);

	for (int i = 0; i < w->nshares; i++)
	{
		moves[i].partition = w->shares[i].partition;
		moves[i].from = moves[i].to = w->shares[i].next_offset;
	}
	mls_micro_batch_sum(w->batch, result, moves, w->nshares);
	return moves;
}

/* Move the offsets of the partitions that the micro-batch has events of; in the transaction that stores them. */
static void
move_offsets(MlsStreamWork *w, const MlsOffsetMove *moves)
{
	MlsOffsetMove *moved = palloc(sizeof(MlsOffsetMove) * w->nshares);
	int n = 0;

	for (int i = 0; i < w->nshares; i++)
		if (moves[i].events > 0)
			moved[n++] = moves[i];
	mls_stream_move_offsets(w->stream->name, moved, n);
}

/* on_error 'fail': an event that cannot be stored stops the stream before it. */
static void
stop_at_fault(MlsStreamWork *w, const MlsStoreResult *result)
{
	for (int i = 0; i < w->batch->count; i++)
	{
		const MlsEvent *event = &w->batch->events[i];
		char *reason;

		if (result->faults[i].reason == NULL)
			continue;
		reason = psprintf("partition %d, offset " INT64_FORMAT ": %s", event->partition, event->offset,
						  result->faults[i].reason);
		mls_worker_abort();
		mls_worker_begin();
		mls_stream_stop(w->stream, reason);
		mls_worker_commit();
		ereport(LOG, errmsg("ml_score stream \"%s\" stopped: %s", w->stream->name, reason));
		proc_exit(0);
	}
}

/*
 * What its own query has dropped is dropped: that is to be, and there are no offsets to be moved any more. What somebody else
 * has changed (its owner, say) is another worker's to store: this one has yet to hear that it is to end.
 */
void
mls_work_end_if_changed(MlsStreamWork *w)
{
	if (mls_stream_dropped_here(w->stream))
		mls_worker_commit();
	else if (!mls_stream_keep(w->stream))
		mls_worker_abort();
	else
		return;
	proc_exit(0);
}

/* One transaction: rows, dead letters, offsets. Returns what it did to the partitions. */
static MlsOffsetMove *
store_in_transaction(MlsStreamWork *w)
{
	MlsStoreResult result = {0};
	MlsOffsetMove *moves;

	mls_work_begin_with_rows(w);
	pgstat_report_activity(STATE_RUNNING, psprintf("storing %d events", w->batch->count));
	PG_TRY();
	{
		if (w->stream->window != NULL)
			mls_work_store_for_windows(w, &result);
		else
			mls_store(w->rows, w->batch->events, w->batch->count, w->immediate, &result);
	}
	PG_CATCH();
	{
		w->batch->wants_schema = result.wants_schema;
		PG_RE_THROW();
	}
	PG_END_TRY();
	mls_work_end_if_changed(w);
	if (result.nfaults > 0 && !w->stream->dead_letters)
		stop_at_fault(w, &result);
	mls_store_dead_letters(w->stream, w->batch->events, w->batch->count, &result);
	moves = sum_moves(w, &result);
	move_offsets(w, moves);
	w->batch->committing = true;
	mls_worker_commit();
	w->batch->committing = false;
	return moves;
}

/* The micro-batch is committed. */
static void
note_stored(MlsStreamWork *w, const MlsOffsetMove *moves)
{
	for (int i = 0; i < w->nshares; i++)
	{
		MlsShare *share = &w->shares[i];

		if (moves[i].events == 0)
			continue;
		share->next_offset = moves[i].to;
		share->last_time = moves[i].event_time;
		share->idle = false;
		mls_status_count(share->status, moves[i].events, moves[i].bytes);
	}
	mls_micro_batch_clear(w->batch);
	w->immediate = false;
	w->backoff_ms = 0;
	mls_work_show_state(w, MLS_STREAM_RUNNING);
}

void
mls_work_store(MlsStreamWork *w)
{
	note_stored(w, store_in_transaction(w));
}
