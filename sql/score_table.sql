-- score_table with functions that need no endpoint: which columns go where, walks, and what does not fit.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ml_score;
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql STABLE AS 'SELECT x * 2';
CREATE TABLE source (id int PRIMARY KEY, x int, label char(5));
INSERT INTO source SELECT i, i, 'l' || i FROM generate_series(1, 1000) i;

-- chunks are transactions; a second run does nothing; what is missing or new is scored, what is there stays
CREATE TABLE target (id int PRIMARY KEY, score int, at timestamptz DEFAULT now(), n serial);
CALL ml_score.score_table('source', 'target', 'twice', 300);
SELECT count(*), count(*) FILTER (WHERE score = id * 2), count(DISTINCT xmin::text), min(n), max(n) FROM target;
CALL ml_score.score_table('source', 'target', 'twice(int)', 300);
DELETE FROM target WHERE id % 100 = 0;
UPDATE target SET score = -1 WHERE id = 5;
INSERT INTO source VALUES (-1, -1), (2000, 2000);
CALL ml_score.score_table('source', 'target', 'twice(int)'::regprocedure, 5);
SELECT count(*), count(*) FILTER (WHERE score = id * 2), sum(score) FILTER (WHERE id = 5) FROM target;
TRUNCATE target;
CALL ml_score.score_table('source', 'target', function => 'twice', chunk_rows => 1002);
SELECT count(*), count(DISTINCT xmin::text) FROM target;

-- sources without an index over the key: one pass, the same chunks
CREATE VIEW view AS SELECT * FROM source WHERE x > 0;
TRUNCATE target;
CALL ml_score.score_table('view', 'target', 'twice', 300);
SELECT count(*), count(*) FILTER (WHERE score = id * 2), count(DISTINCT xmin::text) FROM target;
CREATE TABLE heap AS SELECT * FROM source;
CREATE INDEX ON heap (id) WHERE x > 5;
CREATE INDEX ON heap USING hash (id);
INSERT INTO heap VALUES (NULL, 7), (3, 3), (3001, NULL);
TRUNCATE target;
CALL ml_score.score_table('heap', 'target', 'twice', 300);
SELECT count(*), count(*) FILTER (WHERE score = id * 2), count(*) FILTER (WHERE score IS NULL) FROM target;

-- the index decides the order, descending and by more columns too; repeated and NULL keys
CREATE INDEX ON heap (id DESC, x);
TRUNCATE target;
CALL ml_score.score_table('heap', 'target', 'twice', 10);
SELECT count(*), count(*) FILTER (WHERE score = id * 2), count(*) FILTER (WHERE score IS NULL) FROM target;

-- keys of several columns, in another order, of other types, in partitions
CREATE TABLE many (tenant text COLLATE "C", day date, k numeric, x int, PRIMARY KEY (day, k, tenant)) PARTITION BY LIST (tenant);
CREATE TABLE many_a PARTITION OF many FOR VALUES IN ('a');
CREATE TABLE many_b PARTITION OF many DEFAULT;
INSERT INTO many SELECT chr(97 + i % 3), date '2024-01-01' + i % 10, i / 7.0, i FROM generate_series(1, 1000) i;
CREATE TABLE many_target (tenant varchar, day timestamp, k numeric, twice bigint, PRIMARY KEY (tenant, day, k)) PARTITION BY HASH (k);
CREATE TABLE many_target_0 PARTITION OF many_target FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CALL ml_score.score_table('many', 'many_target', 'twice', 77);
SELECT count(*), count(*) FILTER (WHERE twice = x * 2) FROM many JOIN many_target USING (tenant, day, k);
DELETE FROM many_target WHERE twice % 10 = 0;
CALL ml_score.score_table('many', 'many_target', 'twice', 77);
SELECT count(*), count(*) FILTER (WHERE twice = x * 2) FROM many JOIN many_target USING (tenant, day, k);

