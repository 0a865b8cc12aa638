/*
 * ingest.c - ml_score.ingest_event: events of Azure Machine Learning into ml_score.run_event, and the runs that they are
 * about into ml_score.run_metric.
 *
 * Envelopes are read by the streams' decoder of the format 'eventgrid'. Nothing here waits for the network: runs are
 * looked up by a worker (lookup.c) after commit.
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "codec/encoding.h"
#include "codec/event.h"
#include "fmgr.h"
#include "funcapi.h"
#include "runs/run_read.h"
#include "runs/run_store.h"
#include "runs/workspace.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define TYPE_PREFIX "Microsoft.MachineLearningServices."

/* What is read of an event, in the order of the decoder's columns. */
typedef enum EventColumn
{
	EVENT_ID,
	EVENT_SOURCE,
	EVENT_TYPE,
	EVENT_TIME,
	EVENT_SUBJECT,
	EVENT_DATA,
	EVENT_RUN_ID,
	EVENT_EXPERIMENT_ID,
	EVENT_EXPERIMENT,
	EVENT_RUN_TYPE,
	EVENT_STATUS,
	EVENT_TAGS,
	EVENT_PROPERTIES,
	EVENT_COLUMNS
} EventColumn;

static const struct
{
	const char *name; /* as the decoder looks for it: an attribute of the envelope, or a member of data */
	Oid type;
} columns[EVENT_COLUMNS] = {{"id", TEXTOID},		   {"source", TEXTOID},		  {"type", TEXTOID},
							{"time", TEXTOID},		   {"subject", TEXTOID},	  {"data", JSONBOID},
							{"runid", TEXTOID},		   {"experimentid", TEXTOID}, {"experimentname", TEXTOID},
							{"runtype", TEXTOID},	   {"runstatus", TEXTOID},	  {"runtags", JSONOID},
							{"runproperties", JSONOID}};

static MlsStatement store_event = {
	"INSERT INTO ml_score.run_event (workspace_id, id, type, event_time, source, subject, run_id, experiment, status, "
	"data) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (workspace_id, id) DO NOTHING",
	10,
	{TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID}};

/* One event, as the decoder hands it out. */
typedef struct Event
{
	const Datum *values;
	const bool *nulls;
	MlsWorkspace workspace;
	const char *type;
	char *run_id;
	char *experiment_id;
	int64 time;
} Event;

/* A call's decoder, kept for the calls that follow in the same query. */
static MlsEventDecoder *
decoder_of(FmgrInfo *flinfo)
{
	MemoryContext old;
	TupleDesc desc;
	MlsEventSpec spec = {.format = "eventgrid", .userid = InvalidOid};

	if (flinfo->fn_extra != NULL)
		return flinfo->fn_extra;
	old = MemoryContextSwitchTo(flinfo->fn_mcxt);
	desc = CreateTemplateTupleDesc(EVENT_COLUMNS);
	for (int i = 0; i < EVENT_COLUMNS; i++)
		TupleDescInitEntry(desc, i + 1, columns[i].name, columns[i].type, -1, 0);
	spec.columns = desc;
	flinfo->fn_extra = mls_event_decoder_create(&spec);
	MemoryContextSwitchTo(old);
	return flinfo->fn_extra;
}

static char *
text_of(const Event *event, EventColumn column)
{
	return event->nulls[column] ? NULL : TextDatumGetCString(event->values[column]);
}

/* A text, which may be NULL, in UTF-8, as facts are. */
static const char *
to_utf8(const char *text)
{
	int len;

	if (text == NULL)
		return NULL;
	len = (int) strlen(text);
	return mls_to_utf8(text, &len);
}

static const char *
utf8_of(const Event *event, EventColumn column)
{
	return to_utf8(text_of(event, column));
}

pg_noreturn static void
raise_malformed(const char *what, const char *value)
{
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("could not ingest an event"),
			value == NULL ? errdetail("It has no %s.", what) : errdetail("Its %s is \"%s\".", what, value),
			errhint("Event Grid's and CloudEvents' schemas are understood."));
}

/* The type without what all types of Azure ML begin with; NULL for somebody else's. */
static const char *
short_type(const char *type)
{
	static const char *const known[] = {"RunStatusChanged", "RunCompleted", "ModelRegistered", "ModelDeployed",
										"DatasetDriftDetected"};

	if (pg_strncasecmp(type, TYPE_PREFIX, strlen(TYPE_PREFIX)) != 0)
		return NULL;
	type += strlen(TYPE_PREFIX);
	for (int i = 0; i < lengthof(known); i++)
		if (pg_strcasecmp(type, known[i]) == 0)
			return known[i];
	return type;
}

