/*
 * challenge.h - what a WWW-Authenticate header asks for. Pure.
 */
#ifndef MLS_CHALLENGE_H
#define MLS_CHALLENGE_H

/*
 * The claims that a new token must have (Entra's continuous access evaluation), as JSON text, palloc'd; NULL when the
 * header asks for none, or in a way that cannot be read.
 */
extern char *mls_challenge_claims(const char *header);

#endif
