# tls.sh - certificates of this run: an authority of its own and one certificate for every peer on loopback; and a key
# that signs bearer tokens.
# shellcheck shell=bash

# need_certificates: $RUN/tls/ca.crt, and below it server.crt, server.key and server.pem (both in one file), which are
# good for localhost and 127.0.0.1; other_ca.crt is an authority that signed nothing.
need_certificates() {
	local dir=$RUN/tls
	[ -f "$dir/server.pem" ] && return 0
	need_packages openssl
	mkdir -p "$dir"
	run_logged "$dir/log" make_authority "$dir/ca" "ml_score tests"
	run_logged "$dir/log" make_authority "$dir/other_ca" "ml_score tests, another"
	run_logged "$dir/log" openssl req -x509 -newkey rsa:2048 -nodes -days 3 -subj /CN=localhost -CA "$dir/ca.crt" -CAkey "$dir/ca.key" \
		-addext "subjectAltName=DNS:localhost,IP:127.0.0.1" -addext "basicConstraints=critical,CA:FALSE" \
		-keyout "$dir/server.key" -out "$dir/server.crt"
	cat "$dir/server.key" "$dir/server.crt" "$dir/ca.crt" >"$dir/server.tmp"
	mv "$dir/server.tmp" "$dir/server.pem"
}

# make_authority PATH NAME: PATH.crt and PATH.key.
make_authority() {
	openssl req -x509 -newkey rsa:2048 -nodes -days 3 -subj "/CN=$2" -addext "keyUsage=critical,keyCertSign,cRLSign" \
		-keyout "$1.key" -out "$1.crt"
}

# need_token_key: $RUN/tokens/jwks.json, the key set that a peer checks tokens with.
need_token_key() {
	local dir=$RUN/tokens
	[ -f "$dir/jwks.json" ] && return 0
	need_packages openssl
	mkdir -p "$dir"
	/usr/bin/python3 "$ROOT/tests/peers/jwt_key.py" make "$dir/key.pem" "$dir/jwks.json"
}

# signed_token CLAIM=VALUE...: a bearer token (RS256) for an hour; digits are a number, exp=-60 is past.
signed_token() {
	need_token_key
	/usr/bin/python3 "$ROOT/tests/peers/jwt_key.py" sign "$RUN/tokens/key.pem" "$@"
}
