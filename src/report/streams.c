/*
 * streams.c - the report's part on streams: how far they are behind, in events and in time.
 */
#include "report/sections.h"

#include <math.h>

#include "report/chart.h"
#include "report/html.h"
#include "report/rows.h"
#include "report/units.h"

#define MOST_STREAMS 40
#define MOST_PARTITIONS 200
#define ERROR_CHARACTERS 300

enum
{
	STREAM,
	PARTITION,
	STATE,
	NEXT_OFFSET,
	END_OFFSET,
	LAG,
	WATERMARK_DELAY,
	EVENTS_PER_SECOND,
	ROWS,
	DEAD_LETTERS,
	RESTARTS,
	LAST_ERROR,
	LAST_ERROR_AT
};

static const char query[] = "SELECT stream, partition, state, next_offset, end_offset, lag, watermark_delay, "
							"events_per_second, rows, dead_letters, "
							"restarts, last_error, extract(epoch FROM last_error_at)::float8 "
							"FROM ml_score.stat_stream ORDER BY stream COLLATE \"C\", partition LIMIT 10000";

/* A stream's partitions together. */
typedef struct Stream
{
	const char *name;
	int partitions;
	double lag;	  /* events; NaN: of no partition known */
	double delay; /* seconds, the longest; NaN likewise */
	double dead_letters;
	bool more_delay; /* of a partition that is behind it is not known: it has stored nothing yet */
} Stream;

static double
add(double sum, double number)
{
	return isnan(number) ? sum : isnan(sum) ? number : sum + number;
}

static void
add_partition(Stream *stream, const MlsRows *rows, int row)
{
	double delay = mls_rows_number(rows, row, WATERMARK_DELAY);

	stream->partitions++;
	stream->lag = add(stream->lag, mls_rows_number(rows, row, LAG));
	stream->dead_letters = add(stream->dead_letters, mls_rows_number(rows, row, DEAD_LETTERS));
	stream->more_delay |= isnan(delay) && mls_rows_number(rows, row, LAG) > 0;
	if (!isnan(delay))
		stream->delay = isnan(stream->delay) ? delay : Max(stream->delay, delay);
}

/* The streams of the rows, which are in their order: how many they are. */
static int
gather(const MlsRows *rows, Stream *streams)
{
	int nstreams = 0;

	for (int i = 0; i < rows->nrows; i++)
	{
		const char *name = mls_rows_text(rows, i, STREAM);

		if (nstreams == 0 || strcmp(streams[nstreams - 1].name, name) != 0)
			streams[nstreams++] = (Stream){.name = name, .lag = NAN, .delay = NAN};
		add_partition(&streams[nstreams - 1], rows, i);
	}
	return nstreams;
}

static void
chart_lag(StringInfo out, const Stream *streams, int nstreams)
{
	MlsChart chart = {
		out, "lag", "Lag: events still to come",
		"For each stream how many events of its topic are not stored yet, all partitions together. The table "
		"below has each partition."};
	double high = 0;
	MlsAxis axis;

	for (int i = 0; i < nstreams; i++)
		high = Max(high, isnan(streams[i].lag) ? 0 : streams[i].lag);
	axis = mls_axis_from_zero(high);
	mls_chart_open_rows(&chart, nstreams, &axis, mls_units_short);
	for (int i = 0; i < nstreams; i++)
	{
		const char *figure =
			isnan(streams[i].lag) ? "not known" : psprintf("%s events", mls_units_count(streams[i].lag));

		mls_chart_row(&chart, streams[i].name, figure);
		if (streams[i].lag > 0)
			mls_chart_bar(&chart, 0, mls_axis_percent(&axis, streams[i].lag), 1, 0, 1, figure);
	}
	mls_chart_close(&chart);
}

static void
chart_delay(StringInfo out, const Stream *streams, int nstreams)
{
	MlsChart chart = {
		out, "watermark", "Watermark: behind in time",
		"For each stream how long ago the last stored event was made, by its slowest partition; 0 for those "
		"that are not behind. The table below has each partition."};
	double high = 0;
	MlsAxis axis;

	for (int i = 0; i < nstreams; i++)
		high = Max(high, isnan(streams[i].delay) ? 0 : streams[i].delay);
	axis = mls_axis_from_zero(high);
	mls_chart_open_rows(&chart, nstreams, &axis, mls_units_seconds);
	for (int i = 0; i < nstreams; i++)
	{
		const char *figure = isnan(streams[i].delay) ? "not known"
							 : streams[i].more_delay ? psprintf("%s or more", mls_units_seconds(streams[i].delay))
													 : mls_units_seconds(streams[i].delay);

		mls_chart_row(&chart, streams[i].name, figure);
		if (streams[i].delay > 0)
			mls_chart_bar(&chart, 0, mls_axis_percent(&axis, streams[i].delay), 2, 0, 1, figure);
	}
	mls_chart_close(&chart);
}