-- several results, by name; the error column may be there; names that need quotes; a whole row; no arguments
CREATE SCHEMA "Odd ""one""";
CREATE TYPE "Odd ""one"""."a pair" AS (id int, "First" float8, "from" text, error text);
CREATE FUNCTION "Odd ""one"""."My f"(x int, label char(5)) RETURNS "Odd ""one"""."a pair" LANGUAGE plpgsql STABLE
    AS $$ BEGIN RETURN (0, x / 2.0, '<' || label || '>', CASE WHEN x = 3 THEN 'three' END)::"Odd ""one"""."a pair"; END $$;
CREATE TABLE "Odd ""one"""."T T" ("from" text, "First" float4, id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, doubled float8 GENERATED ALWAYS AS ("First" * 2) STORED);
CALL ml_score.score_table('source', '"Odd ""one"""."T T"', '"Odd ""one"""."My f"');
SELECT count(*), sum("First"), sum(doubled), min("from"), max(id) FROM "Odd ""one"""."T T";
CREATE TABLE with_error (id int PRIMARY KEY, "First" float8, "from" text, error text);
CALL ml_score.score_table('source', 'with_error', '"Odd ""one"""."My f"');
SELECT * FROM with_error WHERE error IS NOT NULL;
CREATE FUNCTION out_columns(label char(5), OUT a text, OUT b int) LANGUAGE sql STABLE AS $$ SELECT '[' || label || ']', length(label) $$;
CREATE TABLE out_target (id int PRIMARY KEY, a text, b int, c int DEFAULT 9);
CALL ml_score.score_table('source', 'out_target', 'out_columns');
SELECT * FROM out_target WHERE id = 10;
CREATE FUNCTION one_out(x int, OUT b int) LANGUAGE sql STABLE AS $$ SELECT -x $$;
TRUNCATE out_target;
CALL ml_score.score_table('source', 'out_target', 'one_out');
SELECT * FROM out_target WHERE id = 10;
CREATE FUNCTION c(s source) RETURNS int LANGUAGE sql STABLE AS $$ SELECT s.id + s.x $$;
TRUNCATE out_target;
CALL ml_score.score_table('source', 'out_target', 'c');
SELECT * FROM out_target WHERE id = 10;
CREATE FUNCTION a() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT 'constant' $$;
TRUNCATE out_target;
CALL ml_score.score_table('source', 'out_target', 'a');
SELECT count(*), min(a) FROM out_target;

