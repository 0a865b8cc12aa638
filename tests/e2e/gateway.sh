#!/bin/bash
# Azure's gateway in front of the real server: keys, mappings, deployments, wrapped model errors, refusals and retries.
. "$(dirname "$0")/../lib/tap.sh"
need_peer front
front=$(peer_url front)
curl -sS -X POST "$front/front/keys?first-key,second-key" >/dev/null
diamonds_table 300
sql <<-EOF
	CREATE SERVER gate TYPE 'online' FOREIGN DATA WRAPPER ml_score
		OPTIONS (url '$front/score', auth 'key', retry_base_delay '5ms', retry_max_delay '50ms');
	CREATE FUNCTION gated(carat float8, cut text, color text, clarity text, depth float8, "table" float8, x float8, y float8, z float8)
		RETURNS float8 LANGUAGE ml_score STABLE AS 'gate';
	DROP ROLE IF EXISTS gate_app, gate_owner;
	CREATE ROLE gate_app LOGIN;
	CREATE ROLE gate_owner LOGIN;
	GRANT SELECT ON diamonds TO gate_app, gate_owner;
	GRANT CREATE ON SCHEMA public TO gate_owner;
EOF
one="SELECT gated($DIAMOND) > 0 FROM diamonds WHERE id = 1"

like "$(sql_error "$one")" "28000|28P01|user mapping" "auth 'key' without a user mapping says what is missing"
sql "CREATE USER MAPPING FOR postgres SERVER gate OPTIONS (key 'wrong-key')"
error=$(sql_error "$one")
like "$error" "28000" "a wrong key: INVALID_AUTHORIZATION_SPECIFICATION"
like "$error" "gate" "naming the server"
like "$error" "401" "and the status"
like "$error" "HINT" "with a hint"
unlike "$error" "wrong-key" "and never the key"
sql "ALTER USER MAPPING FOR postgres SERVER gate OPTIONS (SET key 'first-key')"
is "$(sql "$one")" t "the right key scores"
is "$(sql "SELECT count(gated($DIAMOND)) FROM diamonds")" 300 "batched too"

like "$(sql_error "SET ROLE gate_app; $one")" "28000|28P01|user mapping" "another role without a mapping does not use mine"
sql "CREATE USER MAPPING FOR PUBLIC SERVER gate OPTIONS (key 'second-key')"
is "$(sql_as gate_app "$one")" t "the PUBLIC mapping serves everyone else"
sql "CREATE USER MAPPING FOR gate_app SERVER gate OPTIONS (key 'wrong-key')"
like "$(PGUSER=gate_app sql_error "$one")" "28000" "a role's own mapping goes before PUBLIC's"
sql "CREATE FUNCTION owned(int) RETURNS bool LANGUAGE sql SECURITY DEFINER AS \$\$ SELECT gated($DIAMOND) > 0 FROM diamonds WHERE id = \$1 \$\$"
is "$(sql_as gate_app "SELECT owned(1)")" t "inside SECURITY DEFINER the owner's mapping holds"

like "$(PGUSER=gate_owner sql_error "CREATE FUNCTION mine(carat float8) RETURNS float8 LANGUAGE ml_score AS 'gate'")" "42501" \
	"CREATE FUNCTION needs USAGE on the server"
sql "GRANT USAGE ON FOREIGN SERVER gate TO gate_owner"
like "$(PGUSER=gate_owner sql_error "CREATE FUNCTION mine(carat float8) RETURNS float8 LANGUAGE ml_score AS 'gate'")" "no error" "and nothing else"
sql "REVOKE EXECUTE ON FUNCTION gated FROM PUBLIC"
like "$(PGUSER=gate_owner sql_error "$one")" "42501" "calling needs EXECUTE on the function"
sql "GRANT EXECUTE ON FUNCTION gated TO PUBLIC"

curl -sS -X POST "$front/front/keys?rotated-key" >/dev/null
like "$(sql_error "$one")" "28000" "after the keys were changed at the endpoint the old one is refused"
sql "ALTER USER MAPPING FOR postgres SERVER gate OPTIONS (SET key 'rotated-key')"
is "$(sql "$one")" t "and the new one works at once"

sql "ALTER SERVER gate OPTIONS (ADD deployment 'green')"
is "$(sql "$one")" t "a deployment by name"
sql "ALTER SERVER gate OPTIONS (SET deployment 'red')"
error=$(sql_error "$one")
like "$error" "404" "a deployment that is not there: 404"
like "$error" "deployment" "and the hint speaks of deployments"
sql "ALTER SERVER gate OPTIONS (DROP deployment)"

fail_next() {
	curl -sS -X POST "$front/front/fail?$1" >/dev/null
}
for status in 429 503 502 504 500 408; do
	fail_next "$status,1"
	is "$(sql "$one")" t "one $status is retried"
done
fail_next "429,1,1"
start=$(now_ms)
is "$(sql "$one")" t "Retry-After is waited for"
cmp_ok $(($(now_ms) - start)) '>=' 950 "and not cut short"
for status in 400 403 404 409; do
	before=$(curl -sS "$front/front/stats" | sed -n 's/.*"requests": \([0-9]*\).*/\1/p')
	fail_next "$status,1"
	like "$(sql_error "$one")" "$status" "$status is an error"
	is $(($(curl -sS "$front/front/stats" | sed -n 's/.*"requests": \([0-9]*\).*/\1/p') - before)) 1 "$status is not retried"
done

sql "CREATE FUNCTION misnamed(carats float8) RETURNS float8 LANGUAGE ml_score STABLE AS 'gate'"
error=$(sql_error "SELECT misnamed(1)")
like "$error" "38000" "what the model refuses comes as EXTERNAL_ROUTINE_EXCEPTION"
like "$error" "500" "with the model's own status out of the 424"
like "$error" "unexpected error occurred in scoring script" "and the body in the detail"
like "$error" "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}" "and the request id for Azure's support"
done_testing
