#!/bin/bash
# Event Hubs by Entra: streams and sent events log in with tokens that the broker checks; blobs are reached by tokens too.
# Version: 16, the broker is the same for every version
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/identity.sh"
need_peer kafka azurite_https batch_endpoint
T=entra_$PGVER
kafka_topic "$T" 1
kafka_topic "$T-out" 1
options="bootstrap_servers '$KAFKA_EVENTHUBS', auth 'entra', credential 'client_secret', ca_file '$KAFKA_CA', authority_ca_file '$IDENTITY_CA', authority_host '$IDENTITY_URL'"
sql "CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS ($options);
	CREATE USER MAPPING FOR postgres SERVER hub OPTIONS (tenant_id 'jwt', client_id 'streams', client_secret 's');
	CREATE TABLE reading (id bigint)"
seq 1 100 | sed 's/.*/{"id": &}/' | kafka_produce "$T"
sql "SELECT ml_score.create_stream('entra', server => 'hub', topic => '$T', target => 'reading')" >/dev/null
sql "SELECT ml_score.wait_stream('entra', '60s')" >/dev/null
is "$(sql "SELECT count(*) FROM reading")" 100 "a stream logs in with a token that the broker checks"
is "$(sql "SELECT scope FROM ml_score.token_status WHERE identity = 'streams'")" "https://${KAFKA_EVENTHUBS%:*}/.default" "for the namespace as its resource"
sql "SELECT ml_score.send_event('hub', '$T-out', 'hello')" >/dev/null
sent() {
	[ "$(kafka_events "$T-out")" = 1 ]
}
poll 30 sent
ok $? "so does the sender of events" "$(kafka_events "$T-out")"
is "$(sql "SELECT fetches FROM ml_score.token_status WHERE identity = 'streams'")" 1 "with the same token"

sql "CREATE SERVER forged TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS ($options);
	CREATE USER MAPPING FOR postgres SERVER forged OPTIONS (tenant_id 'ok', client_id 'forger', client_secret 's');
	SELECT ml_score.create_stream('forged', server => 'forged', topic => '$T', target => 'reading')" >/dev/null
wait_until 40 "SELECT bool_or(last_error ~ 'AUTHENTICATION') FROM ml_score.stat_stream WHERE stream = 'forged'"
ok $? "a token that the broker does not take shows in stat_stream" "$(sql "SELECT * FROM ml_score.stat_stream WHERE stream = 'forged'")"
wait_until 20 "SELECT fetches >= 2 FROM ml_score.token_status WHERE identity = 'forger'"
ok $? "and is dropped from the cache" "$(sql "SELECT * FROM ml_score.token_status WHERE identity = 'forger'")"
sql "CREATE TABLE renewed (id bigint);
	ALTER USER MAPPING FOR postgres SERVER forged OPTIONS (SET tenant_id 'unsigned-once', SET client_id 'renewer');
	SELECT ml_score.drop_stream('forged');
	SELECT ml_score.create_stream('forged', server => 'forged', topic => '$T', target => 'renewed')" >/dev/null
wait_until 30 "SELECT count(*) = 100 FROM renewed"
ok $? "a stream goes on with the next token, when that is taken" "$(sql "SELECT * FROM ml_score.stat_stream WHERE stream = 'forged'")"
is "$(sql "SELECT fetches FROM ml_score.token_status WHERE identity = 'renewer'")" 2 "which was the second"
sql "TRUNCATE renewed; SELECT ml_score.drop_stream('forged');
	ALTER USER MAPPING FOR postgres SERVER forged OPTIONS (SET tenant_id 'stale-once', SET client_id 'stale');
	SELECT ml_score.create_stream('forged', server => 'forged', topic => '$T', target => 'renewed')" >/dev/null
wait_until 40 "SELECT bool_or(last_error ~ 'AUTHENTICATION') FROM ml_score.stat_stream WHERE stream = 'forged'"
ok $? "an expired token shows" "$(sql "SELECT * FROM ml_score.stat_stream WHERE stream = 'forged'")"
wait_until 40 "SELECT count(*) = 100 FROM renewed"
ok $? "and is replaced" "$(sql "SELECT * FROM ml_score.token_status WHERE identity = 'stale'")"
sql "SELECT ml_score.drop_stream('forged');
	CREATE SERVER refused TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS ($options);
	CREATE USER MAPPING FOR postgres SERVER refused OPTIONS (tenant_id 'refuse', client_id 'r', client_secret 'hidden-secret');
	SELECT ml_score.create_stream('refused', server => 'refused', topic => '$T', target => 'reading')" >/dev/null
wait_until 40 "SELECT bool_or(last_error ~ 'AADSTS7000215') FROM ml_score.stat_stream WHERE stream = 'refused'"
ok $? "and so does what the token service says" "$(sql "SELECT * FROM ml_score.stat_stream WHERE stream = 'refused'")"
is "$(sql "SELECT count(*) FROM ml_score.stat_stream s WHERE s::text ~ 'hidden'")" 0 "without the secret"
sql "SELECT ml_score.drop_stream('refused'); SELECT ml_score.drop_stream('entra')" >/dev/null

