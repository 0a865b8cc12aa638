-- servers of TYPE 'eventhubs': their options, and the client properties that librdkafka checks itself
CREATE FUNCTION pg_temp.try_options(options text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	result := public.try(format($f$CREATE SERVER tried TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (%s)$f$, options));
	DROP SERVER IF EXISTS tried;
	RETURN options || '|' || result;
END $$;
SET client_min_messages = error;
\pset format unaligned
\pset tuples_only on

SELECT pg_temp.try_options(o) FROM unnest(ARRAY[
	$$bootstrap_servers 'ns.servicebus.windows.net:9093', auth 'connection_string'$$,
	$$bootstrap_servers 'a.example.com:9093,b.example.com:9093', security_protocol 'SASL_SSL', auth 'connection_string'$$,
	$$bootstrap_servers 'localhost:9092', security_protocol 'plaintext'$$,
	$$auth 'connection_string'$$,
	$$bootstrap_servers 'a.example.com'$$,
	$$bootstrap_servers 'https://a.example.com:9093'$$,
	$$bootstrap_servers 'a.example.com:9093, b.example.com:9093'$$,
	$$bootstrap_servers '169.254.169.254:80'$$,
	$$bootstrap_servers 'a.example.com:9092', security_protocol 'plaintext'$$,
	$$bootstrap_servers 'a.example.com:9093', auth 'key'$$,
	$$bootstrap_servers 'a.example.com:9093', security_protocol 'ssl', auth 'connection_string'$$,
	$$bootstrap_servers 'a.example.com:9093', security_protocol 'sasl_ssl'$$,
	$$bootstrap_servers 'a.example.com:9093', security_protocol 'tls'$$,
	$$bootstrap_servers 'a.example.com:9093', url 'https://a.example.com'$$,
	$$url 'https://a.example.com'$$]) AS o;

-- client properties
SELECT pg_temp.try_options($$bootstrap_servers 'a.example.com:9093', $$ || o) FROM unnest(ARRAY[
	$$"kafka.fetch.wait.max.ms" '100', "kafka.socket.timeout.ms" '30000'$$,
	$$"kafka.fetch.wait.max.ms" '100'$$,
	$$"kafka.fetch.wait.max.ms" '-5'$$,
	$$"kafka.no.such.property" '1'$$,
	$$"kafka.auto.offset.reset" 'latest'$$,
	$$"kafka.enable.ssl.certificate.verification" 'false'$$,
	$$"kafka.sasl.password" 'sesame'$$,
	$$"kafka.ssl.key.pem" 'sesame'$$,
	$$"kafka.plugin.library.paths" '/tmp/x'$$,
	$$"kafka.ssl.ca.location" '/etc/ssl/certs/ca-certificates.crt'$$]) AS o;
CREATE ROLE eh_user;
GRANT USAGE ON FOREIGN DATA WRAPPER ml_score TO eh_user;
GRANT CREATE ON DATABASE contrib_regression TO eh_user;
SET ROLE eh_user;
SELECT public.try($$CREATE SERVER eh_files TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers 'a.example.com:9093', "kafka.ssl.ca.location" '/etc/passwd')$$);
SELECT public.try($$CREATE SERVER eh_files TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers 'a.example.com:9093', ca_file '/etc/passwd')$$);
SELECT public.try($$CREATE SERVER eh_files TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers 'a.example.com:9093', "kafka.sasl.kerberos.kinit.cmd" 'id')$$);
RESET ROLE;

-- credentials
CREATE SERVER eh TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers 'a.example.com:9093', auth 'connection_string');
SELECT public.try($$CREATE USER MAPPING FOR PUBLIC SERVER eh OPTIONS (connection_string 'Endpoint=sb://a/;SharedAccessKeyName=k;SharedAccessKey=sesame')$$);
SELECT public.try($$ALTER SERVER eh OPTIONS (ADD connection_string 'Endpoint=sb://a/;SharedAccessKey=sesame')$$);
DROP SERVER eh CASCADE;
REVOKE USAGE ON FOREIGN DATA WRAPPER ml_score FROM eh_user;
REVOKE CREATE ON DATABASE contrib_regression FROM eh_user;
DROP ROLE eh_user;
