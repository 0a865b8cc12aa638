# toxiproxy.sh - a proxy that spoils connections (Shopify's toxiproxy), to stand in front of any peer.
#
#   proxy NAME HOST:PORT [LISTEN]    have a proxy of that name in front of HOST:PORT, on a free port or on LISTEN;
#                                    asked again it is restored, and points to HOST:PORT now
#   proxy_address NAME               127.0.0.1:PORT where it listens
#   proxy_kafka                      the proxies kafka and eventhubs, where KAFKA_PROXIED and KAFKA_EVENTHUBS_PROXIED are
#   proxy_cut NAME                   end its connections and refuse new ones
#   proxy_stall NAME                 let nothing through any more, without a word
#   proxy_reset NAME [MS]            answer with RST after so long
#   proxy_latency NAME MS [JITTER]   later by that in each direction
#   proxy_bandwidth NAME KB          so much a second towards the client
#   proxy_limit NAME BYTES           end each connection after so many bytes towards the client
#   proxy_restore NAME               as good as none again
# shellcheck shell=bash

TOXIPROXY=github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0

# need_toxiproxy: $CACHE/toxiproxy.
need_toxiproxy() {
	exclusively toxiproxy build_toxiproxy
}

build_toxiproxy() {
	local gobin=$CACHE/toxiproxy.bin
	[ "$(cat "$CACHE/toxiproxy.version" 2>/dev/null)" = "$TOXIPROXY" ] && return 0
	need_go
	step "building toxiproxy"
	GOBIN=$gobin GOFLAGS=-modcacherw GOCACHE="$CACHE/go-build" GOPATH="$CACHE/go" run_logged "$WORK/go.log" go install -trimpath "$TOXIPROXY"
	mv "$gobin/server" "$CACHE/toxiproxy"
	rmdir "$gobin"
	echo "$TOXIPROXY" >"$CACHE/toxiproxy.version"
}

# toxiproxy_api METHOD PATH [JSON]
toxiproxy_api() {
	curl -sS --fail-with-body -m 10 -X "$1" "$(peer_url toxiproxy)/$2" ${3:+-d "$3"}
}

proxy() {
	need_peer toxiproxy
	toxiproxy_api DELETE "proxies/$1" >/dev/null 2>&1
	toxiproxy_api POST proxies "{\"name\": \"$1\", \"listen\": \"${3:-127.0.0.1:$(free_port)}\", \"upstream\": \"$2\", \"enabled\": true}" >/dev/null
}

proxy_address() {
	toxiproxy_api GET "proxies/$1" | sed 's/.*"listen":"\([^"]*\)".*/\1/'
}

proxy_kafka() {
	need_peer kafka
	proxy kafka "$KAFKA_BEHIND_PROXIED" "127.0.0.1:${KAFKA_PROXIED#*:}"
	proxy eventhubs "$KAFKA_BEHIND_EVENTHUBS_PROXIED" "127.0.0.1:${KAFKA_EVENTHUBS_PROXIED#*:}"
}

# toxic NAME TYPE DIRECTION ATTRIBUTES: upstream is from the client, downstream towards it.
toxic() {
	toxiproxy_api POST "proxies/$1/toxics" "{\"name\": \"$2-$3\", \"type\": \"$2\", \"stream\": \"$3\", \"attributes\": {$4}}" >/dev/null
}

proxy_cut() {
	toxiproxy_api POST "proxies/$1" '{"enabled": false}' >/dev/null
}

proxy_stall() {
	toxic "$1" timeout upstream '"timeout": 0'
	toxic "$1" timeout downstream '"timeout": 0'
}

proxy_reset() {
	toxic "$1" reset_peer downstream "\"timeout\": ${2:-0}"
}

proxy_latency() {
	toxic "$1" latency upstream "\"latency\": $2, \"jitter\": ${3:-0}"
	toxic "$1" latency downstream "\"latency\": $2, \"jitter\": ${3:-0}"
}

proxy_bandwidth() {
	toxic "$1" bandwidth downstream "\"rate\": $2"
}

proxy_limit() {
	toxic "$1" limit_data downstream "\"bytes\": $2"
}

proxy_restore() {
	local name
	for name in $(toxiproxy_api GET "proxies/$1/toxics" | grep -o '"name":"[^"]*"' | cut -d '"' -f 4); do
		toxiproxy_api DELETE "proxies/$1/toxics/$name"
	done
	toxiproxy_api POST "proxies/$1" '{"enabled": true}' >/dev/null
}