# Where tokens and secrets are waited for no transaction is open.
# asked: how often the service that says nothing was, by whatever test.
asked() {
	identity "count?path=/hang/oauth2/v2.0/token" | tr -dc 0-9
}
asked_again() {
	[ "$(asked)" -gt "$before" ]
}
# waits NAME TEXT: once the service was asked again, the worker is there and holds none.
waits() {
	poll 30 asked_again
	sleep 1
	is "$(sql "SELECT count(*), count(xact_start) FROM pg_stat_activity WHERE backend_type = 'ml_score stream' AND application_name = '$1'")" "1|0" "$2"
}
before=$(asked)
sql "CREATE SERVER hanging TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS ($options);
	CREATE USER MAPPING FOR postgres SERVER hanging OPTIONS (tenant_id 'hang', client_id 'h', client_secret 's');
	SELECT ml_score.create_stream('token', server => 'hanging', topic => '$T', target => 'reading')" >/dev/null
waits token "a worker that waits for a token holds no transaction"
sql "SELECT ml_score.drop_stream('token')" >/dev/null
before=$(asked)
sql "CREATE SERVER vaulted TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (${options/auth \'entra\'/auth \'connection_string\'});
	CREATE USER MAPPING FOR postgres SERVER vaulted OPTIONS (tenant_id 'hang', client_id 'v', client_secret 's', connection_string 'keyvault:$IDENTITY_URL/secrets/hub');
	SELECT ml_score.create_stream('vaulted', server => 'vaulted', topic => '$T', target => 'reading')" >/dev/null
waits vaulted "nor one that waits for a key vault's secret"
sql "SELECT ml_score.drop_stream('vaulted')" >/dev/null
identity "set?registry=r" >/dev/null
sql "CREATE SERVER plain TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_PLAIN', security_protocol 'plaintext');
	CREATE SERVER schemas TYPE 'registry' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1', auth 'basic', credential 'client_secret', authority_ca_file '$IDENTITY_CA', authority_host '$IDENTITY_URL');
	CREATE USER MAPPING FOR postgres SERVER schemas OPTIONS (tenant_id 'ok', client_id 'schemas', client_secret 's', username 'u', password 'keyvault:$IDENTITY_URL/secrets/registry');
	SELECT ml_score.create_stream('avro', server => 'plain', topic => '$T', target => 'reading', format => 'avro', format_options => '{\"registry\": \"schemas\"}', paused => true)" >/dev/null
before=$(asked)
sql "ALTER USER MAPPING FOR postgres SERVER schemas OPTIONS (SET tenant_id 'hang'); SELECT ml_score.resume_stream('avro')" >/dev/null
waits avro "nor one that waits for the secret of a schema registry"
sql "SELECT ml_score.drop_stream('avro')" >/dev/null
wait_until 10 "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'ml_score stream'"
ok $? "and ends at once when it is told to"

# stores and batch endpoints
BLOB_PEER=azurite_https
blob_container entra-streams
common="auth 'entra', credential 'client_secret', authority_ca_file '$IDENTITY_CA', authority_host '$IDENTITY_URL', retry_base_delay '10ms'"
sql "CREATE SERVER lake TYPE 'blob' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(blob_url entra-streams)', ca_file '$BLOB_CA', $common);
	CREATE SERVER jobs TYPE 'batch' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$BATCH_URL', $common);
	CREATE USER MAPPING FOR postgres SERVER lake OPTIONS (tenant_id 'jwt', client_id 'store', client_secret 's');
	CREATE USER MAPPING FOR postgres SERVER jobs OPTIONS (tenant_id 'jwt', client_id 'store', client_secret 's')"
is "$(sql "SELECT string_agg(step, ', ') FILTER (WHERE ok), string_agg(message, ', ') FILTER (WHERE NOT ok) FROM ml_score.check_server('lake')")" \
	"credential, write, list, read, delete|" "Azurite takes our token for every step"
is "$(sql "SELECT bool_and(ok) FROM ml_score.check_server('jobs') WHERE step IN ('credential', 'look at a job')")" t "so does the batch endpoint"
is "$(sql "SELECT string_agg(scope, ' ' ORDER BY scope) FROM ml_score.token_status WHERE identity = 'store'")" \
	"https://ml.azure.com/.default https://storage.azure.com/.default" "each has a token of its own scope"
sql "ALTER SERVER lake OPTIONS (ADD scope 'https://ml.azure.com/.default')"
like "$(sql "SELECT string_agg(message, ', ') FROM ml_score.check_server('lake') WHERE NOT ok")" "denied|credential|403" "and a token for something else is refused"
done_testing
