-- canaries and the comparison of deployments: what is refused before anything is sent.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ml_score;
\set SHOW_CONTEXT never
CREATE SERVER halfway TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/score', canary_percent '10');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER halfway TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/score', canary_deployment 'green');
CREATE SERVER halfway TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/score', canary_deployment 'green', canary_percent '101');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER halfway TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/score', canary_deployment 'a b', canary_percent '10');
CREATE SERVER halfway TYPE 'batch' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/jobs', canary_deployment 'green', canary_percent '10');
CREATE SERVER halfway TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/score', canary_deployment 'green', canary_percent '0.5');
ALTER SERVER halfway OPTIONS (DROP canary_deployment);
ALTER SERVER halfway OPTIONS (DROP canary_deployment, DROP canary_percent);
CREATE FUNCTION priced(carat float8, cut text) RETURNS float8 LANGUAGE ml_score STABLE STRICT AS 'halfway';
CREATE FUNCTION plain(carat float8) RETURNS float8 LANGUAGE sql STABLE AS 'SELECT carat';
SELECT * FROM ml_score.compare('plain', 'blue', 'green', 'SELECT 1::float8 AS carat');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM ml_score.compare('nobody', 'blue', 'green', 'SELECT 1::float8 AS carat');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM ml_score.compare('priced', 'blue', 'green', 'SELECT 1::float8 AS carat');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM ml_score.compare('priced(float8, text)'::regprocedure, '', 'green', 'SELECT 1 AS carat, ''x'' AS cut');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM ml_score.compare('priced', 'blue', 'green', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM ml_score.compare('priced', 'blue', 'green', 'SELECT 1 AS carat, ''x'' AS cut', -1);
SELECT * FROM ml_score.compare('priced', 'blue', 'green', 'SELECT 1 AS carat, ''x'' AS cut', 'NaN');
SELECT * FROM ml_score.compare('priced', 'blue', 'green', 'SELECT 1 AS carat, ''x'' AS cut', max_rows => 0);
SELECT * FROM ml_score.compare('priced', 'blue', 'green', 'SELECT 1 AS carat, ''x'' AS cut WHERE false');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM ml_score.compare('priced', E'blue\nx: y', 'green', 'SELECT 1 AS carat, ''x'' AS cut');
\echo :LAST_ERROR_SQLSTATE
CREATE ROLE regress_rollout;
REVOKE EXECUTE ON FUNCTION priced FROM PUBLIC;
SET ROLE regress_rollout;
SELECT * FROM ml_score.compare('priced', 'blue', 'green', 'SELECT 1 AS carat, ''x'' AS cut');
RESET ROLE;
DROP ROLE regress_rollout;
SELECT current_setting('ml_score.on_error', true) AS "as before";
DROP SERVER halfway CASCADE;
DROP FUNCTION plain;