static const char *
tone_of_state(const char *state)
{
	if (strcmp(state, "running") == 0)
		return MLS_GOOD;
	if (strcmp(state, "stopped") == 0)
		return MLS_BAD;
	return strcmp(state, "waiting") == 0 ? MLS_WARN : MLS_PLAIN;
}

static void
table_partitions(StringInfo out, const MlsRows *rows)
{
	mls_table_open(
		out, "Partitions",
		"Stream|#Partition|State|#Lag|#Behind by|#Next offset|#Events a second|#Rows|#Dead letters|#Restarts");
	for (int i = 0; i < Min(rows->nrows, MOST_PARTITIONS); i++)
	{
		mls_table_row(out);
		mls_table_head(out, mls_rows_text(rows, i, STREAM));
		mls_table_number(out, mls_units_count(mls_rows_number(rows, i, PARTITION)));
		mls_table_badge(out, mls_rows_text(rows, i, STATE), tone_of_state(mls_rows_text(rows, i, STATE)));
		mls_table_number(out, mls_units_count(mls_rows_number(rows, i, LAG)));
		mls_table_number(out, mls_units_seconds(mls_rows_number(rows, i, WATERMARK_DELAY)));
		mls_table_number(out, mls_units_count(mls_rows_number(rows, i, NEXT_OFFSET)));
		mls_table_number(out, mls_units_short(mls_rows_number(rows, i, EVENTS_PER_SECOND)));
		for (int j = ROWS; j <= RESTARTS; j++)
			mls_table_number(out, mls_units_count(mls_rows_number(rows, i, j)));
		mls_table_row_end(out);
	}
	mls_table_close(out, rows->nrows - MOST_PARTITIONS);
}

static void
table_errors(StringInfo out, const MlsRows *rows)
{
	int nerrors = 0;

	for (int i = 0; i < Min(rows->nrows, MOST_PARTITIONS); i++)
	{
		if (mls_rows_cell(rows, i, LAST_ERROR)->text == NULL)
			continue;
		if (nerrors++ == 0)
			mls_table_open(out, "Last errors of streams", "Stream|#Partition|When|Error");
		mls_table_row(out);
		mls_table_head(out, mls_rows_text(rows, i, STREAM));
		mls_table_number(out, mls_units_count(mls_rows_number(rows, i, PARTITION)));
		mls_table_time(out, mls_units_time(mls_rows_number(rows, i, LAST_ERROR_AT)));
		mls_table_text(out, mls_html_clip(mls_rows_text(rows, i, LAST_ERROR), ERROR_CHARACTERS));
		mls_table_row_end(out);
	}
	if (nerrors > 0)
		mls_table_close(out, 0);
}

static void
put_tiles(MlsPage *page, const MlsRows *rows, const Stream *streams, int nstreams)
{
	const char *tone = MLS_GOOD;
	double lag = 0;
	double dead_letters = 0;

	for (int i = 0; i < rows->nrows; i++)
	{
		const char *state = tone_of_state(mls_rows_text(rows, i, STATE));

		if (strcmp(state, MLS_BAD) == 0 || (strcmp(state, MLS_WARN) == 0 && strcmp(tone, MLS_BAD) != 0))
			tone = state;
	}
	for (int i = 0; i < nstreams; i++)
	{
		lag = add(lag, streams[i].lag);
		dead_letters = add(dead_letters, streams[i].dead_letters);
	}
	mls_page_tile(page, mls_units_count(nstreams), nstreams == 1 ? "stream" : "streams", tone);
	mls_page_tile(page, mls_units_short(lag), "events behind", MLS_PLAIN);
	mls_page_tile(page, mls_units_count(dead_letters), "dead letters", dead_letters > 0 ? MLS_WARN : MLS_GOOD);
}

void
mls_report_streams(MlsPage *page)
{
	MlsRows *rows = mls_rows_read(NULL, query);
	Stream *streams = palloc(sizeof(Stream) * Max(rows->nrows, 1));
	int nstreams = gather(rows, streams);

	mls_page_section(page, "streams", "Streams", "How far each stream is behind its topic.");
	if (nstreams == 0)
		mls_page_section_empty(page, "There is no stream that you may see.");
	else
	{
		put_tiles(page, rows, streams, nstreams);
		mls_html_put(&page->body, "<div class=\"charts\">\n");
		chart_lag(&page->body, streams, Min(nstreams, MOST_STREAMS));
		chart_delay(&page->body, streams, Min(nstreams, MOST_STREAMS));
		mls_html_put(&page->body, "</div>\n");
		table_partitions(&page->body, rows);
		table_errors(&page->body, rows);
	}
	mls_page_section_end(page);
}
