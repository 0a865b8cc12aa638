/* sources: src/auth/token_reply.c src/auth/challenge.c src/auth/imds_retry.c src/auth/scope.c src/codec/json_read.c src/codec/base64.c */
/*
 * test_token_reply.c - the answers of token services, what a challenge asks for, and the waits between questions.
 */
#include "postgres.h"

#include "auth/challenge.h"
#include "auth/imds_retry.h"
#include "auth/scope.h"
#include "auth/token_reply.h"
#include "tap.h"

#define NOW INT64CONST(1772449491) /* 2026-03-02 11:04:51 UTC */

typedef struct Case
{
	const char *what;
	const char *body;
	int64 expires_at; /* 0: no good */
	int64 refresh_at;
} Case;

static const Case cases[] = {
	{"Entra", "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"ext_expires_in\":3599,\"access_token\":\"t\"}",
	 NOW + 3599},
	{"refresh_in", "{\"expires_in\":86399,\"refresh_in\":43199,\"access_token\":\"t\"}", NOW + 86399, NOW + 43199},
	{"IMDS, numbers as strings",
	 "{\"access_token\":\"t\",\"expires_in\":\"85203\",\"expires_on\":\"1\",\"not_before\":\"1\"}", NOW + 85203},
	{"App Service", "{\"access_token\":\"t\",\"expires_on\":\"1772453091\"}", NOW + 3600},
	{"App Service, older", "{\"access_token\":\"t\",\"expires_on\":\"3/2/2026 12:04:51 PM +00:00\"}", NOW + 3600},
	{"past midnight", "{\"access_token\":\"t\",\"expires_on\":\"3/3/2026 12:04:51 AM +00:00\"}", NOW + 13 * 3600},
	{"RFC 3339", "{\"access_token\":\"t\",\"expires_on\":\"2026-03-02T13:04:51.5+01:00\"}", NOW + 3600},
	{"RFC 1123", "{\"access_token\":\"t\",\"expires_on\":\"Mon, 02 Mar 2026 12:04:51 GMT\"}", NOW + 3600},
	{"Azure CLI", "{\"accessToken\":\"t\",\"expiresOn\":\"2026-03-02 20:00:00.000000\",\"expires_on\":1772453091}",
	 NOW + 3600},
	{"Azure ML", "{\"accessToken\":\"t\",\"expiryTimeUtc\":1772453091,\"refreshAfterTimeUtc\":1772450000}", NOW + 3600,
	 1772450000},
	{"expired", "{\"access_token\":\"t\",\"expires_on\":1772449000}"},
	{"no expiry", "{\"access_token\":\"t\"}"},
	{"no token", "{\"expires_in\":3599}"},
	{"an empty token", "{\"access_token\":\"\",\"expires_in\":3599}"},
	{"a token that would end the header", "{\"access_token\":\"a\\r\\nX: y\",\"expires_in\":3599}"},
	{"a token with a space", "{\"access_token\":\"a b\",\"expires_in\":3599}"},
	{"a token that is none", "{\"access_token\":true,\"expires_in\":3599}"},
	{"HTML", "<html>"},
	{"an array", "[1]"},
	{"what was cut off", "{\"access_token\":\"t\",\"expires_in\":35"},
	{"nothing", ""},
};

static void
check_replies(void)
{
	MlsTokenReply reply;

	for (int i = 0; i < lengthof(cases); i++)
	{
		const char *problem = mls_token_reply_read(cases[i].body, strlen(cases[i].body), NOW, &reply);

		if (cases[i].expires_at == 0)
			ok(problem != NULL, "%s is refused", cases[i].what);
		else
			ok(problem == NULL && reply.expires_at == cases[i].expires_at && reply.refresh_at == cases[i].refresh_at,
			   "%s: ends %lld, refresh %lld (%s)", cases[i].what, (long long) reply.expires_at,
			   (long long) reply.refresh_at, problem == NULL ? "good" : problem);
	}
}

static int64
refresh_after(int64 life, int64 said, bool managed)
{
	MlsTokenReply reply = {.expires_at = NOW + life, .refresh_at = said == 0 ? 0 : NOW + said};

	return mls_token_reply_refresh_at(&reply, NOW, managed) - NOW;
}

