#!/bin/bash
# TLS before 1.2 is refused, by us: OpenSSL's configuration here would take it.
# Version: 15, libcurl is the same for every version
. "$(dirname "$0")/../lib/tap.sh"
need_certificates
cat >"$RUN/old_tls.cnf" <<-EOF2
	openssl_conf = init
	[init]
	ssl_conf = ssl
	[ssl]
	system_default = any
	[any]
	MinProtocol = TLSv1
	CipherString = DEFAULT@SECLEVEL=0
EOF2
chmod a+r "$RUN/old_tls.cnf"
export OPENSSL_CONF=$RUN/old_tls.cnf
start_cluster old_tls "$PGVER"
use_cluster old_tls
sql "CREATE EXTENSION ml_score"
# speaks PROTOCOL: a server that speaks this one only; its URL.
speaks() {
	local port
	port=$(free_port)
	openssl s_server -accept "127.0.0.1:$port" -cert "$RUN/tls/server.crt" -key "$RUN/tls/server.key" -www "-$1" >"$RUN/s_server.$1" 2>&1 </dev/null &
	servers+=($!)
	url=https://127.0.0.1:$port/
	for _ in $(seq 50); do
		curl -sS --cacert "$RUN/tls/ca.crt" --tlsv1.0 -o /dev/null "$url" 2>"$RUN/old_tls.curl" && break
		sleep 0.2
	done
}
# asks: what calling a model there says.
asks() {
	sql "CREATE SERVER IF NOT EXISTS old TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$url', ca_file '$RUN/tls/ca.crt', request_format 'records', max_attempts '1');
		CREATE OR REPLACE FUNCTION f(i int) RETURNS float8 LANGUAGE ml_score STABLE AS 'old';
		ALTER SERVER old OPTIONS (SET url '$url')" 2>"$RUN/old_tls.notice" >/dev/null
	sql_error "SELECT f(1)" | tr '\n' ' '
}
servers=()
for protocol in tls1 tls1_1; do
	speaks $protocol
	is "$(curl -sS --cacert "$RUN/tls/ca.crt" --tlsv1.0 -o /dev/null -w '%{http_code}' "$url")" 200 "a server of $protocol alone is there for who takes that"
	like "$(asks)" "08006.*could not establish TLS with server .old..*TLS 1.2 or later" "we do not"
done
speaks tls1_2
unlike "$(asks)" "could not establish TLS|could not connect" "one of TLS 1.2 is talked to"
kill "${servers[@]}"
stop_cluster old_tls
use_cluster "main-$PGVER"
done_testing
