-- Identities: who may lend the server's own, where secrets may stand, what goes unused.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ml_score;
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION pg_temp.try_options(options text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text := public.try(format('CREATE SERVER option_test TYPE ''online'' FOREIGN DATA WRAPPER ml_score OPTIONS (%s)', options));
BEGIN
    DROP SERVER IF EXISTS option_test;
    RETURN result;
END $$;

-- options of servers
SELECT o, pg_temp.try_options($$url 'https://a.example/score', $$ || o) FROM unnest(ARRAY[
    $$auth 'entra', credential 'client_secret'$$,
    $$auth 'entra', credential 'client_certificate', assertion_algorithm 'RS256', send_certificate_chain 'true'$$,
    $$auth 'entra', credential 'workload_identity'$$, $$auth 'entra', credential 'environment'$$,
    $$auth 'entra', credential 'managed_identity', identity_client_id '11111111-2222-3333-4444-555555555555'$$,
    $$auth 'entra', credential 'default', identity_resource_id '/subscriptions/s/id'$$,
    $$auth 'entra', credential 'azure_cli'$$,
    $$auth 'entra', credential 'client_secret', authority_host 'https://login.microsoftonline.us', scope 'api://x/.default'$$,
    $$auth 'key', credential 'managed_identity'$$,
    $$auth 'entra'$$, $$auth 'entra', credential 'password'$$,
    $$auth 'aml_token', credential 'client_secret'$$,
    $$auth 'entra', credential 'client_secret', identity_client_id 'x'$$,
    $$auth 'entra', credential 'managed_identity', identity_client_id 'x', identity_object_id 'y'$$,
    $$auth 'entra', credential 'client_secret', scope 'https://ml.azure.com'$$,
    $$auth 'entra', credential 'client_secret', scope 'a b/.default'$$,
    $$auth 'entra', credential 'client_secret', assertion_algorithm 'none'$$,
    $$auth 'entra', credential 'managed_identity', identity_client_id 'x&resource=y'$$,
    $$auth 'entra', credential 'client_secret', authority_ca_file 'ca.pem'$$,
    $$endpoint_id '/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/e'$$]) o;
SELECT o, pg_temp.try_options(o) FROM unnest(ARRAY[
    $$credential 'client_secret', endpoint_id '/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/e'$$,
    $$auth 'aml_token', credential 'client_secret', endpoint_id '/subscriptions/s/resourcegroups/g/providers/microsoft.machinelearningservices/workspaces/w/onlineendpoints/e'$$,
    $$credential 'client_secret', endpoint_id '/subscriptions/s/resourceGroups/g'$$,
    $$credential 'client_secret', endpoint_id '/subscriptions/<subscription>/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/e'$$,
    $$credential 'client_secret', endpoint_id 'https://evil.example/'$$,
    $$auth 'entra', credential 'client_secret'$$]) o;
SELECT public.try($$CREATE SERVER b TYPE 'batch' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://a.example/jobs', auth 'aml_token')$$);

-- options of user mappings
CREATE SERVER secretive TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://a.example/score', auth 'entra', credential 'client_secret');
SELECT o, public.try(format('CREATE USER MAPPING FOR PUBLIC SERVER secretive OPTIONS (%s); DROP USER MAPPING FOR PUBLIC SERVER secretive', o)) FROM unnest(ARRAY[
    $$tenant_id 't', client_id 'c', client_secret 's'$$,
    $$client_secret 'env:SECRET'$$, $$client_secret 'file:/etc/secret'$$, $$client_secret 'keyvault:https://v.vault.azure.net/secrets/name/0123'$$,
    $$client_secret 'env:'$$, $$client_secret 'file:secret'$$, $$client_secret 'keyvault:http://v.vault.azure.net/secrets/name'$$,
    $$client_secret 'keyvault:https://v.vault.azure.net/keys/name'$$, $$client_secret 'keyvault:https://v.vault.azure.net/secrets/a?b'$$,
    $$client_secret 'keyvault:https://user@v.vault.azure.net/secrets/a'$$,
    $$tenant_id 'a/b'$$, $$client_id ''$$, $$client_certificate 'text'$$]) o;

-- a plain role may use its own secrets, and nothing of the server's
CREATE ROLE mls_identity_user;
GRANT USAGE ON FOREIGN DATA WRAPPER ml_score TO mls_identity_user;
GRANT USAGE ON FOREIGN SERVER secretive TO mls_identity_user;
SET ROLE mls_identity_user;
SELECT o, pg_temp.try_options($$url 'https://a.example/score', $$ || o) FROM unnest(ARRAY[
    $$auth 'entra', credential 'client_secret'$$, $$auth 'entra', credential 'client_certificate'$$,
    $$auth 'entra', credential 'environment'$$, $$auth 'entra', credential 'workload_identity'$$,
    $$auth 'entra', credential 'managed_identity'$$, $$auth 'entra', credential 'azure_cli'$$, $$auth 'entra', credential 'default'$$,
    $$auth 'key', credential 'default'$$, $$authority_ca_file '/tmp/ca.pem'$$]) o;
SELECT o, public.try(format('CREATE USER MAPPING FOR mls_identity_user SERVER secretive OPTIONS (%s); DROP USER MAPPING FOR mls_identity_user SERVER secretive', o)) FROM unnest(ARRAY[
    $$tenant_id 't', client_id 'c', client_secret 's'$$,
    $$client_secret 'env:SECRET'$$, $$client_secret 'file:/etc/secret'$$, $$client_secret 'keyvault:https://v.vault.azure.net/secrets/name'$$]) o;
SELECT public.try($$SET ml_score.allow_azure_cli = on$$);
SELECT count(*) FROM ml_score.token_status;
RESET ROLE;

-- what a superuser lent cannot be directed elsewhere by the server's owner
CREATE SERVER lent TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://a.example/score', auth 'entra', credential 'managed_identity');
CREATE SERVER keyed TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://a.example/score', auth 'key');
ALTER SERVER lent OWNER TO mls_identity_user;
ALTER SERVER keyed OWNER TO mls_identity_user;
CREATE USER MAPPING FOR mls_identity_user SERVER keyed OPTIONS (key 'file:/etc/secret');
SET ROLE mls_identity_user;
SELECT public.try($$ALTER SERVER lent OPTIONS (SET url 'https://evil.example/score')$$);
SELECT public.try($$ALTER SERVER lent OPTIONS (ADD scope 'https://vault.azure.net/.default')$$);
SELECT public.try($$ALTER SERVER keyed OPTIONS (SET url 'https://evil.example/score')$$);
SELECT public.try($$ALTER USER MAPPING FOR mls_identity_user SERVER keyed OPTIONS (SET key 'file:/etc/other')$$);
SELECT public.try($$ALTER USER MAPPING FOR mls_identity_user SERVER keyed OPTIONS (SET key 'mine')$$);
SELECT public.try($$ALTER SERVER keyed OPTIONS (SET url 'https://mine.example/score')$$);
RESET ROLE;

-- options that nothing is done with
CREATE SERVER open TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://a.example/score');
CREATE USER MAPPING FOR PUBLIC SERVER open OPTIONS (key 'idle');
ALTER SERVER open OPTIONS (ADD auth 'key');
ALTER USER MAPPING FOR PUBLIC SERVER open OPTIONS (ADD secondary_key 'used');
ALTER USER MAPPING FOR PUBLIC SERVER open OPTIONS (ADD client_secret 'idle');
CREATE USER MAPPING FOR PUBLIC SERVER lent OPTIONS (tenant_id 'x');
CREATE USER MAPPING FOR PUBLIC SERVER secretive OPTIONS (tenant_id 'x', client_id 'y', client_secret 'z');

CREATE SERVER proxied TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://a.example/score', proxy 'http://proxy.example:3128');
SET ml_score.allowed_hosts = 'b.example';
CREATE USER MAPPING FOR PUBLIC SERVER proxied OPTIONS (key 'idle');
RESET ml_score.allowed_hosts;

-- what is missing shows when it is needed
CREATE FUNCTION f(i int) RETURNS float8 LANGUAGE ml_score STABLE AS 'secretive';
SELECT public.try($$ALTER USER MAPPING FOR PUBLIC SERVER secretive OPTIONS (DROP client_secret)$$);
SELECT regexp_replace(public.try($$SELECT f(1)$$), 'role "[^"]*"', 'ROLE', 'g');
SELECT public.try($$ALTER USER MAPPING FOR PUBLIC SERVER secretive OPTIONS (ADD client_secret '...', DROP tenant_id)$$);
SELECT regexp_replace(public.try($$SELECT f(1)$$), 'role "[^"]*"', 'ROLE', 'g');
DROP USER MAPPING FOR PUBLIC SERVER secretive;
SELECT regexp_replace(public.try($$SELECT f(1)$$), 'role "[^"]*"|FOR \S+', 'ROLE', 'g');

DROP SERVER secretive, lent, keyed, open, proxied CASCADE;
REVOKE ALL ON FOREIGN DATA WRAPPER ml_score FROM mls_identity_user;
DROP ROLE mls_identity_user;
