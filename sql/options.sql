-- Options of servers and user mappings: what DDL takes and what it refuses.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ml_score;
\pset format unaligned
\pset tuples_only on
-- Runs CREATE SERVER with these options beside the url, undoes it.
CREATE FUNCTION pg_temp.try_options(options text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text := public.try(format('CREATE SERVER option_test TYPE ''online'' FOREIGN DATA WRAPPER ml_score OPTIONS (url ''https://example.com/score'', %s)', options));
BEGIN
    DROP SERVER IF EXISTS option_test;
    RETURN result;
END $$;

-- the type of a server
SELECT public.try($$CREATE SERVER no_type FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://example.com/score')$$);
SELECT public.try($$CREATE SERVER "Bad type" TYPE 'offline' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://example.com/score')$$);
SELECT public.try($$CREATE SERVER bad_type TYPE 'Online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://example.com/score')$$);
SELECT public.try($$CREATE SERVER no_url TYPE 'online' FOREIGN DATA WRAPPER ml_score$$);
SELECT public.try($$CREATE SERVER no_url TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (timeout '1s')$$);

-- every option, well-formed
SELECT o, pg_temp.try_options(o) FROM unnest(ARRAY[
    $$swagger_url 'https://example.com/other/swagger.json?version=3'$$,
    $$deployment 'blue'$$,
    $$request_format 'auto'$$, $$request_format 'records'$$, $$request_format 'numpy'$$, $$request_format 'designer'$$,
    $$request_format 'input_data'$$, $$request_format 'dataframe_split'$$, $$request_format 'dataframe_records'$$,
    $$request_format 'inputs'$$, $$request_format 'instances'$$, $$request_format 'open_inference'$$,
    $$max_batch_rows '1'$$, $$max_batch_rows '1000000'$$, $$max_batch_rows 'auto'$$, $$max_batch_rows 'AUTO'$$,
    $$max_batch_bytes '1'$$, $$max_batch_bytes '512kB'$$, $$max_batch_bytes '1MB'$$,
    $$max_parallel_requests '4'$$, $$max_parallel_requests 'auto'$$,
    $$max_concurrent_requests '0'$$, $$max_concurrent_requests '16'$$,
    $$requests_per_second '0'$$, $$requests_per_second '0.5'$$, $$requests_per_second '500'$$,
    $$on_error 'fail'$$, $$on_error 'null'$$,
    $$auth 'none'$$, $$auth 'key'$$,
    $$timeout '20ms'$$, $$timeout '60s'$$, $$timeout '2min'$$, $$timeout '1500'$$,
    $$connect_timeout '1s'$$,
    $$max_attempts '1'$$, $$max_attempts '100'$$,
    $$retry_base_delay '0'$$, $$retry_base_delay '50ms'$$, $$retry_max_delay '5min'$$,
    $$ca_file '/etc/ssl/certs/ca.pem'$$,
    $$proxy 'http://proxy.example.com:3128'$$,
    $$compression 'none'$$, $$compression 'gzip'$$]) o;

-- every option, malformed
SELECT o, pg_temp.try_options(o) FROM unnest(ARRAY[
    $$swagger_url 'swagger.json'$$,
    $$deployment ''$$, $$deployment E'blue\nX-Evil: 1'$$,
    $$request_format 'csv'$$,
    $$max_batch_rows '0'$$, $$max_batch_rows '1000001'$$, $$max_batch_rows 'many'$$, $$max_batch_rows '10 rows'$$, $$max_batch_rows ''$$,
    $$max_batch_bytes '0'$$, $$max_batch_bytes '1MiB'$$, $$max_batch_bytes '1GB'$$,
    $$max_parallel_requests '-1'$$,
    $$max_concurrent_requests 'auto'$$, $$max_concurrent_requests '-1'$$,
    $$requests_per_second '-0.1'$$, $$requests_per_second 'NaN'$$, $$requests_per_second 'fast'$$,
    $$on_error 'ignore'$$,
    $$auth 'entra2'$$,
    $$timeout '0'$$, $$timeout '2 days'$$, $$timeout '1 fortnight'$$, $$timeout 'soon'$$,
    $$connect_timeout '-1s'$$,
    $$max_attempts '0'$$, $$max_attempts '101'$$,
    $$retry_base_delay '-1'$$, $$retry_max_delay ''$$,
    $$ca_file 'ca.pem'$$,
    $$proxy 'socks5://proxy.example.com'$$,
    $$compression 'zstd'$$]) o;

-- unknown and misplaced options
SELECT pg_temp.try_options($$colour 'blue'$$);
SELECT pg_temp.try_options($$key 'sesame'$$);
SELECT pg_temp.try_options($$token 'sesame'$$);
SELECT public.try($$ALTER FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://example.com/')$$);
SELECT public.try($$ALTER FOREIGN DATA WRAPPER ml_score OPTIONS (colour 'blue')$$);

-- ALTER SERVER is held to the same
CREATE SERVER altered TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://example.com/score');
SELECT public.try($$ALTER SERVER altered OPTIONS (ADD timeout 'soon')$$);
SELECT public.try($$ALTER SERVER altered OPTIONS (ADD timeout '1s')$$);
SELECT public.try($$ALTER SERVER altered OPTIONS (SET timeout '2s', ADD colour 'blue')$$);
SELECT public.try($$ALTER SERVER altered OPTIONS (DROP url)$$);
SELECT srvname, srvtype, srvoptions FROM pg_foreign_server WHERE srvname = 'altered';

-- credentials
SELECT public.try($$CREATE USER MAPPING FOR PUBLIC SERVER altered OPTIONS (colour 'blue')$$);
SELECT public.try($$CREATE USER MAPPING FOR PUBLIC SERVER altered OPTIONS (timeout '1s')$$);
SELECT public.try($$CREATE USER MAPPING FOR PUBLIC SERVER altered OPTIONS (key '')$$);
SELECT public.try($$CREATE USER MAPPING FOR PUBLIC SERVER altered OPTIONS (key E'open\r\nsesame')$$);
SELECT public.try($$CREATE USER MAPPING FOR PUBLIC SERVER altered OPTIONS (token E'open\tsesame')$$);
SELECT public.try($$CREATE USER MAPPING FOR PUBLIC SERVER altered OPTIONS (key 'open', token 'sesame')$$);
SELECT public.try($$CREATE USER MAPPING FOR PUBLIC SERVER altered$$);
SELECT public.try($$ALTER USER MAPPING FOR PUBLIC SERVER altered OPTIONS (ADD key 'sesame')$$);
SELECT public.try($$ALTER USER MAPPING FOR PUBLIC SERVER altered OPTIONS (ADD token 'sesame')$$);
SELECT public.try($$CREATE USER MAPPING FOR CURRENT_USER SERVER altered OPTIONS (token 'sesame')$$);
DROP SERVER altered CASCADE;

-- other wrappers' servers are none of our business
CREATE FOREIGN DATA WRAPPER other;
SELECT public.try($$CREATE SERVER others FOREIGN DATA WRAPPER other OPTIONS (colour 'blue')$$);
SELECT public.try($$ALTER SERVER others OPTIONS (DROP colour)$$);
DROP FOREIGN DATA WRAPPER other CASCADE;

-- the hint has what the type knows, where the statement is the client's own
CREATE SERVER hinted TYPE 'registry' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://example.com', colour 'blue');
CREATE SERVER hinted TYPE 'registry' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://example.com');
ALTER SERVER hinted OPTIONS (ADD colour 'blue');
CREATE USER MAPPING FOR PUBLIC SERVER hinted OPTIONS (colour 'blue');
CREATE USER MAPPING FOR PUBLIC SERVER hinted;
ALTER USER MAPPING FOR PUBLIC SERVER hinted OPTIONS (ADD colour 'blue');
DROP SERVER hinted CASCADE;
