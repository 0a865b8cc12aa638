#!/bin/bash
# A query gives what row-by-row calls give: every statement of equivalence.sql with batching on and off.
. "$(dirname "$0")/../lib/tap.sh"
diamonds_table 300
fast_function f ""
sql <<-EOF
	ALTER TABLE diamonds RENAME TO d;
	ALTER SERVER f OPTIONS (ADD max_batch_rows '20', ADD max_parallel_requests '3');
	CREATE TABLE e (grade int, cut text);
	INSERT INTO e SELECT row_number() OVER (), cut FROM (SELECT DISTINCT cut FROM d ORDER BY 1) c;
	CREATE TABLE parted (id int, part int) PARTITION BY LIST (part);
	CREATE TABLE parted_0 PARTITION OF parted FOR VALUES IN (0);
	CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
	CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);
	INSERT INTO parted SELECT id, id % 3 FROM d;
	CREATE FUNCTION n(k int) RETURNS float8 LANGUAGE ml_score STABLE PARALLEL SAFE COST 10000 AS 'f';
	CREATE FUNCTION m(k int) RETURNS float8 LANGUAGE ml_score STABLE PARALLEL SAFE COST 10000 AS 'f';
	CREATE FUNCTION s(t text) RETURNS float8 LANGUAGE ml_score STABLE PARALLEL SAFE COST 10000 AS 'f';
	CREATE FUNCTION strict_n(k int) RETURNS float8 LANGUAGE ml_score STRICT STABLE PARALLEL SAFE COST 10000 AS 'f';
	CREATE FUNCTION volatile_n(k int) RETURNS float8 LANGUAGE ml_score VOLATILE COST 10000 AS 'f';
	CREATE FUNCTION whole(t d) RETURNS float8 LANGUAGE ml_score STABLE PARALLEL SAFE COST 10000 AS 'f';
	CREATE TABLE secured AS SELECT id FROM d;
	ALTER TABLE secured ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
	CREATE POLICY scored ON secured USING (n(id) > 100);
	ANALYZE;
EOF
# pair gives two columns: an endpoint of its own shape
need_peer two_columns
sql "CREATE SERVER two TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(peer_url two_columns)/score', request_format 'records', auth 'none', max_batch_rows '7');
	CREATE FUNCTION pair(k int, OUT double float8, OUT triple float8) LANGUAGE ml_score STABLE PARALLEL SAFE COST 10000 AS 'two'"

# outcome BATCHING STATEMENT: rows and errors; rows sorted unless the statement says an order.
outcome() {
	local out
	out=$("$PGBIN/psql" -XAtq -v ON_ERROR_STOP=1 -c "SET ml_score.batching = $1" -c "SET client_min_messages = notice" -f - <<<"$2" 2>&1 |
		sed 's/^psql:<stdin>:[0-9]*: //')
	case $2 in
	*"ORDER BY"* | *FETCH*) printf '%s\n' "$out" ;;
	*) sort <<<"$out" ;;
	esac
}

statement=
check() {
	local on off
	statement=$(sed '/^-- /d; /^$/d' <<<"$statement")
	[ -n "$statement" ] || return 0
	case $statement in MERGE*RETURNING*) [ "$PGVER" -ge 17 ] || return 0 ;; esac
	off=$(outcome off "$statement")
	sql "DROP MATERIALIZED VIEW IF EXISTS mv" 2>/dev/null
	on=$(outcome on "$statement")
	sql "DROP MATERIALIZED VIEW IF EXISTS mv" 2>/dev/null
	if [ "$on" = "$off" ] && ! grep -q '^ERROR' <<<"$on"; then
		ok 0 "${statement:0:100}"
	else
		ok 1 "${statement:0:100}" "$statement" "$(diff <(echo "$off") <(echo "$on") | head -n 8)" "$(grep -m 2 ERROR <<<"$on")"
	fi
	statement=
}
while IFS= read -r line; do
	if [ "$line" = -- ]; then check; else statement+=$line$'\n'; fi
done <"$(dirname "$0")/equivalence.sql"
check
done_testing
