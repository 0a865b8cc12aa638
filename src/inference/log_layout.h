/*
 * log_layout.h - the columns of inference logs: making them, saying what they are, and looking whether a table has them.
 */
#ifndef MLS_LOG_LAYOUT_H
#define MLS_LOG_LAYOUT_H

/* What follows CREATE TABLE and the name; palloc'd. */
extern char *mls_log_layout_definition(void);

/* The statements that comment on the columns of the table, whose name is quoted; palloc'd. */
extern char *mls_log_layout_comments(const char *table);

/* What keeps a partitioned table from taking the log, as a sentence, or NULL. palloc'd. */
extern char *mls_log_layout_problem(Oid relid);

#endif
