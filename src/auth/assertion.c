/*
 * assertion.c - see assertion.h. OpenSSL's objects are freed on every path; nothing in between can raise but palloc,
 * whose failure ends the statement and leaves some bytes behind.
 */
#include "postgres.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "auth/assertion.h"
#include "codec/json_write.h"

/* Azure looks at the times with a clock of its own. */
#define CLOCK_SKEW_S 300
#define LIFE_S 600

#define MAX_CERTIFICATES 16

/* What the PEM text has. */
typedef struct Credential
{
	EVP_PKEY *key;
	X509 *certificates[MAX_CERTIFICATES]; /* the key's own first */
	int n;
} Credential;

static void
free_credential(Credential *credential)
{
	EVP_PKEY_free(credential->key);
	for (int i = 0; i < credential->n; i++)
		X509_free(credential->certificates[i]);
	ERR_clear_error();
}

/* PEM_read_bio_PrivateKey's callback. Without a password it says so instead of asking on the terminal. */
static int
give_password(char *buf, int size, int writing, void *arg)
{
	const char *password = arg;
	int len = password == NULL ? 0 : (int) strlen(password);

	if (len > size)
		return -1;
	memcpy(buf, password == NULL ? "" : password, len);
	return len;
}

static EVP_PKEY *
read_key(const MlsAssertionSpec *spec)
{
	BIO *bio = BIO_new_mem_buf(spec->pem, -1);
	EVP_PKEY *key =
		bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, give_password, unconstify(char *, spec->password));

	BIO_free(bio);
	return key;
}

/* All certificates; the one of the key goes to the front. */
static void
read_certificates(const MlsAssertionSpec *spec, Credential *credential)
{
	BIO *bio = BIO_new_mem_buf(spec->pem, -1);

	while (bio != NULL && credential->n < MAX_CERTIFICATES)
	{
		X509 *certificate = PEM_read_bio_X509(bio, NULL, give_password, NULL);

		if (certificate == NULL)
			break;
		credential->certificates[credential->n++] = certificate;
		if (X509_check_private_key(certificate, credential->key) == 1)
		{
			credential->certificates[credential->n - 1] = credential->certificates[0];
			credential->certificates[0] = certificate;
		}
	}
	BIO_free(bio);
}

/* Why spec's PEM text cannot be used, or NULL. */
static const char *
read_credential(const MlsAssertionSpec *spec, Credential *credential)
{
	time_t now = (time_t) spec->now;

	memset(credential, 0, sizeof(*credential));
	credential->key = read_key(spec);
	if (credential->key == NULL)
		return "The private key of the client certificate cannot be read: it is no PEM, or its password is wrong.";
	if (EVP_PKEY_base_id(credential->key) != EVP_PKEY_RSA)
		return "The private key of the client certificate is not an RSA key.";
	read_certificates(spec, credential);
	if (credential->n == 0)
		return "There is no certificate beside the private key.";
	if (X509_check_private_key(credential->certificates[0], credential->key) != 1)
		return "The client certificate does not belong to its private key.";
	if (X509_cmp_time(X509_get0_notAfter(credential->certificates[0]), &now) < 0)
		return "The client certificate has expired.";
	return NULL;
}

/* Append base64 without padding, in the alphabet of URLs. */
static void
append_base64url(StringInfo out, const void *bytes, int len)
{
	char *text = palloc(4 * ((len + 2) / 3) + 1);
	int n = EVP_EncodeBlock((unsigned char *) text, bytes, len);

	while (n > 0 && text[n - 1] == '=')
		n--;
	for (int i = 0; i < n; i++)
		text[i] = text[i] == '+' ? '-' : (text[i] == '/' ? '_' : text[i]);
	appendBinaryStringInfo(out, text, n);
	pfree(text);
}

static void
append_chain(StringInfo out, const Credential *credential)
{
	appendStringInfoString(out, ",\"x5c\":[");
	for (int i = 0; i < credential->n; i++)
	{
		unsigned char *der = NULL;
		int len = i2d_X509(credential->certificates[i], &der);

		if (i > 0)
			appendStringInfoChar(out, ',');
		mls_json_write_base64(out, der, Max(len, 0));
		OPENSSL_free(der);
	}
	appendStringInfoChar(out, ']');
}

/* The header and the claims, as they are signed. */
static void
append_unsigned(StringInfo out, const MlsAssertionSpec *spec, const Credential *credential)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int digest_len = 0;
	StringInfoData part;

	X509_digest(credential->certificates[0], spec->rs256 ? EVP_sha1() : EVP_sha256(), digest, &digest_len);
	initStringInfo(&part);
	appendStringInfo(&part, "{\"alg\":\"%s\",\"typ\":\"JWT\",\"%s\":\"", spec->rs256 ? "RS256" : "PS256",
					 spec->rs256 ? "x5t" : "x5t#S256");
	append_base64url(&part, digest, (int) digest_len);
	appendStringInfoChar(&part, '"');
	if (spec->send_chain)
		append_chain(&part, credential);
	appendStringInfoChar(&part, '}');
	append_base64url(out, part.data, part.len);
	appendStringInfoChar(out, '.');

	/* None of these needs escaping: they were checked, or are our own. */
	resetStringInfo(&part);
	appendStringInfo(&part,
					 "{\"aud\":\"%s\",\"iss\":\"%s\",\"sub\":\"%s\",\"jti\":\"%s\",\"iat\":%lld,\"nbf\":%lld,"
					 "\"exp\":%lld}",
					 spec->audience, spec->client_id, spec->client_id, spec->id, (long long) spec->now,
					 (long long) spec->now - CLOCK_SKEW_S, (long long) spec->now + LIFE_S);
	append_base64url(out, part.data, part.len);
	pfree(part.data);
}

/* Append the signature of what out holds. */
static bool
append_signature(StringInfo out, const MlsAssertionSpec *spec, EVP_PKEY *key)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *options = NULL;
	size_t len = (size_t) EVP_PKEY_size(key);
	unsigned char *signature = palloc(len);
	bool ok;

	ok = context != NULL && EVP_DigestSignInit(context, &options, EVP_sha256(), NULL, key) == 1;
	if (ok && !spec->rs256)
		ok = EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
			 EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1;
	ok = ok && EVP_DigestSign(context, signature, &len, (unsigned char *) out->data, out->len) == 1;
	EVP_MD_CTX_free(context);
	if (ok)
	{
		appendStringInfoChar(out, '.');
		append_base64url(out, signature, (int) len);
	}
	pfree(signature);
	return ok;
}

char *
mls_assertion_make(const MlsAssertionSpec *spec, const char **problem)
{
	Credential credential;
	StringInfoData out;

	initStringInfo(&out);
	*problem = read_credential(spec, &credential);
	if (*problem == NULL)
	{
		append_unsigned(&out, spec, &credential);
		if (!append_signature(&out, spec, credential.key))
			*problem = "The private key of the client certificate cannot sign.";
	}
	free_credential(&credential);
	return *problem == NULL ? out.data : NULL;
}
