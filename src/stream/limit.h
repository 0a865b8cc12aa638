/*
 * limit.h - how many workers the streams of one role may have.
 */
#ifndef MLS_STREAM_LIMIT_H
#define MLS_STREAM_LIMIT_H

#include "stream/stream.h"

/*
 * Raise CONFIGURATION_LIMIT_EXCEEDED when the stream, as it is to be, and the others of its owner that run here want more
 * workers than ml_score.max_stream_workers_per_role. Superusers' may; nothing of a stream that does not run.
 */
extern void mls_stream_check_workers(const MlsStream *stream);

#endif
