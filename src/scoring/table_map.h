/*
 * table_map.h - what score_table does with which columns: source's rows, the function's arguments, target's columns.
 */
#ifndef MLS_TABLE_MAP_H
#define MLS_TABLE_MAP_H

#include "ml_score.h"

#include "utils/relcache.h"

/* A column of the target's primary key, and the source's column of that name. */
typedef struct MlsTableKey
{
	char *name; /* quoted */
	AttrNumber source_attno;
	Oid source_type;
	Oid source_collation;
	bool source_not_null;
	Oid target_type;
	Oid target_collation;
	Oid opfamily; /* of the primary key's index */
	Oid equal;	  /* its equality operator, */
	Oid opintype; /* over this type */
} MlsTableKey;

/* An input argument of the function, and where its values come from. */
typedef struct MlsTableArg
{
	char *column; /* of source, quoted; NULL: the whole row */
	char *type;	  /* the argument's, qualified */
} MlsTableArg;

/* A column of target that takes a result. */
typedef struct MlsTableResult
{
	char *column; /* of target, quoted */
	char *field;  /* of the function's composite result, quoted; NULL: the result itself */
} MlsTableResult;

typedef struct MlsTableMap
{
	Oid source;
	Oid target;
	Oid function;
	char *source_name; /* these three qualified and quoted */
	char *target_name;
	char *function_name;
	int nkeys;
	MlsTableKey *keys; /* in the primary key's order */
	int nargs;
	MlsTableArg *args;
	int nresults;
	MlsTableResult *results;
} MlsTableMap;

/*
 * Work it out, palloc'd in the current context. Raises, with a hint, for what does not fit: the kinds of the three, no
 * primary key, columns that are missing, of other types, or cannot be told apart.
 */
extern MlsTableMap *mls_table_map(Relation source, Relation target, Oid function);

/* type, to be cast to: qualified, without a length; palloc'd. */
extern char *mls_table_type_sql(Oid type);

#endif
