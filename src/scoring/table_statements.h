/*
 * table_statements.h - the two statements of a chunk of score_table: find its rows, score and store them.
 */
#ifndef MLS_TABLE_STATEMENTS_H
#define MLS_TABLE_STATEMENTS_H

#include "scoring/table_map.h"

/* The name that the rows of a chunk go by in the statement that stores them. */
#define MLS_TABLE_CHUNK "ml_score_chunk"

typedef struct MlsTableStatements
{
	/*
	 * Every row without a score: key columns k1, k2, ... and arguments a1, a2, ... (or the whole row), as source has
	 * them.
	 */
	char *find;

	/*
	 * With an index of source over the key, the walk goes in its order: the first rows without a score, and the first
	 * ones after a key ($1, $2, ...: of the walk's columns, in the order of their numbers here). Else both are NULL.
	 */
	char *find_first;
	char *find_next;
	int *walk; /* for each parameter: its key column, from 0 */

	/* Score the rows of MLS_TABLE_CHUNK and store them; those that target has meanwhile stay as they are. */
	char *store;
} MlsTableStatements;

/* palloc'd in the current context. */
extern MlsTableStatements *mls_table_statements(const MlsTableMap *map, Relation source, int chunk_rows);

#endif
