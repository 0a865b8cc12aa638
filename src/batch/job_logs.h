/*
 * job_logs.h - why a job has failed, as its own logs tell: the workspace's run history says where they are.
 */
#ifndef MLS_JOB_LOGS_H
#define MLS_JOB_LOGS_H

#include "batch/service.h"

/* Where logs of a server's jobs are found. */
typedef struct MlsJobLogs MlsJobLogs;

/*
 * Those of jobs that service knows, in workspace, the server that its option of this name says. Lives in the current context.
 * May wait for a token; background work calls it outside of a transaction.
 */
extern MlsJobLogs *mls_job_logs_open(MlsServer *workspace, MlsService *service, Oid userid);

/*
 * The end of the log that tells most, in whole lines, after its name; palloc'd. May wait for the network, needs no
 * transaction. NULL when there is none, with why (a sentence) in *problem.
 */
extern char *mls_job_logs_tail(MlsJobLogs *logs, const MlsJob *job, char **problem);

/* Ask the history for a run that does not exist. Raises when we may not ask. */
extern void mls_job_logs_check(MlsJobLogs *logs);

#endif
