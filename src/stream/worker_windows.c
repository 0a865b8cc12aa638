/*
 * worker_windows.c - what a worker does for a stream with windows; see work.h and window.h.
 */
#include "stream/work.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "stream/window.h"
#include "utils/memutils.h"

void
mls_work_store_for_windows(MlsStreamWork *w, MlsStoreResult *result)
{
	for (int i = 0; i < w->nshares; i++)
		if (w->shares[i].idle && w->shares[i].quiet_since == 0)
			mls_window_set_idle(w->stream, w->shares[i].partition, false);
	mls_window_store(w->rows, w->batch->events, w->batch->count, result);
}

/* Partitions from which nothing has come for a while must not hold the watermark. */
static void
look_for_idle(MlsStreamWork *w, TimestampTz now)
{
	for (int i = 0; i < w->nshares; i++)
	{
		MlsShare *share = &w->shares[i];
		int64 end = mls_consumer_known_end(w->consumer, share->partition);

		if (end < 0 || share->seen_offset < end || w->batch->count > 0)
			share->quiet_since = 0;
		else if (share->quiet_since == 0)
			share->quiet_since = now;
		else if (!share->idle && now - share->quiet_since >= w->stream->window->idle)
		{
			mls_worker_begin();
			mls_window_set_idle(w->stream, share->partition, true);
			mls_worker_commit();
			share->idle = true;
		}
	}
}

void
mls_work_close_windows(MlsStreamWork *w)
{
	TimestampTz now = GetCurrentTimestamp();
	MlsWindowResult result;

	if (w->stream->window == NULL || !TimestampDifferenceExceeds(w->windows_at, now, MLS_WINDOW_INTERVAL_MS))
		return;
	w->windows_at = now;
	look_for_idle(w, now);
	if (w->worker->index != 0)
		return;
	do
	{
		mls_work_begin_with_rows(w);
		result = mls_window_close_next(w->rows, &w->batch->wants_schema);
		if (result != MLS_WINDOW_NOT_DUE)
			mls_work_end_if_changed(w);
		mls_worker_commit();
		if (result == MLS_WINDOW_STOPPED)
			proc_exit(0);
		CHECK_FOR_INTERRUPTS();
	} while (result == MLS_WINDOW_CLOSED);
}
