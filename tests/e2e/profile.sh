#!/bin/bash
# ml_score.profile measures the endpoint on the user's own rows.
. "$(dirname "$0")/../lib/tap.sh"
need_peer fast
fast_function f "/tag/prof$PGVER/latency/5ms"
diamonds_table 1000
sql "CREATE TABLE p AS SELECT * FROM ml_score.profile('f', 'SELECT $DIAMOND FROM diamonds', ARRAY[20, 200], ARRAY[1, 4])"
is "$(sql "SELECT count(*) FROM p")" 4 "a line per setting"
is "$(sql "SELECT count(*) FROM p WHERE recommended")" 1 "one is recommended"
is "$(sql "SELECT rows_per_second = max(rows_per_second) OVER () FROM p ORDER BY recommended DESC LIMIT 1")" t "the fastest, on a plain endpoint"
is "$(sql "SELECT bool_and(requests > 0 AND p50_ms >= 5 AND p95_ms >= p50_ms AND errors = 0) FROM p")" t "requests, quantiles and errors make sense"
is "$(sql "SELECT bool_and(rows_per_second BETWEEN 0.4 * ideal AND 1.02 * ideal AND rows BETWEEN (requests - parallel) * batch_rows AND requests * batch_rows) FROM (SELECT *, batch_rows * parallel / 0.005 AS ideal FROM p) p")" t \
	"rows/s are those of so many rows and requests at 5 ms each"
is "$(stats_of "prof$PGVER" max_rows)" 200 "batches had the asked size"

# Behaviour that depends on the setting: 413 above 500 rows, 429 above 2 requests at once.
sql "ALTER SERVER f OPTIONS (SET url '$(peer_url fast)/tag/cap$PGVER/latency/5ms/cap/500/score')"
is "$(sql "SELECT batch_rows, errors > 0, rows > 0, recommended FROM ml_score.profile('f', 'SELECT * FROM diamonds', '{100,1000}', '{1}')")" $'100|f|t|t\n1000|t|t|f' \
	"a batch size that the endpoint refuses is counted as such, and not recommended"
sql "ALTER SERVER f OPTIONS (SET url '$(peer_url fast)/tag/limit$PGVER/latency/5ms/limit/3/score')"
is "$(sql "SELECT parallel, errors > 0, recommended FROM ml_score.profile('f', 'SELECT * FROM diamonds', '{100}', '{1,8}')")" $'1|f|t\n8|t|f' \
	"and so are more requests at once than it takes"

# Rows that the model refuses.
sql "ALTER SERVER f OPTIONS (SET url '$(peer_url fast)/tag/bad$PGVER/reject/Fair/score')"
out=$(sql "SELECT sum(errors) > 0, bool_or(recommended) FROM ml_score.profile('f', 'SELECT * FROM diamonds', '{100}', '{1,2}')" 2>&1)
like "$out" "^t\\|f$" "errors are counted, not raised; nothing is recommended"
like "$out" "WARNING.*could not be scored" "a WARNING tells of them"

# The session stays as it was, after an error too; its own settings do not hold for the run.
sql "ALTER SERVER f OPTIONS (SET url '$(peer_url fast)/tag/settings$PGVER/latency/100ms/score')"
is "$(sql 2>/dev/null <<-EOF
	\\set ON_ERROR_STOP off
	SET ml_score.max_batch_rows = 7;
	SET ml_score.batching = off;
	SELECT requests > 0, rows = requests * 50 FROM ml_score.profile('f', 'SELECT * FROM diamonds', '{50}', '{1}');
	SET statement_timeout = '300ms';
	SELECT * FROM ml_score.profile('f', 'SELECT * FROM diamonds');
	SET statement_timeout = 0;
	SELECT current_setting('ml_score.max_batch_rows'), current_setting('ml_score.max_parallel_requests'), current_setting('ml_score.on_error');
EOF
)" $'t|t\n7||server' "the session's settings are put back, after a time-out too"
sql "ALTER SERVER f OPTIONS (SET url '$(peer_url fast)/tag/few$PGVER/score')"
is "$(sql "SELECT rows > 0, errors FROM ml_score.profile('f', 'SELECT * FROM diamonds LIMIT 3', '{100}', '{1}')")" "t|0" "three rows fill a batch of 100"
is "$(stats_of "few$PGVER" max_rows)" 100 "by being sent over and over"

sql "CREATE FUNCTION f(a int) RETURNS float8 LANGUAGE ml_score STABLE AS 'f'"
like "$(sql_error "SELECT * FROM ml_score.profile('f', 'SELECT 1')" | tr '\n' ' ')" "42725: .*HINT:.*argument types" "a name of several functions: a HINT says how to choose"
done_testing
