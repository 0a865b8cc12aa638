# equivalence.sh - the tables and model functions for statements that must not depend on batching.
#
# shellcheck shell=bash

# equivalence_tables: d (300 diamonds), e (grades), parted, secured; f, n, m, s, strict_n, volatile_n, whole, pair.
equivalence_tables() {
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
		CREATE FUNCTION pair(k int, OUT double float8, OUT triple float8) LANGUAGE ml_score STABLE PARALLEL SAFE COST 10000 AS 'two';
	CREATE FUNCTION pairs(k int) RETURNS TABLE (double float8, triple float8) LANGUAGE ml_score STABLE COST 10000 AS 'two';
	CREATE FUNCTION n_set(k int) RETURNS SETOF float8 LANGUAGE ml_score STABLE COST 10000 AS 'f'"
}
