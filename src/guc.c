/*
 * guc.c - the settings: ml_score.*
 *
 * Tuning is anyone's, what guards the network is a superuser's. Those that override a server's option are "not set" by
 * default, and then the server's option holds.
 */
#include "ml_score.h"

#include <limits.h>

#include "catalog/option.h"
#include "catalog/url.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/plancache.h"

bool mls_batching = true;
char *mls_max_batch_rows;
int mls_max_batch_bytes;
char *mls_max_parallel_requests;
int mls_timeout;
int mls_on_error = MLS_UNSET;
int mls_log_requests = MLS_LOG_OFF;
char *mls_allowed_hosts;
bool mls_allow_http;
int mls_max_response_size = 256 * 1024;
int mls_max_endpoints = 256;
int mls_max_tokens = 128;
bool mls_allow_azure_cli;
int mls_max_stream_partitions = 1024;
int mls_inference_queue_size = 16 * 1024;
int mls_read_ahead_memory = 16 * 1024;
int mls_max_batch_workers = 4;
int mls_max_stream_workers_per_role = 4;

static const struct config_enum_entry on_error_values[] = {{"server", MLS_UNSET, false},
														   {"fail", MLS_ON_ERROR_FAIL, false},
														   {"null", MLS_ON_ERROR_NULL, false},
														   {NULL, 0, false}};

static const struct config_enum_entry log_requests_values[] = {
	{"off", MLS_LOG_OFF, false}, {"failed", MLS_LOG_FAILED, false}, {"all", MLS_LOG_ALL, false}, {NULL, 0, false}};

/* "", "auto" or a number from 1: what max_batch_rows and max_parallel_requests take. */
static bool
check_auto_or_count(char **newval, void **extra, GucSource source)
{
	int n;

	if (**newval == '\0' || mls_option_parse_auto(*newval, &n))
		return true;
	GUC_check_errdetail(
		"The value must be \"auto\" or a whole number from 1 to 1000000; empty takes the server's option.");
	return false;
}

static bool
check_allowed_hosts(char **newval, void **extra, GucSource source)
{
	if (mls_url_check_patterns(*newval))
		return true;
	GUC_check_errdetail(
		"The value must be a list of host names or addresses, separated by commas; a name may begin with \"*.\".");
	return false;
}

/* Plans are made for one value: those that are kept are made anew, so that switching it shows at once. */
static void
assign_batching(bool newval, void *extra)
{
	if (newval != mls_batching)
		ResetPlanCache();
}

static void
define_tuning(void)
{
	DefineCustomBoolVariable("ml_score.batching", "Scores the rows of a query in batches.",
							 "Off: one request a row, which gives the same results.", &mls_batching, true, PGC_USERSET,
							 0, NULL, assign_batching, NULL);
	DefineCustomStringVariable("ml_score.max_batch_rows",
							   "Rows in one scoring request, over the servers' max_batch_rows.",
							   "\"auto\" or a number; empty takes the server's option.", &mls_max_batch_rows, "",
							   PGC_USERSET, 0, check_auto_or_count, NULL, NULL);
	DefineCustomIntVariable("ml_score.max_batch_bytes",
							"Size of one scoring request, over the servers' max_batch_bytes.",
							"0 takes the server's option.", &mls_max_batch_bytes, 0, 0, MaxAllocSize / 2, PGC_USERSET,
							GUC_UNIT_BYTE, NULL, NULL, NULL);
	DefineCustomStringVariable("ml_score.max_parallel_requests",
							   "Requests one scan keeps in flight, over the servers' max_parallel_requests.",
							   "\"auto\" or a number; empty takes the server's option.", &mls_max_parallel_requests, "",
							   PGC_USERSET, 0, check_auto_or_count, NULL, NULL);
	DefineCustomIntVariable("ml_score.timeout", "Time for one scoring attempt, over the servers' timeout.",
							"0 takes the server's option.", &mls_timeout, 0, 0, INT_MAX, PGC_USERSET, GUC_UNIT_MS, NULL,
							NULL, NULL);
	DefineCustomEnumVariable("ml_score.on_error",
							 "What becomes of rows that the model refuses, over the servers' on_error.", NULL,
							 &mls_on_error, MLS_UNSET, on_error_values, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("ml_score.read_ahead_memory", "Memory one scan may hold in rows and requests under way.",
							NULL, &mls_read_ahead_memory, 16 * 1024, 64, MAX_KILOBYTES, PGC_USERSET, GUC_UNIT_KB, NULL,
							NULL, NULL);
}

static void
define_safety(void)
{
	DefineCustomEnumVariable("ml_score.log_requests", "Writes a server log line for each scoring request.",
							 "Server, rows, bytes, status, attempt, latency and request id; never payload or secrets.",
							 &mls_log_requests, MLS_LOG_OFF, log_requests_values, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("ml_score.allowed_hosts", "Hosts that servers may point to.",
							   "Comma-separated names, \"*.\" standing for any labels before; empty allows every host.",
							   &mls_allowed_hosts, "", PGC_SUSET, 0, check_allowed_hosts, NULL, NULL);
	DefineCustomBoolVariable("ml_score.allow_http", "Lets servers use http:// beyond loopback addresses.", NULL,
							 &mls_allow_http, false, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("ml_score.max_response_size", "Longest reply that is read.", NULL, &mls_max_response_size,
							256 * 1024, 1, MaxAllocSize / 1024, PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomBoolVariable("ml_score.allow_azure_cli", "Lets the server run the Azure CLI to get tokens.",
							 "For credential 'azure_cli', and as the last resort of 'default'.", &mls_allow_azure_cli,
							 false, PGC_SUSET, 0, NULL, NULL, NULL);
	if (!mls_preloaded)
		return; /* the rest shapes shared memory */
	DefineCustomIntVariable("ml_score.max_endpoints", "Deployments of servers that shared memory has room for.",
							"Those beyond it are scored all the same, without shared limits and statistics.",
							&mls_max_endpoints, 256, 16, 65536, PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("ml_score.inference_queue_size",
							"Shared memory for requests on their way to inference logs and shadow deployments.",
							"What does not fit is dropped, and counted.", &mls_inference_queue_size, 16 * 1024, 1024,
							512 * 1024, PGC_POSTMASTER, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("ml_score.max_tokens", "Tokens, keys and secrets that shared memory has room for.",
							"Of more than that, those not used for longest are fetched again.", &mls_max_tokens, 128, 8,
							4096, PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("ml_score.max_stream_partitions",
							"Partitions of streams whose state shared memory has room for.",
							"Partitions beyond it are read all the same, but show no state.",
							&mls_max_stream_partitions, 1024, 16, 65536, PGC_POSTMASTER, 0, NULL, NULL, NULL);
}

static void
define_workers(void)
{
	DefineCustomIntVariable("ml_score.max_stream_workers_per_role",
							"Workers that the running streams of one role may have in a database.",
							"Streams of superusers are not limited.", &mls_max_stream_workers_per_role, 4, 0, 1024,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("ml_score.max_batch_workers",
							"Batch jobs of a database that are exported, started or loaded at a time.",
							"Jobs beyond it wait; those that run in Azure do not count.", &mls_max_batch_workers, 4, 1,
							256, PGC_SIGHUP, 0, NULL, NULL, NULL);
}

void
mls_guc_init(void)
{
	define_tuning();
	define_safety();
	define_workers();
	MarkGUCPrefixReserved("ml_score");
}

void
mls_guc_set_for_level(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

void
mls_guc_set_for_transaction(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
}
