/* sources: src/transport/retry.c
 *
 * test_retry.c - what an attempt's outcome means, and how long to wait before the next.
 */
#include "postgres.h"

#include "tap.h"
#include "transport/retry.h"

typedef struct Expected
{
	const char *what;
	MlsAttempt attempt;
	MlsVerdict verdict;
	MlsFailureKind kind;
	int sqlstate;
	bool throttled;
} Expected;

/* A reply of this status to the n-th of five attempts. */
#define REPLY(s, n, ...)                                                                                               \
	{                                                                                                                  \
		.wire = MLS_WIRE_REPLY, .status = s, .rows = 100, .number = n, .max_attempts = 5, .scoring = true,             \
		.idempotent = true, __VA_ARGS__                                                                                \
	}
#define WIRE(w, r, n)                                                                                                  \
	{                                                                                                                  \
		.wire = w, .rows = r, .number = n, .max_attempts = 5, .scoring = true, .idempotent = true                      \
	}

/* The n-th of five attempts of a request that scores nothing. */
#define OTHER(w, s, n, again)                                                                                          \
	{                                                                                                                  \
		.wire = w, .status = s, .number = n, .max_attempts = 5, .idempotent = again                                    \
	}

static const Expected table[] = {
	{"other 204", OTHER(MLS_WIRE_REPLY, 204, 1, false), MLS_VERDICT_OK},
	{"other 400", OTHER(MLS_WIRE_REPLY, 400, 1, true), MLS_VERDICT_FAIL, MLS_FAILURE_REJECTED,
	 ERRCODE_EXTERNAL_ROUTINE_EXCEPTION},
	{"other 404", OTHER(MLS_WIRE_REPLY, 404, 1, true), MLS_VERDICT_FAIL, MLS_FAILURE_CONFIGURATION,
	 ERRCODE_UNDEFINED_OBJECT},
	{"other 412", OTHER(MLS_WIRE_REPLY, 412, 1, true), MLS_VERDICT_FAIL, MLS_FAILURE_CONFIGURATION,
	 ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE},
	{"other 424", OTHER(MLS_WIRE_REPLY, 424, 1, true), MLS_VERDICT_FAIL, MLS_FAILURE_REJECTED,
	 ERRCODE_EXTERNAL_ROUTINE_EXCEPTION},
	{"other 500", OTHER(MLS_WIRE_REPLY, 500, 1, true), MLS_VERDICT_RETRY, MLS_FAILURE_UNREACHABLE,
	 ERRCODE_CONNECTION_FAILURE},
	{"once only: 500", OTHER(MLS_WIRE_REPLY, 500, 1, false), MLS_VERDICT_FAIL, MLS_FAILURE_UNREACHABLE,
	 ERRCODE_CONNECTION_FAILURE},
	{"once only: 503", OTHER(MLS_WIRE_REPLY, 503, 1, false), MLS_VERDICT_RETRY, MLS_FAILURE_UNREACHABLE,
	 ERRCODE_CONNECTION_FAILURE},
	{"once only: 429", OTHER(MLS_WIRE_REPLY, 429, 1, false), MLS_VERDICT_RETRY, MLS_FAILURE_UNREACHABLE,
	 ERRCODE_CONNECTION_FAILURE, true},
	{"once only: cut", OTHER(MLS_WIRE_CUT, 0, 1, false), MLS_VERDICT_FAIL, MLS_FAILURE_UNREACHABLE,
	 ERRCODE_CONNECTION_FAILURE},
	{"once only: time-out", OTHER(MLS_WIRE_TIMEOUT, 0, 1, false), MLS_VERDICT_FAIL, MLS_FAILURE_TIMEOUT,
	 ERRCODE_CONNECTION_FAILURE},
	{"once only: refused", OTHER(MLS_WIRE_UNREACHABLE, 0, 1, false), MLS_VERDICT_RETRY, MLS_FAILURE_UNREACHABLE,
	 ERRCODE_CONNECTION_FAILURE},
	{"200", REPLY(200, 1), MLS_VERDICT_OK},
	{"400", REPLY(400, 1), MLS_VERDICT_FAIL, MLS_FAILURE_REJECTED, ERRCODE_EXTERNAL_ROUTINE_EXCEPTION},
	{"422", REPLY(422, 1), MLS_VERDICT_FAIL, MLS_FAILURE_REJECTED, ERRCODE_EXTERNAL_ROUTINE_EXCEPTION},
	{"401", REPLY(401, 1), MLS_VERDICT_FAIL, MLS_FAILURE_CONFIGURATION, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION},
	{"403", REPLY(403, 1), MLS_VERDICT_FAIL, MLS_FAILURE_CONFIGURATION, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION},
	{"404", REPLY(404, 1), MLS_VERDICT_FAIL, MLS_FAILURE_CONFIGURATION, ERRCODE_UNDEFINED_OBJECT},
	{"409", REPLY(409, 1), MLS_VERDICT_FAIL, MLS_FAILURE_CONFIGURATION, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE},
	{"301", REPLY(301, 1), MLS_VERDICT_FAIL, MLS_FAILURE_CONFIGURATION, ERRCODE_PROTOCOL_VIOLATION},
	{"307", REPLY(307, 1), MLS_VERDICT_FAIL, MLS_FAILURE_CONFIGURATION, ERRCODE_PROTOCOL_VIOLATION},
	{"418", REPLY(418, 1), MLS_VERDICT_FAIL, MLS_FAILURE_CONFIGURATION, ERRCODE_PROTOCOL_VIOLATION},
	{"501", REPLY(501, 1), MLS_VERDICT_FAIL, MLS_FAILURE_CONFIGURATION, ERRCODE_PROTOCOL_VIOLATION},
	{"408 once", REPLY(408, 1), MLS_VERDICT_RETRY, MLS_FAILURE_TIMEOUT, ERRCODE_CONNECTION_FAILURE},
	{"408 twice", REPLY(408, 2), MLS_VERDICT_FAIL, MLS_FAILURE_TIMEOUT, ERRCODE_CONNECTION_FAILURE},
	{"413", REPLY(413, 1), MLS_VERDICT_FAIL, MLS_FAILURE_TOO_LARGE, ERRCODE_PROGRAM_LIMIT_EXCEEDED},
	{"429", REPLY(429, 1), MLS_VERDICT_RETRY, MLS_FAILURE_UNREACHABLE, ERRCODE_CONNECTION_FAILURE, true},
	{"429, the last", REPLY(429, 5), MLS_VERDICT_FAIL, MLS_FAILURE_UNREACHABLE, ERRCODE_CONNECTION_FAILURE, true},
	{"424 without inner status", REPLY(424, 1), MLS_VERDICT_FAIL, MLS_FAILURE_REJECTED,
	 ERRCODE_EXTERNAL_ROUTINE_EXCEPTION},
	{"424 of 500", REPLY(424, 1, .inner_status = 500), MLS_VERDICT_FAIL, MLS_FAILURE_REJECTED,
	 ERRCODE_EXTERNAL_ROUTINE_EXCEPTION},
	{"424 of 503", REPLY(424, 1, .inner_status = 503), MLS_VERDICT_RETRY, MLS_FAILURE_UNREACHABLE,
	 ERRCODE_CONNECTION_FAILURE},
	{"424 of 429", REPLY(424, 1, .inner_status = 429), MLS_VERDICT_RETRY, MLS_FAILURE_UNREACHABLE,
	 ERRCODE_CONNECTION_FAILURE, true},
	{"424 of 429, the last", REPLY(424, 5, .inner_status = 429), MLS_VERDICT_FAIL, MLS_FAILURE_UNREACHABLE,
	 ERRCODE_CONNECTION_FAILURE, true},
	{"500", REPLY(500, 1), MLS_VERDICT_RETRY, MLS_FAILURE_REJECTED, ERRCODE_EXTERNAL_ROUTINE_EXCEPTION},
	{"500, the last", REPLY(500, 5), MLS_VERDICT_FAIL, MLS_FAILURE_REJECTED, ERRCODE_EXTERNAL_ROUTINE_EXCEPTION},
	{"500 of the scoring script", REPLY(500, 1, .run_function_failed = true), MLS_VERDICT_FAIL, MLS_FAILURE_REJECTED,
	 ERRCODE_EXTERNAL_ROUTINE_EXCEPTION},
	{"502", REPLY(502, 1), MLS_VERDICT_RETRY, MLS_FAILURE_UNREACHABLE, ERRCODE_CONNECTION_FAILURE},
	{"503", REPLY(503, 4), MLS_VERDICT_RETRY, MLS_FAILURE_UNREACHABLE, ERRCODE_CONNECTION_FAILURE},
	{"503, the last", REPLY(503, 5), MLS_VERDICT_FAIL, MLS_FAILURE_UNREACHABLE, ERRCODE_CONNECTION_FAILURE},
	{"504, the last", REPLY(504, 5), MLS_VERDICT_FAIL, MLS_FAILURE_UNREACHABLE, ERRCODE_CONNECTION_FAILURE},
	{"no address", WIRE(MLS_WIRE_UNRESOLVED, 100, 1), MLS_VERDICT_RETRY, MLS_FAILURE_UNREACHABLE,
	 ERRCODE_CONNECTION_FAILURE},
	{"refused, the last", WIRE(MLS_WIRE_UNREACHABLE, 100, 5), MLS_VERDICT_FAIL, MLS_FAILURE_UNREACHABLE,
	 ERRCODE_CONNECTION_FAILURE},
	{"cut", WIRE(MLS_WIRE_CUT, 100, 1), MLS_VERDICT_RETRY, MLS_FAILURE_UNREACHABLE, ERRCODE_CONNECTION_FAILURE},
	{"untrusted", WIRE(MLS_WIRE_UNTRUSTED, 100, 1), MLS_VERDICT_FAIL, MLS_FAILURE_UNREACHABLE,
	 ERRCODE_CONNECTION_FAILURE},
	{"forbidden address", WIRE(MLS_WIRE_FORBIDDEN, 100, 1), MLS_VERDICT_FAIL, MLS_FAILURE_UNREACHABLE,
	 ERRCODE_CONNECTION_FAILURE},
	{"time-out of many rows", WIRE(MLS_WIRE_TIMEOUT, 100, 1), MLS_VERDICT_FAIL, MLS_FAILURE_TIMEOUT,
	 ERRCODE_CONNECTION_FAILURE},
	{"time-out of one row", WIRE(MLS_WIRE_TIMEOUT, 1, 1), MLS_VERDICT_RETRY, MLS_FAILURE_TIMEOUT,
	 ERRCODE_CONNECTION_FAILURE},
	{"time-out of one row, twice", WIRE(MLS_WIRE_TIMEOUT, 1, 2), MLS_VERDICT_FAIL, MLS_FAILURE_TIMEOUT,
	 ERRCODE_CONNECTION_FAILURE},
	{"reply too large", WIRE(MLS_WIRE_REPLY_TOO_LARGE, 100, 1), MLS_VERDICT_FAIL, MLS_FAILURE_TOO_LARGE,
	 ERRCODE_PROGRAM_LIMIT_EXCEEDED},
	{"garbage, the last", WIRE(MLS_WIRE_MALFORMED, 100, 5), MLS_VERDICT_FAIL, MLS_FAILURE_UNREACHABLE,
	 ERRCODE_PROTOCOL_VIOLATION},
	{"no CA file", WIRE(MLS_WIRE_LOCAL, 100, 1), MLS_VERDICT_FAIL, MLS_FAILURE_CONFIGURATION,
	 ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION},
};

