/* sources: src/watch/metric.c src/watch/breach.c src/watch/webhook_sign.c src/codec/base64.c
 *
 * test_watch.c - what monitors make of values, when they announce it, and how webhooks are signed.
 */
#include "postgres.h"

#include <math.h>

#include "tap.h"
#include "watch/breach.h"
#include "watch/webhook_sign.h"

#define HOUR (3600.0 * 1000)

static void
test_metrics(void)
{
	static const struct
	{
		const char *name;
		MlsBound bound;
	} directions[] = {{"jensen_shannon_distance", MLS_BOUND_ABOVE},
					  {"normalized_wasserstein_distance", MLS_BOUND_ABOVE},
					  {"population_stability_index", MLS_BOUND_ABOVE},
					  {"two_sample_kolmogorov_smirnov_test", MLS_BOUND_BELOW},
					  {"pearsons_chi_squared_test", MLS_BOUND_BELOW},
					  {"null_value_rate", MLS_BOUND_ABOVE},
					  {"data_type_error_rate", MLS_BOUND_ABOVE},
					  {"out_of_bounds_rate", MLS_BOUND_ABOVE},
					  {"accuracy", MLS_BOUND_BELOW},
					  {"precision", MLS_BOUND_BELOW},
					  {"recall", MLS_BOUND_BELOW},
					  {"f1", MLS_BOUND_BELOW},
					  {"auc", MLS_BOUND_BELOW},
					  {"mae", MLS_BOUND_ABOVE},
					  {"mse", MLS_BOUND_ABOVE},
					  {"rmse", MLS_BOUND_ABOVE},
					  {"r2", MLS_BOUND_BELOW}};
	MlsSignal signal;

	for (int i = 0; i < lengthof(directions); i++)
	{
		const MlsMetric *metric = NULL;

		for (int s = 0; s < MLS_SIGNALS && metric == NULL; s++)
			metric = mls_metric_find(s, directions[i].name);
		ok(metric != NULL && metric->bound == directions[i].bound, "%s is a breach when %s its threshold",
		   directions[i].name, mls_bound_name(directions[i].bound));
	}
	ok(mls_metric_at(lengthof(directions)) == NULL, "there are no others");
	for (int s = 0; s < MLS_SIGNALS; s++)
		ok(mls_signal_parse(mls_signal_name(s), &signal) && signal == s, "signal %s is read back", mls_signal_name(s));
	ok(!mls_signal_parse("drift", &signal), "no other word is a signal");
	ok(mls_metric_find(MLS_SIGNAL_DATA_DRIFT, "PopulationStabilityIndex") ==
		   mls_metric_find(MLS_SIGNAL_DATA_DRIFT, "psi"),
	   "Azure's other spelling");
	ok(mls_metric_find(MLS_SIGNAL_PREDICTION_DRIFT, "ChiSquaredTest") != NULL, "the test's other name");
	ok(mls_metric_find(MLS_SIGNAL_DATA_DRIFT, "rmse") == NULL, "a metric of another signal");
	ok(mls_metric_find(MLS_SIGNAL_DATA_DRIFT, "ps") == NULL, "half a name");
}

