#!/bin/bash
# ml_score.stat_endpoint: one line per server, all backends together, as the endpoint counts it too.
. "$(dirname "$0")/../lib/tap.sh"
need_peer fast
fast_function f "/tag/stat$PGVER"
sql "CREATE FUNCTION n(k int) RETURNS float8 LANGUAGE ml_score STABLE COST 10000 AS 'f'; ALTER SERVER f OPTIONS (ADD max_batch_rows '50', ADD request_format 'records')"
for i in 1 2 3; do sql_background "s$i" "SELECT count(n(id)) FROM generate_series(1, 500) id"; done
for i in 1 2 3; do sql_join "s$i" >/dev/null; done
stat() {
	sql "SELECT $1 FROM ml_score.stat_endpoint WHERE server = 'f'"
}
is "$(stat requests)" "$(stats_of "stat$PGVER" requests)" "requests"
is "$(stat rows)" 1500 "rows"
is "$(stat "in_flight")" 0 "nothing in flight"
is "$(stat "retries || '|' || throttled || '|' || failed")" "0|0|0" "nothing retried, throttled or failed"
sql "ALTER SERVER f OPTIONS (SET url '$(peer_url fast)/tag/stat2$PGVER/cap/0/reject/x/score'); CREATE FUNCTION s(t text) RETURNS float8 LANGUAGE ml_score STABLE AS 'f'"
sql_error "SELECT s('x')" >/dev/null
cmp_ok "$(stat failed)" '>=' 1 "a refused request counts as failed"
like "$(stat last_error)" "400" "and shows as the last error"
sql "SELECT ml_score.stat_reset()" >/dev/null
is "$(sql "SELECT coalesce(sum(requests), 0) FROM ml_score.stat_endpoint WHERE server = 'f'")" 0 "stat_reset"
done_testing
