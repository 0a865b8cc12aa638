/*
 * run_read.c - see run_read.h.
 */
#include "postgres.h"

#include "codec/decode_time.h"
#include "codec/key_hint.h"
#include "runs/run_read.h"
#include "runs/workspace.h"

/* How much a source is to be believed. */
enum
{
	RANK_HINT,	  /* worked out from something else */
	RANK_EVENT,	  /* an event says so */
	RANK_HISTORY, /* the run history says so */
	RANK_PROPERTY /* a property of the run says so, which never changes */
};

/* Of a status: what is over stays over, and what is said counts more than what is meant. */
enum
{
	RANK_UNDER_WAY,
	RANK_OVER_IMPLIED,
	RANK_OVER
};

/* As Azure's run history spells them; the last three are over. */
static const char *const statuses[] = {"NotStarted",	  "Unapproved",	   "Pausing",	   "Paused",
									   "Starting",		  "Preparing",	   "Provisioning", "Queued",
									   "Running",		  "NotResponding", "Finalizing",   "Completing",
									   "CancelRequested", "Completed",	   "Failed",	   "Canceled"};
#define FIRST_OVER (lengthof(statuses) - 3)

/* Tags and properties that have a column of their own. */
static const struct
{
	const char *name;
	const char *fact;
	int rank;
} known_names[] = {{"azureml.pipelinerunid", "parent_run_id", RANK_PROPERTY},
				   {"computeTargetType", "compute_type", RANK_PROPERTY},
				   {"contentSnapshotId", "snapshot_id", RANK_PROPERTY},
				   {"stepType", "step_type", RANK_PROPERTY},
				   {"azureml.nodeid", "node_id", RANK_PROPERTY},
				   {"azureml.runsource", "run_type", RANK_HINT}};

/* Members of a Run or RunDetails that are facts as they are. */
static const struct
{
	const char *member;
	const char *fact;
	int rank;
} history_members[] = {{"experimentId", "experiment_id", RANK_HISTORY},
					   {"parentRunId", "parent_run_id", RANK_HISTORY},
					   {"runType", "run_type", RANK_HISTORY},
					   {"target", "compute_target", RANK_HISTORY},
					   {"scriptName", "script", RANK_HINT},
					   {"name", "run:name", RANK_HISTORY},
					   {"description", "run:description", RANK_HISTORY}};

bool
mls_run_time_parse(const char *text, size_t len, int64 *time)
{
	char *copy = palloc(len + 1);
	size_t n = 0;
	int digits = -1; /* after the point; -1: before it */
	Timestamp local;
	bool zoned;

	for (size_t i = 0; i < len; i++)
	{
		if (text[i] == '.')
			digits = 0;
		else if (text[i] < '0' || text[i] > '9')
			digits = -1;
		else if (digits >= 0 && digits++ >= 6)
			continue;
		copy[n++] = text[i];
	}
	return mls_time_parse_iso(copy, n, &local, time, &zoned);
}

bool
mls_run_subject_parse(const char *subject, char **experiment_id, char **run_id)
{
	const char *runs;
	size_t len;

	if (pg_strncasecmp(subject, "experiments/", 12) != 0)
		return false;
	subject += 12;
	len = strcspn(subject, "/");
	runs = subject + len;
	if (len == 0 || pg_strncasecmp(runs, "/runs/", 6) != 0 || runs[6] == '\0')
		return false;
	*experiment_id = pnstrdup(subject, len);
	*run_id = pstrdup(runs + 6);
	return true;
}

/* Where status stands in the list, or -1. */
static int
status_place(const char *status)
{
	if (pg_strcasecmp(status, "Cancelled") == 0)
		status = "Canceled";
	for (int i = 0; i < lengthof(statuses); i++)
		if (pg_strcasecmp(status, statuses[i]) == 0)
			return i;
	return -1;
}

