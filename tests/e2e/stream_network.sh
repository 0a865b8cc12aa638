#!/bin/bash
# A stream over a bad network: cut, silent, reset, late and narrow connections lose and double nothing; and every listener.
# Version: 16, the network is the same for every version
. "$(dirname "$0")/../lib/tap.sh"
need_peer kafka
proxy_kafka
T=stream_network
kafka_topic $T 2
sql <<-EOSQL
	CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_EVENTHUBS_PROXIED',
		auth 'connection_string', ca_file '$KAFKA_CA', "kafka.reconnect.backoff.max.ms" '500', "kafka.socket.timeout.ms" '3000');
	CREATE USER MAPPING FOR PUBLIC SERVER hub OPTIONS (connection_string '$KAFKA_CONNECTION_STRING');
	CREATE TABLE t (id bigint, pad text);
EOSQL
SENT=0

# produce N: events with the next N numbers, by the broker's direct way.
produce() {
	seq $((SENT + 1)) $((SENT + $1)) | awk '{printf "{\"id\": %d, \"pad\": \"%0200d\"}\n", $1, $1}' | kafka_produce $T
	SENT=$((SENT + $1))
}

# complete NAME: everything is there, once.
complete() {
	sql "SELECT ml_score.wait_stream('s', '60s')" >/dev/null
	is "$(sql "SELECT count(*), count(DISTINCT id), coalesce(sum(id), 0) FROM t")" "$SENT|$SENT|$((SENT * (SENT + 1) / 2))" "$1"
}

produce 1000
sql "SELECT ml_score.create_stream('s', server => 'hub', topic => '$T', target => 't')" >/dev/null
complete "events arrive through the proxy"

proxy_cut eventhubs
produce 500
wait_until 30 "SELECT bool_or(last_error ~ 'TRANSPORT|ALL_BROKERS_DOWN') FROM ml_score.stat_stream WHERE stream = 's'"
ok $? "a cut shows" "$(sql "SELECT state, last_error FROM ml_score.stat_stream")"
sleep 25
is "$(sql "SELECT count(*) FROM t")" 1000 "and nothing comes for half a minute"
proxy_restore eventhubs
complete "until it is mended"

proxy_stall eventhubs
produce 500
sleep 2
proxy_restore eventhubs
complete "answers that were lost are asked for again"

produce 500
proxy_reset eventhubs
sleep 2
proxy_restore eventhubs
complete "connections that were reset are made again"

proxy_latency eventhubs 200 100
produce 500
complete "late answers are only late"
proxy_restore eventhubs

proxy_bandwidth eventhubs 100
produce 1000
complete "so are those over a narrow line"
proxy_restore eventhubs

proxy_limit eventhubs 20000
produce 2000
sleep 3
proxy_restore eventhubs
complete "a connection that ends in the middle of an answer, again and again"
sql "SELECT ml_score.drop_stream('s')" >/dev/null

# listener NAME OPTIONS: the topic once more, by another way in.
listener() {
	sql "TRUNCATE t; CREATE SERVER other TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS ($2)"
	sql "SELECT ml_score.create_stream('s', server => 'other', topic => '$T', target => 't')" >/dev/null
	complete "$1"
	sql "SELECT ml_score.drop_stream('s'); DROP SERVER other" >/dev/null
}
listener "a broker without TLS and password" "bootstrap_servers '$KAFKA_PLAIN', security_protocol 'plaintext', auth 'none'"
listener "with TLS alone" "bootstrap_servers '$KAFKA_TLS', security_protocol 'ssl', auth 'none', ca_file '$KAFKA_CA'"

sql "CREATE SERVER other TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_TLS', security_protocol 'ssl', auth 'none',
	ca_file '$RUN/tls/other_ca.crt')"
sql "SELECT ml_score.create_stream('s', server => 'other', topic => '$T', target => 't')" >/dev/null
wait_until 30 "SELECT bool_or(last_error ~ 'SSL') FROM ml_score.stat_stream WHERE stream = 's'"
ok $? "an authority that did not sign the broker's certificate shows" "$(sql "SELECT state, last_error FROM ml_score.stat_stream")"
sql "SELECT ml_score.drop_stream('s')" >/dev/null
kafka_delete_topic $T
done_testing
