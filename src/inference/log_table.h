/*
 * log_table.h - the partitioned table that an online server's option log_table names.
 *
 * All of it but the warning is done as the current user, who must own the table; in a transaction with SPI not connected.
 */
#ifndef MLS_LOG_TABLE_H
#define MLS_LOG_TABLE_H

#include "catalog/server.h"
#include "inference/record.h"

/* WARN when the table, as it is, will not take the log. Of server, name, owner and log_table are looked at. */
extern void mls_log_table_warn(const MlsServer *server);

/* Have the table, and its partitions for the times from first to last and the period after. Raises. */
extern void mls_log_table_prepare(const MlsServer *server, TimestampTz first, TimestampTz last);

/* Write records, all of server's, into it; the number of rows. Raises. */
extern int64 mls_log_table_insert(const MlsServer *server, List *records);

/* Drop the partitions that end before the option log_retention allows; how many. Raises. */
extern int mls_log_table_expire(const MlsServer *server);

/* The table's name, quoted; palloc'd. */
extern char *mls_log_table_name(const MlsServer *server);

#endif
