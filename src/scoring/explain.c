/*
 * explain.c - what EXPLAIN says of a batching scan.
 *
 * Plain: which function, at which server, and how many requests the planner's row estimate makes. With ANALYZE: what was
 * sent and how it went, parallel workers included.
 */
#include "scoring/scan_state.h"

#include <math.h>

#include "catalog/server.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"

static void
indent(ExplainState *es)
{
	appendStringInfoSpaces(es->str, es->indent * 2);
}

/* The call as the user wrote it, argument expressions included. */
static char *
call_text(MlsScanState *state, FuncExpr *expr, List *ancestors, ExplainState *es)
{
	List *context = set_deparse_context_plan(es->deparse_cxt, state->css.ss.ps.plan, ancestors);

	return deparse_expression((Node *) expr, context, list_length(es->rtable) > 1 || es->verbose, false);
}

/* How many requests the plan's rows make, as far as the planner knows. */
static double
estimated_requests(MlsScanState *state, const MlsServer *server)
{
	double rows = outerPlanState(&state->css)->plan->plan_rows;
	int batch = server->max_batch_rows == MLS_AUTO ? 100 : server->max_batch_rows;

	return ceil(Max(rows, 1) / (mls_batching ? batch : 1));
}

static void
show_wire_text(const MlsCallStats *stats, ExplainState *es)
{
	const MlsCounters *wire = &stats->wire;

	indent(es);
	appendStringInfo(es->str, "Batches: %lld", (long long) stats->batches);
	if (stats->batches > 0)
		appendStringInfo(es->str, " (rows %lld..%lld)", (long long) stats->batch_rows_min,
						 (long long) stats->batch_rows_max);
	appendStringInfo(es->str, "  Requests: %lld", (long long) wire->requests);
	if (wire->retries > 0)
		appendStringInfo(es->str, "  Retries: %lld", (long long) wire->retries);
	if (wire->throttled > 0)
		appendStringInfo(es->str, "  Throttled: %lld", (long long) wire->throttled);
	appendStringInfo(es->str, "  Sent: %lldkB  Received: %lldkB", (long long) (wire->bytes_sent + 1023) / 1024,
					 (long long) (wire->bytes_received + 1023) / 1024);
	if (stats->deduplicated > 0)
		appendStringInfo(es->str, "  Deduplicated: %lld", (long long) stats->deduplicated);
	if (stats->failed_rows > 0)
		appendStringInfo(es->str, "  Failed Rows: %lld", (long long) stats->failed_rows);
	appendStringInfoChar(es->str, '\n');
	if (wire->requests == 0)
		return;
	indent(es);
	appendStringInfo(es->str, "Latency: min %.1f / avg %.1f / max %.1f ms  In flight: %d\n",
					 wire->latency_us_min / 1000.0, wire->latency_us_sum / 1000.0 / wire->requests,
					 wire->latency_us_max / 1000.0, wire->max_in_flight);
}

/* What went to a deployment apart. */
static void
show_canary(const MlsServer *server, const MlsCounters *canary, ExplainState *es)
{
	double average_ms = canary->requests > 0 ? canary->latency_us_sum / 1000.0 / canary->requests : 0;

	if (server->canary_percent <= 0)
		return;
	if (es->format == EXPLAIN_FORMAT_TEXT)
	{
		indent(es);
		appendStringInfo(es->str, "Canary: %s  Requests: %lld  Rows: %lld  Failed: %lld  Latency: avg %.1f ms\n",
						 server->canary_deployment, (long long) canary->requests, (long long) canary->rows,
						 (long long) canary->failed, average_ms);
		return;
	}
	ExplainPropertyText("Canary", server->canary_deployment, es);
	ExplainPropertyInteger("Canary Requests", NULL, canary->requests, es);
	ExplainPropertyInteger("Canary Rows", NULL, canary->rows, es);
	ExplainPropertyInteger("Canary Failed", NULL, canary->failed, es);
	ExplainPropertyFloat("Canary Average Latency", "ms", average_ms, 3, es);
}