static void
check_decisions(void)
{
	MlsAttempt only = REPLY(503, 1);

	for (int i = 0; i < lengthof(table); i++)
	{
		const Expected *e = &table[i];
		MlsDecision d = mls_retry_decide(&e->attempt);

		ok(d.verdict == e->verdict && d.kind == e->kind && d.sqlstate == e->sqlstate && d.throttled == e->throttled,
		   "%s: verdict %d, kind %d, throttled %d", e->what, d.verdict, d.kind, d.throttled);
	}
	only.max_attempts = 1;
	ok(mls_retry_decide(&only).verdict == MLS_VERDICT_FAIL, "max_attempts 1: no retry");
}

static void
check_delays(void)
{
	ok(mls_retry_delay_ms(1, 200, 10000, -1, 0) == 0, "full jitter begins at nothing");
	ok(mls_retry_delay_ms(1, 200, 10000, -1, 0.5) == 100, "and ends at the base");
	ok(mls_retry_delay_ms(4, 200, 10000, -1, 0.5) == 800, "which doubles with each attempt");
	ok(mls_retry_delay_ms(20, 200, 10000, -1, 0.5) == 5000, "up to the maximum");
	ok(mls_retry_delay_ms(2000000000, 200, 10000, -1, 0.5) == 5000, "whatever the attempt");
	ok(mls_retry_delay_ms(1, 200, 10000, 30000, 0.5) == 30000, "what the endpoint asks for replaces it");
	ok(mls_retry_delay_ms(1, 200, 10000, 0, 0.5) == 0, "also when that is nothing");
	ok(mls_retry_delay_ms(1, 200, 10000, INT64CONST(1) << 50, 0.5) == MLS_RETRY_AFTER_MAX_MS, "within reason");
}

