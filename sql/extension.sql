-- The extension comes, says what it is, and goes.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS ml_score CASCADE;
DROP SCHEMA IF EXISTS ml_score;
RESET client_min_messages;
CREATE EXTENSION ml_score;
\pset format unaligned
\pset tuples_only on

SELECT extversion, extnamespace::regnamespace, extrelocatable FROM pg_extension WHERE extname = 'ml_score';
SELECT lanpltrusted, lanplcallfoid::regproc, laninline::regproc, lanvalidator::regproc FROM pg_language WHERE lanname = 'ml_score';
SELECT fdwhandler::regproc, fdwvalidator::regproc FROM pg_foreign_data_wrapper WHERE fdwname = 'ml_score';

-- every object that people see is explained
SELECT pg_describe_object(d.classid, d.objid, 0) AS "without a comment" FROM pg_depend d
WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'ml_score')
    AND d.deptype = 'e' AND d.classid <> 'pg_type'::regclass
    AND obj_description(d.objid, d.classid::regclass::name) IS NULL
ORDER BY 1;
SELECT attrelid::regclass || '.' || attname AS "column without a comment" FROM pg_attribute
WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'ml_score'::regnamespace AND relkind IN ('r', 'v'))
    AND attnum > 0 AND NOT attisdropped AND col_description(attrelid, attnum) IS NULL
ORDER BY 1;

-- what anyone may do
SELECT has_schema_privilege('public', 'ml_score', 'USAGE'), has_schema_privilege('public', 'ml_score', 'CREATE'),
    has_language_privilege('public', 'ml_score', 'USAGE'), has_foreign_data_wrapper_privilege('public', 'ml_score', 'USAGE');

-- DROP EXTENSION takes servers and functions along only when told
CREATE SERVER s TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/score', auth 'key');
CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (key 'sesame');
CREATE FUNCTION f(x float8) RETURNS float8 LANGUAGE ml_score STABLE AS 's';
\set VERBOSITY terse
DROP EXTENSION ml_score;
SET client_min_messages = warning;
DROP EXTENSION ml_score CASCADE;
RESET client_min_messages;
SELECT count(*) FROM pg_foreign_server WHERE srvname = 's';
SELECT count(*) FROM pg_proc WHERE proname = 'f' AND pronamespace = 'public'::regnamespace;
SELECT 1 + 1;
CREATE EXTENSION ml_score;
