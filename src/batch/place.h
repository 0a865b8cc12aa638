/*
 * place.h - where a job's files are: its server, its storage, and what both are called in requests.
 */
#ifndef MLS_PLACE_H
#define MLS_PLACE_H

#include "batch/blob.h"
#include "batch/job.h"

/* Azure ML ends a job after 21 days at the latest. */
#define MLS_JOB_SAS_SECONDS (21 * 24 * 60 * 60)

/* In a transaction: the job's server of type 'batch'. Raises when it is gone, of another type, or not the owner's to use. */
extern MlsServer *mls_place_server(const char *name, Oid userid);

/* In a transaction: the blob server that it names. Raises when there is none. */
extern MlsServer *mls_place_storage(const MlsServer *server, Oid userid);

/*
 * Open the job's storage. May wait for a token or a key vault; its server is looked for in a transaction of its own where
 * there is none.
 */
extern MlsBlobStore *mls_place_open_storage(const MlsJob *job);

/* In a transaction: the workspace server that it names. Raises when there is none. */
extern MlsServer *mls_place_workspace(const MlsServer *server, Oid userid);

/* In a transaction: a blob server by its name. Raises likewise. */
extern MlsServer *mls_place_blob(const char *name, Oid userid);

/* The folders that files come from and go to, below the storage's url. */
extern char *mls_place_input(const MlsJob *job);
extern char *mls_place_output(const MlsJob *job);

/*
 * path, below the storage's url, as the endpoint is to know it: template expanded, or the blob's URL when there is none.
 * sas: what {sas} stands for.
 */
extern char *mls_place_uri(const MlsJob *job, const MlsBlobStore *store, const char *template, const char *path,
						   const char *sas);

#endif
