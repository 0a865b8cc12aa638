#!/bin/bash
# canary_percent: that share of the requests, no more and no less, goes to canary_deployment.
. "$(dirname "$0")/../lib/tap.sh"
need_peer deployments fast
diamonds_table 1000
fast=$(peer_url fast)
url=$(deployments_url blue "$fast/tag/blue$PGVER/score" green "$fast/tag/green$PGVER/score")
fast_function f "/unused"
sql "ALTER SERVER f OPTIONS (SET url '$url', deployment 'blue', canary_deployment 'green', canary_percent '30', max_batch_rows '10', max_parallel_requests '4')"

is "$(sql "SELECT count(*) FROM diamonds WHERE f($DIAMOND) IS DISTINCT FROM $FAST_SCORE AND abs(f($DIAMOND) - ($FAST_SCORE)) > 1e-6")" 0 "every row has its score"
sql "SELECT ml_score.stat_reset()"
blue=$(stats_of "blue$PGVER" requests) green=$(stats_of "green$PGVER" requests)
plan=$(sql "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT f($DIAMOND) FROM diamonds")
is "$(($(stats_of "blue$PGVER" requests) - blue)) $(($(stats_of "green$PGVER" requests) - green))" "70 30" "of 100 requests exactly 30 go to the canary"
like "$plan" "Requests: 100 " "EXPLAIN ANALYZE counts all of them"
like "$plan" "Canary: green  Requests: 30  Rows: 300  Failed: 0  Latency: avg [0-9.]+ ms" "and tells the canary's"
is "$(sql "SELECT deployment, requests, rows, shadow FROM ml_score.stat_endpoint WHERE server = 'f' ORDER BY 1")" $'blue|70|700|f\ngreen|30|300|f' "so does stat_endpoint"
like "$(sql "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT json) SELECT f($DIAMOND) FROM diamonds")" '"Canary Requests": 30' "and EXPLAIN's other formats"

# One row at a time, in sessions of their own: all of them take turns.
green=$(stats_of "green$PGVER" requests)
for i in 1 2 3 4 5 6 7 8 9 10; do echo "SELECT f(carat, cut, color, clarity, depth, \"table\", x, y, z) FROM diamonds WHERE id = $i;"; done >"$RUN/$TEST_NAME.$PGVER.sql"
for i in 1 2 3 4 5 6 7 8 9 10; do sql "$(sed -n "${i}p" "$RUN/$TEST_NAME.$PGVER.sql")" >/dev/null; done
is "$(($(stats_of "green$PGVER" requests) - green))" 3 "of ten sessions that send one request each, three meet the canary"

# A canary that refuses: its rows fail as any do, and the whole of a cut batch stays with it.
sql "ALTER SERVER f OPTIONS (SET url '$(deployments_url blue "$fast/tag/blue$PGVER/score" green "$fast/tag/red$PGVER/cap/0/reject/Ideal/score")', on_error 'null')"
is "$(sql "SELECT ml_score.stat_reset(); SELECT count(*) FILTER (WHERE s IS NULL) = count(*) FILTER (WHERE s IS NULL AND cut = 'Ideal') AND count(*) FILTER (WHERE s IS NULL) > 0 FROM (SELECT cut, f($DIAMOND) AS s FROM diamonds) t" 2>/dev/null)" $'\nt' \
	"only rows that the canary refuses are without a score"
is "$(sql "SELECT sum(failed) FILTER (WHERE deployment = 'blue') = 0 AND sum(failed) FILTER (WHERE deployment = 'green') > 0 FROM ml_score.stat_endpoint WHERE server = 'f'")" t \
	"no failed request was sent to the other deployment"
sql "ALTER SERVER f OPTIONS (SET on_error 'fail')"
like "$(sql_error "SELECT f($DIAMOND) FROM diamonds")" "HTTP status 400|refused|rejected" "with on_error fail the statement fails"

# Off, all, and gone.
sql "ALTER SERVER f OPTIONS (SET url '$url', SET canary_percent '0')"
green=$(stats_of "green$PGVER" requests)
sql "SELECT count(f($DIAMOND)) FROM diamonds" >/dev/null
is "$(($(stats_of "green$PGVER" requests) - green))" 0 "0 percent: none"
blue=$(stats_of "blue$PGVER" requests)
sql "ALTER SERVER f OPTIONS (SET canary_percent '100')"
sql "SELECT count(f($DIAMOND)) FROM diamonds" >/dev/null
is "$(($(stats_of "blue$PGVER" requests) - blue))" 0 "100 percent: all"
sql "ALTER SERVER f OPTIONS (SET deployment 'green', DROP canary_deployment, DROP canary_percent)"
green=$(stats_of "green$PGVER" requests)
sql "SELECT count(f($DIAMOND)) FROM diamonds" >/dev/null
is "$(($(stats_of "green$PGVER" requests) - green))" 100 "promotion is one ALTER SERVER"
done_testing
