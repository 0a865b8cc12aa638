#!/bin/bash
# ml_score.compare: the same rows scored by two deployments, which are two of Azure's inference servers behind a router.
# Version: 16, sums over two scorings are the same for every version
. "$(dirname "$0")/../lib/tap.sh"
need_peer deployments real_records real_second fast
diamonds_table 2000
url=$(deployments_url blue "$(peer_url real_records)/score" green "$(peer_url real_second)/score")
sql "CREATE SERVER d TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$url', max_batch_rows '500')"
sql "SELECT ml_score.create_function('d', 'price')" >/dev/null
above=$(sql "SELECT count(*) FROM diamonds WHERE carat > 1")

is "$(sql "SELECT output, rows, differed = $above, agreed + differed, failed_a, failed_b, agreement = agreed / 2000.0, max_difference, mean_difference - 10.0 * $above / 2000 < 1e-6
	FROM ml_score.compare('price', 'blue', 'green', 'SELECT * FROM diamonds')")" "result|2000|t|2000|0|0|t|10|t" \
	"two versions of a model differ where they do, by what they do"
is "$(sql "SELECT agreement, p50_ms_a > 0 AND p95_ms_a >= p50_ms_a AND p50_ms_b > 0 FROM ml_score.compare('price', 'blue', 'green', 'SELECT * FROM diamonds', tolerance => 10.000001)")" "1|t" \
	"a tolerance lets small differences pass; latencies are told"
is "$(sql "SELECT agreement, max_difference, example FROM ml_score.compare('price', NULL, 'blue', 'SELECT * FROM diamonds')")" "1|0|" \
	"a deployment agrees with itself; NULL is the endpoint's own choice"
is "$(sql "SELECT example -> 'arguments' ->> 'carat' > '1', round((example ->> 'b')::numeric - (example ->> 'a')::numeric) FROM ml_score.compare('price', 'blue', 'green', 'SELECT * FROM diamonds')")" "t|10" \
	"an example shows arguments and both results"
is "$(sql "SELECT rows FROM ml_score.compare('price', 'blue', 'green', 'SELECT * FROM diamonds', max_rows => 7)")" 7 "max_rows bounds what is sent"
is "$(sql "SELECT rows FROM ml_score.compare('price', 'blue', 'blue', 'SELECT * FROM diamonds', max_rows => 1000000)")" 2000 "and takes no memory of itself"
out=$(sql "SELECT failed_a, failed_b, agreed, agreement FROM ml_score.compare('price', 'blue', 'red', 'SELECT * FROM diamonds LIMIT 10')" 2>&1)
like "$out" "^0\\|10\\|0\\|$" "rows that a deployment cannot score are counted"
like "$out" 'WARNING:  some rows could not be scored by deployment "red"' "and a WARNING says why"
is "$(sql "SELECT string_agg(deployment || ' ' || (rows > 0)::text, ', ' ORDER BY deployment) FROM ml_score.stat_endpoint WHERE server = 'd' AND deployment IN ('blue', 'green')")" \
	"blue true, green true" "stat_endpoint tells deployments apart"

# Several outputs, of which one does not differ; another layout of the reply.
need_peer two_columns
sql "CREATE SERVER two TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(deployments_url blue "$(peer_url two_columns)/score")');
	CREATE FUNCTION two(k int, OUT double float8, OUT triple float8) LANGUAGE ml_score STABLE AS 'two'" 2>/dev/null
is "$(sql "SELECT string_agg(output || ' ' || agreement, ', ' ORDER BY output) FROM ml_score.compare('two', 'blue', 'blue', 'SELECT 1 AS k')")" "double 1, triple 1" \
	"a line for each output"

# Cancel acts in the middle, and nothing of the session's settings stays changed.
slow=$(deployments_url blue "$(peer_url fast)/tag/cmp/latency/20s/score")
sql "ALTER SERVER d OPTIONS (SET url '$slow')"
begun=$(now_ms)
like "$(sql_error "SET statement_timeout = '500ms'; SELECT * FROM ml_score.compare('price', 'blue', 'blue', 'SELECT * FROM diamonds')")" "57014" "statement_timeout ends it"
cmp_ok "$(($(now_ms) - begun))" "<" 8000 "at once"
done_testing
