#!/bin/bash
# CALL ml_score.score_table: what is not scored yet, a commit a chunk, killed and run again.
. "$(dirname "$0")/../lib/tap.sh"
need_peer fast
fast_function f "/tag/st$PGVER"
sql "ALTER SERVER f OPTIONS (ADD max_batch_rows '100')"
diamonds_table 1000
sql "CREATE TABLE scored (id int PRIMARY KEY, score float8, at timestamptz DEFAULT now())"
right="SELECT count(*), count(*) FILTER (WHERE score = $FAST_SCORE) FROM scored JOIN diamonds USING (id)"

out=$(sql "CALL ml_score.score_table('diamonds', 'scored', 'f', 300)" 2>&1)
is "$(sql "$right")" "1000|1000" "every row is scored, arguments by column name"
is "$(sql "SELECT count(DISTINCT xmin::text) FROM scored")" 4 "in four transactions of 300 rows at most"
like "$out" "NOTICE.*1000" "progress shows as NOTICE"
is "$(stats_of "st$PGVER" requests)" 10 "each chunk goes out in batches"
sql "CALL ml_score.score_table('diamonds', 'scored', 'f', 300)" 2>/dev/null
is "$(stats_of "st$PGVER" rows)" 1000 "a second run sends nothing"
sql 2>/dev/null <<-EOF
	INSERT INTO diamonds (carat, cut, color, clarity, depth, "table", price, x, y, z) SELECT 2, 'Fair', 'E', 'SI2', 60, 55, 1, i, 1, 1 FROM generate_series(1, 50) i;
	DELETE FROM scored WHERE id <= 10;
	CALL ml_score.score_table('diamonds', 'scored', 'f');
EOF
is "$(stats_of "st$PGVER" rows)" 1060 "new and missing rows are sent, no others"
is "$(sql "SELECT count(*) FROM scored")" 1050 "and stored"

# Slow enough to be met in the middle: ten rows each 20 ms, one request after the other.
slow="$(peer_url fast)/tag/slowst$PGVER/latency/20ms/score"
sql "ALTER SERVER f OPTIONS (SET url '$slow', SET max_batch_rows '10', ADD max_parallel_requests '1');
	CREATE VIEW diamonds_view AS SELECT * FROM diamonds"
mine="FROM ml_score.progress_score_table WHERE datname = current_database()"
running="SELECT count(*) > 0 $mine AND chunks > 0"

for source in diamonds diamonds_view; do
	for way in pg_cancel_backend pg_terminate_backend; do
		sql "TRUNCATE scored"
		sql_background victim "CALL ml_score.score_table('$source', 'scored', 'f', 100)"
		wait_until 10 "$running"
		is "$(sql "SELECT source, target, function::oid::regproc, rows_total BETWEEN 100 AND 2000, rows_scored = 100 * chunks, last_chunk_at >= started_at $mine")" \
			"$source|scored|f|t|t|t" "the view of progress shows the run, from $source"
		like "$(sql_error "CALL ml_score.score_table('$source', 'scored', 'f')")" "55006.*being scored by another session" "a second run at the same time is refused"
		sql "VACUUM scored"
		sql "SELECT $way(pid) $mine" >/dev/null
		like "$(sql_join victim)" "canceling|terminating" "$way ends it"
		wait_until 20 "SELECT count(*) = 0 $mine"
		ok $? "and its line in the view"
		done_rows=$(sql "SELECT count(*) FROM scored")
		is $((done_rows > 0 && done_rows < 1050 && done_rows % 100 == 0)) 1 "in the middle ($done_rows rows done), whole chunks are kept"
		sql "CALL ml_score.score_table('$source', 'scored', 'f', 400)" 2>/dev/null
		is "$(sql "$right")" "1050|1050" "run again, it finishes"
	done
done

sql "TRUNCATE scored"
sql_background victim "CALL ml_score.score_table('diamonds', 'scored', 'f', 100)"
wait_until 10 "$running"
kill -KILL "$(sql "SELECT pid $mine")"
sql_join victim >/dev/null
wait_until 20 "SELECT true"
done_rows=$(sql "SELECT count(*) FROM scored")
is $((done_rows > 0 && done_rows < 1050 && done_rows % 100 == 0)) 1 "killed with SIGKILL ($done_rows rows done), whole chunks are kept"
is "$(sql "SELECT count(*) $mine")" 0 "and the view is empty"
sql "CALL ml_score.score_table('diamonds', 'scored', 'f', 400)" 2>/dev/null
is "$(sql "$right")" "1050|1050" "run again, it finishes"

# Rows that come and go while it runs.
sql "TRUNCATE scored"
sql_background run "CALL ml_score.score_table('diamonds', 'scored', 'f', 100)"
wait_until 10 "$running"
sql "INSERT INTO scored VALUES (900, -1); DELETE FROM diamonds WHERE id = 901;
	INSERT INTO diamonds (id, carat) OVERRIDING SYSTEM VALUE VALUES (-5, 1), (99999, 1)"
sql_join run >/dev/null
is "$(sql "SELECT id, score FROM scored WHERE id IN (-5, 900, 901, 99999) ORDER BY id")" $'900|-1\n99999|-43' \
	"rows that come behind wait for the next run, others are seen as they are"
sql "CALL ml_score.score_table('diamonds', 'scored', 'f')" 2>/dev/null
is "$(sql "SELECT score FROM scored WHERE id = -5")" -43 "which scores them"

# What the model refuses: one row.
sql "ALTER SERVER f OPTIONS (SET url '$(peer_url fast)/tag/err$PGVER/reject/Bad/score', SET max_batch_rows '100');
	CREATE FUNCTION priced(carat float8, cut text, OUT price float8, OUT error text) LANGUAGE ml_score STABLE AS 'f';
	CREATE TABLE priced (error text, price float8, id int PRIMARY KEY);
	UPDATE diamonds SET cut = 'Bad' WHERE id = 1000; DELETE FROM scored WHERE id > 900"
like "$(sql_error "CALL ml_score.score_table('diamonds', 'scored', 'f', 50)")" 'server "f"' "a row that the model refuses ends the run"
is "$(sql "SELECT count(*) FROM scored WHERE id > 900")" 50 "after the chunks before it"
sql "CALL ml_score.score_table('diamonds', 'priced', 'priced', 500)" 2>/dev/null
is "$(sql "SELECT count(*), count(error), count(price), min(id) FILTER (WHERE error LIKE '%refuse%') FROM priced")" "1051|1|1050|1000" \
	"with columns for results and error, the reason stands in its row"

sql "CREATE TABLE keyless (id int, score float8)"
like "$(sql_error "CALL ml_score.score_table('diamonds', 'keyless', 'f')")" "primary key" "a target without a primary key is refused"
sql "CREATE FUNCTION other(nothing_like_it float8) RETURNS float8 LANGUAGE ml_score STABLE AS 'f'"
like "$(sql_error "CALL ml_score.score_table('diamonds', 'scored', 'other')")" "nothing_like_it" "a missing source column is named"
done_testing
