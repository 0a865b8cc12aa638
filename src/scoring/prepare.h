/*
 * prepare.h - what is done to a query before it is planned, so that its calls can be batched after.
 */
#ifndef MLS_PREPARE_H
#define MLS_PREPARE_H

#include "ml_score.h"

#include "nodes/parsenodes.h"

/*
 * Turn model functions in FROM (LATERAL f(t.x) AS p) and scalar subqueries without FROM ((SELECT f(t.x))) into plain
 * expressions of the query around, in place. Does nothing, quickly, to a query that has neither.
 */
extern void mls_prepare_query(Query *query);

#endif
