#!/bin/bash
# Concurrent updates (EvalPlanQual) and parallel query score the rows that are really there.
. "$(dirname "$0")/../lib/tap.sh"
need_peer fast
fast_function f "/tag/conc$PGVER"
sql "CREATE FUNCTION n(k int) RETURNS float8 LANGUAGE ml_score STABLE PARALLEL SAFE COST 10000 AS 'f'; ALTER SERVER f OPTIONS (ADD max_batch_rows '10', ADD request_format 'records');
	CREATE TABLE t (id int PRIMARY KEY, k int, v float8); INSERT INTO t SELECT i, i, 0 FROM generate_series(1, 30) i"

sql_background holder "BEGIN; UPDATE t SET k = k + 1000 WHERE id = 15; SELECT pg_sleep(1.5); COMMIT"
wait_until 20 "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
sql "UPDATE t SET v = n(k) WHERE n(k) > 0"
sql_join holder >/dev/null
is "$(sql "SELECT v FROM t WHERE id = 15")" 1015 "UPDATE scores the new version of a row that another transaction changed"
is "$(sql "SELECT count(*) FROM t WHERE v = k")" 30 "and every other row"

sql_background holder "BEGIN; UPDATE t SET k = -5 WHERE id = 20; SELECT pg_sleep(1.5); COMMIT"
wait_until 20 "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
is "$(sql "SELECT count(*) FROM (SELECT id FROM t WHERE n(k) > 0 ORDER BY id FOR UPDATE) q")" 29 \
	"FOR UPDATE judges the new version: it no longer qualifies"
sql_join holder >/dev/null

sql_background holder "BEGIN; DELETE FROM t WHERE id = 25; SELECT pg_sleep(1.5); COMMIT"
wait_until 20 "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
sql "MERGE INTO t USING generate_series(24, 32) i ON t.id = i WHEN MATCHED THEN UPDATE SET v = n(i) WHEN NOT MATCHED THEN INSERT VALUES (i, i, n(i + 500))"
sql_join holder >/dev/null
is "$(sql "SELECT string_agg(v::text, ',' ORDER BY id) FROM t WHERE id > 23")" "24,525,26,27,28,29,30,531,532" \
	"MERGE scores a row whose target was deleted meanwhile for the action that it then takes"

sql "CREATE TABLE big AS SELECT i AS id, repeat('x', 500) AS pad FROM generate_series(1, 4000) i; ANALYZE big"
parallel="SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;"
plan=$(sql "$parallel EXPLAIN (ANALYZE, TIMING OFF) SELECT sum(n(id)) FROM big WHERE n(id) > 0")
like "$plan" "Workers Launched: [12]" "the scan runs in parallel workers"
is "$(sql "$parallel SELECT sum(n(id)) FROM big WHERE n(id) > 0")" 8002000 "with the right result"
sql "ALTER SERVER f OPTIONS (SET url '$(peer_url fast)/tag/par$PGVER/score')"
plan=$(sql "$parallel EXPLAIN (ANALYZE, TIMING OFF) SELECT sum(n(id)) FROM big")
is "$(grep -o 'Requests: [0-9]*' <<<"$plan" | awk '{ n += $2 } END { print n }')" "$(stats_of "par$PGVER" requests)" \
	"EXPLAIN ANALYZE counts the requests of all workers"
done_testing