static void
add_text(MlsRunFacts *facts, const char *name, int rank, int64 stamp, const char *value)
{
	if (value != NULL && *value != '\0')
		mls_run_facts_add(facts, name, rank, stamp, value);
}

/* A time of which the earliest is to stay. */
static void
add_time(MlsRunFacts *facts, const char *name, int rank, int64 time)
{
	char text[32];

	if (time == MLS_RUN_NO_TIME)
		return;
	snprintf(text, sizeof(text), INT64_FORMAT, time);
	mls_run_facts_add(facts, name, rank, -time, text);
}

static void
add_status(MlsRunFacts *facts, const char *status, int64 time, bool implied)
{
	int place = status_place(status);
	bool over = place >= (int) FIRST_OVER;
	int rank = !over ? RANK_UNDER_WAY : implied ? RANK_OVER_IMPLIED : RANK_OVER;

	add_text(facts, "status", rank, time, place >= 0 ? statuses[place] : status);
}

static void
add_resource(MlsRunFacts *facts, const char *resource, int64 time)
{
	MlsWorkspace workspace;

	mls_workspace_parse(resource, &workspace);
	add_text(facts, "subscription_id", RANK_EVENT, time, workspace.subscription);
	add_text(facts, "resource_group", RANK_EVENT, time, workspace.resource_group);
	add_text(facts, "workspace", RANK_EVENT, time, workspace.name);
}

/* The value of a tag or property as text: a string's characters, anything else as it stands. NULL: none. */
static char *
value_text(const MlsSpan *value)
{
	if (value->kind == MLS_SPAN_NULL || value->kind == MLS_SPAN_NONE)
		return NULL;
	return value->kind == MLS_SPAN_STRING ? mls_run_text(value) : pnstrdup(value->start, value->len);
}

/* All of an object's members, under their names after prefix, and those that have a column there too. */
static void
add_members(MlsRunFacts *facts, const MlsSpan *object, const char *prefix, int rank, int64 stamp)
{
	MlsJsonReader r;
	MlsSpan key;
	MlsSpan value;

	if (object->kind != MLS_SPAN_OBJECT)
		return;
	mls_json_inside(&r, object);
	while (mls_json_next(&r, &key, &value))
	{
		char *name = mls_run_text(&key);
		char *text = value_text(&value);

		if (name == NULL || text == NULL)
			continue;
		mls_run_facts_add(facts, psprintf("%s%s", prefix, name), rank, stamp, text);
		for (int i = 0; i < lengthof(known_names); i++)
			if (mls_names_alike(&key, known_names[i].name))
				add_text(facts, known_names[i].fact, known_names[i].rank, stamp, text);
	}
}

static void
add_json_members(MlsRunFacts *facts, const char *json, const char *prefix, int64 stamp)
{
	MlsJsonReader r;
	MlsSpan object;

	if (json == NULL)
		return;
	mls_json_start(&r, json, strlen(json));
	if (mls_json_value(&r, &object))
		add_members(facts, &object, prefix, RANK_EVENT, stamp);
}

void
mls_run_read_event(const MlsRunEvent *event, MlsRunFacts *facts)
{
	const char *status = event->completed && event->status == NULL ? "Completed" : event->status;
	int place = status == NULL ? -1 : status_place(status);

	if (status != NULL)
		add_status(facts, status, event->time, event->status == NULL);
	add_text(facts, "experiment_id", RANK_EVENT, event->time, event->experiment_id);
	add_text(facts, "experiment", RANK_EVENT, event->time, event->experiment);
	add_text(facts, "run_type", RANK_EVENT, event->time, event->run_type);
	add_resource(facts, event->resource, event->time);
	add_json_members(facts, event->tags, "tag:", event->time);
	add_json_members(facts, event->properties, "property:", event->time);
	add_time(facts, "created_at", RANK_EVENT, event->time);
	if (place >= 0 && strcmp(statuses[place], "Running") == 0)
		add_time(facts, "start_time", RANK_EVENT, event->time);
	if (place >= (int) FIRST_OVER)
		add_time(facts, "end_time", RANK_EVENT, event->time);
}

