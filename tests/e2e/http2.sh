#!/bin/bash
# Over TLS: HTTP/2 where the endpoint offers it, many requests on one connection; sessions resumed where it does not.
. "$(dirname "$0")/../lib/tap.sh"
need_peer h2_endpoint h1_endpoint

# server NAME: a server on that peer, with a function of the server's name.
server() {
	sql <<-EOF
		CREATE SERVER $1 TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://localhost:$(cat "$RUN/peers/$1.port")/score',
			request_format 'records', ca_file '$RUN/tls/ca.crt', max_batch_rows '10', max_parallel_requests '16');
		CREATE FUNCTION $1(k int) RETURNS int LANGUAGE ml_score VOLATILE AS '$1';
	EOF
}

# ask NAME PATH; counted NAME FIGURE
ask() {
	curl -sS --cacert "$RUN/tls/ca.crt" "https://localhost:$(cat "$RUN/peers/$1.port")/$2"
}

counted() {
	ask "$1" stats | sed -n "s/.*\"$2\":\([0-9]*\).*/\1/p"
}

chmod 755 "$RUN/tls"
server h2_endpoint
ask h2_endpoint reset
is "$(sql "SELECT sum(h2_endpoint(g)) FROM generate_series(1, 1000) g; SELECT sum(h2_endpoint(g)) FROM generate_series(1, 1000) g" | tr '\n' ' ')" \
	"1000 1000 " "scores over HTTP/2"
is "$(counted h2_endpoint http2)|$(counted h2_endpoint http1)" "200|0" "all requests of two statements are HTTP/2"
cmp_ok "$(counted h2_endpoint at_once)" '>=' 8 "many of them at once"
# four of them were made by the test itself, which asks for the counts
cmp_ok "$(counted h2_endpoint opened)" '<=' 6 "on one connection of the backend"

server h1_endpoint
sql "ALTER SERVER h1_endpoint OPTIONS (SET max_parallel_requests '1', SET max_batch_rows '100')"
ask h1_endpoint reset
is "$(sql "SELECT sum(h1_endpoint(g)) FROM generate_series(1, 1000) g")" 1000 "scores where every connection is closed after its reply"
is "$(counted h1_endpoint http1)" 10 "over HTTP/1.1"
cmp_ok "$(counted h1_endpoint resumed)" '>=' 8 "and the TLS session is resumed"
done_testing
