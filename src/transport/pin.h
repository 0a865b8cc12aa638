/*
 * pin.h - a server's certificate that is known by its hash, whoever signed it.
 */
#ifndef MLS_PIN_H
#define MLS_PIN_H

#include <curl/curl.h>

/* CURLOPT_SSL_CTX_FUNCTION: have no certificate accepted but the one whose SHA-1 hash, in hex, thumbprint is. */
extern CURLcode mls_pin_certificate(CURL *easy, void *ssl_context, void *thumbprint);

#endif
