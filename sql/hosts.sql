-- Where servers may point: schemes, loopback, credentials in URLs, ml_score.allowed_hosts.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ml_score;
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION pg_temp.try_url(url text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text := public.try(format('CREATE SERVER url_test TYPE ''online'' FOREIGN DATA WRAPPER ml_score OPTIONS (url %L)', url));
BEGIN
    DROP SERVER IF EXISTS url_test;
    RETURN result;
END $$;

-- malformed
SELECT u, pg_temp.try_url(u) FROM unnest(ARRAY['', 'score', '/score', 'https://', 'https:///score', 'https://ex ample.com/',
    'https://example.com:99999/', E'https://example.com/\nscore']) u;

-- schemes
SELECT u, pg_temp.try_url(u) FROM unnest(ARRAY['https://example.com/score', 'HTTPS://EXAMPLE.COM/score', 'https://example.com',
    'ftp://example.com/score', 'file:///etc/passwd', 'gopher://example.com/']) u;

-- http is for loopback
SELECT u, pg_temp.try_url(u) FROM unnest(ARRAY['http://localhost/score', 'http://LOCALHOST.:5001/score', 'http://127.0.0.1:5001/score',
    'http://127.255.0.9/score', 'http://[::1]:5001/score', 'http://example.com/score', 'http://10.0.0.1/score',
    'http://127.0.0.1.example.com/score', 'http://localhost.example.com/score', 'http://[::2]/score',
    'http://128.0.0.1/score']) u;
SET ml_score.allow_http = on;
SELECT pg_temp.try_url('http://example.com/score');
RESET ml_score.allow_http;

-- credentials in a URL are refused, and not repeated
SELECT u, pg_temp.try_url(u) FROM unnest(ARRAY['https://user:sesame@example.com/score', 'https://user@example.com/score',
    'https://:sesame@example.com/score', 'http://127.0.0.1@example.com/score']) u;

-- allowed_hosts
SET ml_score.allowed_hosts = 'localhost, *.inference.ml.azure.com,Models.Example.com , 10.1.2.3';
SELECT u, pg_temp.try_url(u) FROM unnest(ARRAY['http://localhost/score', 'https://a.westeurope.inference.ml.azure.com/score',
    'https://MODELS.example.com/score', 'https://models.example.com./score', 'https://10.1.2.3/score',
    'https://inference.ml.azure.com/score', 'https://evilinference.ml.azure.com/score',
    'https://a.inference.ml.azure.com.example.com/score', 'https://x.models.example.com/score', 'http://127.0.0.1/score',
    'https://10.1.2.30/score']) u;
SELECT public.try($$CREATE SERVER s TYPE 'online' FOREIGN DATA WRAPPER ml_score
    OPTIONS (url 'https://models.example.com/score', swagger_url 'https://example.com/swagger.json')$$);
SELECT public.try($$CREATE SERVER s TYPE 'online' FOREIGN DATA WRAPPER ml_score
    OPTIONS (url 'https://models.example.com/score', proxy 'http://proxy.example.com:3128')$$);
SET ml_score.allowed_hosts = ' ';
SELECT pg_temp.try_url('https://example.com/score');
SELECT v, public.try(format('SET ml_score.allowed_hosts = %L', v)) FROM unnest(ARRAY['a,,b', 'a, ', '*', 'a.*', '*.', 'https://a', 'a b']) v;
RESET ml_score.allowed_hosts;

-- what was allowed once is looked at again
CREATE SERVER proxied TYPE 'online' FOREIGN DATA WRAPPER ml_score
    OPTIONS (url 'https://models.example.com/score', proxy 'http://proxy.example.com:3128');
CREATE FUNCTION proxied(x float8) RETURNS float8 LANGUAGE ml_score STABLE AS 'proxied';
SET ml_score.allowed_hosts = 'models.example.com';
SELECT public.try('SELECT proxied(random())');
SET ml_score.allowed_hosts = 'proxy.example.com';
SELECT public.try('SELECT proxied(random())');
RESET ml_score.allowed_hosts;
DROP SERVER proxied CASCADE;

-- these settings are a superuser's
CREATE ROLE ml_score_host_user;
SET ROLE ml_score_host_user;
SELECT public.try($$SET ml_score.allowed_hosts = ''$$);
SELECT public.try($$SET ml_score.allow_http = on$$);
RESET ROLE;
DROP ROLE ml_score_host_user;
