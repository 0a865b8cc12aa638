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
-- inference logs
ALTER SERVER halfway OPTIONS (ADD log_sample_rate '0.5');
ALTER SERVER halfway OPTIONS (ADD log_retention '30d');
ALTER SERVER halfway OPTIONS (ADD log_partition 'day');
ALTER SERVER halfway OPTIONS (ADD log_table 'unqualified');
\echo :LAST_ERROR_SQLSTATE
ALTER SERVER halfway OPTIONS (ADD log_table 'a.b.c');
ALTER SERVER halfway OPTIONS (ADD log_table 'public."x');
ALTER SERVER halfway OPTIONS (ADD log_table 'public.t', ADD log_sample_rate '1.5');
ALTER SERVER halfway OPTIONS (ADD log_function_rates 'public.f=1');
ALTER SERVER halfway OPTIONS (ADD log_table 'public.t', ADD log_function_rates '');
ALTER SERVER halfway OPTIONS (ADD log_table 'public.t', ADD log_function_rates 'f=0.5');
ALTER SERVER halfway OPTIONS (ADD log_table 'public.t', ADD log_function_rates 'public.f');
ALTER SERVER halfway OPTIONS (ADD log_table 'public.t', ADD log_function_rates 'public.f=1.5');
ALTER SERVER halfway OPTIONS (ADD log_table 'public.t', ADD log_function_rates 'public.f=0.5,');
ALTER SERVER halfway OPTIONS (ADD log_table 'public.t', ADD log_function_rates 'public.f=0.5, Public.F=1');
ALTER SERVER halfway OPTIONS (ADD log_table 'public.t', ADD log_partition 'year');
ALTER SERVER halfway OPTIONS (ADD log_table 'public.t', ADD log_retention '-1d');
ALTER SERVER halfway OPTIONS (ADD log_table 'public.t', ADD log_retention 'soon');
ALTER SERVER halfway OPTIONS (ADD log_table 'public.t', ADD log_retention '90');
ALTER SERVER halfway OPTIONS (ADD auth 'keys');
ALTER SERVER halfway OPTIONS (ADD shadow_deployment '');
SELECT ml_score.create_inference_log('halfway');
\echo :LAST_ERROR_SQLSTATE
SELECT ml_score.create_inference_log('nobody');
ALTER SERVER halfway OPTIONS (ADD log_table 'public."Half log"', ADD log_partition 'month', ADD log_retention '90d', ADD log_sample_rate '0');
SELECT ml_score.create_inference_log('halfway');
SELECT ml_score.create_inference_log('halfway') AS "and once more";
SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute WHERE attrelid = 'public."Half log"'::regclass AND attnum > 0 ORDER BY attnum;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT attname AS "without comment" FROM pg_attribute WHERE attrelid = 'public."Half log"'::regclass AND attnum > 0 AND col_description(attrelid, attnum) IS NULL;
SELECT obj_description('public."Half log"'::regclass) AS "table", col_description('public."Half log"'::regclass, 12) AS latency_ms;
SELECT count(*) AS partitions, bool_and(pg_get_expr(relpartbound, oid) ~ '-01 00:00:00') AS months FROM pg_class WHERE relname ~ '^Half log_p\d{6}$';
RESET timezone;
RESET datestyle;
DROP TABLE public."Half log";
CREATE VIEW public."Half log" AS SELECT 1 AS one;
SELECT ml_score.create_inference_log('halfway');
\echo :LAST_ERROR_SQLSTATE
-- tables that cannot take the log: said at once
ALTER SERVER halfway OPTIONS (SET log_sample_rate '0.5');
ALTER SERVER halfway OPTIONS (SET log_table 'nowhere.log');
CREATE TABLE public.half_log (time timestamptz, function text) PARTITION BY RANGE (time);
ALTER SERVER halfway OPTIONS (SET log_table 'public.half_log');
DROP TABLE public.half_log;
ALTER SERVER halfway OPTIONS (SET log_table 'public.half_log');
SELECT ml_score.create_inference_log('halfway');
ALTER SERVER halfway OPTIONS (SET log_partition 'day');
ALTER TABLE public.half_log ALTER inputs TYPE text;
ALTER TABLE public.half_log ALTER latency_ms TYPE bytea USING NULL;
ALTER SERVER halfway OPTIONS (SET log_partition 'week');
DROP TABLE public.half_log;
CREATE TABLE public.half_log (time timestamptz, function text, server text, deployment text, traffic text, request_id text, azure_request_id text,
    request_row integer, inputs jsonb, outputs jsonb, error text, latency_ms float8) PARTITION BY LIST (server);
ALTER SERVER halfway OPTIONS (SET log_partition 'month');
DROP TABLE public.half_log;
ALTER SERVER halfway OPTIONS (SET log_table 'public."Half log"');
DROP VIEW public."Half log";
CREATE ROLE regress_logger;
SET ROLE regress_logger;
\set VERBOSITY terse
SELECT ml_score.create_inference_log('halfway');
\set VERBOSITY default
RESET ROLE;
DROP ROLE regress_logger;
ALTER SERVER halfway OPTIONS (DROP log_table, DROP log_partition, DROP log_retention, DROP log_sample_rate);
CREATE FUNCTION priced(carat float8, cut text) RETURNS float8 LANGUAGE ml_score STABLE STRICT AS 'halfway';
SET client_min_messages = notice;
ALTER SERVER halfway OPTIONS (ADD log_table 'public.t', ADD log_function_rates 'public.priced=0.1, public."Priced" = 1, nowhere.priced=0');
ALTER SERVER halfway OPTIONS (DROP log_table, DROP log_function_rates);
SET client_min_messages = warning;
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
