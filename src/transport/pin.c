/*
 * pin.c - see pin.h. Inside libcurl, so no palloc and no ereport.
 */
#include "postgres.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "transport/pin.h"

/* In place of OpenSSL's own look at the certificate and those above it. */
static int
verify_thumbprint(X509_STORE_CTX *store, void *thumbprint)
{
	X509 *certificate = X509_STORE_CTX_get0_cert(store);
	unsigned char digest[EVP_MAX_MD_SIZE];
	char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
	unsigned int len = 0;

	if (certificate == NULL || X509_digest(certificate, EVP_sha1(), digest, &len) != 1)
		return 0;
	for (unsigned int i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	if (pg_strcasecmp(hex, thumbprint) == 0)
		return 1;
	X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_UNTRUSTED);
	return 0;
}

CURLcode
mls_pin_certificate(CURL *easy, void *ssl_context, void *thumbprint)
{
	SSL_CTX_set_cert_verify_callback(ssl_context, verify_thumbprint, thumbprint);
	return CURLE_OK;
}
