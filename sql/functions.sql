-- Model functions: what CREATE FUNCTION takes and refuses, and how they hang on their server.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ml_score;
\pset format unaligned
\pset tuples_only on
CREATE SERVER diamonds TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/score');
CREATE TYPE stone AS (carat float8, cut text);
CREATE TYPE price AS (price float8, error text);
CREATE TYPE colour AS ENUM ('D', 'E');
CREATE DOMAIN positive AS float8 CHECK (VALUE > 0);
CREATE DOMAIN good_price AS price CHECK ((VALUE).price > 0);

-- accepted
SELECT f, public.try(f) FROM unnest(ARRAY[
    $$CREATE FUNCTION ok1(carat float8, cut text) RETURNS float8 LANGUAGE ml_score STABLE PARALLEL SAFE COST 10000 AS 'diamonds'$$,
    $$CREATE FUNCTION ok2(carat float8) RETURNS float8[] LANGUAGE ml_score STRICT AS E' diamonds\n'$$,
    $$CREATE FUNCTION ok3(carat float8) RETURNS jsonb LANGUAGE ml_score VOLATILE AS 'diamonds'$$,
    $$CREATE FUNCTION ok4(carat float8) RETURNS price LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION ok5(carat float8, OUT price float8, OUT error text) LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION ok6(carat float8, OUT "Scored Labels" float8) LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION ok7(carat float8) RETURNS TABLE (price float8, quality text) LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION ok8(carat float8) RETURNS SETOF float8 LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION ok9(INOUT carat float8) LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION ok10(d stone, more stone[]) RETURNS float8 LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION ok11(a bigint, b numeric, c bool, d timestamptz, e date, f uuid, g bytea, h jsonb, i float8[], j colour, k positive, l int4range)
      RETURNS positive LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION ok12() RETURNS colour LANGUAGE ml_score SECURITY DEFINER AS 'diamonds'$$]) f;
SELECT proname, srvname FROM pg_depend d JOIN pg_proc p ON p.oid = objid JOIN pg_foreign_server s ON s.oid = refobjid
    WHERE classid = 'pg_proc'::regclass AND refclassid = 'pg_foreign_server'::regclass AND deptype = 'n' ORDER BY length(proname), proname;

-- refused
SELECT f, public.try(f) FROM unnest(ARRAY[
    $$CREATE FUNCTION no1(carat float8) RETURNS float8 LANGUAGE ml_score AS 'rubies'$$,
    $$CREATE FUNCTION no2(carat float8) RETURNS float8 LANGUAGE ml_score AS 'Diamonds'$$,
    $$CREATE FUNCTION no3(carat float8) RETURNS float8 LANGUAGE ml_score AS ''$$,
    $$CREATE FUNCTION no4(float8) RETURNS float8 LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION no5(carat float8, text) RETURNS float8 LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION no6(carat float8, carat text) RETURNS float8 LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION no7(carat float8, VARIADIC more float8[]) RETURNS float8 LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION no8(carat anyelement) RETURNS float8 LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION no9(carat anyelement) RETURNS anyelement LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION no10(carat anyelement, OUT price anyelement, OUT quality text) LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION no11(carat float8) RETURNS float8 IMMUTABLE LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION no12(carat float8) RETURNS record LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION no13(carat float8) RETURNS void LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION no14(carat float8) RETURNS cstring LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION no15() RETURNS trigger LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION no16() RETURNS event_trigger LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION no17(carat float8) RETURNS float8 SET work_mem = '1MB' LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION no18(carat float8) RETURNS float8 WINDOW LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE PROCEDURE no19(carat float8) LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION no20(d record) RETURNS float8 LANGUAGE ml_score AS 'diamonds'$$,
    $$CREATE FUNCTION no22(carat float8) RETURNS good_price LANGUAGE ml_score AS 'diamonds'$$]) f;
SELECT public.try($$DO LANGUAGE ml_score 'diamonds'$$);

