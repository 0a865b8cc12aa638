/*
 * home.c - which database background work belongs to. What is to be done is in tables, and comes along when a database is
 * copied: each row has the home that it was given, so that a copy does nothing beside its original until somebody says so.
 */
#include "worker/worker.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/builtins.h"

char *
mls_worker_home(void)
{
	return psprintf(UINT64_FORMAT "/%u", GetSystemIdentifier(), MyDatabaseId);
}

PG_FUNCTION_INFO_V1(mls_home);

PGDLLEXPORT Datum
mls_home(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(mls_worker_home()));
}
