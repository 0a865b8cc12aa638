/* ml_score--1.0.sql: the SQL surface. */

\echo Use "CREATE EXTENSION ml_score" to load this file. \quit

GRANT USAGE ON SCHEMA ml_score TO PUBLIC;
COMMENT ON SCHEMA ml_score IS 'scores rows with machine-learning models behind HTTP endpoints';

/* The language: a model function's body names its server. */

CREATE FUNCTION ml_score.call_handler() RETURNS language_handler
LANGUAGE C AS 'MODULE_PATHNAME', 'mls_call_handler';
REVOKE EXECUTE ON FUNCTION ml_score.call_handler() FROM PUBLIC;
COMMENT ON FUNCTION ml_score.call_handler() IS 'handler of the language ml_score: scores one row';

CREATE FUNCTION ml_score.function_validator(function oid) RETURNS void
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'mls_function_validator';
REVOKE EXECUTE ON FUNCTION ml_score.function_validator(oid) FROM PUBLIC;
COMMENT ON FUNCTION ml_score.function_validator(oid) IS
'validator of the language ml_score: raises unless the function can be a model function, and records that it depends on its server';

CREATE TRUSTED LANGUAGE ml_score HANDLER ml_score.call_handler VALIDATOR ml_score.function_validator;
COMMENT ON LANGUAGE ml_score IS
'model functions: the body names a server of TYPE ''online'', the arguments are the model''s inputs';

/* Servers and their credentials. */

CREATE FUNCTION ml_score.option_validator(options text[], catalog oid) RETURNS void
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'mls_option_validator';
REVOKE EXECUTE ON FUNCTION ml_score.option_validator(text[], oid) FROM PUBLIC;
COMMENT ON FUNCTION ml_score.option_validator(text[], oid) IS
'validator of the foreign data wrapper ml_score: raises unless every option may stand there and is well-formed';

CREATE FOREIGN DATA WRAPPER ml_score VALIDATOR ml_score.option_validator;
COMMENT ON FOREIGN DATA WRAPPER ml_score IS
'servers are scoring endpoints (TYPE ''online''), user mappings hold the credentials for them';
