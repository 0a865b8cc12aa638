#!/bin/bash
# The broker that stream tests use is what they take it for: listeners, credentials, limits, faults.
# Version: 16, the broker is the same for every version
. "$(dirname "$0")/../lib/tap.sh"
need_peer kafka
topic=kafka_peer

kafka_topic $topic 2
seq 100 | kafka_produce $topic -p 0
echo '{"value": {"a": "\u00fc"}, "key": "k", "partition": 1, "timestamp": 86400000, "headers": {"h": "1"}}' | kafka_produce_json $topic
is "$(kafka_offsets $topic)" $'0 0 100\n1 0 1' "events are where they were sent"
is "$(kcat -C -e -q -b "$KAFKA_PLAIN" -t $topic -p 1 -f '%T %k %h %s')" '86400000 k h=1 {"a": "\u00fc"}' "with key, time and headers"
echo '{"value": "lost", "partition": 1}' | kafka_produce_json $topic abort
is "$(kcat -C -e -q -b "$KAFKA_PLAIN" -t $topic -p 1 -o 1 -X isolation.level=read_committed)" "" "an aborted transaction leaves a gap"
kafka_expire $topic 0 60
kafka_add_partitions $topic 3
is "$(kafka_offsets $topic)" $'0 60 100\n1 0 3\n2 0 0' "events expire, partitions are added"
head -c 1100000 /dev/zero | tr '\0' x | kafka_produce $topic -X message.max.bytes=2000000 2>"$RUN/kafka_peer.err"
like "$(cat "$RUN/kafka_peer.err")" "too large|Message size" "more than 1 MB is refused"

eventhubs=(bootstrap.servers="$KAFKA_EVENTHUBS" security.protocol=SASL_SSL ssl.ca.location="$KAFKA_CA")
plain=("${eventhubs[@]}" sasl.mechanism=PLAIN "sasl.username=\$ConnectionString")
bearer=("${eventhubs[@]}" sasl.mechanism=OAUTHBEARER)
token=$(kafka_token) other=$(kafka_token oid=someone)
is "$(kafka_login "${plain[@]}" "sasl.password=$KAFKA_CONNECTION_STRING")" ok "the connection string is a password"
like "$(kafka_login "${plain[@]}" sasl.password=wrong)" "_AUTHENTICATION" "another is not"
is "$(kafka_login "${bearer[@]}" "token=$token")" ok "a bearer token is good"
like "$(kafka_login "${bearer[@]}" "token=$(kafka_token exp=-120)")" invalid_token "one that expired is not"
like "$(kafka_login "${bearer[@]}" "token=$(kafka_token aud=https://elsewhere)")" invalid_token "nor one for another audience"
like "$(kafka_login "${bearer[@]}" "token=${token%.*}.${other##*.}")" invalid_token "nor one with another's signature"
is "$(kafka_login bootstrap.servers="$KAFKA_TLS" security.protocol=SSL ssl.ca.location="$KAFKA_CA")" ok "TLS alone"
like "$(kafka_login bootstrap.servers="$KAFKA_TLS" security.protocol=SSL ssl.ca.location="$RUN/tls/other_ca.crt")" _SSL \
	"its certificate is this run's"

read_forbidden() {
	kcat -C -e -q -m 10 -b "$KAFKA_EVENTHUBS" -t $topic -p 0 -X security.protocol=SASL_SSL -X ssl.ca.location="$KAFKA_CA" -X sasl.mechanism=PLAIN \
		-X "sasl.username=\$ConnectionString" -X "sasl.password=$KAFKA_CONNECTION_STRING" 2>&1
}
kafka_forbid $topic
like "$(read_forbidden)" "authorization failed" "a topic can be denied"
kafka_allow $topic
is "$(read_forbidden | wc -l)" 40 "and allowed again"

kafka_kill
need_peer kafka
is "$(kafka_offsets $topic | cut -d ' ' -f 1,3)" $'0 100\n1 3\n2 0' "nothing is lost when it is killed"
kafka_restart message.max.bytes=1000
kafka_produce $topic -p 2 2>"$RUN/kafka_peer.err" < <(head -c 2000 /dev/zero | tr '\0' x)
like "$(cat "$RUN/kafka_peer.err")" "too large" "a restart can change its settings"
kafka_restart
kafka_delete_topic $topic
like "$(kafka_offsets $topic 2>&1)" UNKNOWN_TOPIC "a deleted topic is gone"
done_testing
