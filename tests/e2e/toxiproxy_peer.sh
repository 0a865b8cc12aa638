#!/bin/bash
# What the proxy does to a connection, seen by curl in front of the fast endpoint and by a client of the broker.
# Version: 16, the proxy is the same for every version
. "$(dirname "$0")/../lib/tap.sh"
need_peer fast
fast=$(peer_url fast)
proxy spoiled "${fast#http://}"
url=http://$(proxy_address spoiled)/tag/spoiled/stats

# curl_status [OPTION...]: curl's exit status; 0 it got an answer, 7 refused, 18 cut, 28 too late, 52 nothing came, 56 reset.
curl_status() {
	curl -s -o /dev/null "$@" "$url"
	echo $?
}

is "$(curl_status -m 10)" 0 "the peer answers through the proxy"
proxy_cut spoiled
is "$(curl_status -m 10)" 7 "cut: refused"
proxy_restore spoiled
is "$(curl_status -m 10)" 0 "restored"
proxy_stall spoiled
is "$(curl_status -m 1)" 28 "stalled: silence"
proxy_restore spoiled
proxy_latency spoiled 300
cmp_ok "$(curl -s -m 10 -o /dev/null -w '%{time_total}' "$url")" '>=' 0.6 "later in both directions"
proxy_restore spoiled
proxy_limit spoiled 170
like "$(curl_status -m 10)" '^(18|52|56)$' "cut in the middle of the answer"
proxy_restore spoiled
proxy_reset spoiled
is "$(curl_status -m 10)" 56 "reset"
proxy_restore spoiled
is "$(curl_status -m 10)" 0 "and all of it can be undone"

need_peer kafka
proxy_kafka
# shellcheck disable=SC2016
eventhubs=(bootstrap.servers="$KAFKA_EVENTHUBS_PROXIED" security.protocol=SASL_SSL ssl.ca.location="$KAFKA_CA"
	sasl.mechanism=PLAIN 'sasl.username=$ConnectionString' "sasl.password=$KAFKA_CONNECTION_STRING")
kafka_topic proxied
seq 10 | kcat -P -b "$KAFKA_PROXIED" -t proxied
is "$(kcat -C -e -q -b "$KAFKA_PROXIED" -t proxied | wc -l)" 10 "events come through the proxy, which the broker names as its address"
is "$(kafka_login "${eventhubs[@]}")" ok "on Event Hubs' listener too"
proxy_cut kafka
like "$(kcat -L -m 2 -b "$KAFKA_PROXIED" 2>&1)" "Connection refused" "the broker's other way is cut"
is "$(kafka_offsets proxied)" "0 0 10" "while its direct way is not"
proxy_cut eventhubs
like "$(kafka_login "${eventhubs[@]}")" "_TRANSPORT" "nor is Event Hubs' listener there"
done_testing
