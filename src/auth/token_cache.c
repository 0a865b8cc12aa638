/*
 * token_cache.c - see token_cache.h.
 *
 * Entries, their keys and their values are three arrays of fixed size, so that looking for a key reads little memory.
 * One lock guards all of it; it is never held over anything that takes time. Who fetches has its process number in the
 * entry, which is kept until it is done, whatever happens; who waits sleeps on the entry's condition variable and looks
 * for the key anew when it wakes.
 */
#include "postgres.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "auth/token_cache.h"

#include "auth/token_table.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "transport/exchange.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* How long a failed fetch is not tried again. */
#define REFUSED_FOR_MS (60 * 1000)
#define FAILED_FOR_MS (5 * 1000)

/* After a failed refresh of a value that is still good. */
#define REFRESH_AGAIN_MS (30 * 1000)

/* A value is not handed out any more so long before it expires: it has to get where it is looked at. */
#define LAST_MS (30 * 1000)

/* While waiting for another backend's fetch, this one's requests go on. */
#define WAIT_STEP_MS 50

/* A secret of a key vault is fetched with a token that may have to be fetched: not deeper than this. */
#define MAX_FETCH_DEPTH 4

static int fetching[MAX_FETCH_DEPTH]; /* the entries that this backend fetches, the innermost last */
static int fetch_depth;

/* OpenSSL's own hash: PostgreSQL's needs a resource owner, which there is none of outside of transactions. */
MlsCacheKey
mls_cache_key_make(const char *const *parts, int n)
{
	const uint8 *salt = mls_token_table_salt();
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	MlsCacheKey key;
	bool ok = hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 &&
			  EVP_DigestUpdate(hash, salt, MLS_TOKEN_SALT_SIZE) == 1;

	StaticAssertStmt(sizeof(key.bytes) == SHA256_DIGEST_LENGTH, "a key is a SHA-256 hash");
	for (int i = 0; ok && i < n; i++)
	{
		/* Lengths go in, so that no two lists look the same. */
		int32 len = parts[i] == NULL ? -1 : (int32) strlen(parts[i]);

		ok = EVP_DigestUpdate(hash, &len, sizeof(len)) == 1 && (len <= 0 || EVP_DigestUpdate(hash, parts[i], len) == 1);
	}
	ok = ok && EVP_DigestFinal_ex(hash, key.bytes, NULL) == 1;
	EVP_MD_CTX_free(hash);
	if (!ok)
		elog(ERROR, "could not hash");
	return key;
}

void
mls_secret_wipe(char *secret)
{
	if (secret == NULL)
		return;
	explicit_bzero(secret, strlen(secret));
	pfree(secret);
}

static TimestampTz
after_ms(TimestampTz time, int64 ms)
{
	return time + ms * 1000;
}

/* When a value is not handed out any more. */
static TimestampTz
last_use(const MlsTokenEntry *entry)
{
	return entry->expires_at - Min((int64) LAST_MS * 1000, (entry->expires_at - entry->fetched_at) / 4);
}

static void
copy_value(int index, MlsFetch *fetch)
{
	const MlsTokenEntry *entry = mls_token_entry(index);

	memset(fetch, 0, sizeof(*fetch));
	fetch->value = pnstrdup(mls_token_value(index), entry->value_len);
	fetch->source = entry->source;
	fetch->fetched_at = entry->fetched_at;
	fetch->expires_at = entry->expires_at;
	fetch->refresh_at = entry->refresh_at;
}

static void
copy_failure(const MlsTokenEntry *entry, TimestampTz now, MlsFetch *fetch)
{
	memset(fetch, 0, sizeof(*fetch));
	fetch->outcome = entry->outcome;
	fetch->sqlstate = entry->sqlstate;
	fetch->detail = pstrdup(entry->last_error);
	fetch->hint = psprintf("This was the answer %d s ago; it is asked again in %d s.",
						   (int) ((now - entry->last_error_at) / USECS_PER_SEC),
						   (int) ((entry->retry_at - now) / USECS_PER_SEC) + 1);
}

