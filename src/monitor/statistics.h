/*
 * statistics.h - what is counted of a server's requests, all backends together.
 *
 * Plain data in shared memory, pure functions; the caller holds the entry's lock.
 */
#ifndef MLS_STATISTICS_H
#define MLS_STATISTICS_H

#include "postgres.h"

/*
 * Latencies are counted in buckets, 8 to each doubling: a quantile is right within about 6 %. From 64 us to 2^31 us.
 */
#define MLS_HISTOGRAM_STEPS 8
#define MLS_HISTOGRAM_FIRST 6
#define MLS_HISTOGRAM_LAST 31
#define MLS_HISTOGRAM_BUCKETS ((MLS_HISTOGRAM_LAST - MLS_HISTOGRAM_FIRST) * MLS_HISTOGRAM_STEPS + 1)

typedef struct MlsStatistics
{
	int64 requests; /* attempts */
	int64 rows;
	int64 bytes_sent;
	int64 bytes_received;
	int64 retries;
	int64 throttled;
	int64 failed;
	int64 logged;		  /* requests handed to the inference log */
	int64 log_dropped;	  /* those that it had no room for, or could not write */
	int64 shadow_dropped; /* copies that were not sent for want of room */
	int64 latency_count;
	int64 latency_max_us;
	uint32 histogram[MLS_HISTOGRAM_BUCKETS];
	int64 last_error_at; /* TimestampTz, 0: none */
	char last_error[256];
} MlsStatistics;

extern void mls_statistics_add_latency(MlsStatistics *statistics, int64 us);

/* The latency (us) that a part q (0..1) of the requests stayed within; 0 when there were none. */
extern double mls_statistics_quantile(const MlsStatistics *statistics, double q);

#endif
