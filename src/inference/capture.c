/*
 * capture.c - see capture.h.
 */
#include "inference/capture.h"

#include "inference/log_rates.h"
#include "inference/queue.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

struct MlsCapture
{
	const MlsFunction *fn;
	const MlsServer *server;
	Oid userid;
	MlsEndpoint *live;
	const MlsEncoder *encoder;
	double log_rate;	   /* 0..1: the share of fn's requests that is logged */
	MemoryContext context; /* of the record being made */
	MlsCaptureStats stats;
};

MlsCapture *
mls_capture_open(const MlsFunction *fn, const MlsServer *server, Oid userid, MlsEndpoint *live,
				 const MlsEncoder *encoder)
{
	double log_rate;
	MlsCapture *capture;

	if (!mls_queue_exists() || (server->log_table == NULL && server->shadow_deployment == NULL))
		return NULL;
	log_rate = server->log_table == NULL ? 0 : mls_log_rates_of(server, fn->fnoid);
	if (log_rate == 0 && server->shadow_deployment == NULL)
		return NULL;
	capture = palloc0(sizeof(MlsCapture));
	capture->fn = fn;
	capture->server = server;
	capture->userid = userid;
	capture->live = live;
	capture->encoder = encoder;
	capture->log_rate = log_rate;
	capture->context = AllocSetContextCreate(CurrentMemoryContext, "ml_score capture", ALLOCSET_DEFAULT_SIZES);
	return capture;
}

bool
mls_capture_samples(MlsCapture *capture)
{
	return capture->log_rate > 0 &&
		   mls_endpoint_takes(capture->live, MLS_SHARE_OF_LOG(capture->fn->fnoid), capture->log_rate);
}

static MlsRecord
make_header(const MlsCapture *capture, const MlsCaptured *request, MlsRecordKind kind)
{
	const char *azure_id = mls_exchange_request_id(request->exchange);
	const char *deployment = mls_endpoint_server(request->endpoint)->deployment;
	MlsRecord header = {.kind = kind,
						.traffic = request->canary ? MLS_TRAFFIC_CANARY : MLS_TRAFFIC_LIVE,
						.logged = request->sampled,
						.serverid = capture->server->serverid,
						.fnoid = capture->fn->fnoid,
						.userid = capture->userid,
						.time = GetCurrentTimestamp(),
						.latency_us = mls_exchange_latency_us(request->exchange),
						.ntuples = request->ntuples};

	for (int i = 0; i < request->ntuples; i++)
		header.model_rows += request->tuples[i].model_rows;
	strlcpy(header.id, mls_exchange_client_id(request->exchange), sizeof(header.id));
	mls_record_set_text(header.azure_id, sizeof(header.azure_id), azure_id);
	mls_record_set_text(header.deployment, sizeof(header.deployment), deployment);
	return header;
}

/* The request's tuples, with what the log shows of them if it does. */
static void
add_tuples(const MlsCapture *capture, const MlsCaptured *request, bool results, StringInfo record)
{
	StringInfoData inputs;

	initStringInfo(&inputs);
	for (int i = 0; i < request->ntuples; i++)
	{
		resetStringInfo(&inputs);
		if (request->sampled)
			mls_encode_inputs(capture->encoder, &request->tuples[i], &inputs);
		mls_record_add_result(record, request->tuples[i].model_rows, inputs.data, inputs.len,
							  results && request->results != NULL ? &request->results[i] : NULL);
	}
}

/* Make a record of the request and have it taken. */
static bool
hand_over(MlsCapture *capture, const MlsCaptured *request, MlsRecordKind kind)
{
	bool copy = kind == MLS_RECORD_SHADOW;
	MemoryContext old = MemoryContextSwitchTo(capture->context);
	MlsRecord header = make_header(capture, request, kind);
	StringInfoData record;
	bool taken;

	initStringInfo(&record);
	mls_record_begin(&record, &header, copy ? request->body : "", copy ? request->len : 0);
	add_tuples(capture, request, !copy, &record);
	taken = mls_queue_push(capture->server->owner, mls_record_end(&record, copy ? NULL : request->error));
	MemoryContextSwitchTo(old);
	MemoryContextReset(capture->context);
	return taken;
}

/* Is there any use in making a record? A long one is not even begun. */
static bool
may_fit(const MlsCaptured *request)
{
	Size results = request->results == NULL ? 0 : request->results[request->ntuples - 1].len * request->ntuples;

	return mls_queue_may_take(2 * request->len + results);
}

void
mls_capture_take(MlsCapture *capture, const MlsCaptured *request)
{
	bool fits = may_fit(request);
	bool taken;

	if (request->sampled)
	{
		taken = fits && hand_over(capture, request, MLS_RECORD_LOG);
		capture->stats.logged += taken;
		capture->stats.log_dropped += !taken;
		mls_endpoint_note(request->endpoint, taken ? MLS_NOTE_LOGGED : MLS_NOTE_LOG_DROPPED);
	}
	if (capture->server->shadow_deployment != NULL)
	{
		taken = fits && hand_over(capture, request, MLS_RECORD_SHADOW);
		capture->stats.copied += taken;
		capture->stats.copies_dropped += !taken;
		if (!taken)
			mls_endpoint_note(request->endpoint, MLS_NOTE_SHADOW_DROPPED);
	}
}

const MlsCaptureStats *
mls_capture_stats(const MlsCapture *capture)
{
	return &capture->stats;
}
