/*
 * job_state.c - see job_state.h.
 */
#include "postgres.h"

#include "batch/job_state.h"

/* A service that asks for a longer wait is looked at all the same: the job's own time may be over. */
#define LONGEST_ASKED_MS (60 * 60 * 1000)

#define BIT(state) (1U << (state))
#define ENDS_EARLY (BIT(MLS_JOB_FAILED) | BIT(MLS_JOB_CANCELLING))

typedef struct StateRow
{
	const char *name;
	unsigned followers;
} StateRow;

/* Failed and cancelled jobs may be tried again, from the step that failed. */
static const StateRow states[] = {
	[MLS_JOB_EXPORTING] = {"exporting", BIT(MLS_JOB_SUBMITTING) | BIT(MLS_JOB_COMPLETED) | ENDS_EARLY},
	[MLS_JOB_SUBMITTING] = {"submitting", BIT(MLS_JOB_RUNNING) | ENDS_EARLY},
	[MLS_JOB_RUNNING] = {"running",
						 BIT(MLS_JOB_DOWNLOADING) | BIT(MLS_JOB_COMPLETED) | BIT(MLS_JOB_CANCELLED) | ENDS_EARLY},
	[MLS_JOB_DOWNLOADING] = {"downloading", BIT(MLS_JOB_LOADING) | ENDS_EARLY},
	[MLS_JOB_LOADING] = {"loading", BIT(MLS_JOB_DOWNLOADING) | BIT(MLS_JOB_COMPLETED) | ENDS_EARLY},
	[MLS_JOB_COMPLETED] = {"completed", 0},
	[MLS_JOB_FAILED] = {"failed", BIT(MLS_JOB_EXPORTING) | BIT(MLS_JOB_SUBMITTING) | BIT(MLS_JOB_RUNNING) |
									  BIT(MLS_JOB_DOWNLOADING)},
	[MLS_JOB_CANCELLING] = {"cancelling", BIT(MLS_JOB_CANCELLED) | BIT(MLS_JOB_COMPLETED) | BIT(MLS_JOB_FAILED)},
	[MLS_JOB_CANCELLED] = {"cancelled", BIT(MLS_JOB_EXPORTING) | BIT(MLS_JOB_SUBMITTING)},
};

const char *
mls_job_state_name(MlsJobState state)
{
	return states[state].name;
}

bool
mls_job_state_parse(const char *name, MlsJobState *state)
{
	for (int i = 0; i < lengthof(states); i++)
	{
		if (strcmp(states[i].name, name) == 0)
		{
			*state = i;
			return true;
		}
	}
	return false;
}

bool
mls_job_state_is_final(MlsJobState state)
{
	return state == MLS_JOB_COMPLETED || state == MLS_JOB_FAILED || state == MLS_JOB_CANCELLED;
}

bool
mls_job_state_may_follow(MlsJobState from, MlsJobState to)
{
	return (states[from].followers & BIT(to)) != 0;
}

MlsRunStatus
mls_run_status(const char *status, size_t len)
{
	static const struct
	{
		const char *word;
		MlsRunStatus status;
	} words[] = {{"Completed", MLS_RUN_COMPLETED}, {"Succeeded", MLS_RUN_COMPLETED}, {"Failed", MLS_RUN_FAILED},
				 {"Canceled", MLS_RUN_CANCELED},   {"Cancelled", MLS_RUN_CANCELED},	 {"NotResponding", MLS_RUN_STOPPED},
				 {"Paused", MLS_RUN_STOPPED}};

	for (int i = 0; i < lengthof(words); i++)
	{
		if (strlen(words[i].word) == len && pg_strncasecmp(words[i].word, status, len) == 0)
			return words[i].status;
	}
	return MLS_RUN_ACTIVE;
}

int64
mls_job_poll_delay(int polls, int64 min_ms, int64 max_ms, int64 asked_ms)
{
	int64 delay = min_ms;

	if (asked_ms >= 0)
		return Max(Min(asked_ms, LONGEST_ASKED_MS), min_ms);
	for (int i = 0; i < polls && delay < max_ms; i++)
		delay = delay + delay / 4 + 1;
	return Min(delay, max_ms);
}
