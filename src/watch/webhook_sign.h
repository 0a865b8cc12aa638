/*
 * webhook_sign.h - the signature of a webhook, as Standard Webhooks (standardwebhooks.com, version 1) has it. Pure.
 */
#ifndef MLS_WEBHOOK_SIGN_H
#define MLS_WEBHOOK_SIGN_H

/*
 * The value of the header webhook-signature, "v1," and base64 of HMAC-SHA256 over "id.timestamp.body"; palloc'd.
 * timestamp: seconds since 1970. The secret is "whsec_" and base64 of the key, or else the key itself, as it is.
 */
extern char *mls_webhook_signature(const char *secret, const char *id, int64 timestamp, const char *body, size_t len);

/* What is wrong with a secret, or NULL. */
extern const char *mls_webhook_secret_problem(const char *secret);

#endif
