/* sources: src/batch/job_state.c src/batch/template.c src/batch/location.c
 *
 * test_job_state.c - a batch job's states, Azure's words, URI templates, and the places that blob URLs name.
 */
#include "postgres.h"

#include "batch/job_state.h"
#include "batch/location.h"
#include "batch/template.h"
#include "tap.h"

static void
test_states(void)
{
	MlsJobState state;

	for (int from = MLS_JOB_EXPORTING; from <= MLS_JOB_CANCELLED; from++)
	{
		const char *name = mls_job_state_name(from);
		bool has_next = false;

		ok(mls_job_state_parse(name, &state) && state == from, "%s is read back", name);
		for (int to = MLS_JOB_EXPORTING; to <= MLS_JOB_CANCELLED; to++)
			has_next |= mls_job_state_may_follow(from, to);
		ok(has_next != (from == MLS_JOB_COMPLETED), "%s has a way out, unless it is completed", name);
		ok(mls_job_state_is_final(from) || mls_job_state_may_follow(from, MLS_JOB_FAILED), "%s can fail", name);
	}
	ok(!mls_job_state_parse("done", &state), "no other word is a state");
	ok(!mls_job_state_may_follow(MLS_JOB_SUBMITTING, MLS_JOB_EXPORTING), "what was exported stays so");
	ok(!mls_job_state_may_follow(MLS_JOB_RUNNING, MLS_JOB_SUBMITTING), "no job is started twice");
}

static void
test_words(void)
{
	static const struct
	{
		const char *word;
		MlsRunStatus status;
	} cases[] = {{"NotStarted", MLS_RUN_ACTIVE},
				 {"Queued", MLS_RUN_ACTIVE},
				 {"Preparing", MLS_RUN_ACTIVE},
				 {"Provisioning", MLS_RUN_ACTIVE},
				 {"Starting", MLS_RUN_ACTIVE},
				 {"Running", MLS_RUN_ACTIVE},
				 {"Finalizing", MLS_RUN_ACTIVE},
				 {"CancelRequested", MLS_RUN_ACTIVE},
				 {"Unknown", MLS_RUN_ACTIVE},
				 {"SomethingNew", MLS_RUN_ACTIVE},
				 {"", MLS_RUN_ACTIVE},
				 {"Completed", MLS_RUN_COMPLETED},
				 {"completed", MLS_RUN_COMPLETED},
				 {"Failed", MLS_RUN_FAILED},
				 {"FAILED", MLS_RUN_FAILED},
				 {"Canceled", MLS_RUN_CANCELED},
				 {"canceled", MLS_RUN_CANCELED},
				 {"NotResponding", MLS_RUN_STOPPED},
				 {"Paused", MLS_RUN_STOPPED}};

	for (int i = 0; i < lengthof(cases); i++)
		ok(mls_run_status(cases[i].word, strlen(cases[i].word)) == cases[i].status, "status \"%s\"", cases[i].word);
}

static void
test_poll_delay(void)
{
	int64 last = 0;
	bool grows = true;

	for (int polls = 0; polls < 100; polls++)
	{
		int64 delay = mls_job_poll_delay(polls, 2000, 60000, -1);

		grows &= delay >= last && delay <= 60000;
		last = delay;
	}
	ok(mls_job_poll_delay(0, 2000, 60000, -1) == 2000, "the first look is soon");
	ok(grows && last == 60000, "then it takes longer, up to a limit");
	ok(mls_job_poll_delay(0, 2000, 60000, 15000) == 15000, "what the service asks for holds");
	ok(mls_job_poll_delay(50, 2000, 60000, 0) == 2000, "but for hurry");
	ok(mls_job_poll_delay(0, 2000, 60000, PG_INT64_MAX) == 3600000, "or for more than an hour");
}

static void
check(const char *template, const char *expected, const char *name)
{
	static const MlsTemplateValues values = {
		.account = "acct", .container = "scoring", .path = "ml_score/7-ab/in", .job = 7, .sas = "sv=1&sig=x%3D"};
	char *got = mls_template_expand(template, &values);

	if (!ok(strcmp(got, expected) == 0, "%s", name))
		printf("#   got:      %s\n#   expected: %s\n", got, expected);
}

static void
test_templates(void)
{
	check("azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/d/paths/{path}",
		  "azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/d/paths/ml_score/7-ab/in",
		  "a registered datastore");
	check("https://{account}.blob.core.windows.net/{container}/{path}?{sas}&j={job}",
		  "https://acct.blob.core.windows.net/scoring/ml_score/7-ab/in?sv=1&sig=x%3D&j=7", "every name");
	ok(mls_template_check("wasbs://{container}@{account}.blob/{path}") == NULL, "a template that is one");
	ok(mls_template_check("https://a/{job}") != NULL, "without {path} it is none");
	ok(mls_template_check("https://a/{path}/{paths}") != NULL, "nor with an unknown name");
	ok(mls_template_check("https://a/{path") != NULL, "nor with half a name");
	ok(mls_template_check("https://a/ {path}") != NULL, "nor with a space");
	ok(mls_template_uses_sas("a{sas}") && !mls_template_uses_sas("a{path}"), "{sas} is seen");
}

static void
check_location(const char *url, const char *account, const char *expected)
{
	MlsLocation location;
	const char *got = "none";

	if (mls_location_parse(url, account, &location))
		got = psprintf("%s %s %s /%s", location.account, location.service, location.container, location.prefix);
	if (!ok(strcmp(got, expected) == 0, "%s", url))
		printf("#   got:      %s\n#   expected: %s\n", got, expected);
}

static void
test_locations(void)
{
	check_location("https://acct.blob.core.windows.net/scoring", NULL,
				   "acct https://acct.blob.core.windows.net scoring /");
	check_location("https://acct.blob.core.windows.net/scoring/a/b%20c/", NULL,
				   "acct https://acct.blob.core.windows.net scoring /a/b%20c");
	check_location("http://127.0.0.1:10000/devstoreaccount1/scoring/x", NULL,
				   "devstoreaccount1 http://127.0.0.1:10000/devstoreaccount1 scoring /x");
	check_location("http://localhost:10000/dev/scoring", NULL, "dev http://localhost:10000/dev scoring /");
	check_location("http://[::1]:10000/dev/scoring", NULL, "dev http://[::1]:10000/dev scoring /");
	check_location("https://files.example.com/scoring", "acct", "acct https://files.example.com scoring /");
	check_location("https://acct.blob.core.windows.net", NULL, "none");
	check_location("https://acct.blob.core.windows.net/", NULL, "none");
	check_location("https://acct.blob.core.windows.net/?sv=1", NULL, "none");
	check_location("http://127.0.0.1:10000/devstoreaccount1", NULL, "none");
	check_location("acct/scoring", NULL, "none");
}

int
main(void)
{
	test_states();
	test_locations();
	test_words();
	test_poll_delay();
	test_templates();
	return done_testing();
}
