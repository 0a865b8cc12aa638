/* sources: src/runs/run_facts.c src/runs/run_read.c src/runs/workspace.c src/codec/json_read.c src/codec/json_write.c src/codec/json_number.c src/codec/decode_time.c src/codec/key_hint.c
 *
 * test_run_facts.c - merging is a maximum: whatever the order, the grouping and the repetitions, the end is the same.
 */
#include "postgres.h"

#include "runs/run_facts.h"
#include "runs/run_read.h"
#include "runs/workspace.h"
#include "tap.h"

/* key_hint.c's cache of places is not used here. */
typedef struct MemoryContextData *MemoryContext;

void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	return palloc(size);
}

void *
MemoryContextAllocZero(MemoryContext context, Size size)
{
	return palloc0(size);
}

static uint32 seed = 20261124;

static int
dice(int n)
{
	seed = seed * 1664525 + 1013904223;
	return (int) ((seed >> 8) % n);
}

static char *
written(const MlsRunFacts *facts)
{
	StringInfoData out;

	initStringInfo(&out);
	mls_run_facts_write(&out, facts);
	out.data[out.len] = '\0';
	return out.data;
}

static void
random_facts(MlsRunFacts *facts)
{
	static const char *const names[] = {"status", "experiment", "tag:a", "tag:b", "end_time", "property:\xc3\xa9"};
	static const char *const values[] = {"", "a", "b", "\xc3\xa9\"", "Completed"};

	mls_run_facts_init(facts);
	for (int i = dice(6); i >= 0; i--)
		mls_run_facts_add(facts, names[dice(lengthof(names))], dice(3), dice(4) == 0 ? MLS_RUN_NO_TIME : dice(3) - 1,
						  values[dice(lengthof(values))]);
}

static char *
union_of(const MlsRunFacts *a, const MlsRunFacts *b, const MlsRunFacts *c)
{
	MlsRunFacts all;

	mls_run_facts_init(&all);
	mls_run_facts_merge(&all, a);
	mls_run_facts_merge(&all, b);
	mls_run_facts_merge(&all, c);
	return written(&all);
}

/* The laws, over random pieces of knowledge. */
static void
check_laws(void)
{
	int unlike_order = 0;
	int unlike_grouping = 0;
	int unlike_repeated = 0;
	int unlike_stored = 0;

	for (int i = 0; i < 5000; i++)
	{
		MlsRunFacts a, b, c, bc, again;
		char *abc;

		random_facts(&a);
		random_facts(&b);
		random_facts(&c);
		abc = union_of(&a, &b, &c);
		unlike_order += strcmp(abc, union_of(&c, &a, &b)) != 0 || strcmp(abc, union_of(&b, &a, &c)) != 0;
		mls_run_facts_init(&bc);
		mls_run_facts_merge(&bc, &b);
		mls_run_facts_merge(&bc, &c);
		unlike_grouping += strcmp(abc, union_of(&a, &bc, &bc)) != 0;
		mls_run_facts_init(&again);
		unlike_stored += !mls_run_facts_read(&again, abc, strlen(abc)) || strcmp(abc, written(&again)) != 0;
		unlike_repeated += mls_run_facts_merge(&again, &b) || mls_run_facts_merge(&again, &again);
	}
	ok(unlike_order == 0, "merging is commutative");
	ok(unlike_grouping == 0, "merging is associative");
	ok(unlike_repeated == 0, "merging is idempotent, and says that nothing changed");
	ok(unlike_stored == 0, "facts read as they were written");
}

static const char *
value_of(const MlsRunFacts *facts, const char *name)
{
	const MlsRunFact *fact = mls_run_fact(facts, name);

	return fact == NULL ? "(none)" : fact->value;
}

static void
is(const MlsRunFacts *facts, const char *name, const char *expected)
{
	ok(strcmp(value_of(facts, name), expected) == 0, "%s is %s: %s", name, expected, value_of(facts, name));
}

