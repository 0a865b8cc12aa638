/*
 * job.h - a batch job as the table ml_score.batch_job has it.
 *
 * Users see their own jobs there and change nothing; what the job's worker notes, it notes as the table's owner.
 */
#ifndef MLS_JOB_H
#define MLS_JOB_H

#include "batch/job_state.h"
#include "batch/result.h"
#include "catalog/ledger.h"
#include "utils/timestamp.h"

typedef struct MlsJob
{
	int64 id;
	Oid owner;
	char *server;
	MlsJobState state;
	char *query; /* or NULL */
	char *input; /* an URI instead; or NULL */
	Oid target;	 /* or InvalidOid */
	char **keys; /* columns of the query that stay in the database */
	int nkeys;
	bool send_key; /* they are sent instead */
	char *format;  /* csv, csv_no_header, json_lines */
	int rows_per_file;
	bool gzip;
	MlsResultFormat result_format;
	char **result_columns; /* names of a headerless result's fields, when given */
	int nresult_columns;
	char **columns; /* of the target, when given; and the field for each */
	char **fields;
	int ncolumns;
	char *on_conflict; /* update, nothing; or NULL */
	bool fail_missing;
	bool fail_bad;
	char *parameters; /* JSON texts, or NULL */
	char *outputs;
	char *overrides;
	char *tags;
	char *experiment;
	char *retain; /* nothing, failed, all */
	char *search_path;
	char *time_zone;
	char *uuid;		/* of this try: in its folder, and the request's id */
	char *folder;	/* ml_score/ID-UUID */
	char *job_name; /* Azure's, once it is known */
	bool invoke_started;
	TimestampTz invoke_started_at;
	int attempts; /* of the current step that failed */
	int polls;
	TimestampTz deadline; /* 0: none */
	int64 rows_out;
	bool cleanup; /* its files are to be removed */
	TimestampTz invoked_at;
	char *azure_status;
	bool cancel_sent; /* Azure was asked to stop it */
	bool has_ended;	  /* in Azure */
	char *error_detail;
	bool elsewhere; /* it came with a copy of its database, and is the original's */
} MlsJob;

/* The job, in the current context; NULL when it is gone. lock: until the transaction's end. In a transaction. */
extern MlsJob *mls_job_load(int64 id, bool lock);

/*
 * Put the job into another state, and set columns ("a = b, c = d", or NULL) besides, whose $3.. are the arguments. False
 * when it is no longer in the state that job says: somebody cancelled it. Wakes the workers at commit. In a transaction.
 */
extern bool mls_job_move(const MlsJob *job, MlsJobState to, const char *message, const char *set, int n,
						 const char *const *arguments);

/* Set columns alone. False when the job is no longer in its state. */
extern bool mls_job_set(const MlsJob *job, const char *set, int n, const char *const *arguments);

/* A line in its history. */
extern void mls_job_note(int64 id, const char *state, const char *message);

#endif
