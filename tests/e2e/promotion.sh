#!/bin/bash
# From development to production: the same SQL files with other variables on two clusters, dumped, diffed, promoted.
# Version: 16, moving what was made is the same for every version
. "$(dirname "$0")/../lib/tap.sh"
need_peer deployments fast
files=$ROOT/tests/fixtures/rollout
fast=$(peer_url fast)
start_cluster "production-$PGVER" "$PGVER" "shared_preload_libraries = 'ml_score'"
dev=$CLUSTER

# endpoint STAGE: its URL in this stage, with the deployments blue and green.
endpoint() {
	deployments_url blue "$fast/tag/$1-blue/score" green "$fast/tag/$1-green/score"
}

# on STAGE PSQL-ARGUMENTS...: in that stage's database.
on() {
	local stage=$1
	shift
	use_cluster "$([ "$stage" = dev ] && echo "$dev" || echo "production-$PGVER")"
	PGDATABASE=models "$PGBIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@" 2>&1
}

# apply STAGE DEPLOYMENT: models.sql as a pipeline runs it.
apply() {
	DIAMONDS_KEY="secret-of-$1" on "$1" -v url="$(endpoint "$1")" -v deployment="$2" -v app=diamond_app -f "$files/models.sql"
}

# configuration STAGE: all of it but credentials, as SQL that can be compared.
configuration() {
	on "$1" -c "SELECT 1" >/dev/null
	"$PGBIN/pg_dump" -Fc -s -f "$RUN/$TEST_NAME.$1.dump" models
	"$PGBIN/pg_restore" -l "$RUN/$TEST_NAME.$1.dump" | grep -v 'USER MAPPING' >"$RUN/$TEST_NAME.$1.list"
	"$PGBIN/pg_restore" -L "$RUN/$TEST_NAME.$1.list" -f - "$RUN/$TEST_NAME.$1.dump" | grep -vE '^(--|SET |\\|SELECT pg_catalog.set_config|$)'
}

# differences: lines that stand in one stage's configuration only.
differences() {
	diff <(configuration dev) <(configuration prod) | grep '^[<>]'
}

for stage in dev prod; do
	on "$stage" -d postgres -c "SELECT 1" >/dev/null
	sql "CREATE ROLE diamond_app LOGIN"
	sql "CREATE DATABASE models"
	on "$stage" -c "CREATE EXTENSION ml_score" >/dev/null
	is "$(apply "$stage" blue)" "" "$stage: the file is applied"
	is "$(apply "$stage" blue)" "" "$stage: and again, which changes nothing"
done
score="SET ROLE diamond_app; SELECT diamond_price(1, 'ab', 'c', 'd', 5, 6, 7, 8, 9)"
is "$(on dev -c "$score") $(on prod -c "$score")" "267 267" "both score"
is "$(stats_of dev-blue requests) $(stats_of prod-blue requests)" "1 1" "each at its own endpoint"
is "$(differences | sed -E 's#(dev|prod)-(blue|green)#STAGE-\2#g; s/^[<>] *//' | sort -u | wc -l)" 1 "the stages differ in the URL's line alone" "$(differences)"
unlike "$(configuration dev; configuration prod)" "secret-of" "no credential is in what is compared"

# A new deployment: compared and tried in development, then in production.
is "$(on dev -c "SELECT agreement FROM ml_score.compare('diamond_price', 'blue', 'green', \$\$SELECT 1::float8 AS carat, 'a' AS cut, 'b' AS color, 'c' AS clarity, 5::float8 AS depth, 6::float8 AS \"table\", 7::float8 AS x, 8::float8 AS y, 9::float8 AS z\$\$)")" 1 "development: compared"
on dev -v deployment=green -v percent=50 -f "$files/canary.sql" >/dev/null
on dev -v deployment=green -v percent=100 -f "$files/canary.sql" >/dev/null
like "$(differences)" "canary_percent '100'" "development: a canary, and the diff shows it"
on dev -v deployment=green -f "$files/promote.sql" >/dev/null
like "$(differences)" "^< .*deployment 'green'|^<  *deployment 'green'" "development: promoted, and the diff shows that production is behind"
green=$(stats_of dev-green requests)
on dev -c "$score" >/dev/null
is "$(($(stats_of dev-green requests) - green))" 1 "development scores with it"
blue=$(stats_of prod-blue requests)
on prod -c "$score" >/dev/null
is "$(($(stats_of prod-blue requests) - blue))" 1 "production does not yet"
on prod -v deployment=green -v percent=10 -f "$files/canary.sql" >/dev/null
on prod -v deployment=green -f "$files/promote.sql" >/dev/null
green=$(stats_of prod-green requests)
on prod -c "$score" >/dev/null
is "$(($(stats_of prod-green requests) - green))" 1 "production: promoted by the same files"
is "$(differences | sed -E 's#(dev|prod)-(blue|green)#STAGE-\2#g; s/^[<>] *//' | sort -u | wc -l)" 1 "and the stages differ in the URL's line alone again" "$(differences)"

# The dump itself is a deployment, too: restored elsewhere, it scores.
configuration prod >"$RUN/$TEST_NAME.sql"
on dev -d postgres -c "CREATE DATABASE again" >/dev/null
PGDATABASE=again PGOPTIONS="-c check_function_bodies=off" "$PGBIN/psql" -XAtq -v ON_ERROR_STOP=1 -f "$RUN/$TEST_NAME.sql" >/dev/null 2>"$RUN/$TEST_NAME.err"
is "$(cat "$RUN/$TEST_NAME.err")" "" "what was compared restores"
is "$(PGDATABASE=again "$PGBIN/psql" -XAtqc "CREATE USER MAPPING FOR PUBLIC SERVER diamonds OPTIONS (key 'another')" -c "SELECT diamond_price(1, 'ab', 'c', 'd', 5, 6, 7, 8, 9)")" 267 "and scores, once a credential is given"
for stage in dev prod; do
	on "$stage" -d postgres -c "DROP DATABASE IF EXISTS again" -c "DROP DATABASE models" -c "DROP ROLE diamond_app" >/dev/null
done
stop_cluster "production-$PGVER"
use_cluster "$dev"
done_testing
