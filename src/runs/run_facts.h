/*
 * run_facts.h - what is known of a run, and how two pieces of knowledge become one. Pure.
 *
 * A fact is a name ("status", "tag:owner") with a value, a rank (how much its source is to be believed) and a stamp (when
 * it was so). Of two facts with one name the greater stays: by rank, then by stamp, then by the bytes of the value. So
 * every merge is a maximum for each name: it may be done in any order, any grouping, and again, with the same end.
 */
#ifndef MLS_RUN_FACTS_H
#define MLS_RUN_FACTS_H

#include "codec/json_read.h"
#include "lib/stringinfo.h"

/* The stamp of what has no time: everything that has one is greater. */
#define MLS_RUN_NO_TIME PG_INT64_MIN

typedef struct MlsRunFact
{
	char *name;
	int rank;
	int64 stamp; /* microseconds since 2000-01-01 UTC, negated where the earlier one is to stay */
	char *value; /* UTF-8 */
} MlsRunFact;

typedef struct MlsRunFacts
{
	int count;
	int room;
	MlsRunFact *facts; /* by name, each name once */
} MlsRunFacts;

/* Begin with none; all that is added is palloc'd in the current context. */
extern void mls_run_facts_init(MlsRunFacts *facts);

/* Add a fact, of which name and value are copied; where there is one of that name, the greater stays. */
extern void mls_run_facts_add(MlsRunFacts *facts, const char *name, int rank, int64 stamp, const char *value);

/* Add all of other's to facts. True when that changed anything. */
extern bool mls_run_facts_merge(MlsRunFacts *facts, const MlsRunFacts *other);

/* The fact of this name, or NULL. */
extern const MlsRunFact *mls_run_fact(const MlsRunFacts *facts, const char *name);

/* As JSON: {"name": [rank, stamp, "value"], ...}, by name. */
extern void mls_run_facts_write(StringInfo out, const MlsRunFacts *facts);

/* Add what mls_run_facts_write wrote, however its JSON is laid out by now. False when it is something else. */
extern bool mls_run_facts_read(MlsRunFacts *facts, const char *json, size_t len);

/* A JSON object of the facts whose names begin with prefix, as strings under the rest of their names. */
extern void mls_run_facts_write_group(StringInfo out, const MlsRunFacts *facts, const char *prefix);

/* A string span's characters, NUL-terminated; NULL when it is none, or holds what no text can. palloc'd. */
extern char *mls_run_text(const MlsSpan *span);

#endif