static void
check_retry_after(void)
{
	/* 1794000000 = Fri, 06 Nov 2026 21:20:00 GMT */
	const int64 now = 1794000000;

	ok(mls_retry_after_parse("120", now) == 120000, "seconds");
	ok(mls_retry_after_parse("0.25", now) == 250, "decimal seconds");
	ok(mls_retry_after_parse("-5", now) == 0, "negative seconds are none");
	ok(mls_retry_after_parse("Fri, 06 Nov 2026 21:20:30 GMT", now) == 30000, "a date");
	ok(mls_retry_after_parse("Friday, 06-Nov-26 21:20:30 GMT", now) == 30000, "a date as RFC 850 has it");
	ok(mls_retry_after_parse("Fri Nov  6 21:20:30 2026", now) == 30000, "a date as asctime has it");
	ok(mls_retry_after_parse("Fri, 06 Nov 2026 21:19:00 GMT", now) == 0, "a date gone by");
	ok(mls_retry_after_parse("soon", now) == -1, "neither");
	ok(mls_retry_after_parse("", now) == -1, "nothing");
	ok(mls_retry_after_parse("nan", now) == -1, "not a number");
	ok(mls_retry_after_parse("1e300", now) > 0, "more than fits");
	ok(mls_retry_after_ms_parse("1500") == 1500, "milliseconds");
	ok(mls_retry_after_ms_parse("12 apples") == -1, "something after the number");
}

int
main(void)
{
	check_decisions();
	check_delays();
	check_retry_after();
	return done_testing();
}
