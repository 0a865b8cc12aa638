-- profile: what it refuses before anything is sent.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ml_score;
\set SHOW_CONTEXT never
CREATE SERVER nowhere TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/score');
CREATE FUNCTION priced(carat float8, cut text) RETURNS float8 LANGUAGE ml_score STABLE STRICT AS 'nowhere';
CREATE FUNCTION plain(carat float8) RETURNS float8 LANGUAGE sql STABLE AS 'SELECT carat';
SELECT * FROM ml_score.profile('plain', 'SELECT 1::float8 AS carat');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM ml_score.profile('nobody', 'SELECT 1::float8 AS carat');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM ml_score.profile('priced', 'SELECT 1::float8 AS carat');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM ml_score.profile('priced(float8, text)', 'SELECT 1::float8 AS carat, 2 AS cut');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM ml_score.profile('priced(float8, text)'::regprocedure, 'SELECT 1 AS carat, NULL AS cut');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM ml_score.profile('priced', 'SELECT 1 AS carat, ''x'' AS cut WHERE false; ');
SELECT * FROM ml_score.profile('priced', 'VALUES (1, 2)');
SELECT * FROM ml_score.profile('priced', 'SELECT 1; SELECT 2');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM ml_score.profile('priced', 'CREATE TABLE made (i int)');
SELECT * FROM ml_score.profile('priced', '');
SELECT * FROM ml_score.profile('priced', 'SELECT 1 AS carat, ''x'' AS cut', '{10,0}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM ml_score.profile('priced', 'SELECT 1 AS carat, ''x'' AS cut', parallel => '{NULL}');
SELECT * FROM ml_score.profile('priced', 'SELECT 1 AS carat, ''x'' AS cut', '{}');
SELECT * FROM ml_score.profile('priced', NULL);
\echo :LAST_ERROR_SQLSTATE
CREATE ROLE regress_profile;
REVOKE EXECUTE ON FUNCTION priced FROM PUBLIC;
SET ROLE regress_profile;
SELECT * FROM ml_score.profile('priced', 'SELECT 1 AS carat, ''x'' AS cut');
RESET ROLE;
DROP ROLE regress_profile;
SELECT to_regclass('made'), current_setting('ml_score.max_batch_rows') = '' AS "as before";
DROP SERVER nowhere CASCADE;
DROP FUNCTION plain;
