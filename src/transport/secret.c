/*
 * secret.c - keeping the credential out of what came over the network, before any of it may be shown.
 *
 * An endpoint, or what stands between, may repeat the request's headers in its reply. Who sees the error need not be who
 * has the key: the callers of a SECURITY DEFINER function do not.
 */
#include "postgres.h"

#include "transport/endpoint.h"

/* So much of a credential at the end of a text that was cut off is taken for the whole. */
#define TELLING_PART 4

/*
 * How many bytes at text spell secret, as it is or with backslashes as JSON has them? The end of the text may cut it off.
 */
static size_t
spells_secret(const char *text, const char *end, const char *secret)
{
	const char *p = text;

	for (const char *s = secret; *s != '\0'; s++)
	{
		if (p == end)
			return s - secret >= TELLING_PART ? (size_t) (end - text) : 0;
		if (*p == *s)
			p++;
		else if (end - p >= 2 && p[0] == '\\' && p[1] == *s)
			p += 2;
		else
			return 0;
	}
	return p - text;
}

bool
mls_secret_mask(const MlsEndpoint *endpoint, char *text, size_t len)
{
	const char *secret = endpoint->credential;
	char *end = text + len;
	bool found = false;

	if (secret == NULL || *secret == '\0')
		return false;
	for (char *p = text; p < end; p++)
	{
		size_t spelt = *p == *secret || *p == '\\' ? spells_secret(p, end, secret) : 0;

		if (spelt == 0)
			continue;
		memset(p, '*', spelt);
		p += spelt - 1;
		found = true;
	}
	return found;
}

void
mls_secret_mask_headers(const MlsExchange *exchange)
{
	MlsHttpReply *reply = &exchange->transfer->reply;

	mls_secret_mask(exchange->endpoint, reply->request_id, strlen(reply->request_id));
	mls_secret_mask(exchange->endpoint, reply->inner_reason, strlen(reply->inner_reason));
	mls_secret_mask(exchange->endpoint, reply->redirect_host, strlen(reply->redirect_host));
	mls_secret_mask(exchange->endpoint, reply->error, strlen(reply->error));
}
