/*
 * token_reply.h - the answers of token services, read. Pure.
 */
#ifndef MLS_TOKEN_REPLY_H
#define MLS_TOKEN_REPLY_H

typedef struct MlsTokenReply
{
	char *token;	  /* palloc'd */
	int64 expires_at; /* seconds since 1970 */
	int64 refresh_at; /* same; 0: nothing was said */
} MlsTokenReply;

/*
 * Read the answer of Entra, IMDS, App Service, Arc, Service Fabric, the Azure CLI or Azure ML's control plane, come at
 * now (seconds since 1970). NULL, or what is wrong with it.
 */
extern const char *mls_token_reply_read(const char *body, size_t len, int64 now, MlsTokenReply *reply);

/* When to ask for a new token: as the service said, else some time before the end. */
extern int64 mls_token_reply_refresh_at(const MlsTokenReply *reply, int64 now, bool managed_identity);

/* The string member at one of these names, palloc'd; NULL when there is none. "a.b" is b inside of a. */
extern char *mls_token_reply_string(const char *body, size_t len, const char *path);

/* Seconds since 1970 of a number, or of a date as one of the services writes it; -1 when it is neither. */
extern int64 mls_token_reply_time(const char *text);

#endif