static void
test_outcomes(void)
{
	ok(!mls_breach_is(0.1, 0.1, MLS_BOUND_ABOVE), "what equals its threshold is no breach");
	ok(!mls_breach_is(0.1, 0.1, MLS_BOUND_BELOW), "in either direction");
	ok(mls_breach_is(0.2, 0.1, MLS_BOUND_ABOVE) && !mls_breach_is(0.2, 0.1, MLS_BOUND_BELOW), "more");
	ok(mls_breach_is(0, 0.1, MLS_BOUND_BELOW) && !mls_breach_is(0, 0.1, MLS_BOUND_ABOVE), "less");
	ok(mls_breach_is(INFINITY, 0.1, MLS_BOUND_ABOVE), "infinity is more");
	ok(!mls_breach_is(NAN, 0.1, MLS_BOUND_ABOVE) && !mls_breach_is(NAN, 0.1, MLS_BOUND_BELOW), "no value is no breach");
	ok(!mls_breach_is(1, NAN, MLS_BOUND_ABOVE), "nor is one without a threshold");
	ok(mls_outcome_add(MLS_OUTCOME_NO_DATA, NAN, 1, MLS_BOUND_ABOVE) == MLS_OUTCOME_NO_DATA, "no value tells nothing");
	ok(mls_outcome_add(MLS_OUTCOME_NO_DATA, 1, NAN, MLS_BOUND_ABOVE) == MLS_OUTCOME_NO_DATA,
	   "nor one without a threshold");
	ok(mls_outcome_add(MLS_OUTCOME_NO_DATA, 0, 1, MLS_BOUND_ABOVE) == MLS_OUTCOME_OK, "one that is fine does");
	ok(mls_outcome_add(MLS_OUTCOME_OK, 2, 1, MLS_BOUND_ABOVE) == MLS_OUTCOME_BREACHED, "one that is not counts");
	ok(mls_outcome_add(MLS_OUTCOME_BREACHED, 0, 1, MLS_BOUND_ABOVE) == MLS_OUTCOME_BREACHED, "whatever the others are");
}

/* Runs every half hour with these outcomes (b, o, n); what is announced (B, R, .) with this cool-down. */
static void
check_story(const char *outcomes, double cool_down_ms, const char *expected, const char *name)
{
	char got[64];
	bool announced = false;
	double announced_at = -1;
	int n = (int) strlen(outcomes);

	for (int i = 0; i < n; i++)
	{
		double now = i * HOUR / 2;
		MlsOutcome outcome = outcomes[i] == 'b'	  ? MLS_OUTCOME_BREACHED
							 : outcomes[i] == 'o' ? MLS_OUTCOME_OK
												  : MLS_OUTCOME_NO_DATA;
		MlsAnnouncement what =
			mls_announce(announced, announced_at < 0 ? -1 : now - announced_at, outcome, cool_down_ms);

		got[i] = ".BR"[what];
		if (what == MLS_ANNOUNCE_BREACH)
			announced_at = now;
		announced = what == MLS_ANNOUNCE_BREACH || (announced && what != MLS_ANNOUNCE_RECOVERY);
	}
	got[n] = '\0';
	if (!ok(strcmp(got, expected) == 0, "%s", name))
		printf("#   got:      %s\n#   expected: %s\n", got, expected);
}

static void
test_announcements(void)
{
	check_story("ooo", HOUR, "...", "nothing is announced when all is well");
	check_story("obbbbo", HOUR, ".B...R", "a breach is announced once, and its end");
	check_story("obnnbo", HOUR, ".B...R", "runs without data are no end");
	check_story("nnbo", HOUR, "..BR", "nor a beginning");
	check_story("bobo", 0, "BRBR", "without a cool-down each breach is announced");
	check_story("bobobob", HOUR, "BRBRBRB", "at the end of the cool-down the next one is");
	check_story("bobobob", 2 * HOUR, "BR..BR.", "within the cool-down none is");
	check_story("bobbbbo", 2 * HOUR, "BR..B.R", "unless it lasts longer");
	check_story("bbbbbbb", HOUR, "B......", "what was announced is not announced again");
}

static void
test_signatures(void)
{
	/* The vector of Standard Webhooks' own libraries. */
	static const char body[] = "{\"test\": 2432232314}";
	char *got = mls_webhook_signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek",
									  1614265330, body, strlen(body));

	if (!ok(strcmp(got, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=") == 0, "the known signature"))
		printf("#   got: %s\n", got);
	ok(strcmp(got, mls_webhook_signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek",
										 1614265331, body, strlen(body))) != 0,
	   "another time, another signature");
	ok(mls_webhook_secret_problem("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") == NULL, "a secret in base64");
	ok(mls_webhook_secret_problem("plain words") == NULL, "a secret as it is");
	ok(mls_webhook_secret_problem("whsec_!!") != NULL, "what should be base64 and is not");
	ok(mls_webhook_secret_problem("whsec_") != NULL, "an empty one");
}

int
main(void)
{
	test_metrics();
	test_outcomes();
	test_announcements();
	test_signatures();
	return done_testing();
}
