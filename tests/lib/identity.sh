# identity.sh - what tests of identities share; needs the peer identity_server.
# shellcheck shell=bash

need_peer identity_server

# identity ROUTE: ask the peer about itself, or set it; see tests/peers/identity_server.py.
identity() {
	curl -sS -X POST "$(peer_url identity_server)/$1"
}

# identity_setup NAME: a value of its /setup.
identity_setup() {
	identity setup | sed -n "s/.*\"$1\": \"\{0,1\}\([^\",}]*\).*/\1/p"
}

IDENTITY_URL=https://127.0.0.1:$(identity_setup tls_port)
IDENTITY_CA=$(identity_setup ca_file)

# identity_server NAME OPTIONS: an online server at the peer's /score, whose authority is the peer too.
identity_server() {
	sql "CREATE SERVER $1 TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$IDENTITY_URL/score', request_format 'records',
		ca_file '$IDENTITY_CA', authority_ca_file '$IDENTITY_CA', authority_host '$IDENTITY_URL', management_url '$IDENTITY_URL',
		retry_base_delay '10ms', $2)"
	sql "CREATE FUNCTION $1(i int) RETURNS float8 LANGUAGE ml_score STABLE COST 10000 AS '$1'"
}

# mapping SERVER OPTIONS [ROLE]
mapping() {
	sql "CREATE USER MAPPING FOR ${3:-postgres} SERVER $1 OPTIONS ($2)"
}
