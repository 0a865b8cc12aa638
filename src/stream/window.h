/*
 * window.h - streams with event-time windows: the query runs once over all events of a window, when the watermark says
 * that no more are to come.
 *
 * Window         the events whose time is in [end - size, end); a new one begins every hop. Ends are multiples of hop from
 *                2000-01-01 UTC, plus size.
 * Watermark      of a partition, the latest time seen in it, but no later than now; of a stream, the earliest of its
 *                partitions that are not idle.
 * Closed         up to this end all windows were run over; final: and will not be again, since late events are refused.
 *
 * Events wait in ml_score.stream_window_event, as they came. The transaction that stores them there moves the offsets; the
 * one that runs the query over a window removes them: each event is in each of its windows exactly once.
 */
#ifndef MLS_WINDOW_H
#define MLS_WINDOW_H

#include "stream/rows.h"
#include "stream/store.h"

/* "batch" has these columns besides those of any stream. */
#define MLS_WINDOW_START "window_start"
#define MLS_WINDOW_END "window_end"

/* The end of the first (last) window that has time; pure. */
extern TimestampTz mls_window_first_end(const MlsWindow *window, TimestampTz time);
extern TimestampTz mls_window_last_end(const MlsWindow *window, TimestampTz time);

/* A window stream's definition, NULL for other streams; palloc'd. In a transaction, outside of SPI. */
extern MlsWindow *mls_window_load(const char *stream);

/* Write the definition of a new stream. */
extern void mls_window_insert(const char *stream, const MlsWindow *window);

/* Write what of it may change: lateness and idle. */
extern void mls_window_update(const char *stream, const MlsWindow *window);

/* Its events are read again from elsewhere (seek_stream): open all windows again. */
extern void mls_window_forget(const char *stream);

/* Raise unless the event time is a column that can be one. */
extern void mls_window_check(const MlsRowMaker *rows);

/* As mls_store: keep n events for their windows. */
extern void mls_window_store(MlsRowMaker *rows, const MlsEvent *events, int n, MlsStoreResult *result);

/* Say that nothing comes from a partition, so that it does not hold the watermark; or that something may come again. */
extern void mls_window_set_idle(const MlsStream *stream, int partition, bool idle);

typedef enum MlsWindowResult
{
	MLS_WINDOW_NOT_DUE,
	MLS_WINDOW_CLOSED,
	MLS_WINDOW_STOPPED /* on_error 'fail': the stream is stopped, with the reason */
} MlsWindowResult;

/*
 * Run the query over the next window that is due, in the running transaction. Raises for what is not an event's fault;
 * with *wants_schema set, the decoder's schema is to be fetched before the next try.
 */
extern MlsWindowResult mls_window_close_next(MlsRowMaker *rows, bool *wants_schema);

#endif