/* An object's member of a name like this one; its kind is MLS_SPAN_NONE when there is none. */
static MlsSpan
member(const MlsSpan *object, const char *name)
{
	MlsJsonReader r;
	MlsSpan key;
	MlsSpan value;

	if (object->kind == MLS_SPAN_OBJECT)
	{
		mls_json_inside(&r, object);
		while (mls_json_next(&r, &key, &value))
			if (mls_names_alike(&key, name))
				return value;
	}
	return (MlsSpan){.kind = MLS_SPAN_NONE};
}

static char *
text_member(const MlsSpan *object, const char *name)
{
	MlsSpan value = member(object, name);

	return mls_run_text(&value);
}

static void
add_history_time(MlsRunFacts *facts, const MlsSpan *run, const char *name, const char *fact)
{
	char *text = text_member(run, name);
	int64 time;

	if (text != NULL && mls_run_time_parse(text, strlen(text), &time))
		add_time(facts, fact, RANK_HISTORY, time);
}

/* {"error": {"code", "message"}}, with or without the outer one. */
static void
add_error(MlsRunFacts *facts, const MlsSpan *run, int64 as_of)
{
	MlsSpan error = member(run, "error");
	MlsSpan inner = member(&error, "error");
	const MlsSpan *what = inner.kind == MLS_SPAN_OBJECT ? &inner : &error;
	char *code = text_member(what, "code");
	char *message = text_member(what, "message");

	if (message != NULL)
		add_text(facts, "error", RANK_HISTORY, as_of, code == NULL ? message : psprintf("%s: %s", code, message));
	else
		add_text(facts, "error", RANK_HISTORY, as_of, code);
}

/* Only what has a column: the rest of a definition may hold secrets (environment variables). */
static void
add_definition(MlsRunFacts *facts, const MlsSpan *run, int64 as_of)
{
	MlsSpan definition = member(run, "runDefinition");
	MlsSpan environment = member(&definition, "environment");
	MlsSpan docker = member(&environment, "docker");

	add_text(facts, "script", RANK_HISTORY, as_of, text_member(&definition, "script"));
	add_text(facts, "compute_target", RANK_EVENT, as_of, text_member(&definition, "target"));
	add_text(facts, "docker_image", RANK_HISTORY, as_of, text_member(&docker, "baseImage"));
}

bool
mls_run_read_history(const char *json, size_t len, int64 as_of, MlsRunFacts *facts, char **run_id)
{
	MlsJsonReader r;
	MlsSpan run;
	MlsSpan object;
	char *status;

	mls_json_start(&r, json, len);
	if (!mls_json_value(&r, &run) || !mls_json_finish(&r))
		return false;
	*run_id = text_member(&run, "runId");
	if (*run_id == NULL)
		return false;
	status = text_member(&run, "status");
	if (status != NULL)
		add_status(facts, status, as_of, false);
	for (int i = 0; i < lengthof(history_members); i++)
		add_text(facts, history_members[i].fact, history_members[i].rank, as_of,
				 text_member(&run, history_members[i].member));
	add_history_time(facts, &run, "createdUtc", "created_at");
	add_history_time(facts, &run, "startTimeUtc", "start_time");
	add_history_time(facts, &run, "endTimeUtc", "end_time");
	add_error(facts, &run, as_of);
	add_definition(facts, &run, as_of);
	object = member(&run, "tags");
	add_members(facts, &object, "tag:", RANK_HISTORY, as_of);
	object = member(&run, "properties");
	add_members(facts, &object, "property:", RANK_HISTORY, as_of);
	return true;
}

bool
mls_run_is_over(const MlsRunFacts *facts)
{
	const MlsRunFact *status = mls_run_fact(facts, "status");

	return status != NULL && status->rank >= RANK_OVER_IMPLIED;
}