-- the server has to be one of ours
CREATE FOREIGN DATA WRAPPER other;
CREATE SERVER others FOREIGN DATA WRAPPER other;
SELECT public.try($$CREATE FUNCTION no21(carat float8) RETURNS float8 LANGUAGE ml_score AS 'others'$$);
SELECT public.try($$SELECT * FROM ml_score.describe('others')$$);
DROP FOREIGN DATA WRAPPER other CASCADE;

-- what ALTER FUNCTION lets through is refused when called
ALTER FUNCTION ok1 IMMUTABLE;
SELECT public.try($$SELECT ok1(carat, 'Ideal') FROM (VALUES (random())) v (carat)$$);
ALTER FUNCTION ok1 STABLE;
ALTER FUNCTION ok1 SET work_mem = '1MB';
SELECT public.try($$SELECT ok1(carat, 'Ideal') FROM (VALUES (random())) v (carat)$$);
ALTER FUNCTION ok1 RESET ALL;

-- DROP SERVER refuses, and CREATE OR REPLACE moves the dependency
DROP FUNCTION ok2, ok3, ok4, ok5, ok6, ok7, ok8, ok9, ok10, ok11, ok12;
CREATE SERVER rubies TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/rubies');
SELECT public.try($$DROP SERVER diamonds$$);
CREATE OR REPLACE FUNCTION ok1(carat float8, cut text) RETURNS float8 LANGUAGE ml_score STABLE AS 'rubies';
SELECT public.try($$DROP SERVER diamonds$$);
SELECT public.try($$DROP SERVER rubies$$);

-- a renamed server takes its functions along
ALTER SERVER rubies RENAME TO "Red ones";
SELECT prosrc FROM pg_proc WHERE proname = 'ok1';
SELECT public.try($$DROP SERVER "Red ones"$$);
DROP SERVER "Red ones" CASCADE;
SELECT count(*) FROM pg_proc WHERE proname = 'ok1';

-- a restore may create functions before their server; nothing else is forgiven
SET check_function_bodies = off;
SELECT public.try($$CREATE FUNCTION early(carat float8) RETURNS float8 LANGUAGE ml_score STABLE AS 'emeralds'$$);
SELECT public.try($$CREATE FUNCTION early2(float8) RETURNS float8 LANGUAGE ml_score STABLE AS 'emeralds'$$);
SELECT public.try($$SELECT early(1)$$);
CREATE SERVER emeralds TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/score');
CREATE FUNCTION bound(carat float8) RETURNS float8 LANGUAGE ml_score STABLE AS 'emeralds';
SELECT public.try($$DROP SERVER emeralds$$);
RESET check_function_bodies;
CREATE OR REPLACE FUNCTION early(carat float8) RETURNS float8 LANGUAGE ml_score STABLE AS 'emeralds';
DROP FUNCTION bound;
SELECT public.try($$DROP SERVER emeralds$$);
DROP SERVER emeralds CASCADE;

-- create_function and describe
SELECT public.try($$SELECT ml_score.create_function('rubies')$$);
SELECT public.try($$SELECT ml_score.describe('rubies')$$);
SELECT public.try($$SELECT ml_score.create_function(NULL)$$);
CREATE SERVER mlflow TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/invocations');
CREATE SERVER "It's v2" TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/v2/models/m/infer');
SELECT public.try($$SELECT ml_score.create_function('mlflow')$$);
SELECT public.try($$SELECT ml_score.create_function('It''s v2', 'public.rate_it')$$);
SELECT public.try($$SELECT ml_score.create_function('mlflow', 'no_such_schema.f')$$);
SELECT public.try($$SELECT ml_score.create_function('mlflow', 'not a name')$$);
SET client_min_messages = notice;
SELECT * FROM ml_score.describe('mlflow');
SET client_min_messages = warning;
SELECT * FROM ml_score.describe(NULL);
DROP SERVER mlflow;
DROP SERVER "It's v2";
DROP DOMAIN good_price, positive;
DROP TYPE stone, price, colour;
