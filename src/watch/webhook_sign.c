/*
 * webhook_sign.c - see webhook_sign.h.
 */
#include "postgres.h"

#include "watch/webhook_sign.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "codec/base64.h"
#include "lib/stringinfo.h"

#define PREFIX "whsec_"
#define DIGEST_SIZE 32

static bool
is_encoded(const char *secret)
{
	return strncmp(secret, PREFIX, strlen(PREFIX)) == 0;
}

/* The key's bytes into key, which has room for strlen(secret); how many, or -1. */
static int
decode_key(const char *secret, unsigned char *key)
{
	int len = (int) strlen(secret);

	if (is_encoded(secret))
		return mls_base64_decode(secret + strlen(PREFIX), len - (int) strlen(PREFIX), key);
	memcpy(key, secret, len);
	return len;
}

const char *
mls_webhook_secret_problem(const char *secret)
{
	unsigned char *key = palloc(strlen(secret) + 1);
	int len = decode_key(secret, key);

	OPENSSL_cleanse(key, strlen(secret) + 1);
	pfree(key);
	if (len < 0)
		return "What follows \"" PREFIX "\" is not base64.";
	return len == 0 ? "It is empty." : NULL;
}

char *
mls_webhook_signature(const char *secret, const char *id, int64 timestamp, const char *body, size_t len)
{
	unsigned char *key = palloc(strlen(secret) + 1);
	int key_len = Max(decode_key(secret, key), 0);
	unsigned char digest[DIGEST_SIZE];
	unsigned char encoded[DIGEST_SIZE * 2];
	unsigned int size = 0;
	StringInfoData content;

	initStringInfo(&content);
	appendStringInfo(&content, "%s." INT64_FORMAT ".", id, timestamp);
	appendBinaryStringInfo(&content, body, (int) len);
	(void) HMAC(EVP_sha256(), key, key_len, (const unsigned char *) content.data, content.len, digest, &size);
	EVP_EncodeBlock(encoded, digest, DIGEST_SIZE);
	OPENSSL_cleanse(key, strlen(secret) + 1);
	pfree(key);
	pfree(content.data);
	return psprintf("v1,%s", (char *) encoded);
}
