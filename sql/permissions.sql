-- Who may do what, with plain roles.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ml_score;
\pset format unaligned
\pset tuples_only on
CREATE ROLE ml_score_owner;
CREATE ROLE ml_score_maker;
CREATE ROLE ml_score_user;
CREATE SCHEMA perm;
GRANT USAGE, CREATE ON SCHEMA perm TO ml_score_owner, ml_score_maker;
GRANT USAGE ON SCHEMA perm TO ml_score_user;
SET search_path = perm;

-- servers: USAGE on the wrapper
SET ROLE ml_score_owner;
SELECT public.try($$CREATE SERVER perm_server TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/score', auth 'key')$$);
RESET ROLE;
GRANT USAGE ON FOREIGN DATA WRAPPER ml_score TO ml_score_owner;
SET ROLE ml_score_owner;
SELECT public.try($$CREATE SERVER perm_server TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/score', auth 'key')$$);
SELECT public.try($$ALTER SERVER perm_server OPTIONS (ADD ca_file '/etc/ssl/ca.pem')$$);
SELECT public.try($$ALTER SERVER perm_server OPTIONS (ADD timeout '5s')$$);

-- functions: USAGE on the server
SET ROLE ml_score_maker;
SELECT public.try($$CREATE FUNCTION perm_f(x float8) RETURNS float8 LANGUAGE ml_score STABLE AS 'perm_server'$$);
SELECT public.try($$SELECT ml_score.create_function('perm_server')$$);
SELECT public.try($$SELECT ml_score.describe('perm_server')$$);
SET check_function_bodies = off;
SELECT public.try($$CREATE FUNCTION perm_f(x float8) RETURNS float8 LANGUAGE ml_score STABLE AS 'perm_server'$$);
RESET check_function_bodies;
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER perm_server TO ml_score_maker;
SET ROLE ml_score_maker;
SELECT public.try($$CREATE FUNCTION perm_f(x float8) RETURNS float8 LANGUAGE ml_score STABLE AS 'perm_server'$$);

-- calls: EXECUTE on the function; credentials: the caller's mapping or PUBLIC's
SELECT public.try($$SELECT perm_f(random())$$);
REVOKE EXECUTE ON FUNCTION perm_f(float8) FROM PUBLIC;
SET ROLE ml_score_user;
SELECT public.try($$SELECT perm_f(random())$$);
RESET ROLE;
GRANT EXECUTE ON FUNCTION perm_f(float8) TO ml_score_user;
SET ROLE ml_score_user;
SELECT public.try($$SELECT perm_f(random())$$);
SELECT public.try($$CREATE USER MAPPING FOR CURRENT_USER SERVER perm_server OPTIONS (key 'mine')$$);
SET ROLE ml_score_owner;
SELECT public.try($$CREATE USER MAPPING FOR ml_score_user SERVER perm_server$$);
SET ROLE ml_score_user;
SELECT public.try($$SELECT perm_f(random())$$);
RESET ROLE;

-- a function made before its server's USAGE was taken away, or before the server was there, calls nothing
REVOKE USAGE ON FOREIGN SERVER perm_server FROM ml_score_maker;
SET ROLE ml_score_user;
SELECT public.try($$SELECT perm_f(random())$$);
SET ROLE ml_score_maker;
SET check_function_bodies = off;
CREATE FUNCTION perm_early(x float8) RETURNS float8 LANGUAGE ml_score STABLE AS 'perm_late';
RESET check_function_bodies;
SET ROLE ml_score_owner;
CREATE SERVER perm_late TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/score');
SET ROLE ml_score_maker;
SELECT public.try($$SELECT perm_early(random())$$);
RESET ROLE;

-- secrets are the mapping's user's and the server's owner's to see
ALTER USER MAPPING FOR ml_score_user SERVER perm_server OPTIONS (ADD key 'sesame');
SET ROLE ml_score_maker;
SELECT usename, umoptions FROM pg_user_mappings WHERE srvname = 'perm_server';
SELECT public.try($$SELECT umoptions FROM pg_user_mapping$$);
SELECT option_name, option_value FROM information_schema.user_mapping_options WHERE foreign_server_name = 'perm_server';
RESET ROLE;

-- what belongs to the database system is not for calling
SET ROLE ml_score_user;
SELECT public.try($$SELECT ml_score.option_validator('{}', 0)$$);
SELECT public.try($$SELECT ml_score.function_validator(0)$$);
SELECT public.try($$SELECT ml_score.call_handler()$$);
RESET ROLE;

-- operators of one's own, first in the search_path, run as oneself and no one else
SET ROLE ml_score_maker;
CREATE FUNCTION mine(text, text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF current_user <> 'ml_score_maker' THEN RAISE 'run as %', current_user; END IF;
    RETURN $1 OPERATOR(pg_catalog.=) $2;
END $$;
CREATE FUNCTION mine(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF current_user <> 'ml_score_maker' THEN RAISE 'run as %', current_user; END IF;
    RETURN $1 OPERATOR(pg_catalog.=) $2;
END $$;
CREATE OPERATOR = (LEFTARG = text, RIGHTARG = text, FUNCTION = mine);
CREATE OPERATOR = (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = mine);
SET search_path = perm, pg_catalog;
SELECT ml_score.create_monitor('perm', custom => $$SELECT 'a' AS metric, 1 AS value$$);
SELECT ml_score.run_monitor('perm');
SELECT ml_score.alter_monitor('perm', min_rows => 1);
SELECT ml_score.pause_monitor('perm');
SELECT ml_score.purge_monitor('0');
SELECT ml_score.purge_outbox();
SELECT ml_score.purge_outbox(waiting => true);
SELECT ml_score.purge();
SELECT ml_score.drop_monitor('perm');
SET search_path = perm;
RESET ROLE;

DROP SERVER perm_server CASCADE;
DROP SERVER perm_late CASCADE;
DROP SCHEMA perm CASCADE;
REVOKE USAGE ON FOREIGN DATA WRAPPER ml_score FROM ml_score_owner;
DROP ROLE ml_score_owner, ml_score_maker, ml_score_user;