/* The innermost fetch is over, however. Wakes who waits. The lock is not held. */
static void
end_fetch(void)
{
	MlsTokenEntry *entry = mls_token_entry(fetching[--fetch_depth]);

	mls_token_lock();
	entry->fetcher = 0;
	mls_token_unlock();
	if (mls_token_table_is_shared())
		ConditionVariableBroadcast(&entry->fetched);
}

static void
end_fetch_at_exit(int code, Datum arg)
{
	while (fetch_depth > 0)
		end_fetch();
}

/* Note how the fetch of entry index went. The lock is held. */
static void
note_outcome(int index, const MlsFetch *fetch)
{
	MlsTokenEntry *entry = mls_token_entry(index);
	TimestampTz now = GetCurrentTimestamp();

	entry->outcome = fetch->outcome;
	if (fetch->outcome == MLS_FETCH_OK)
	{
		mls_token_value_set(index, fetch->value);
		entry->source = fetch->source;
		entry->fetched_at = fetch->fetched_at;
		entry->expires_at = fetch->expires_at;
		entry->refresh_at = fetch->refresh_at;
		entry->retry_at = 0;
		entry->fetches++;
		return;
	}
	entry->sqlstate = fetch->sqlstate;
	strlcpy(entry->last_error, fetch->detail, sizeof(entry->last_error));
	entry->last_error[pg_mbcliplen(entry->last_error, (int) strlen(entry->last_error),
								   (int) sizeof(entry->last_error) - 1)] = '\0';
	entry->last_error_at = now;
	if (entry->value_len > 0 && last_use(entry) > now)
		entry->retry_at = after_ms(now, REFRESH_AGAIN_MS);
	else
		entry->retry_at = after_ms(now, fetch->outcome == MLS_FETCH_FAILED ? FAILED_FOR_MS : REFUSED_FOR_MS);
}

/* Call fetcher. What it makes on the way goes, requests and their handles included; the result stays. */
static void
call_fetcher(MlsFetcher fetcher, void *arg, MlsFetch *fetch)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(caller, "ml_score fetch", ALLOCSET_SMALL_SIZES);
	MlsFetch result = {0};

	MemoryContextSwitchTo(scratch);
	fetcher(arg, &result);
	MemoryContextSwitchTo(caller);
	*fetch = result;
	fetch->value = result.value == NULL ? NULL : pstrdup(result.value);
	fetch->detail = result.detail == NULL ? NULL : pstrdup(result.detail);
	fetch->hint = result.hint == NULL ? NULL : pstrdup(result.hint);
	if (result.value != NULL)
		explicit_bzero(result.value, strlen(result.value));
	MemoryContextDelete(scratch);
}

/* Have fetcher fetch for entry index, which this backend has marked as its own. */
static void
fetch_for(int index, MlsFetcher fetcher, void *arg, MlsFetch *fetch)
{
	static bool exit_registered = false;

	if (!exit_registered)
	{
		before_shmem_exit(end_fetch_at_exit, (Datum) 0);
		exit_registered = true;
	}
	PG_TRY();
	{
		call_fetcher(fetcher, arg, fetch);
		mls_token_lock();
		note_outcome(index, fetch);
		mls_token_unlock();
	}
	PG_FINALLY();
	{
		end_fetch();
	}
	PG_END_TRY();
}

/* What can be done about a key now. */
typedef enum Choice
{
	HAVE_RESULT,
	FETCH,
	WAIT
} Choice;

/* Look at entry index. The lock is held. A good value, or a failure that holds, is copied to *fetch. */
static Choice
choose(int index, MlsFetch *fetch)
{
	MlsTokenEntry *entry = mls_token_entry(index);
	TimestampTz now = GetCurrentTimestamp();
	bool good = entry->value_len > 0 && now < last_use(entry);

	entry->used_at = now;
	if (good && (now < entry->refresh_at || now < entry->retry_at || entry->fetcher != 0))
	{
		copy_value(index, fetch);
		return HAVE_RESULT;
	}
	if (entry->fetcher != 0)
		return WAIT;
	if (!good && now < entry->retry_at)
	{
		copy_failure(entry, now, fetch);
		return HAVE_RESULT;
	}
	entry->fetcher = MyProcPid;
	fetching[fetch_depth++] = index;
	return FETCH;
}

