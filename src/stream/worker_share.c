/*
 * worker_share.c - which partitions a stream's worker reads, and from where on; see work.h.
 */
#include "stream/work.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "stream/window.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

MlsShare *
mls_work_find_share(MlsStreamWork *w, int partition)
{
	/* Events of a partition come many at a time. */
	if (w->found_share < w->nshares && w->shares[w->found_share].partition == partition)
		return &w->shares[w->found_share];
	for (int i = 0; i < w->nshares; i++)
		if (w->shares[i].partition == partition)
			return &w->shares[w->found_share = i];
	return NULL;
}

/* Is the stream's partition this worker's? The n-th of those it reads belongs to worker n modulo the workers. */
static bool
is_mine(const MlsStreamWork *w, int partition)
{
	const MlsStream *stream = w->stream;
	int position = partition;

	if (stream->partitions != NULL)
	{
		for (position = 0; position < stream->npartitions; position++)
			if (stream->partitions[position] == partition)
				break;
		if (position == stream->npartitions)
			return false;
	}
	return position % w->worker->count == w->worker->index;
}

static bool
is_read(const MlsStream *stream, int partition)
{
	if (stream->partitions == NULL)
		return true;
	for (int i = 0; i < stream->npartitions; i++)
		if (stream->partitions[i] == partition)
			return true;
	return false;
}

void
mls_work_load_shares(MlsStreamWork *w)
{
	MlsStreamPosition *positions;
	MemoryContext old;
	int count;

	mls_worker_begin();
	old = MemoryContextSwitchTo(w->context);
	positions = mls_stream_positions(w->stream->name, &count);
	if (w->shares != NULL)
		pfree(w->shares);
	w->shares = palloc0(sizeof(MlsShare) * Max(count, 1));
	w->nshares = 0;
	mls_status_close_all();
	for (int i = 0; i < count; i++)
	{
		MlsShare *share;

		if (!is_mine(w, positions[i].partition) || positions[i].next_offset < 0)
			continue;
		share = &w->shares[w->nshares++];
		share->partition = positions[i].partition;
		share->next_offset = share->seen_offset = positions[i].next_offset;
		share->last_time = share->next_offset > 0 ? positions[i].last_time : 0;
		share->status = mls_status_open(w->stream, share->partition, w->worker->index);
		if (w->stream->window != NULL)
			mls_window_set_idle(w->stream, share->partition, false); /* there may be a backlog */
	}
	pfree(positions);
	w->no_share = w->nshares > 0 ? NULL : mls_status_open(w->stream, MLS_STATUS_NO_PARTITION, w->worker->index);
	MemoryContextSwitchTo(old);
	mls_worker_commit();
}

/* Where a partition begins as start says; false when the hub does not answer in time. */
static bool
find_start(MlsStreamWork *w, int partition, const char *start, TimestampTz time, int64 *offset)
{
	int64 low;
	int64 high;

	if (strcmp(start, "earliest") != 0 && strcmp(start, "latest") != 0)
		return mls_consumer_find_time(w->consumer, partition, time, offset, w->ask_ms);
	if (!mls_consumer_find_ends(w->consumer, partition, &low, &high, w->ask_ms))
		return false;
	*offset = strcmp(start, "earliest") == 0 ? low : high;
	return true;
}

