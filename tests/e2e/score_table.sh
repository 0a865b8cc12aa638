#!/bin/bash
# CALL ml_score.score_table: what is not scored yet, a commit a chunk, killed and run again.
. "$(dirname "$0")/../lib/tap.sh"
need_peer fast
fast_function f "/tag/st$PGVER"
sql "ALTER SERVER f OPTIONS (ADD max_batch_rows '100')"
diamonds_table 1000
sql "CREATE TABLE scored (id int PRIMARY KEY, score float8, at timestamptz DEFAULT now())"
out=$(sql "CALL ml_score.score_table('diamonds', 'scored', 'f', 300)" 2>&1)
is "$(sql "SELECT count(*), count(*) FILTER (WHERE score = $FAST_SCORE) FROM scored JOIN diamonds USING (id)")" "1000|1000" "every row is scored, arguments by column name"
is "$(sql "SELECT count(DISTINCT xmin::text) FROM scored")" 4 "in four transactions of 300 rows at most"
like "$out" "NOTICE.*1000" "progress shows as NOTICE"
sql "CALL ml_score.score_table('diamonds', 'scored', 'f', 300)" 2>/dev/null
is "$(stats_of "st$PGVER" rows)" 1000 "a second run sends nothing"
sql "INSERT INTO diamonds (carat, cut, color, clarity, depth, \"table\", price, x, y, z) SELECT 2, 'Fair', 'E', 'SI2', 60, 55, 1, i, 1, 1 FROM generate_series(1, 50) i;
	DELETE FROM scored WHERE id <= 10; CALL ml_score.score_table('diamonds', 'scored', 'f')" 2>/dev/null
is "$(stats_of "st$PGVER" rows)" 1060 "new and missing rows are sent, no others"
is "$(sql "SELECT count(*) FROM scored")" 1050 "and stored"

sql "TRUNCATE scored; ALTER SERVER f OPTIONS (SET url '$(peer_url fast)/tag/slowst$PGVER/latency/100ms/score', ADD max_parallel_requests '1')"
sql_background victim "CALL ml_score.score_table('diamonds', 'scored', 'f', 200)"
wait_until 10 "SELECT count(*) > 0 FROM scored"
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CALL ml_score.score_table%' AND pid <> pg_backend_pid()" >/dev/null
sql_join victim >/dev/null
done_rows=$(sql "SELECT count(*) FROM scored")
cmp_ok "$done_rows" '<' 1050 "killed in the middle ($done_rows rows done)"
is $((done_rows % 200)) 0 "whole chunks are kept"
sql "CALL ml_score.score_table('diamonds', 'scored', 'f', 200)" 2>/dev/null
is "$(sql "SELECT count(*), count(*) FILTER (WHERE score = $FAST_SCORE) FROM scored JOIN diamonds USING (id)")" "1050|1050" "run again, it finishes"

sql "CREATE TABLE keyless (id int, score float8)"
like "$(sql_error "CALL ml_score.score_table('diamonds', 'keyless', 'f')")" "primary key" "a target without a primary key is refused"
sql "CREATE FUNCTION other(nothing_like_it float8) RETURNS float8 LANGUAGE ml_score STABLE AS 'f'"
like "$(sql_error "CALL ml_score.score_table('diamonds', 'scored', 'other')")" "nothing_like_it" "a missing source column is named"
done_testing
