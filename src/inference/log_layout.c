/*
 * log_layout.c - see log_layout.h.
 */
#include "ml_score.h"

#include "inference/log_layout.h"

#include "access/htup_details.h"
#include "catalog/pg_partitioned_table.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "nodes/parsenodes.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#define TIME_COLUMN "time"

static const struct
{
	const char *name;
	Oid type;
	const char *definition;
	const char *comment;
} columns[] = {
	{TIME_COLUMN, TIMESTAMPTZOID, "timestamptz NOT NULL", "when the answer came"},
	{"function", TEXTOID, "text NOT NULL", "the model function, with its schema"},
	{"server", TEXTOID, "text NOT NULL", "the server, by its name then"},
	{"deployment", TEXTOID, "text", "the deployment that was asked; NULL: none was named, the endpoint chose"},
	{"traffic", TEXTOID, "text NOT NULL",
	 "live, canary (the share of canary_deployment) or shadow (a copy to shadow_deployment)"},
	{"request_id", TEXTOID, "text NOT NULL",
	 "x-ms-client-request-id of the last attempt; the same for a request and its copy"},
	{"azure_request_id", TEXTOID, "text", "what the endpoint calls the request; NULL: it did not say"},
	{"request_row", INT4OID, "integer NOT NULL", "the row within its request, from 1"},
	{"inputs", JSONBOID, "jsonb", "what was sent, by the names of the model's inputs"},
	{"outputs", JSONBOID, "jsonb", "the result as the model gave it; NULL when the row failed"},
	{"error", TEXTOID, "text", "why the row failed; NULL when it did not"},
	{"latency_ms", FLOAT8OID, "float8 NOT NULL", "milliseconds that the request's last attempt took"},
};

char *
mls_log_layout_definition(void)
{
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < lengthof(columns); i++)
		appendStringInfo(&out, "%s%s %s", i == 0 ? "(" : ", ", columns[i].name, columns[i].definition);
	appendStringInfoString(&out, ") PARTITION BY RANGE (" TIME_COLUMN ")");
	return out.data;
}

char *
mls_log_layout_comments(const char *table)
{
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < lengthof(columns); i++)
		appendStringInfo(&out, "COMMENT ON COLUMN %s.%s IS %s;", table, columns[i].name,
						 quote_literal_cstr(columns[i].comment));
	return out.data;
}

/* Is the table partitioned by ranges of its time, and nothing else? */
static bool
is_partitioned_by_time(Oid relid)
{
	HeapTuple tuple = SearchSysCache1(PARTRELID, ObjectIdGetDatum(relid));
	Form_pg_partitioned_table form;
	bool result;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_partitioned_table) GETSTRUCT(tuple);
	result = form->partstrat == PARTITION_STRATEGY_RANGE && form->partnatts == 1 &&
			 form->partattrs.values[0] == get_attnum(relid, TIME_COLUMN);
	ReleaseSysCache(tuple);
	return result;
}

char *
mls_log_layout_problem(Oid relid)
{
	for (int i = 0; i < lengthof(columns); i++)
	{
		AttrNumber number = get_attnum(relid, columns[i].name);
		Oid type = number == InvalidAttrNumber ? InvalidOid : get_atttype(relid, number);
		Oid expected = columns[i].type;

		if (!OidIsValid(type) || !can_coerce_type(1, &expected, &type, COERCION_ASSIGNMENT))
			return psprintf("It has no column \"%s\" that takes a value of type %s.", columns[i].name,
							format_type_be(expected));
	}
	if (!is_partitioned_by_time(relid))
		return pstrdup("It is not partitioned by ranges of the column \"" TIME_COLUMN "\".");
	return NULL;
}
