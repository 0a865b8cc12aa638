/*
 * assertion.h - JSON web tokens by which a client proves that it has its certificate's key. Pure.
 */
#ifndef MLS_ASSERTION_H
#define MLS_ASSERTION_H

typedef struct MlsAssertionSpec
{
	const char *pem;	  /* a certificate, its private key, and the certificates above it if wanted; in any order */
	const char *password; /* of an encrypted key, or NULL */
	bool rs256;			  /* RS256 and the certificate's SHA-1 hash; else PS256 and its SHA-256 hash */
	bool send_chain;	  /* with the certificates themselves */
	const char *client_id;
	const char *audience; /* the token endpoint's URL */
	const char *id;		  /* unique */
	int64 now;			  /* seconds since 1970 */
} MlsAssertionSpec;

/* The signed token, palloc'd; NULL and *problem (a whole sentence) when there is none to be made. */
extern char *mls_assertion_make(const MlsAssertionSpec *spec, const char **problem);

#endif
