#!/bin/bash
# What stands between backend and endpoint: proxy, compression, connect_timeout.
. "$(dirname "$0")/../lib/tap.sh"
need_peer fast passage
passage=$(peer_url passage)
passed() {
	curl -sS "$passage/passed"
}
sql <<-EOF
	CREATE SERVER far TYPE 'online' FOREIGN DATA WRAPPER ml_score
		OPTIONS (url '$(peer_url fast)/score', request_format 'records', max_batch_rows '10', max_attempts '1');
	CREATE FUNCTION n(k int) RETURNS float8 LANGUAGE ml_score STABLE COST 10000 AS 'far';
	CREATE TABLE t AS SELECT generate_series(1, 100) id;
	ANALYZE t;
EOF

before=$(passed)
is "$(sql "SELECT sum(n(id)) FROM t")" 5050 "without a proxy"
is "$(passed)" "$before" "nothing passes there"
sql "ALTER SERVER far OPTIONS (ADD proxy '$passage')"
is "$(sql "SELECT sum(n(id)) FROM t")" 5050 "through a proxy"
is $(($(passed) - before)) 10 "each request passes there"
is "$(http_proxy=http://127.0.0.1:9 sql "SELECT n(1)")" 1 "what the environment says of proxies does not count"
sql "ALTER SERVER far OPTIONS (SET proxy 'http://127.0.0.1:9')"
like "$(sql_error "SELECT n(1)")" "08006: .*server \"far\"" "a proxy that is not there"
sql "ALTER SERVER far OPTIONS (DROP proxy)"

sql "ALTER SERVER far OPTIONS (SET url '$passage/gzip/score')"
like "$(sql_error "SELECT n(1)")" "415" "an endpoint that wants gzip refuses plain bodies"
sql "ALTER SERVER far OPTIONS (ADD compression 'gzip')"
is "$(sql "SELECT count(*), sum(n(id)) FROM t")" "100|450" "compression gzip: bodies both ways"
is "$(sql "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT n(id) FROM t" | grep -c 'Requests: 10')" 1 "in as many requests"
sql "ALTER SERVER far OPTIONS (DROP compression)"

sql "ALTER SERVER far OPTIONS (SET url 'http://127.0.0.1:$(curl -sS "$passage/busy")/score', ADD connect_timeout '300ms')"
start=$(now_ms)
like "$(sql_error "SELECT n(1)")" "08006: could not connect to server \"far\"" "nobody picks up"
cmp_ok $(($(now_ms) - start)) "<" 10000 "connect_timeout ends that, not timeout"
start=$(now_ms)
sql "ALTER SERVER far OPTIONS (SET connect_timeout '60s')"
like "$(sql_error "SET statement_timeout = '300ms'; SELECT n(1)")" "57014" "statement_timeout ends the wait for a connection"
cmp_ok $(($(now_ms) - start)) "<" 10000 "at once"
done_testing
