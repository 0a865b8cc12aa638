/*
 * ml_score.h - the words this project uses, and what every module shares.
 *
 * Model function   an SQL function in language ml_score; its body names a server.
 * Server           a foreign server of the wrapper ml_score: where a model is, and how to talk to it.
 * Endpoint         the HTTP service behind a server, as this backend sees it: the server's settings, the caller's
 *                  credential and the server's entry in shared memory.
 * Call             one occurrence of a model function in a query; evaluated for each row that needs it.
 * Batch            the argument tuples that travel in one request, and the results that come back.
 * Exchange         one logical request and its reply, however many attempts it takes.
 * Attempt          one HTTP request on the wire.
 * Schema           what an endpoint's swagger declares of its inputs and outputs.
 *
 * Data flows one way: SQL surface (catalog/), rows to batches (scoring/), encode (codec/), transport (transport/),
 * decode (codec/), rows.
 */
#ifndef MLS_ML_SCORE_H
#define MLS_ML_SCORE_H

#include "postgres.h"

#include "fmgr.h"

#include "compat.h"

#define MLS_SCHEMA "ml_score"
#define MLS_LANGUAGE "ml_score"
#define MLS_WRAPPER "ml_score"

/* What happens to rows that the model refuses. */
typedef enum MlsOnError
{
	MLS_ON_ERROR_FAIL, /* the statement fails */
	MLS_ON_ERROR_NULL  /* the row's score is NULL; one WARNING at the end */
} MlsOnError;

/* How rows are laid out in a request's JSON. AUTO: as the endpoint's swagger (or URL) says. */
typedef enum MlsRequestFormat
{
	MLS_FORMAT_AUTO,
	MLS_FORMAT_RECORDS,			  /* {"data": [{"a": 1}, ...]} */
	MLS_FORMAT_NUMPY,			  /* {"data": [[1], ...]} */
	MLS_FORMAT_DESIGNER,		  /* {"Inputs": {"WebServiceInput0": [{...}]}, "GlobalParameters": {}} */
	MLS_FORMAT_INPUT_DATA,		  /* {"input_data": {"columns": [], "index": [], "data": [[]]}} */
	MLS_FORMAT_DATAFRAME_SPLIT,	  /* MLflow: {"dataframe_split": {"columns": [], "data": [[]]}} */
	MLS_FORMAT_DATAFRAME_RECORDS, /* MLflow: {"dataframe_records": [{...}]} */
	MLS_FORMAT_INPUTS,			  /* MLflow: {"inputs": [[...]]} */
	MLS_FORMAT_INSTANCES,		  /* MLflow, TensorFlow serving: {"instances": [{...}]} */
	MLS_FORMAT_OPEN_INFERENCE	  /* Open Inference protocol v2: {"inputs": [{"name", "shape", "datatype", "data"}]} */
} MlsRequestFormat;

/* Which requests get a line in the server log. */
typedef enum MlsLogRequests
{
	MLS_LOG_OFF,
	MLS_LOG_FAILED,
	MLS_LOG_ALL
} MlsLogRequests;

/* guc.c: the settings. Those that override a server's option say "not set" with MLS_UNSET, NULL or "". */
#define MLS_UNSET (-1)
extern bool mls_batching;
extern char *mls_max_batch_rows;		/* "", "auto" or a number */
extern int mls_max_batch_bytes;			/* bytes, 0 = not set */
extern char *mls_max_parallel_requests; /* "", "auto" or a number */
extern int mls_timeout;					/* ms, 0 = not set */
extern int mls_on_error;				/* MlsOnError or MLS_UNSET */
extern int mls_log_requests;			/* MlsLogRequests */
extern char *mls_allowed_hosts;			/* comma-separated patterns; "" = every host */
extern bool mls_allow_http;				/* http:// beyond loopback */
extern int mls_max_response_size;		/* kB */
extern bool mls_allow_azure_cli;		/* credential 'azure_cli' may run its program */
extern int mls_max_tokens;				/* entries of the token cache in shared memory */
extern int mls_max_endpoints;			/* entries in shared memory */
extern int mls_max_stream_partitions;	/* likewise */
extern int mls_inference_queue_size;	/* kB of shared memory */
extern int mls_read_ahead_memory;		/* kB a scan may hold in rows and bodies */
extern int mls_max_stream_workers_per_role;
extern int mls_max_batch_workers; /* of a database, at a time */
extern void mls_guc_init(void);

/* Give a setting that users may change another value: until the level of NewGUCNestLevel ends, or the transaction. */
extern void mls_guc_set_for_level(const char *name, const char *value);
extern void mls_guc_set_for_transaction(const char *name, const char *value);

/* True when the library came with shared_preload_libraries, so that shared memory and the planner hook are there. */
extern bool mls_preloaded;

#endif