/* What became of requests beside their results. */
static void
show_capture(const MlsServer *server, const MlsCaptureStats *capture, ExplainState *es)
{
	bool text = es->format == EXPLAIN_FORMAT_TEXT;

	if (server->log_table != NULL && text)
	{
		indent(es);
		appendStringInfo(es->str, "Log: %s  Requests: %lld  Dropped: %lld\n", server->log_table,
						 (long long) capture->logged, (long long) capture->log_dropped);
	}
	else if (server->log_table != NULL)
	{
		ExplainPropertyText("Log", server->log_table, es);
		ExplainPropertyInteger("Logged Requests", NULL, capture->logged, es);
		ExplainPropertyInteger("Log Dropped", NULL, capture->log_dropped, es);
	}
	if (server->shadow_deployment != NULL && text)
	{
		indent(es);
		appendStringInfo(es->str, "Shadow: %s  Copies: %lld  Dropped: %lld\n", server->shadow_deployment,
						 (long long) capture->copied, (long long) capture->copies_dropped);
	}
	else if (server->shadow_deployment != NULL)
	{
		ExplainPropertyText("Shadow", server->shadow_deployment, es);
		ExplainPropertyInteger("Shadow Copies", NULL, capture->copied, es);
		ExplainPropertyInteger("Shadow Dropped", NULL, capture->copies_dropped, es);
	}
}

static void
show_wire_properties(const MlsCallStats *stats, ExplainState *es)
{
	const MlsCounters *wire = &stats->wire;

	ExplainPropertyInteger("Batches", NULL, stats->batches, es);
	ExplainPropertyInteger("Minimum Batch Rows", NULL, stats->batch_rows_min, es);
	ExplainPropertyInteger("Maximum Batch Rows", NULL, stats->batch_rows_max, es);
	ExplainPropertyInteger("Requests", NULL, wire->requests, es);
	ExplainPropertyInteger("Retries", NULL, wire->retries, es);
	ExplainPropertyInteger("Throttled", NULL, wire->throttled, es);
	ExplainPropertyInteger("Sent", "B", wire->bytes_sent, es);
	ExplainPropertyInteger("Received", "B", wire->bytes_received, es);
	ExplainPropertyInteger("Deduplicated", NULL, stats->deduplicated, es);
	ExplainPropertyInteger("Failed Rows", NULL, stats->failed_rows, es);
	ExplainPropertyFloat("Minimum Latency", "ms", wire->latency_us_min / 1000.0, 3, es);
	ExplainPropertyFloat("Average Latency", "ms",
						 wire->requests > 0 ? wire->latency_us_sum / 1000.0 / wire->requests : 0.0, 3, es);
	ExplainPropertyFloat("Maximum Latency", "ms", wire->latency_us_max / 1000.0, 3, es);
	ExplainPropertyInteger("Maximum In Flight", NULL, wire->max_in_flight, es);
}

/* This process's figures and the workers'. */
static void
total_stats(MlsScanState *state, int i, MlsCallStats *total)
{
	memset(total, 0, sizeof(MlsCallStats));
	if (state->calls[i].call)
		mls_call_stats(state->calls[i].call, total);
	if (state->worker_stats)
		mls_call_stats_add(total, &state->worker_stats[i]);
}

static void
explain_call(MlsScanState *state, int i, List *ancestors, ExplainState *es)
{
	MlsScanCall *call = &state->calls[i];
	MlsFunction *fn = mls_function_load(call->expr->funcid);
	MlsServer *server = mls_server_load_online(fn->serverid);
	char *text = call_text(state, call->expr, ancestors, es);
	MlsCallStats stats;

	if (es->format == EXPLAIN_FORMAT_TEXT)
	{
		indent(es);
		appendStringInfo(es->str, "Scoring: %s  Endpoint: %s\n", text, server->name);
		es->indent++;
	}
	else
	{
		ExplainOpenGroup("Call", NULL, true, es);
		ExplainPropertyText("Function", fn->name, es);
		ExplainPropertyText("Scoring", text, es);
		ExplainPropertyText("Endpoint", server->name, es);
	}

	total_stats(state, i, &stats);
	if (!es->analyze)
		ExplainPropertyFloat("Estimated Requests", NULL, estimated_requests(state, server), 0, es);
	else if (es->format == EXPLAIN_FORMAT_TEXT)
		show_wire_text(&stats, es);
	else
		show_wire_properties(&stats, es);
	if (es->analyze)
	{
		show_canary(server, &stats.canary, es);
		show_capture(server, &stats.capture, es);
	}

	if (es->format == EXPLAIN_FORMAT_TEXT)
		es->indent--;
	else
		ExplainCloseGroup("Call", NULL, true, es);
}

void
mls_scan_explain(CustomScanState *node, List *ancestors, ExplainState *es)
{
	MlsScanState *state = (MlsScanState *) node;

	ExplainOpenGroup("Calls", "Calls", false, es);
	for (int i = 0; i < state->ncalls; i++)
		explain_call(state, i, ancestors, es);
	ExplainCloseGroup("Calls", "Calls", false, es);
}
