/*
 * token_table.h - the memory of the token cache: in shared memory, or this backend's own.
 */
#ifndef MLS_TOKEN_TABLE_H
#define MLS_TOKEN_TABLE_H

#include "auth/token_cache.h"
#include "storage/condition_variable.h"

#define MLS_TOKEN_SALT_SIZE 16

/* Longer values are not kept: each who needs one fetches it. */
#define MLS_TOKEN_MAX_VALUE (16 * 1024)

/* The kind of entries that hold no value, but a fact. */
#define MLS_TOKEN_MARK "mark"

typedef struct MlsTokenEntry
{
	bool used;
	int fetcher;			 /* process that fetches, 0 for none; such an entry stays where it is */
	uint32 value_len;		 /* 0: no value */
	MlsFetchOutcome outcome; /* of the last fetch */
	TimestampTz fetched_at;
	TimestampTz expires_at;
	TimestampTz refresh_at;
	TimestampTz retry_at; /* not to be fetched before, after a failure */
	TimestampTz used_at;
	int sqlstate;
	char last_error[256];
	TimestampTz last_error_at; /* 0: none */
	int64 fetches;
	char kind[16];
	char authority[128];
	char identity[128];
	char scope[256];
	const char *source; /* a constant of the library: it is at the same place in every backend when it is preloaded */
	ConditionVariable fetched;
} MlsTokenEntry;

/* For all that follows. */
extern void mls_token_lock(void);
extern void mls_token_unlock(void);

extern bool mls_token_table_is_shared(void);
extern int mls_token_table_size(void);
extern const uint8 *mls_token_table_salt(void);
extern uint32 mls_token_wait_event(void);

extern MlsTokenEntry *mls_token_entry(int index);
extern const char *mls_token_value(int index);

/* Overwrite the entry's value with this one; NULL, or one that is too long, leaves none. */
extern void mls_token_value_set(int index, const char *value);

/* The entry of key, or -1. */
extern int mls_token_find(const MlsCacheKey *key);

/* A blank entry for key: a free one, else the one not used for longest. -1 when all are being fetched. */
extern int mls_token_make(const MlsCacheKey *key, const MlsCacheLabel *label);

#endif
