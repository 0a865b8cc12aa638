#!/bin/bash
# Endpoints that refuse: too many rows, too many requests, a bad row among good ones; limits of our own over all backends.
. "$(dirname "$0")/../lib/tap.sh"
diamonds_table 2000
need_peer fast
fast=$(peer_url fast)
sql <<-EOF
	CREATE SERVER f TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$fast/score', auth 'none', request_format 'records',
		retry_base_delay '5ms', retry_max_delay '20ms', max_attempts '50');
	CREATE FUNCTION n(k int) RETURNS float8 LANGUAGE ml_score STABLE COST 10000 AS 'f';
	CREATE FUNCTION s(t text) RETURNS float8 LANGUAGE ml_score STABLE COST 10000 AS 'f';
	CREATE FUNCTION reasoned(t text, OUT score float8, OUT error text) LANGUAGE ml_score STABLE COST 10000 AS 'f';
EOF
at() {
	sql "ALTER SERVER f OPTIONS (SET url '$fast/tag/limits$PGVER$1/score')"
}

at -cap/cap/130
is "$(sql "SET ml_score.max_batch_rows = 1000; SELECT sum(n(id)) FROM diamonds")" 2001000 "413: the batch is cut until it passes"
cmp_ok "$(stats_of "limits$PGVER-cap" max_rows)" '<=' 130 "no larger batch was scored"
at -one/cap/1
is "$(sql "SET ml_score.max_batch_rows = 8; SELECT sum(n(id)) FROM diamonds WHERE id <= 16")" 136 "down to a single row"

at -limit/latency/5ms/limit/2
is "$(sql "SET ml_score.max_parallel_requests = 6; SET ml_score.max_batch_rows = 50; SELECT sum(n(id)) FROM diamonds")" 2001000 \
	"429: requests are retried until all rows are scored"
cmp_ok "$(stats_of "limits$PGVER-limit" rejected)" '>' 0 "some were refused"
latency=$(sql "SET ml_score.max_parallel_requests = 6; SET ml_score.max_batch_rows = 50; EXPLAIN ANALYZE SELECT sum(n(id)) FROM diamonds" | grep Latency:)
cmp_ok "$(sed -n 's/.*avg \([0-9]*\).*/\1/p' <<<"$latency")" '<=' "$(sed -n 's/.*max \([0-9]*\).*/\1/p' <<<"$latency")" "EXPLAIN's average latency is over attempts, as its extremes are"

at -reject/reject/bad
like "$(sql_error "SELECT s(CASE id WHEN 77 THEN 'bad' ELSE 'good' END || '') FROM diamonds WHERE id <= 200")" "38000" \
	"on_error fail: a row that the model refuses fails the statement"
sql "ALTER SERVER f OPTIONS (ADD on_error 'null', ADD max_batch_rows '64')"
out=$(sql "SELECT count(*), count(v), string_agg(id::text, ',') FILTER (WHERE v IS NULL)
	FROM (SELECT id, s(CASE WHEN id IN (77, 78, 150) THEN 'bad' ELSE 'good' || id END) v FROM diamonds WHERE id <= 200) q" 2>&1)
like "$out" "200\|197\|77,78,150" "on_error null: only the refused rows are NULL, found by bisecting"
is "$(grep -c WARNING <<<"$out")" 1 "with one warning"
like "$out" "WARNING.*3" "that counts them"
sql "ALTER SERVER f OPTIONS (SET on_error 'fail')"
is "$(sql "SET ml_score.on_error = 'null'; SELECT count(*) - count(v) FROM (SELECT s(CASE id WHEN 77 THEN 'bad' ELSE 'good' END) v FROM diamonds WHERE id <= 100) q" 2>/dev/null)" 1 \
	"ml_score.on_error overrides the server"
is "$(sql "SELECT count(*) FILTER (WHERE (r).error IS NOT NULL), count((r).score) FROM
	(SELECT reasoned(CASE WHEN id IN (3, 9) THEN 'bad' ELSE 'good' || id END) r FROM diamonds WHERE id <= 20 OFFSET 0) q" 2>/dev/null)" "2|18" \
	"a column error text gets the row's reason"

at -shared/latency/20ms
sql "ALTER SERVER f OPTIONS (ADD max_concurrent_requests '3', SET max_batch_rows '10', ADD max_parallel_requests '4')"
for i in 1 2 3 4; do sql_background "shared$i" "SELECT sum(n(id)) FROM diamonds WHERE id <= 300"; done
for i in 1 2 3 4; do is "$(sql_join "shared$i")" 45150 "backend $i of four gets all its scores"; done
cmp_ok "$(stats_of "limits$PGVER-shared" max_at_once)" '<=' 3 "max_concurrent_requests holds over all backends"
is "$(stats_of "limits$PGVER-shared" max_at_once)" 3 "and is used in full"

at -rate
sql "ALTER SERVER f OPTIONS (DROP max_concurrent_requests, ADD requests_per_second '20')"
sql "SELECT n(1)" >/dev/null
start=$(now_ms)
sql "SELECT count(n(id)) FROM diamonds WHERE id <= 400" >/dev/null
took=$(($(now_ms) - start))
cmp_ok $took '>=' 900 "requests_per_second slows 40 requests down"
cmp_ok $took '<=' 6000 "and not more than it must"
done_testing
