#!/bin/bash
# Cancel, statement_timeout and a killed backend act at once in the middle of requests, and leave nothing behind.
. "$(dirname "$0")/../lib/tap.sh"
need_peer fast
fast=$(peer_url fast)
sql <<-EOF
	CREATE SERVER slow TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$fast/tag/slow$PGVER/latency/4s/score', auth 'none',
		request_format 'records', max_concurrent_requests '4', timeout '30s');
	CREATE FUNCTION slow(k int) RETURNS float8 LANGUAGE ml_score STABLE COST 10000 AS 'slow';
	CREATE SERVER quick TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$fast/score', auth 'none', request_format 'records');
	CREATE FUNCTION quick(k int) RETURNS float8 LANGUAGE ml_score STABLE COST 10000 AS 'quick';
	CREATE TABLE t AS SELECT generate_series(1, 500) id;
EOF
waiting="SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT /* victim%' AND state = 'active' AND wait_event IS NOT NULL"
pid="SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT /* victim%' LIMIT 1"
in_flight="SELECT coalesce(sum(in_flight), 0) = 0 FROM ml_score.stat_endpoint WHERE server = 'slow'"

for how in "slow(1)" "sum(slow(id)) FROM t"; do
	sql_background victim "SELECT /* victim */ $how"
	wait_until 20 "$waiting"
	ok $? "a backend waits for its request, and says so: $how"
	start=$(now_ms)
	sql "SELECT pg_cancel_backend(($pid))" >/dev/null
	like "$(sql_join victim)" "canceling statement due to user request" "pg_cancel_backend ends it"
	cmp_ok $(($(now_ms) - start)) '<' 3000 "at once"
	start=$(now_ms)
	like "$(sql_error "SET statement_timeout = '300ms'; SELECT $how")" "57014.*statement timeout" "statement_timeout ends it"
	cmp_ok $(($(now_ms) - start)) '<' 3000 "on time"
	wait_until 2 "$in_flight"
	ok $? "no request is counted as in flight after that"
	sql_background victim "SELECT /* victim */ $how"
	wait_until 20 "$waiting"
	sql "SELECT pg_terminate_backend(($pid))" >/dev/null
	like "$(sql_join victim)" "terminating connection" "pg_terminate_backend ends it"
	wait_until 2 "$in_flight"
	ok $? "and its places under the limit are given back"
done

sql_background victim "SELECT /* victim */ sum(slow(id)) FROM t"
wait_until 20 "$waiting"
kill -KILL "$(sql "$pid")"
sql_join victim >/dev/null
sleep 1
wait_until 20 "SELECT true"
ok $? "a backend killed with SIGKILL: the server comes back"
is "$(sql "SELECT quick(20)")" 20 "and scores"

is "$(sql <<-EOF
	SET statement_timeout = '200ms';
	BEGIN;
	SAVEPOINT a;
	\\set ON_ERROR_STOP off
	SELECT slow(1);
	\\set ON_ERROR_STOP on
	ROLLBACK TO a;
	SET statement_timeout = 0;
	SELECT quick(5), sum(quick(id)) FROM t;
	COMMIT;
EOF
)" "5|125250" "after a rolled-back savepoint the backend goes on scoring" 2>/dev/null
is "$(sql "DO \$\$ BEGIN FOR i IN 1..50 LOOP BEGIN PERFORM quick(i), 1 / 0; EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END \$\$; SELECT quick(6)")" 6 \
	"fifty failing subtransactions leave nothing behind"
is "$(sql "BEGIN; DECLARE c CURSOR FOR SELECT slow(id) FROM t; CLOSE c; SELECT quick(7); COMMIT")" 7 "a cursor that is closed early"
is "$(sql "SELECT quick(id) FROM t LIMIT 1")" 1 "LIMIT ends a scan with requests in flight"
done_testing