/* Work out what the envelope and the subject say. False: an event of somebody else's. */
static bool
read_envelope(Event *event)
{
	char *type = text_of(event, EVENT_TYPE);
	char *source = text_of(event, EVENT_SOURCE);
	char *time = text_of(event, EVENT_TIME);
	char *subject = text_of(event, EVENT_SUBJECT);
	char *subject_run = NULL;
	char *subject_experiment = NULL;

	if (type == NULL)
		raise_malformed("type", NULL);
	event->type = short_type(type);
	if (event->type == NULL)
		return false;
	if (event->nulls[EVENT_ID])
		raise_malformed("id", NULL);
	event->time = MLS_RUN_NO_TIME;
	if (time != NULL && !mls_run_time_parse(time, strlen(time), &event->time))
		raise_malformed("time", time);
	if (subject != NULL)
		(void) mls_run_subject_parse(subject, &subject_experiment, &subject_run);
	mls_workspace_parse(source == NULL ? "" : source, &event->workspace);
	event->run_id = text_of(event, EVENT_RUN_ID);
	if (event->run_id == NULL)
		event->run_id = subject_run;
	event->experiment_id = text_of(event, EVENT_EXPERIMENT_ID);
	if (event->experiment_id == NULL)
		event->experiment_id = subject_experiment;
	return true;
}

/* False when it was there already. */
static bool
insert_event(const Event *event)
{
	Datum values[10];
	char nulls[10];
	static const EventColumn taken[] = {EVENT_SOURCE,	  EVENT_SUBJECT, EVENT_RUN_ID,
										EVENT_EXPERIMENT, EVENT_STATUS,	 EVENT_DATA};

	memset(nulls, ' ', sizeof(nulls));
	values[0] = CStringGetTextDatum(event->workspace.id);
	values[1] = event->values[EVENT_ID];
	values[2] = CStringGetTextDatum(event->type);
	values[3] = TimestampTzGetDatum(event->time);
	nulls[3] = event->time == MLS_RUN_NO_TIME ? 'n' : ' ';
	for (int i = 0; i < lengthof(taken); i++)
	{
		values[4 + i] = event->values[taken[i]];
		nulls[4 + i] = event->nulls[taken[i]] ? 'n' : ' ';
	}
	if (nulls[4] == 'n')
		values[4] = CStringGetTextDatum("");
	nulls[4] = ' ';
	if (event->run_id != NULL)
		values[6] = CStringGetTextDatum(event->run_id);
	nulls[6] = event->run_id == NULL ? 'n' : ' ';
	return mls_ledger_run(&store_event, values, nulls) > 0;
}

static void
merge_run(const Event *event)
{
	MlsRunFacts facts;
	const char *source = utf8_of(event, EVENT_SOURCE);
	MlsRunEvent said = {.completed = strcmp(event->type, "RunCompleted") == 0,
						.time = event->time,
						.resource = source == NULL ? "" : source,
						.experiment_id = to_utf8(event->experiment_id),
						.experiment = utf8_of(event, EVENT_EXPERIMENT),
						.run_type = utf8_of(event, EVENT_RUN_TYPE),
						.status = utf8_of(event, EVENT_STATUS),
						.tags = utf8_of(event, EVENT_TAGS),
						.properties = utf8_of(event, EVENT_PROPERTIES)};

	mls_run_facts_init(&facts);
	mls_run_read_event(&said, &facts);
	(void) mls_run_store(event->workspace.id, event->run_id, &facts, MLS_RUN_FROM_EVENT);
}

static bool
is_about_a_run(const Event *event)
{
	return strcmp(event->type, "RunStatusChanged") == 0 || strcmp(event->type, "RunCompleted") == 0;
}

static void
take_event(void *arg, const Datum *values, const bool *nulls)
{
	int32 *stored = arg;
	Event event = {.values = values, .nulls = nulls};

	if (!read_envelope(&event) || !insert_event(&event))
		return;
	(*stored)++;
	if (!is_about_a_run(&event))
		return;
	if (event.run_id == NULL)
		raise_malformed("run id", NULL);
	merge_run(&event);
}

PG_FUNCTION_INFO_V1(mls_ingest_event);

PGDLLEXPORT Datum
mls_ingest_event(PG_FUNCTION_ARGS)
{
	Jsonb *document = PG_GETARG_JSONB_P(0);
	MlsEventDecoder *decoder = decoder_of(fcinfo->flinfo);
	char *text = JsonbToCString(NULL, &document->root, VARSIZE(document));
	int len = (int) strlen(text);
	const char *utf8 = mls_to_utf8(text, &len);
	int32 stored = 0;
	MlsEventFault fault;
	MlsLedger ledger;
	MlsEventStatus status;

	mls_ledger_open(&ledger);
	mls_run_lock_all();
	status = mls_event_decode(decoder, utf8, len, take_event, &stored, &fault);
	if (status != MLS_EVENT_OK)
		ereport(ERROR, errcode(fault.sqlstate), errmsg("could not ingest an event"), errdetail("%s.", fault.reason));
	mls_ledger_close(&ledger);
	PG_RETURN_INT32(stored);
}
