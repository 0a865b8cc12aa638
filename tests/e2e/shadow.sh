#!/bin/bash
# shadow_deployment: copies of live requests, sent by a worker, which neither slow nor fail a query.
. "$(dirname "$0")/../lib/tap.sh"
need_peer fast deployments
diamonds_table 1000
fast=$(peer_url fast)
fast_function f "/unused"
sql "ALTER SERVER f OPTIONS (SET url '$(deployments_url blue "$fast/tag/sb$PGVER/score" green "$fast/tag/sg$PGVER/score")', deployment 'blue', shadow_deployment 'green', max_batch_rows '20')"
shadowed="SELECT requests FROM ml_score.stat_endpoint WHERE server = 'f' AND shadow"

like "$(sql "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT f($DIAMOND) FROM diamonds")" "Shadow: green  Copies: 50  Dropped: 0" "EXPLAIN ANALYZE counts the copies"
wait_until 30 "SELECT requests = 50 FROM ml_score.stat_endpoint WHERE server = 'f' AND shadow"
is "$(stats_of "sb$PGVER" requests) $(stats_of "sg$PGVER" requests) $(stats_of "sg$PGVER" rows)" "50 50 1000" "every request goes to both"
is "$(sql "SELECT deployment, requests, rows, failed, shadow_dropped FROM ml_score.stat_endpoint WHERE server = 'f' ORDER BY shadow")" $'blue|50|1000|0|0\ngreen|50|1000|0|0' "apart in stat_endpoint"

# Side by side in the log.
sql "ALTER SERVER f OPTIONS (ADD log_table 'public.f_log')"
sql "SELECT count(f($DIAMOND)) FROM diamonds" >/dev/null
wait_until 30 "SELECT count(*) = 2000 FROM f_log"
is "$(sql "SELECT count(*), count(*) FILTER (WHERE a.outputs = b.outputs), count(*) FILTER (WHERE a.inputs = b.inputs), min(a.deployment), min(b.deployment) FROM f_log a JOIN f_log b USING (request_id, request_row) WHERE a.traffic = 'live' AND b.traffic = 'shadow'")" \
	"1000|1000|1000|blue|green" "both answers are in the log, row by row under one request id"

# A shadow that does not take the key: each copy fails by itself, and there is room for the next.
need_peer fault_server
sql <<-EOSQL
	CREATE SERVER keyed TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (auth 'key', max_batch_rows '1', deployment 'blue', shadow_deployment 'green',
		url '$(deployments_url blue "$fast/tag/sk$PGVER/score" green "$(peer_url fault_server)/fault/status-401/score")');
	CREATE USER MAPPING FOR PUBLIC SERVER keyed OPTIONS (key 'sesame');
	CREATE FUNCTION keyed(a float8) RETURNS float8 LANGUAGE ml_score STABLE AS 'keyed';
EOSQL
is "$(sql "SELECT count(keyed(i)) FROM generate_series(1, 20) i")" 20 "a shadow that refuses the key fails no query"
wait_until 60 "SELECT failed = 20 FROM ml_score.stat_endpoint WHERE server = 'keyed' AND shadow"
is "$(sql "SELECT requests, failed, last_error ~ '401' FROM ml_score.stat_endpoint WHERE server = 'keyed' AND shadow")" "20|20|t" "every copy makes its end"
sql "DROP SERVER keyed CASCADE" 2>/dev/null

