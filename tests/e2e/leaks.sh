#!/bin/bash
# One backend, thousands of statements that score, fail, are cancelled or stop early: memory, descriptors, connections
# and places under the limits are what they were before.
. "$(dirname "$0")/../lib/tap.sh"
need_peer fast
fast=$(peer_url fast)/tag/leaks$PGVER
sql <<-EOF2
	CREATE SERVER f TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$fast/reject/bad/score', auth 'none',
		request_format 'records', max_batch_rows '20', max_parallel_requests '3', max_concurrent_requests '4');
	CREATE FUNCTION n(k int) RETURNS float8 LANGUAGE ml_score STABLE COST 10000 AS 'f';
	CREATE FUNCTION s(t text) RETURNS float8 LANGUAGE ml_score STABLE COST 10000 AS 'f';
	CREATE FUNCTION reasoned(t text, OUT score float8, OUT error text) LANGUAGE ml_score STABLE COST 10000 AS 'f';
	CREATE FUNCTION each(t text) RETURNS SETOF float8 LANGUAGE ml_score STABLE COST 10000 AS 'f';
	CREATE SERVER slow TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$fast/latency/300ms/score', auth 'none',
		request_format 'records', max_batch_rows '20', max_parallel_requests '3', max_concurrent_requests '4');
	CREATE FUNCTION slow(k int) RETURNS float8 LANGUAGE ml_score STABLE COST 10000 AS 'slow';
	CREATE TABLE t AS SELECT id, CASE id WHEN 33 THEN 'bad' ELSE 'row ' || id END AS note FROM generate_series(1, 100) id;
	CREATE FUNCTION loop() RETURNS float8 LANGUAGE plpgsql AS \$\$
	DECLARE
		total float8 := 0;
	BEGIN
		FOR i IN 1..6 LOOP
			BEGIN
				total := total + n(i) + s(CASE i WHEN 2 THEN 'bad' ELSE 'good' END) / (i - 3);
			EXCEPTION WHEN external_routine_exception OR division_by_zero THEN NULL;
			END;
		END LOOP;
		RETURN total;
	END \$\$;
	ANALYZE;
EOF2

# Scoring statements that end in every way there is.
mix() {
	cat <<-'EOF2'
		SELECT sum(n(id)) FROM t;
		SELECT s(note) FROM t;
		SET ml_score.on_error = 'null'; SELECT count(s(note)) FROM t; RESET ml_score.on_error;
		SELECT count((reasoned(note)).error), count(v) FROM t, each('x') v;
		SELECT loop();
		BEGIN; DECLARE c CURSOR FOR SELECT n(id) FROM t; FETCH 3 FROM c; CLOSE c; COMMIT;
		BEGIN; DECLARE c CURSOR FOR SELECT slow(id) FROM t WHERE n(id) > 0; SAVEPOINT a; SELECT s(note) FROM t; ROLLBACK TO a; FETCH 0 FROM c; ROLLBACK;
		SELECT n(id) FROM t LIMIT 1;
		SELECT count(*) FROM t a, LATERAL (SELECT n(b.id + a.id % 3) FROM t b WHERE b.id < 4 OFFSET 0) x WHERE a.id < 6;
		EXECUTE prepared(1); EXECUTE prepared(2); EXECUTE prepared(3); EXECUTE prepared(4); EXECUTE prepared(5);
		BEGIN; SELECT n(1 / (id - 50)) FROM t; ROLLBACK;
	EOF2
}

cancelled() {
	echo "SET statement_timeout = '15ms'; SELECT sum(slow(id)) FROM t; SELECT slow(1); RESET statement_timeout;"
}

# What the backend holds: bytes in all contexts, contexts of ours, descriptors, kB in memory.
measure() {
	cat <<-'EOF2'
		SELECT sum(total_bytes) AS bytes, count(*) FILTER (WHERE name LIKE 'ml_score%') AS contexts FROM pg_backend_memory_contexts \gset
		\setenv BYTES :bytes
		\setenv CONTEXTS :contexts
		\! echo $BYTES $CONTEXTS $(ls /proc/$PID/fd | wc -l) $(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' /proc/$PID/status) >>$FIGURES
	EOF2
}

rounds() {
	local i
	for ((i = 0; i < $1; i++)); do
		mix
		[ $((i % 4)) -ne 0 ] || cancelled
	done
}

export FIGURES=$RUN/leaks.figures
: >"$FIGURES"
{
	echo "SELECT pg_backend_pid() AS pid \\gset"
	echo "\\setenv PID :pid"
	echo "PREPARE prepared(int) AS SELECT sum(n(id + \$1)) FROM t WHERE n(id) > \$1;"
	rounds 20
	measure
	rounds 120
	measure
	echo "SELECT 'in flight ' || sum(in_flight) FROM ml_score.stat_endpoint WHERE server IN ('f', 'slow');"
	echo "SELECT 'sum ' || sum(n(id)) FROM t;"
} | "$PGBIN/psql" -XAtq -f - >"$RUN/leaks.out" 2>&1
read -r bytes contexts files memory <<<"$(sed -n 1p "$FIGURES")"
read -r bytes_after contexts_after files_after memory_after <<<"$(sed -n 2p "$FIGURES")"
is "$(grep -c 'ERROR' "$RUN/leaks.out")" "$(((20 + 120) * 3 + (20 + 120) / 4 * 2))" "the statements that should fail did, and no others"
is "$(tail -n 2 "$RUN/leaks.out")" $'in flight 0\nsum 5050' "nothing is in flight, and it still scores"
cmp_ok $((bytes_after - bytes)) '<' 65536 "memory contexts do not grow ($bytes to $bytes_after bytes)"
cmp_ok "$contexts_after" '<=' "$contexts" "none of ours is left behind"
cmp_ok "$files_after" '<=' $((files + 4)) "nor are descriptors ($files to $files_after)"
most=4096
[ -z "${SANITIZE:-}" ] || most=65536 # AddressSanitizer keeps for a while what was freed
cmp_ok $((memory_after - memory)) '<' $most "the process does not grow ($memory to $memory_after kB)"
wait_until 20 "SELECT sum(in_flight) = 0 FROM ml_score.stat_endpoint"
ok $? "no place under a limit is taken when the backend is gone"
done_testing
