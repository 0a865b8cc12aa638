/* sources: src/auth/assertion.c src/codec/json_write.c src/codec/base64.c src/codec/json_read.c */
/*
 * test_assertion.c - what a client certificate signs, with keys made here; the peers of tests/e2e check the rest.
 */
#include "postgres.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <time.h>

#include "auth/assertion.h"
#include "codec/base64.h"
#include "codec/json_read.h"
#include "tap.h"

static EVP_PKEY *rsa_key;

/* A certificate of key, good for a day. */
static X509 *
make_certificate(EVP_PKEY *key)
{
	X509 *certificate = X509_new();

	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
	X509_set_pubkey(certificate, key);
	X509_sign(certificate, key, EVP_sha256());
	return certificate;
}

/* PEM text of a key (NULL: none) and a certificate of another (NULL: none). */
static char *
make_pem(EVP_PKEY *key, const char *password, EVP_PKEY *certified)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long len;

	if (key != NULL)
		PEM_write_bio_PrivateKey(bio, key, password == NULL ? NULL : EVP_aes_256_cbc(), NULL, 0, NULL,
								 (void *) password);
	if (certified != NULL)
		PEM_write_bio_X509(bio, make_certificate(certified));
	len = BIO_get_mem_data(bio, &text);
	return pnstrdup(text, len);
}

static char *
make(const char *pem, const char *password, int64 now, bool rs256, const char **problem)
{
	MlsAssertionSpec spec = {.pem = pem,
							 .password = password,
							 .rs256 = rs256,
							 .client_id = "client",
							 .audience = "https://authority/tenant/oauth2/v2.0/token",
							 .id = "id",
							 .now = now};

	return mls_assertion_make(&spec, problem);
}

/* The bytes of a part of a token, to buf; how many. */
static int
decode(const char *part, unsigned char *buf)
{
	return mls_base64_decode(part, (int) strcspn(part, "."), buf);
}

/* Does the token's signature hold? */
static bool
holds(const char *token, bool rs256)
{
	const char *last = strrchr(token, '.');
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *options = NULL;
	unsigned char signature[1024];
	int len = decode(last + 1, signature);
	bool good;

	EVP_DigestVerifyInit(context, &options, EVP_sha256(), NULL, rsa_key);
	if (!rs256)
	{
		EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(options, 32);
	}
	good = EVP_DigestVerify(context, signature, len, (const unsigned char *) token, last - token) == 1;
	EVP_MD_CTX_free(context);
	return good;
}

static bool
claims(const char *token, const char *name, const char *value)
{
	unsigned char text[4096];
	int len = decode(strchr(token, '.') + 1, text);
	MlsJsonReader reader;
	MlsSpan object;
	MlsSpan member;

	mls_json_start(&reader, (char *) text, len);
	if (!mls_json_value(&reader, &object) || !mls_json_finish(&reader))
		return false;
	member = mls_json_member(&object, name, strlen(name));
	return member.len == strlen(value) && memcmp(member.start, value, member.len) == 0;
}

static void
check_signatures(const char *pem, int64 now)
{
	const char *problem;
	char *token = make(pem, NULL, now, false, &problem);

	ok(token != NULL && holds(token, false), "PS256 holds");
	ok(token != NULL && !holds(token, true), "and is no RS256");
	token = make(pem, NULL, now, true, &problem);
	ok(token != NULL && holds(token, true), "RS256 holds");
	ok(claims(token, "iss", "client") && claims(token, "sub", "client") && claims(token, "jti", "id"), "whose it is");
	ok(claims(token, "aud", "https://authority/tenant/oauth2/v2.0/token"), "whom it is for");
	ok(claims(token, "nbf", psprintf("%lld", (long long) now - 300)) &&
		   claims(token, "exp", psprintf("%lld", (long long) now + 600)),
	   "good for ten minutes, and for clocks that are five behind");
	token[strlen(token) - 3] ^= 1;
	ok(!holds(token, true), "a changed one does not hold");
}

static void
refused(const char *pem, const char *password, int64 now, const char *expected, const char *what)
{
	const char *problem;
	char *token = make(pem, password, now, false, &problem);

	ok(token == NULL && strstr(problem, expected) != NULL, "%s: %s", what, problem == NULL ? "taken" : problem);
}

int
main(void)
{
	int64 now = (int64) time(NULL);
	EVP_PKEY *other = EVP_RSA_gen(2048);
	EVP_PKEY *curve = EVP_EC_gen("P-256");
	const char *problem;
	char *pem;

	rsa_key = EVP_RSA_gen(2048);
	pem = make_pem(rsa_key, NULL, rsa_key);
	check_signatures(pem, now);
	ok(make(make_pem(rsa_key, "sesame", rsa_key), "sesame", now, false, &problem) != NULL, "an encrypted key");
	refused(make_pem(rsa_key, "sesame", rsa_key), "wrong", now, "password", "the wrong password");
	refused(make_pem(rsa_key, "sesame", rsa_key), NULL, now, "password", "no password");
	refused(pem, NULL, now + 2 * 86400, "expired", "an expired certificate");
	refused(make_pem(rsa_key, NULL, other), NULL, now, "belong", "another key's certificate");
	refused(make_pem(rsa_key, NULL, NULL), NULL, now, "no certificate", "no certificate");
	refused(make_pem(NULL, NULL, rsa_key), NULL, now, "cannot be read", "no key");
	refused(make_pem(curve, NULL, curve), NULL, now, "RSA", "an elliptic curve");
	refused("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", NULL, now, "cannot be read", "garbage");
	return done_testing();
}
