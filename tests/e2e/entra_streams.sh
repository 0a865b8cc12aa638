#!/bin/bash
# Event Hubs by Entra: streams and sent events log in with tokens that the broker checks; blobs are reached by tokens too.
. "$(dirname "$0")/../lib/tap.sh"
[ "$PGVER" = 16 ] || skip_all "the broker is the same for every version"
. "$(dirname "$0")/../lib/identity.sh"
need_peer kafka
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
end=$((SECONDS + 30))
until [ "$(kafka_offsets "$T-out" | awk '{ n += $3 } END { print n }')" = 1 ] || [ $SECONDS -gt $end ]; do sleep 0.2; done
is "$(kafka_offsets "$T-out" | awk '{ n += $3 } END { print n }')" 1 "so does the sender of events"
is "$(sql "SELECT fetches FROM ml_score.token_status WHERE identity = 'streams'")" 1 "with the same token"

sql "CREATE SERVER forged TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS ($options);
	CREATE USER MAPPING FOR postgres SERVER forged OPTIONS (tenant_id 'ok', client_id 'forger', client_secret 's');
	SELECT ml_score.create_stream('forged', server => 'forged', topic => '$T', target => 'reading')" >/dev/null
wait_until 40 "SELECT bool_or(last_error ~ 'AUTHENTICATION') FROM ml_score.stat_stream WHERE stream = 'forged'"
ok $? "a token that the broker does not take shows in stat_stream" "$(sql "SELECT * FROM ml_score.stat_stream WHERE stream = 'forged'")"
sql "SELECT ml_score.drop_stream('forged');
	CREATE SERVER refused TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS ($options);
	CREATE USER MAPPING FOR postgres SERVER refused OPTIONS (tenant_id 'refuse', client_id 'r', client_secret 'hidden-secret');
	SELECT ml_score.create_stream('refused', server => 'refused', topic => '$T', target => 'reading')" >/dev/null
wait_until 40 "SELECT bool_or(last_error ~ 'AADSTS7000215') FROM ml_score.stat_stream WHERE stream = 'refused'"
ok $? "and so does what the token service says" "$(sql "SELECT * FROM ml_score.stat_stream WHERE stream = 'refused'")"
is "$(sql "SELECT count(*) FROM ml_score.stat_stream s WHERE s::text ~ 'hidden'")" 0 "without the secret"
sql "SELECT ml_score.drop_stream('refused'); SELECT ml_score.drop_stream('entra')" >/dev/null
done_testing