static void
check_refresh(void)
{
	char *text = mls_token_reply_string("{\"a\":{\"b\":\"c\"}}", 15, "a.b");

	ok(refresh_after(3600, 0, false) == 3300, "five minutes before the end");
	ok(refresh_after(3600, 1000, false) == 1000, "when the service says");
	ok(refresh_after(3600, 4000, false) == 3300, "unless it says after the end");
	ok(refresh_after(86400, 0, true) == 43200, "at half of a managed identity's long life");
	ok(refresh_after(86400, 0, false) == 86100, "but of no other's");
	ok(refresh_after(60, 0, false) == 30, "at half of a short life");
	ok(text != NULL && strcmp(text, "c") == 0, "a member inside of another");
	ok(mls_token_reply_string("{\"a\":\"b\"}", 9, "a.b") == NULL, "of which there is none");
}

static void
check_challenge(void)
{
	char *claims = mls_challenge_claims("Bearer realm=\"\", error=\"insufficient_claims\", claims=\"eyJhIjp7fX0=\"");

	ok(claims != NULL && strcmp(claims, "{\"a\":{}}") == 0, "claims of a challenge");
	claims = mls_challenge_claims("Bearer claims=eyJhIjp7fX0");
	ok(claims != NULL && strcmp(claims, "{\"a\":{}}") == 0, "without quotes and padding");
	ok(mls_challenge_claims("Bearer realm=\"\"") == NULL, "no claims");
	ok(mls_challenge_claims("Bearer x_claims=\"eyJhIjp7fX0=\"") == NULL, "another parameter");
	ok(mls_challenge_claims("Bearer claims=\"!!\"") == NULL, "no base64");
	ok(mls_challenge_claims("Bearer claims=\"YWJj\"") == NULL, "no JSON");
	ok(mls_challenge_claims("") == NULL, "an empty challenge");
}

static void
check_waits(void)
{
	ok(mls_imds_retry_ms(true, 200, 1, -1) == -1, "200: nothing to wait for");
	ok(mls_imds_retry_ms(true, 400, 1, -1) == -1, "400: no such identity");
	ok(mls_imds_retry_ms(true, 404, 1, -1) == 1000 && mls_imds_retry_ms(true, 404, 3, -1) == 4000, "404: 1, 2, 4 s");
	ok(mls_imds_retry_ms(true, 404, 4, -1) == -1, "and no more");
	ok(mls_imds_retry_ms(false, 404, 1, -1) == -1, "404 of another endpoint: not at all");
	ok(mls_imds_retry_ms(true, 410, 7, -1) == 10000 && mls_imds_retry_ms(true, 410, 8, -1) == -1,
	   "410: 10 s, seven times");
	ok(mls_imds_retry_ms(true, 429, 1, -1) == 1000 && mls_imds_retry_ms(true, 429, 6, -1) == -1, "429: five times");
	ok(mls_imds_retry_ms(true, 429, 1, 3000) == 3000, "as long as it asks for");
	ok(mls_imds_retry_ms(true, 429, 1, INT64CONST(1) << 40) == 60000, "within reason");
	ok(mls_imds_retry_ms(true, 503, 3, -1) == 4000 && mls_imds_retry_ms(true, 503, 4, -1) == -1, "5xx: three times");
	ok(mls_imds_retry_ms(true, 0, 1, -1) == -1, "no reply: no virtual machine");
}

#define WORKSPACE "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/"

static void
check_names(void)
{
	ok(mls_scope_has_resource("https://a/.default"), "a scope");
	ok(!mls_scope_has_resource("/.default") && !mls_scope_has_resource("a"), "no scopes");
	ok(strcmp(mls_scope_resource("https://a/.default"), "https://a") == 0, "the resource of a scope");
	ok(mls_arm_id_is_endpoint(WORKSPACE "onlineEndpoints/e"), "an ARM id");
	ok(!mls_arm_id_is_endpoint(WORKSPACE "onlineEndpoints/"), "without a name");
	ok(!mls_arm_id_is_endpoint(WORKSPACE "batchEndpoints/e"), "of something else");
	ok(!mls_arm_id_is_endpoint(WORKSPACE "onlineEndpoints/e/x"), "with something behind");
}

int
main(void)
{
	check_replies();
	check_refresh();
	check_challenge();
	check_waits();
	check_names();
	return done_testing();
}
