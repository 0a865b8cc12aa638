/*
 * schema.h - what an endpoint declares of its inputs and outputs.
 *
 * swagger.c makes it from a document (pure: no I/O); catalog/schema_cache.c fetches and keeps it.
 */
#ifndef MLS_SCHEMA_H
#define MLS_SCHEMA_H

#include "catalog/server.h"

typedef enum MlsJsonType
{
	MLS_JSON_ANY, /* not declared */
	MLS_JSON_STRING,
	MLS_JSON_INTEGER,
	MLS_JSON_NUMBER,
	MLS_JSON_BOOLEAN,
	MLS_JSON_OBJECT,
	MLS_JSON_ARRAY
} MlsJsonType;

/* "number", ...: how JSON schema calls it; "any" when it is not declared. */
extern const char *mls_json_type_name(MlsJsonType type);

typedef struct MlsField
{
	char *name;
	MlsJsonType type;
	char *format;		 /* "int64", "date-time", ... or NULL */
	MlsJsonType element; /* of an array */
	int width;			 /* values in the example of an array that has no arrays in it; 0: not shown */
	bool nullable;
} MlsField;

typedef struct MlsSchema
{
	MlsRequestFormat format; /* never AUTO once a schema was made */
	int ninputs;
	MlsField *inputs;
	int noutputs; /* 0: not declared */
	MlsField *outputs;
	bool inputs_known; /* false: nothing could be inferred; reason says why */
	char *reason;
	char *rows_open;  /* UTF-8: what a request puts before the array of rows (or the split frame) when the names are not
						* the format's usual ones */
	char *rows_close; /* and after them; both NULL otherwise */
	char *results_key; /* dotted path to the array of results when the document names one, or NULL */
} MlsSchema;

/* Make a schema of a swagger 2.0 or OpenAPI 3.x document; palloc'd. scoring_path: the path of the server's url. */
extern MlsSchema *mls_swagger_parse(const char *json, size_t len, const char *scoring_path);

/*
 * The schema of server, from this backend's cache or the endpoint's swagger. NULL when the endpoint offers none.
 * Network failures raise as a scoring request's would.
 */
extern const MlsSchema *mls_schema_get(const MlsServer *server, Oid userid);

#endif
