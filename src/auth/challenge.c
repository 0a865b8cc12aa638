/*
 * challenge.c - see challenge.h.
 */
#include "postgres.h"

#include "auth/challenge.h"
#include "codec/base64.h"

/* Is there a parameter name= at text, not as the end of a longer name? */
static bool
begins_parameter(const char *header, const char *text, size_t name_len)
{
	return (text == header || strchr(" ,\t", text[-1]) != NULL) && text[name_len] == '=';
}

char *
mls_challenge_claims(const char *header)
{
	const char *name = "claims";
	const char *at = header;
	const char *end;
	char *claims;
	int len;

	while ((at = strstr(at, name)) != NULL && !begins_parameter(header, at, strlen(name)))
		at++;
	if (at == NULL)
		return NULL;
	at += strlen(name) + 1;
	if (*at == '"')
		at++;
	end = at + strcspn(at, "\", \t");
	claims = palloc(end - at + 1);
	len = mls_base64_decode(at, (int) (end - at), (unsigned char *) claims);
	if (len <= 0 || claims[0] != '{' || memchr(claims, '\0', len) != NULL)
		return NULL;
	claims[len] = '\0';
	return claims;
}
