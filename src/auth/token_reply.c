/*
 * token_reply.c - see token_reply.h.
 */
#include "postgres.h"

#include <curl/curl.h>
#include <time.h>

#include "auth/token_reply.h"
#include "codec/json_read.h"

/* A new token is asked for so long before the old one ends, as the Azure SDKs do. */
#define REFRESH_BEFORE_S 300

/* A managed identity's token that is good for so long is renewed at half of its life. */
#define LONG_LIFE_S (2 * 60 * 60)

/* The value of a member as text, without quotes; NULL when there is none or it is null. */
static char *
member_text(const MlsSpan *object, const char *name)
{
	MlsSpan value = mls_json_member(object, name, strlen(name));
	char *text;
	int len;

	if (value.kind != MLS_SPAN_STRING && value.kind != MLS_SPAN_NUMBER)
		return NULL;
	text = palloc(value.len + 1);
	if (value.kind == MLS_SPAN_STRING)
		len = mls_json_unescape(&value, text);
	else
	{
		memcpy(text, value.start, value.len);
		len = (int) value.len;
	}
	if (len < 0)
		return NULL;
	text[len] = '\0';
	return text;
}

/* The object that body is; false when it is none. */
static bool
read_object(const char *body, size_t len, MlsSpan *object)
{
	MlsJsonReader reader;

	mls_json_start(&reader, body, len);
	return mls_json_value(&reader, object) && mls_json_finish(&reader) && object->kind == MLS_SPAN_OBJECT;
}

char *
mls_token_reply_string(const char *body, size_t len, const char *path)
{
	const char *dot;
	MlsSpan object;

	if (!read_object(body, len, &object))
		return NULL;
	while ((dot = strchr(path, '.')) != NULL)
	{
		object = mls_json_member(&object, path, dot - path);
		if (object.kind != MLS_SPAN_OBJECT)
			return NULL;
		path = dot + 1;
	}
	return member_text(&object, path);
}

/* "2026-03-02T11:04:51Z", with a fraction and an offset if it likes. */
static bool
parse_rfc3339(const char *text, int64 *result)
{
	struct tm tm = {0};
	char separator;
	char sign;
	int hours;
	int minutes;
	int n = 0;

	if (sscanf(text, "%4d-%2d-%2d%c%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &separator, &tm.tm_hour,
			   &tm.tm_min, &tm.tm_sec, &n) != 7 ||
		(separator != 'T' && separator != ' '))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*result = (int64) timegm(&tm);
	text += n;
	if (*text == '.')
		text += 1 + strspn(text + 1, "0123456789");
	if (sscanf(text, "%c%2d:%2d", &sign, &hours, &minutes) == 3 && (sign == '+' || sign == '-'))
		*result += (sign == '+' ? -1 : 1) * (hours * 3600 + minutes * 60);
	return true;
}

/* "6/20/2026 4:44:44 PM +00:00", as App Service's older interface has it. */
static bool
parse_us_date(const char *text, int64 *result)
{
	struct tm tm = {0};
	char half[3] = "";

	if (sscanf(text, "%2d/%2d/%4d %2d:%2d:%2d %2s", &tm.tm_mon, &tm.tm_mday, &tm.tm_year, &tm.tm_hour, &tm.tm_min,
			   &tm.tm_sec, half) < 6)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	if (pg_strcasecmp(half, "PM") == 0 && tm.tm_hour < 12)
		tm.tm_hour += 12;
	if (pg_strcasecmp(half, "AM") == 0 && tm.tm_hour == 12)
		tm.tm_hour = 0;
	*result = (int64) timegm(&tm);
	return true;
}

int64
mls_token_reply_time(const char *text)
{
	char *end;
	int64 result = strtoll(text, &end, 10);

	/* AutoRest's floats: "1772449491.0" */
	if (end > text && *end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	if (end > text && *end == '\0')
		return result < 0 ? -1 : result;
	if (parse_rfc3339(text, &result) || parse_us_date(text, &result))
		return result;
	result = (int64) curl_getdate(text, NULL);
	return result < 0 ? -1 : result;
}

/* The first of these members that says a time; relative ones count from now. 0 when there is none. */
static int64
find_time(const MlsSpan *object, const char *relative, const char *const *absolute, int64 now)
{
	char *text = relative == NULL ? NULL : member_text(object, relative);
	int64 seconds = text == NULL ? -1 : mls_token_reply_time(text);

	if (seconds > 0)
		return now + seconds;
	for (; *absolute != NULL; absolute++)
	{
		text = member_text(object, *absolute);
		seconds = text == NULL ? -1 : mls_token_reply_time(text);
		if (seconds > 0)
			return seconds;
	}
	return 0;
}

const char *
mls_token_reply_read(const char *body, size_t len, int64 now, MlsTokenReply *reply)
{
	static const char *const end_names[] = {"expires_on", "expiryTimeUtc", NULL};
	static const char *const refresh_names[] = {"refresh_on", "refreshAfterTimeUtc", NULL};
	MlsSpan object;

	memset(reply, 0, sizeof(*reply));
	if (!read_object(body, len, &object))
		return "It is not a JSON object.";
	reply->token = member_text(&object, "access_token");
	if (reply->token == NULL)
		reply->token = member_text(&object, "accessToken");
	if (reply->token == NULL || *reply->token == '\0')
		return "It has no access token.";
	for (const char *c = reply->token; *c != '\0'; c++)
		if ((unsigned char) *c <= ' ' || (unsigned char) *c >= 0x7f)
			return "Its access token has characters that no token has.";
	reply->expires_at = find_time(&object, "expires_in", end_names, now);
	if (reply->expires_at == 0)
		return "It does not say how long the token is good.";
	reply->refresh_at = find_time(&object, "refresh_in", refresh_names, now);
	if (reply->expires_at <= now)
		return "Its token has expired already: compare this machine's clock.";
	return NULL;
}

int64
mls_token_reply_refresh_at(const MlsTokenReply *reply, int64 now, bool managed_identity)
{
	int64 life = reply->expires_at - now;

	if (reply->refresh_at > now && reply->refresh_at < reply->expires_at)
		return reply->refresh_at;
	if ((managed_identity && life >= LONG_LIFE_S) || life <= 2 * REFRESH_BEFORE_S)
		return now + life / 2;
	return reply->expires_at - REFRESH_BEFORE_S;
}
