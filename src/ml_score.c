/*
 * ml_score.c - the library's entry point: one init per module, nothing else.
 */
#include "ml_score.h"

#include "auth/token_cache.h"
#include "batch/worker.h"
#include "catalog/server.h"
#include "catalog/uses.h"
#include "inference/worker.h"
#include "miscadmin.h"
#include "runs/lookup.h"
#include "scoring/rewrite.h"
#include "stream/outbox.h"
#include "stream/stream.h"
#include "telemetry/sender.h"
#include "transport/exchange.h"
#include "watch/monitor.h"
#include "worker/worker.h"

PG_MODULE_MAGIC;

bool mls_preloaded;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	mls_preloaded = process_shared_preload_libraries_in_progress;

	mls_guc_init();
	mls_catalog_init();
	mls_uses_init();
	mls_transport_init();
	mls_token_cache_init();
	mls_planner_init();
	mls_stream_init();
	mls_outbox_init();
	mls_batch_init();
	mls_lookup_init();
	mls_telemetry_init();
	mls_monitor_init();
	mls_inference_init();
	mls_worker_init();
}