-- whatever stands in the search path
CREATE SCHEMA trap;
CREATE FUNCTION trap.never(int, int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE OPERATOR trap.= (LEFTARG = int, RIGHTARG = int, FUNCTION = trap.never);
CREATE OPERATOR trap.> (LEFTARG = int, RIGHTARG = int, FUNCTION = trap.never);
CREATE OPERATOR trap.< (LEFTARG = int, RIGHTARG = int, FUNCTION = trap.never);
CREATE FUNCTION trap.twice(x int) RETURNS int LANGUAGE sql AS $$ SELECT 1 / 0 $$;
CREATE TABLE trap.ml_score_chunk (k1 int, a1 int);
TRUNCATE target;
SET search_path = trap, pg_catalog;
CALL ml_score.score_table('public.source', 'public.target', 'public.twice', 300);
RESET search_path;
SELECT count(*) FROM target;

-- an error leaves the chunks before it, and nothing of the run behind
CREATE FUNCTION picky(x int) RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN IF x = 500 THEN RAISE 'no 500'; END IF; RETURN x; END $$;
TRUNCATE target;
CALL ml_score.score_table('source', 'target', 'picky', 100);
SELECT count(*) FROM target;
CALL ml_score.score_table('view', 'target', 'picky', 100);
SELECT count(*) FROM target;
SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation IN ('source'::regclass, 'target'::regclass);
SELECT count(*) FROM pg_cursors;
SELECT count(*) FROM ml_score.progress_score_table;
CREATE FUNCTION progress_seen(x int) RETURNS int LANGUAGE sql STABLE AS
    $$ SELECT count(*)::int FROM ml_score.progress_score_table p WHERE pid = pg_backend_pid() AND source = 'source'::regclass AND target = 'target'::regclass
       AND function = 'progress_seen'::regproc AND rows_scored = 0 AND rows_total > 0 AND started_at <= clock_timestamp() $$;
TRUNCATE target;
CALL ml_score.score_table('source', 'target', 'progress_seen');
SELECT DISTINCT score FROM target;

-- the caller's privileges, no others
CREATE ROLE regress_table_reader;
GRANT SELECT ON source, target TO regress_table_reader;
DELETE FROM target WHERE id = 7;
SET ROLE regress_table_reader;
TABLE ml_score.progress_score_table;
CALL ml_score.score_table('source', 'target', 'twice', 2000);
RESET ROLE;
GRANT INSERT ON target TO regress_table_reader;
REVOKE SELECT ON source FROM regress_table_reader;
SET ROLE regress_table_reader;
CALL ml_score.score_table('source', 'target', 'twice', 2000);
RESET ROLE;
DROP OWNED BY regress_table_reader;
DROP ROLE regress_table_reader;

-- what does not fit
BEGIN;
CALL ml_score.score_table('source', 'target', 'twice');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
CREATE FUNCTION calls_it() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CALL ml_score.score_table('source', 'target', 'twice'); END $$;
SELECT calls_it();
DO $$ BEGIN CALL ml_score.score_table('source', 'target', 'twice'); END $$;
CALL ml_score.score_table(NULL, 'target', 'twice');
\echo :LAST_ERROR_SQLSTATE
CALL ml_score.score_table('source', 'target', 'twice', 0);
\echo :LAST_ERROR_SQLSTATE
CALL ml_score.score_table('source', 'source', 'twice');
CALL ml_score.score_table('source', 'view', 'twice');
\echo :LAST_ERROR_SQLSTATE
CALL ml_score.score_table('source_pkey', 'target', 'twice');
CALL ml_score.score_table('source', 'heap', 'twice');
\echo :LAST_ERROR_SQLSTATE
CALL ml_score.score_table('source', 'many_target', 'twice');
\echo :LAST_ERROR_SQLSTATE
CALL ml_score.score_table('source', 'target', 'nobody');
\echo :LAST_ERROR_SQLSTATE
CALL ml_score.score_table('source', 'target', 0::oid::regprocedure);
CALL ml_score.score_table('source', 'target', 'count(int)');
CALL ml_score.score_table('source', 'target', 'generate_series(int, int)');
CREATE FUNCTION missing(y int) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
CALL ml_score.score_table('source', 'target', 'missing');
\echo :LAST_ERROR_SQLSTATE
CREATE FUNCTION nameless(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
CALL ml_score.score_table('source', 'target', 'nameless');
CREATE FUNCTION mistyped(label int) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
CALL ml_score.score_table('source', 'target', 'mistyped');
\echo :LAST_ERROR_SQLSTATE
CREATE FUNCTION dated(x int) RETURNS date LANGUAGE sql STABLE AS $$ SELECT date '2024-01-01' $$;
CALL ml_score.score_table('source', 'target', 'dated');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE two_columns (id int PRIMARY KEY, a int, b int);
CALL ml_score.score_table('source', 'two_columns', 'twice');
\echo :LAST_ERROR_SQLSTATE
CALL ml_score.score_table('source', 'two_columns', 'one_out');
CALL ml_score.score_table('source', 'target', 'out_columns');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE dated_key (id date PRIMARY KEY, twice int);
CALL ml_score.score_table('source', 'dated_key', 'twice');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE deferred (id int PRIMARY KEY DEFERRABLE, twice int);
CALL ml_score.score_table('source', 'deferred', 'twice');
DROP SCHEMA "Odd ""one""", trap CASCADE;
DROP FUNCTION a, c, calls_it, dated, missing, mistyped, nameless, one_out, out_columns, picky, progress_seen, twice;
DROP TABLE dated_key, deferred, heap, many, many_target, out_target, target, two_columns, with_error;
DROP TABLE source CASCADE;
