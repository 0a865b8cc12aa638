/*
 * token_status.c - ml_score.token_status: what the token cache holds, without what makes it worth holding.
 */
#include "postgres.h"

#include "auth/token_table.h"
#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "ml_score.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

typedef enum Column
{
	COLUMN_KIND,
	COLUMN_AUTHORITY,
	COLUMN_IDENTITY,
	COLUMN_SCOPE,
	COLUMN_SOURCE,
	COLUMN_FETCHED_AT,
	COLUMN_EXPIRES_AT,
	COLUMN_REFRESH_AT,
	COLUMN_FETCHES,
	COLUMN_FETCHER,
	COLUMN_LAST_ERROR,
	COLUMN_LAST_ERROR_AT,
	COLUMN_COUNT
} Column;

static void
put_text(Datum *values, bool *nulls, Column column, const char *text)
{
	if (text == NULL)
		nulls[column] = true;
	else
		values[column] = CStringGetTextDatum(text);
}

static void
put_time(Datum *values, bool *nulls, Column column, TimestampTz time, bool known)
{
	values[column] = TimestampTzGetDatum(time);
	nulls[column] = !known;
}

static void
put_entry(ReturnSetInfo *result, const MlsTokenEntry *entry)
{
	Datum values[COLUMN_COUNT] = {0};
	bool nulls[COLUMN_COUNT] = {false};
	bool has_value = entry->value_len > 0;
	bool has_error = entry->last_error_at != 0;

	put_text(values, nulls, COLUMN_KIND, entry->kind);
	put_text(values, nulls, COLUMN_AUTHORITY, entry->authority);
	put_text(values, nulls, COLUMN_IDENTITY, entry->identity);
	put_text(values, nulls, COLUMN_SCOPE, entry->scope);
	put_text(values, nulls, COLUMN_SOURCE, entry->source);
	put_time(values, nulls, COLUMN_FETCHED_AT, entry->fetched_at, has_value);
	put_time(values, nulls, COLUMN_EXPIRES_AT, entry->expires_at, has_value);
	put_time(values, nulls, COLUMN_REFRESH_AT, entry->refresh_at, has_value);
	values[COLUMN_FETCHES] = Int64GetDatum(entry->fetches);
	values[COLUMN_FETCHER] = Int32GetDatum(entry->fetcher);
	nulls[COLUMN_FETCHER] = entry->fetcher == 0;
	put_text(values, nulls, COLUMN_LAST_ERROR, has_error ? entry->last_error : NULL);
	put_time(values, nulls, COLUMN_LAST_ERROR_AT, entry->last_error_at, has_error);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

PG_FUNCTION_INFO_V1(mls_token_status);

/* ml_score.token_status(). The entries are copied under the lock and shown after. */
PGDLLEXPORT Datum
mls_token_status(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MlsTokenEntry *copies;
	int count = 0;

	InitMaterializedSRF(fcinfo, 0);
	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS))
		return (Datum) 0;
	mls_token_lock();
	copies = palloc(sizeof(MlsTokenEntry) * Max(mls_token_table_size(), 1));
	for (int i = 0; i < mls_token_table_size(); i++)
	{
		const MlsTokenEntry *entry = mls_token_entry(i);

		if (entry->used && strcmp(entry->kind, MLS_TOKEN_MARK) != 0)
			copies[count++] = *entry;
	}
	mls_token_unlock();
	for (int i = 0; i < count; i++)
		put_entry(result, &copies[i]);
	return (Datum) 0;
}
