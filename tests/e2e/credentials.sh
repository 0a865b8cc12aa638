#!/bin/bash
# Whose credential a request carries: the caller's at that moment, the opener's for a cursor, whatever is cached.
. "$(dirname "$0")/../lib/tap.sh"
need_peer fast
tag=cred$PGVER
sql <<-EOF2
	CREATE SERVER cred TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(peer_url fast)/tag/$tag/score', auth 'key',
		request_format 'records', max_attempts '1');
	DROP ROLE IF EXISTS cred_one, cred_two;
	CREATE ROLE cred_one;
	CREATE ROLE cred_two;
	CREATE USER MAPPING FOR cred_one SERVER cred OPTIONS (key 'key-of-one');
	CREATE USER MAPPING FOR cred_two SERVER cred OPTIONS (key 'key-of-two');
	CREATE FUNCTION cf(k int) RETURNS float8 LANGUAGE ml_score STABLE COST 10000 AS 'cred';
	CREATE FUNCTION indirect(i int) RETURNS float8 LANGUAGE plpgsql AS 'BEGIN RETURN cf(i) + 1; END';
	CREATE TABLE t AS SELECT generate_series(1, 20) id;
	GRANT ALL ON t TO cred_one, cred_two;
EOF2
key() {
	last_of "$tag" | grep -o 'Bearer [a-z0-9-]*'
}

sql "SET ROLE cred_one; SELECT indirect(1)" >/dev/null
is "$(key)" "Bearer key-of-one" "a PL/pgSQL expression scores with the caller's key"
sql "BEGIN; SET LOCAL ROLE cred_one; SELECT indirect(1); SET LOCAL ROLE cred_two; SELECT indirect(2); COMMIT" >/dev/null
is "$(key)" "Bearer key-of-two" "another role in the same transaction does not score with the first one's"
sql "BEGIN; SET LOCAL ROLE cred_one; SELECT indirect(1); RESET ROLE;
	ALTER USER MAPPING FOR cred_one SERVER cred OPTIONS (SET key 'new-key'); SET LOCAL ROLE cred_one; SELECT indirect(2); COMMIT" >/dev/null
is "$(key)" "Bearer new-key" "a key that was changed meanwhile is used from the next call on"
like "$(sql_error "BEGIN; SET LOCAL ROLE cred_one; SELECT indirect(1); RESET ROLE; ALTER SERVER cred OPTIONS (SET url 'http://127.0.0.1:9/');
	SET LOCAL ROLE cred_one; SELECT indirect(2)")" "could not connect" "so is another URL"
sql "ALTER SERVER cred OPTIONS (SET url '$(peer_url fast)/tag/$tag/latency/400ms/score')"
like "$(sql_error "BEGIN; SET LOCAL ROLE cred_one; SELECT indirect(1); SET LOCAL ml_score.timeout = '100ms'; SELECT indirect(2)")" \
	"ERROR.*08006" "so is a setting"

sql "BEGIN; SET LOCAL ROLE cred_one; DECLARE c CURSOR FOR SELECT cf(id) FROM t; SET LOCAL ROLE cred_two; FETCH ALL FROM c; COMMIT" >/dev/null
is "$(key)" "Bearer new-key" "a cursor scores with the key of the role that opened it"
sql "CREATE FUNCTION opened() RETURNS refcursor LANGUAGE plpgsql SECURITY DEFINER AS \$\$ DECLARE c refcursor := 'c'; BEGIN OPEN c FOR SELECT cf(id) FROM t; RETURN c; END \$\$;
	ALTER FUNCTION opened() OWNER TO cred_two"
sql "BEGIN; SET LOCAL ROLE cred_one; SELECT opened(); FETCH 3 FROM c; COMMIT" >/dev/null
is "$(key)" "Bearer key-of-two" "so does one that a SECURITY DEFINER function opened"

need_peer front
sql "CREATE SERVER shut TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(peer_url front)/score', auth 'key');
	CREATE USER MAPPING FOR PUBLIC SERVER shut OPTIONS (key 'wrong')"
like "$(sql_error "SELECT ml_score.create_function('shut')" | tr '\n' ' ')" 'HV00Q.*HTTP 401.*HINT:  Scoring would be refused as well' \
	"create_function with a wrong key: the hint is about the key"
done_testing