/* Sleep until entry index's fetch ended, or a moment, while this backend's requests go on. */
static void
wait_for_fetch(int index)
{
	MlsTokenEntry *entry = mls_token_entry(index);
	bool over;

	ConditionVariablePrepareToSleep(&entry->fetched);
	mls_token_lock();
	over = entry->fetcher == 0;
	mls_token_unlock();
	if (!over)
		(void) ConditionVariableTimedSleep(&entry->fetched, WAIT_STEP_MS, mls_token_wait_event());
	ConditionVariableCancelSleep();
	mls_exchange_drive();
}

/* If a refresh failed, the value that is there may still be good. */
static void
take_old_value(const MlsCacheKey *key, MlsFetch *fetch)
{
	int index;

	mls_token_lock();
	index = mls_token_find(key);
	if (index >= 0)
	{
		const MlsTokenEntry *entry = mls_token_entry(index);

		if (entry->value_len > 0 && GetCurrentTimestamp() < last_use(entry))
			copy_value(index, fetch);
	}
	mls_token_unlock();
}

void
mls_cache_get(const MlsCacheKey *key, const MlsCacheLabel *label, MlsFetcher fetcher, void *arg, MlsFetch *fetch)
{
	if (fetch_depth == MAX_FETCH_DEPTH)
		elog(ERROR, "secrets that are needed to fetch secrets are nested too deep");
	for (;;)
	{
		int index;
		Choice choice = HAVE_RESULT;

		mls_token_lock();
		index = mls_token_find(key);
		if (index < 0)
			index = mls_token_make(key, label);
		if (index >= 0)
			choice = choose(index, fetch);
		mls_token_unlock();

		if (index < 0)
		{
			/* Every entry is being fetched: do without. */
			call_fetcher(fetcher, arg, fetch);
			return;
		}
		switch (choice)
		{
			case HAVE_RESULT:
				return;
			case FETCH:
				fetch_for(index, fetcher, arg, fetch);
				if (fetch->outcome != MLS_FETCH_OK)
					take_old_value(key, fetch);
				return;
			case WAIT:
				wait_for_fetch(index);
				break;
		}
	}
}

void
mls_cache_drop(const MlsCacheKey *key, const char *value)
{
	int index;

	mls_token_lock();
	index = mls_token_find(key);
	if (index >= 0 && mls_token_entry(index)->fetcher == 0)
	{
		const MlsTokenEntry *entry = mls_token_entry(index);

		if (value == NULL ||
			(strlen(value) == entry->value_len && memcmp(value, mls_token_value(index), entry->value_len) == 0))
			mls_token_value_set(index, NULL);
	}
	mls_token_unlock();
}

void
mls_cache_mark(const MlsCacheKey *key, int seconds)
{
	MlsCacheLabel label = {.kind = MLS_TOKEN_MARK, .authority = "", .identity = "", .scope = ""};
	TimestampTz now = GetCurrentTimestamp();
	int index;

	mls_token_lock();
	index = mls_token_find(key);
	if (index < 0)
		index = mls_token_make(key, &label);
	if (index >= 0)
	{
		mls_token_entry(index)->used_at = now;
		mls_token_entry(index)->expires_at = after_ms(now, (int64) seconds * 1000);
	}
	mls_token_unlock();
}

bool
mls_cache_is_marked(const MlsCacheKey *key)
{
	bool marked;
	int index;

	mls_token_lock();
	index = mls_token_find(key);
	marked = index >= 0 && mls_token_entry(index)->expires_at > GetCurrentTimestamp();
	mls_token_unlock();
	return marked;
}
