/*
 * job_logs.c - see job_logs.h.
 *
 * A batch job is a run, whose RunDetails name its log files with URLs that carry their own signature. Where it is a
 * pipeline, it is its steps that have them. Logs may be long: of the one that is looked at only the end is fetched.
 */
#include "ml_score.h"

#include "batch/job_logs.h"

#include "codec/encoding.h"
#include "runs/history.h"
#include "utils/timestamp.h"

#define TAIL_BYTES 2048
#define MAX_STEPS 5

/* Somebody waits to hear that the job has failed. */
#define TIMEOUT_MS 10000
#define ATTEMPTS 2

struct MlsJobLogs
{
	MlsService *service;
	MlsServer *workspace;
	MlsEndpoint *history;
};

MlsJobLogs *
mls_job_logs_open(MlsServer *workspace, MlsService *service, Oid userid)
{
	MlsJobLogs *logs = palloc0(sizeof(MlsJobLogs));

	logs->service = service;
	logs->workspace = workspace;
	logs->workspace->timeout_ms = Min(logs->workspace->timeout_ms, TIMEOUT_MS);
	logs->workspace->max_attempts = Min(logs->workspace->max_attempts, ATTEMPTS);
	logs->history = mls_endpoint_open(logs->workspace, userid);
	return logs;
}

/* The run as the history knows it. */
static MlsHistoryRun *
read_run(MlsJobLogs *logs, const char *experiment, const char *run_id)
{
	MlsHistoryRun *run = palloc0(sizeof(MlsHistoryRun));

	run->experiment = pstrdup(experiment);
	run->run_id = pstrdup(run_id);
	mls_history_ask(logs->history, run);
	mls_history_read(logs->history, run, GetCurrentTimestamp());
	return run;
}

/* How much a log of this name tells of a failure. */
static int
rank_of(const char *name)
{
	static const char *const telling[] = {"user_logs", "std_log", "stderr", "error", "user/error"};

	for (int i = lengthof(telling); i > 0; i--)
		if (strstr(name, telling[i - 1]) != NULL)
			return i;
	return 0;
}

/* The one that tells most, or NULL. */
static const MlsHistoryLog *
choose(const MlsHistoryRun *run)
{
	const MlsHistoryLog *best = NULL;
	ListCell *lc;

	foreach (lc, run->logs)
	{
		const MlsHistoryLog *log = lfirst(lc);

		if (best == NULL || rank_of(log->name) > rank_of(best->name))
			best = log;
	}
	return best;
}

/* The log of job, or of one of its steps. */
static const MlsHistoryLog *
find_log(MlsJobLogs *logs, const MlsJob *job, char **problem)
{
	const char *experiment = job->experiment;
	MlsHistoryRun *run;
	const MlsHistoryLog *log;
	int steps = 0;
	ListCell *lc;

	if (experiment == NULL)
		experiment = mls_service_experiment(logs->service, job->job_name);
	run = read_run(logs, experiment, job->job_name);
	log = choose(run);
	foreach (lc, log == NULL ? run->children : NIL)
	{
		const MlsHistoryChild *child = lfirst(lc);

		if (log == NULL && steps++ < MAX_STEPS)
			log = choose(read_run(logs, experiment, child->run_id));
	}
	if (log == NULL)
		*problem = run->problem != NULL ? psprintf("Its logs were not found: %s.", run->problem)
										: pstrdup("The run history names no logs of it.");
	return log;
}

/* text, fit to be shown: what no text can hold becomes "?". */
static char *
clean(const char *text, size_t len)
{
	char *copy = memcpy(palloc(len + 1), text, len); /* zero bytes, too */
	char *shown;
	int shown_len;
	int bad;

	for (size_t i = 0; i < len; i++)
		if ((unsigned char) copy[i] < ' ' && copy[i] != '\n' && copy[i] != '\t')
			copy[i] = copy[i] == '\r' ? ' ' : '?';
	for (int at = 0; (bad = mls_invalid_utf8(copy + at, len - at)) >= 0; at += bad + 1)
		copy[at + bad] = '?';
	return mls_from_utf8(copy, (int) len, &shown, &shown_len) == NULL ? shown : NULL;
}

/* Send a request for what has its own credential in its URL. */
static MlsExchange *
send(MlsEndpoint *endpoint, const char *method, const char *url, List *headers)
{
	MlsRequestSpec spec = {.method = method, .url = url, .headers = headers, .idempotent = true};
	MlsExchange *exchange = mls_exchange_request(endpoint, &spec);

	mls_exchange_wait(exchange);
	return exchange;
}

/* How long the log is; -1 when that is not said. */
static int64
size_of(MlsExchange *head)
{
	char *text = mls_exchange_failure(head) == NULL ? mls_exchange_header(head, "Content-Length") : NULL;

	return text == NULL ? -1 : mls_result_row_number(text, (int) strlen(text));
}

/* The last bytes behind url, palloc'd; NULL when they cannot be had. */
static char *
fetch_tail(MlsJobLogs *logs, const char *url)
{
	char *query = strchr(url, '?');
	const char *secret = query == NULL ? "" : mls_blob_sas_signature(query + 1);
	MlsEndpoint *endpoint =
		mls_endpoint_open_plain(logs->workspace, *secret == '\0' ? NIL : list_make1(unconstify(char *, secret)));
	int64 size = size_of(send(endpoint, "HEAD", url, NIL));
	int64 from = Max(size - TAIL_BYTES, 0);
	MlsExchange *get;
	const char *body;
	size_t len;

	if (size <= 0)
		return NULL;
	get =
		send(endpoint, "GET", url, list_make1(psprintf("Range: bytes=" INT64_FORMAT "-" INT64_FORMAT, from, size - 1)));
	if (mls_exchange_failure(get) != NULL)
		return NULL;
	body = mls_exchange_body(get, &len);
	if (len > TAIL_BYTES)
	{
		body += len - TAIL_BYTES;
		len = TAIL_BYTES;
	}
	if (from > 0 && memchr(body, '\n', len) != NULL)
	{
		const char *line = (const char *) memchr(body, '\n', len) + 1;

		len -= line - body;
		body = line;
	}
	while (len > 0 && (body[len - 1] == '\n' || body[len - 1] == '\r'))
		len--;
	return clean(body, len);
}

char *
mls_job_logs_tail(MlsJobLogs *logs, const MlsJob *job, char **problem)
{
	const MlsHistoryLog *log = find_log(logs, job, problem);
	char *tail;

	if (log == NULL)
		return NULL;
	tail = fetch_tail(logs, log->url);
	if (tail == NULL || *tail == '\0')
	{
		*problem = psprintf("Its log %s could not be read, or is empty.", log->name);
		return NULL;
	}
	return psprintf("%s:\n%s", log->name, tail);
}

void
mls_job_logs_check(MlsJobLogs *logs)
{
	MlsHistoryRun run = {.run_id = "ml-score-check-00000000", .experiment = "ml-score-check"};

	mls_history_ask(logs->history, &run);
	mls_exchange_wait(run.run);
	if (mls_exchange_failure(run.run) != NULL && mls_exchange_status(run.run) != 404)
		mls_failure_raise(logs->workspace, mls_exchange_failure(run.run));
}
