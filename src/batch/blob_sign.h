/*
 * blob_sign.h - signatures of Blob Storage: SharedKey headers and shared access signatures (SAS), for one pinned version of
 * the service. Pure; strings are palloc'd.
 */
#ifndef MLS_BLOB_SIGN_H
#define MLS_BLOB_SIGN_H

/*
 * The service version of every request and signature. What a string to sign consists of depends on it, so it is no
 * setting.
 */
#define MLS_BLOB_VERSION "2021-12-02"

/* Base64 of 32 bytes, and its end. */
#define MLS_SIGNATURE_SIZE 45

/*
 * What is signed of a request. url: as it is sent, the query encoded. headers: n lines "Name: value", all that are sent
 * beside Content-Length and Authorization. len: of the body.
 */
extern char *mls_blob_string_to_sign(const char *method, const char *account, const char *url,
									 const char *const *headers, int n, size_t len);

/* HMAC-SHA256 of text under a base64 key, in base64. False when the key is no base64. */
extern bool mls_blob_sign(const char *key, const char *text, char signature[MLS_SIGNATURE_SIZE]);

/* What a user delegation key says of itself; its value is what signs. */
typedef struct MlsDelegationKey
{
	const char *oid;
	const char *tid;
	const char *start;
	const char *expiry;
	const char *service;
	const char *version;
	const char *value;
} MlsDelegationKey;

/*
 * The query (without "?") that lets its bearer do what permissions say ("rl", "racwl": letters in the service's order) with
 * container until expiry, from start ("" = now); times like "2026-01-31T12:00:00Z". Signed with the account's key, or with
 * delegation when that is not NULL. https_only: not over http. NULL when the key is no base64.
 */
extern char *mls_blob_sas(const char *account, const char *container, const char *permissions, const char *start,
						  const char *expiry, bool https_only, const char *account_key,
						  const MlsDelegationKey *delegation);

#endif