static void
check_history(void)
{
	static const char run[] =
		"{\"runId\":\"r1\",\"experimentId\":\"x\",\"status\":\"completed\",\"createdUtc\":\"2026-03-02T10:00:00."
		"1234567+00:00\","
		"\"startTimeUtc\":\"2026-03-02T11:00:01+01:00\",\"endTimeUtc\":\"2026-03-02T10:00:02\",\"runType\":\"azureml."
		"StepRun\","
		"\"parentRunId\":\"outer\",\"token\":\"secret\",\"scriptName\":\"old.py\",\"name\":\"n\","
		"\"error\":{\"error\":{\"code\":\"UserError\",\"message\":\"it broke\"}},\"tags\":{\"t\":\"1\"},"
		"\"properties\":{\"ContentSnapshotId\":\"s1\",\"azureml.pipelinerunid\":\"pipe\"}}";
	static const char details[] = "{\"runId\":\"r1\",\"target\":\"cpu\",\"runDefinition\":{\"script\":\"train.py\","
								  "\"target\":\"other\",\"environment\":"
								  "{\"docker\":{\"baseImage\":\"img:1\"},\"environmentVariables\":{\"KEY\":\"secret\"}}"
								  "},\"logFiles\":{\"a\":\"secret\"}}";
	MlsRunFacts facts;
	char *run_id;

	mls_run_facts_init(&facts);
	ok(mls_run_read_history(run, strlen(run), 5, &facts, &run_id) && strcmp(run_id, "r1") == 0, "a Run is read");
	ok(mls_run_read_history(details, strlen(details), 5, &facts, &run_id), "its RunDetails are");
	is(&facts, "status", "Completed");
	is(&facts, "experiment_id", "x");
	is(&facts, "parent_run_id", "pipe");
	is(&facts, "run_type", "azureml.StepRun");
	is(&facts, "compute_target", "cpu");
	is(&facts, "docker_image", "img:1");
	is(&facts, "snapshot_id", "s1");
	is(&facts, "script", "train.py");
	is(&facts, "error", "UserError: it broke");
	is(&facts, "tag:t", "1");
	is(&facts, "run:name", "n");
	is(&facts, "created_at", "825760800123456");
	is(&facts, "start_time", "825760801000000");
	is(&facts, "end_time", "825760802000000");
	ok(strstr(written(&facts), "secret") == NULL, "tokens, environment variables and log URLs are left out");
	ok(mls_run_is_over(&facts), "a completed run is over");
	ok(!mls_run_read_history("{}", 2, 5, &facts, &run_id) && !mls_run_read_history("[", 1, 5, &facts, &run_id),
	   "what is no run is refused");
}

static void
check_workspaces(void)
{
	MlsWorkspace w;

	mls_workspace_parse(
		"/subscriptions/S/resourceGroups/G/providers/Microsoft.MachineLearningServices/workspaces/W/x/y", &w);
	ok(strcmp(w.id, "/subscriptions/s/resourcegroups/g/providers/microsoft.machinelearningservices/workspaces/w") == 0,
	   "a workspace's key ends with its name");
	ok(strcmp(w.subscription, "S") == 0 && strcmp(w.resource_group, "G") == 0 && strcmp(w.name, "W") == 0, "its parts");
	mls_workspace_parse("/subscriptions/S/workspaces/", &w);
	ok(w.name == NULL && w.resource_group == NULL && strcmp(w.id, "/subscriptions/s/workspaces") == 0,
	   "parts may be missing");
	mls_workspace_parse("", &w);
	ok(*w.id == '\0' && w.name == NULL, "all of them too");
	ok(mls_workspace_is_id(
		   "/subscriptions/S/resourceGroups/G/providers/Microsoft.MachineLearningServices/workspaces/W"),
	   "a whole id");
	ok(!mls_workspace_is_id(
		   "/subscriptions/S/resourceGroups/G/providers/Microsoft.MachineLearningServices/workspaces/W/x"),
	   "more than an id");
}

/* Broken documents of every kind: nothing but an answer is wanted, and the sanitizers' silence. */
static void
check_mutations(int n)
{
	static const char sample[] =
		"{\"runId\":\"r\\u00e9\",\"status\":\"Failed\",\"endTimeUtc\":\"2026-03-02T10:00:00.1234567Z\",\"tags\":{\"a\":"
		"[1,{}]},"
		"\"error\":{\"error\":{\"message\":\"\\ud83d\\ude00\"}},\"runDefinition\":{\"environment\":{\"docker\":{}}}}";
	int read = 0;

	for (int i = 0; i < n; i++)
	{
		size_t len = sizeof(sample) - 1 - (dice(4) == 0 ? dice(60) : 0);
		char *copy = memcpy(malloc(len), sample, len);
		MlsRunFacts facts;
		MlsRunFacts again;
		char *run_id;

		for (int m = dice(4); m >= 0; m--)
			copy[dice((int) len)] = "\"\\{}[]:,u0eTZ.-+/"[dice(17)];
		mls_run_facts_init(&facts);
		read += mls_run_read_history(copy, len, 1, &facts, &run_id);
		mls_run_facts_init(&again);
		(void) mls_run_facts_read(&again, copy, len);
		if (facts.count > 0 && !mls_run_facts_read(&again, written(&facts), strlen(written(&facts))))
			ok(0, "facts of a broken document read as they were written");
		free(copy);
	}
	ok(read > n / 10 && read < n, "of %d broken documents %d could be read", n, read);
}

int
main(void)
{
	check_laws();
	check_history();
	check_workspaces();
	check_mutations(20000);
	return done_testing();
}