static TimestampTz
start_time(const char *start)
{
	if (strcmp(start, "earliest") == 0 || strcmp(start, "latest") == 0)
		return 0;
	return DatumGetTimestampTz(
		DirectFunctionCall3(timestamptz_in, CStringGetDatum(start), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

/*
 * Find and note first positions: of all the stream's partitions when none is known, else of new ones, which begin at
 * their beginning, whatever the stream's start, because nobody has seen them. False when the hub does not answer in time.
 */
static bool
find_positions(MlsStreamWork *w, int partitions)
{
	MlsStreamPosition *known;
	MlsStreamPosition *found = palloc(sizeof(MlsStreamPosition) * partitions);
	bool growing = false;
	int nknown;
	int n = 0;

	mls_worker_begin();
	MemoryContextSwitchTo(w->batch_context); /* outlives the transaction */
	known = mls_stream_positions(w->stream->name, &nknown);
	mls_worker_commit();
	for (int i = 0; i < nknown; i++)
		growing |= known[i].next_offset >= 0;
	for (int partition = 0; partition < partitions; partition++)
	{
		bool is_known = !is_read(w->stream, partition);

		for (int i = 0; i < nknown; i++)
			is_known |= known[i].partition == partition && known[i].next_offset >= 0;
		if (is_known)
			continue;
		found[n].partition = partition;
		CHECK_FOR_INTERRUPTS();
		if (!find_start(w, partition, growing ? "earliest" : w->stream->start,
						growing ? 0 : start_time(w->stream->start), &found[n++].next_offset))
			return false;
	}
	if (n == 0)
		return true;
	mls_worker_begin();
	mls_stream_add_positions(w->stream->name, found, n, growing);
	mls_worker_commit();
	return true;
}

/* Have the partitions read from their positions on; from the event before, where that can be compared with what was stored. */
static void
assign(MlsStreamWork *w)
{
	MlsStreamPosition *positions = palloc(sizeof(MlsStreamPosition) * Max(w->nshares, 1));

	for (int i = 0; i < w->nshares; i++)
		positions[i] = (MlsStreamPosition){.partition = w->shares[i].partition,
										   .next_offset = w->shares[i].next_offset - (w->shares[i].last_time != 0)};
	if (!mls_consumer_assign(w->consumer, positions, w->nshares))
		ereport(ERROR, errcode(ERRCODE_FDW_ERROR),
				errmsg("could not read the partitions of topic \"%s\"", w->stream->topic),
				errdetail("librdkafka says: %s", mls_consumer_trouble(w->consumer)->message));
	pfree(positions);
}

bool
mls_work_find_partitions(MlsStreamWork *w)
{
	int partitions = mls_consumer_count_partitions(w->consumer, w->ask_ms);
	bool found = partitions > 0;

	CHECK_FOR_INTERRUPTS();
	if (found && w->in_trouble && w->known_partitions > 0)
		mls_work_show_state(w, MLS_STREAM_RUNNING);
	w->in_trouble &= !found;
	if (found && partitions == w->known_partitions)
		return true;
	if (found)
		found = find_positions(w, partitions);
	w->ask_ms = found ? MLS_FIRST_ASK_MS : Min(w->ask_ms * 2, MLS_LONGEST_ASK_MS);
	if (!found)
		return false;
	mls_micro_batch_clear(w->batch);
	w->out_of_range = -1;
	mls_work_load_shares(w);
	assign(w);
	w->known_partitions = partitions;
	mls_work_show_state(w, MLS_STREAM_RUNNING);
	return true;
}

bool
mls_work_is_another(const MlsShare *share, const rd_kafka_message_t *message)
{
	return share->last_time != 0 && message->offset == share->next_offset - 1 &&
		   mls_micro_batch_time(message) != share->last_time;
}

void
mls_work_leave_range(MlsStreamWork *w, MlsShare *share)
{
	MlsStreamPosition position = {share->partition, -1};
	int64 low = -1;
	int64 high = -1;
	char *reason;

	if (!mls_consumer_find_ends(w->consumer, share->partition, &low, &high, MLS_LONGEST_ASK_MS))
		ereport(ERROR, errcode(ERRCODE_CONNECTION_FAILURE),
				errmsg("could not find the range of partition %d of topic \"%s\"", share->partition, w->stream->topic));
	if (!share->made_anew && share->next_offset >= low && share->next_offset <= high)
	{
		share->last_time = 0; /* only the event before it is gone */
		assign(w);
		return;
	}
	if (share->made_anew)
		reason = psprintf("topic \"%s\" was made anew: the event before offset " INT64_FORMAT
						  " of partition %d is another one than was stored",
						  w->stream->topic, share->next_offset, share->partition);
	else
		reason = psprintf("partition %d of topic \"%s\" has no offset " INT64_FORMAT " (any more): it has " INT64_FORMAT
						  " to " INT64_FORMAT,
						  share->partition, w->stream->topic, share->next_offset, low, high);
	mls_worker_begin();
	if (w->stream->out_of_range == MLS_OUT_OF_RANGE_STOP)
		mls_stream_stop(w->stream, reason);
	else
	{
		position.next_offset = w->stream->out_of_range == MLS_OUT_OF_RANGE_EARLIEST ? low : high;
		mls_stream_move_position(w->stream->name, share->partition, share->next_offset, position.next_offset);
	}
	mls_worker_commit();
	mls_work_show_error(w, reason);
	ereport(LOG, errmsg("ml_score stream \"%s\": %s", w->stream->name, reason));
	if (w->stream->out_of_range == MLS_OUT_OF_RANGE_STOP)
		proc_exit(0);
	w->known_partitions = 0; /* read the positions again */
}
