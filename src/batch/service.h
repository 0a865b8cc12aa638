/*
 * service.h - Azure ML's batch endpoint: jobs started, looked at, listed, stopped.
 */
#ifndef MLS_SERVICE_H
#define MLS_SERVICE_H

#include "batch/place.h"
#include "codec/json_read.h"

typedef struct MlsService MlsService;

/* What the service says of a job. Strings are palloc'd; NULL when it does not say. */
typedef struct MlsRun
{
	char *name;
	char *status; /* its word */
	MlsRunStatus meaning;
	char *studio_url;
	char *error; /* its words */
} MlsRun;

/* Lives in the current context. May wait for tokens; background work calls it outside of a transaction. */
extern MlsService *mls_service_open(const MlsServer *server, Oid userid);

/*
 * The SAS that job's templates ask for, and that no message of service's will show; NULL when they do not. May wait for
 * the network. Raises when store can give none.
 */
extern char *mls_service_sas(MlsService *service, const MlsJob *job, MlsBlobStore *store);

/* The body that starts job. store: NULL for a job that has none. sas: mls_service_sas's. In a transaction. */
extern char *mls_service_invocation(MlsService *service, const MlsJob *job, MlsBlobStore *store, const char *sas);

/* Start a request. Only looking may be repeated by the transport. */
extern MlsExchange *mls_service_invoke(MlsService *service, const char *body, const char *request_id);
extern MlsExchange *mls_service_look(MlsService *service, const char *job_name);
extern MlsExchange *mls_service_cancel(MlsService *service,
									   const char *job_name); /* NULL: the server has no workspace_url */

/*
 * The experiment that the job is in: as the resource manager says, else the endpoint's name, which it usually is called.
 * palloc'd. Waits.
 */
extern char *mls_service_experiment(MlsService *service, const char *job_name);

/* Read an answer about a job. False when it is none. */
extern bool mls_service_read(const char *json, size_t len, MlsRun *run);

/* Find the job that mentions uuid in the service's list. False when it is not there. Waits; raises for what fails. */
extern bool mls_service_find(MlsService *service, const char *uuid, MlsRun *run);

/* Raise about a request that failed. doing: "start a job", ... */
pg_noreturn extern void mls_service_raise(MlsService *service, MlsExchange *exchange, const char *doing);

#endif