# A shadow that fails, or is slow, or dead: no query notices.
sql "TRUNCATE f_log; ALTER SERVER f OPTIONS (SET url '$(deployments_url blue "$fast/tag/sb$PGVER/score" green "$fast/tag/sr$PGVER/reject/Ideal/score")')"
is "$(sql "SELECT count(f($DIAMOND)) FROM diamonds WHERE cut = 'Ideal'")" "$(sql "SELECT count(*) FROM diamonds WHERE cut = 'Ideal'")" "a shadow that refuses fails no query"
wait_until 30 "SELECT count(*) FILTER (WHERE traffic = 'shadow' AND error IS NOT NULL AND outputs IS NULL) = count(*) FILTER (WHERE traffic = 'live' AND error IS NULL) AND count(*) > 0 FROM f_log"
ok $? "its errors are in the log" "$(sql "SELECT traffic, count(*), count(error) FROM f_log GROUP BY 1")"
sql "ALTER SERVER f OPTIONS (SET url '$(deployments_url blue "$fast/tag/sb$PGVER/score" green "$fast/tag/ss$PGVER/latency/3s/score")', DROP log_table)"
begun=$(now_ms)
for i in 1 2 3 4 5; do sql "SELECT f(1, 'a', 'b', 'c', $i, 1, 1, 1, 1)" >/dev/null; done
cmp_ok "$(($(now_ms) - begun))" "<" 3000 "a slow shadow slows nobody"
before=$(sql "$shadowed")
sql "SELECT count(f(i, repeat('y', 30000), '', '', 1, 1, 1, 1, 1)) FROM generate_series(1, 2000) i" >/dev/null
cmp_ok "$(sql "SELECT shadow_dropped FROM ml_score.stat_endpoint WHERE server = 'f' AND NOT shadow ORDER BY requests DESC LIMIT 1")" ">" 0 "copies that have no room are dropped and counted"

# The log's half of the queue: copies do not take it, of whatever size, to the last gap.
sql "ALTER SERVER f OPTIONS (SET url '$(deployments_url blue "$fast/tag/sb$PGVER/score" green "$fast/tag/sl$PGVER/latency/30s/score")')"
dropped="SELECT coalesce(sum(log_dropped), 0) FROM ml_score.stat_endpoint WHERE server = 'f'"
before=$(sql "$dropped")
sql >/dev/null <<-EOF
	TRUNCATE f_log;
	SELECT count(f(i, repeat('z', 30000), '', '', 1, 1, 1, 1, 1)) FROM generate_series(1, 1500) i;
	SELECT count(f(i, repeat('z', 5000), '', '', 1, 1, 1, 1, 1)) FROM generate_series(1, 1500) i;
	SELECT count(f(i, repeat('z', 500), '', '', 1, 1, 1, 1, 1)) FROM generate_series(1, 1500) i;
	ALTER SERVER f OPTIONS (ADD log_table 'public.f_log');
	SELECT count(f(i, repeat('b', 25000), 'while behind', '', 1, 1, 1, 1, 1)) FROM generate_series(1, 200) i;
EOF
wait_until 30 "SELECT count(*) = 200 FROM f_log WHERE inputs ->> 'color' = 'while behind' AND traffic = 'live'"
ok $? "the log is written while the shadow is behind"
is "$(sql "$dropped")" "$before" "the shadow's copies leave it room"

# A query that is cancelled, a server that is dropped: the worker copes.
sql "ALTER SERVER f OPTIONS (DROP shadow_deployment, SET url '$(deployments_url blue "$fast/tag/sc$PGVER/latency/5s/score")')"
begun=$(now_ms)
like "$(sql_error "SET statement_timeout = '300ms'; SELECT f(1, 'a', 'b', 'c', 1, 1, 1, 1, 1)")" "57014" "cancel acts"
cmp_ok "$(($(now_ms) - begun))" "<" 3000 "at once"
sql "DROP SERVER f CASCADE" 2>/dev/null
fast_function f "/tag/again$PGVER"
sql "ALTER SERVER f OPTIONS (ADD log_table 'public.f_log')"
sql "SELECT f(6, 'afterwards', 'b', 'c', 1, 1, 1, 1, 1)" >/dev/null
wait_until 30 "SELECT count(*) = 1 FROM f_log WHERE inputs ->> 'cut' = 'afterwards'"
ok $? "the worker goes on after its server was dropped with copies under way"
done_testing
