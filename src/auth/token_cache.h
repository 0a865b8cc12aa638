/*
 * token_cache.h - what was fetched from Azure's services to be shown to others: tokens, keys, secrets of key vaults.
 *
 * All backends share one cache in shared memory, so that a token is fetched once: whoever needs it first fetches it,
 * others wait for that. Without shared_preload_libraries a backend has a cache of its own with the same interface. The
 * values are never shown; ml_score.token_status shows the rest.
 */
#ifndef MLS_TOKEN_CACHE_H
#define MLS_TOKEN_CACHE_H

#include "ml_score.h"

#include "datatype/timestamp.h"

typedef enum MlsFetchOutcome
{
	MLS_FETCH_OK,
	MLS_FETCH_UNAVAILABLE, /* this way does not exist here: another may be tried */
	MLS_FETCH_FAILED,	   /* for now: worth trying again soon */
	MLS_FETCH_REFUSED	   /* the credential is not accepted: trying again soon would lock it out */
} MlsFetchOutcome;

/* What a fetch came to. Strings are palloc'd in the caller's context. */
typedef struct MlsFetch
{
	MlsFetchOutcome outcome;
	char *value;			/* when OK */
	TimestampTz fetched_at; /* when OK */
	TimestampTz expires_at;
	TimestampTz refresh_at; /* from then on a new one is better */
	const char *source;		/* a constant: who gave it */
	int sqlstate;			/* else */
	char *detail;			/* a whole sentence or several */
	char *hint;				/* or NULL */
} MlsFetch;

/* Which value: made by mls_cache_key_make of all that it depends on, the secret that proves who we are included. */
typedef struct MlsCacheKey
{
	uint8 bytes[32];
} MlsCacheKey;

/* What ml_score.token_status says of it. No secrets. */
typedef struct MlsCacheLabel
{
	const char *kind; /* token, key, secret: a constant */
	const char *authority;
	const char *identity;
	const char *scope;
} MlsCacheLabel;

/* Fetches a value. May raise for cancellation and the like; what the network does goes into fetch. */
typedef void (*MlsFetcher)(void *arg, MlsFetch *fetch);

/* The key for these strings; NULL ones differ from empty ones. */
extern MlsCacheKey mls_cache_key_make(const char *const *parts, int n);

/*
 * The value of key: a good one from the cache, else what fetcher brings. One backend fetches, the others wait for it; a
 * value that is still good stays in use when its refresh fails; a failure holds for some seconds, a refusal for a
 * minute. Cancel acts in every wait.
 */
extern void mls_cache_get(const MlsCacheKey *key, const MlsCacheLabel *label, MlsFetcher fetcher, void *arg,
						  MlsFetch *fetch);

/* Forget key's value if it is this one (NULL: whatever it is), because it was not accepted. */
extern void mls_cache_drop(const MlsCacheKey *key, const char *value);

/* Remember key for so many seconds, without a value; and is it remembered? Marks do not show in ml_score.token_status. */
extern void mls_cache_mark(const MlsCacheKey *key, int seconds);
extern bool mls_cache_is_marked(const MlsCacheKey *key);

/* Overwrite a string that is no longer needed, and free it. NULL is nothing. */
extern void mls_secret_wipe(char *secret);

extern void mls_token_cache_init(void); /* from _PG_init */

#endif
