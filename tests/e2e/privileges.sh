#!/bin/bash
# Who can do what: roles against deeds, each cell as README's table says.
# Version: 16, privileges are the same for every version
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/identity.sh"
identity "set?authMode=Key&primary=matrix-key" >/dev/null
roles="mx_nobody mx_creator mx_user mx_caller mx_monitor mx_owner"
printf 'matrix-key' >"$RUN/matrix.key"
chmod 644 "$RUN/matrix.key"
# shellcheck disable=SC2086
sql "SET client_min_messages = error; DROP ROLE IF EXISTS ${roles// /, }; $(printf 'CREATE ROLE %s; ' $roles)
	GRANT USAGE ON FOREIGN DATA WRAPPER ml_score TO mx_creator, mx_owner;
	GRANT CREATE ON SCHEMA public TO mx_creator, mx_user, mx_owner;
	GRANT pg_monitor TO mx_monitor"
identity_server mx "auth 'key'"
identity_server mx_lent "auth 'entra', credential 'environment'"
sql "ALTER SERVER mx OWNER TO mx_owner; ALTER FUNCTION mx(int) OWNER TO mx_owner; ALTER FUNCTION mx(int) SECURITY DEFINER;
	GRANT USAGE ON FOREIGN SERVER mx TO mx_user;
	CREATE USER MAPPING FOR mx_owner SERVER mx OPTIONS (key 'matrix-key');
	REVOKE EXECUTE ON FUNCTION mx(int) FROM PUBLIC; GRANT EXECUTE ON FUNCTION mx(int) TO mx_caller"
sql "SELECT mx(1)" >/dev/null

# outcome ROLE STATEMENT: yes; no when privileges are missing; else the SQLSTATE. What it did is undone.
outcome() {
	local message
	message=$("$PGBIN/psql" -XAtq -v ON_ERROR_STOP=1 -v VERBOSITY=sqlstate -c "BEGIN; SET LOCAL ROLE $1; $2; ROLLBACK" 2>&1)
	case $message in
	*ERROR*42501*) echo no ;;
	*ERROR*) sed -n 's/.*ERROR: *//p' <<<"$message" ;;
	*) echo yes ;;
	esac
}

# deed NAME STATEMENT EXPECTED...: for each of the roles, and a superuser at the end.
deed() {
	local name=$1 statement=$2 role got=""
	shift 2
	for role in $roles postgres; do got+="$(outcome "$role" "$statement") "; done
	is "${got% }" "$*" "$name: nobody, creator, user, caller, monitor, owner, superuser"
}
server="TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://a.example/score', request_format 'records'"
deed "create a server" "CREATE SERVER made $server)" no yes no no no yes yes
deed "with a secret of one's own" "CREATE SERVER made $server, auth 'entra', credential 'client_secret')" no yes no no no yes yes
deed "with the server's identity" "CREATE SERVER made $server, auth 'entra', credential 'managed_identity')" no no no no no no yes
deed "with a CA file" "CREATE SERVER made $server, ca_file '/tmp/ca.pem')" no no no no no no yes
deed "alter a server" "ALTER SERVER mx OPTIONS (ADD timeout '5s', DROP ca_file, DROP authority_ca_file)" no no no no no yes yes
deed "create a function on it" "CREATE FUNCTION public.made(i int) RETURNS float8 LANGUAGE ml_score AS 'mx'" no no yes no no yes yes
deed "call a function" "SELECT mx(1)" no no no yes no yes yes
deed "set one's own credential" "CREATE USER MAPPING FOR CURRENT_USER SERVER mx OPTIONS (key 'k')" no no yes no no 42710 yes
deed "set another's" "CREATE USER MAPPING FOR mx_nobody SERVER mx OPTIONS (key 'k')" no no no no no yes yes
deed "point to the server's files" "CREATE USER MAPPING FOR mx_caller SERVER mx OPTIONS (key 'file:$RUN/matrix.key')" no no no no no no yes
deed "have all hosts allowed" "SET LOCAL ml_score.allowed_hosts = ''" no no no no no no yes
deed "have the Azure CLI run" "SET LOCAL ml_score.allow_azure_cli = on" no no no no no no yes
deed "reset statistics" "SELECT ml_score.stat_reset()" no no no no no no yes
deed "call what is the wrapper's" "SELECT ml_score.option_validator('{}', 0)" no no no no no no yes
seen() {
	local role got=""
	for role in $roles postgres; do got+="$(sql "BEGIN; SET LOCAL ROLE $role; SELECT count(*) > 0 FROM $1; ROLLBACK") "; done
	echo "${got% }"
}
is "$(seen "ml_score.stat_endpoint WHERE server = 'mx'")" "f f t f t t t" "see a server's statistics: its users, owner and monitors"
is "$(seen "(SELECT WHERE ml_score.report() ~ '>mx<') r")" "f f t f t t t" "and in a report: the same"
sql_error "SELECT mx_lent(1)" >/dev/null
is "$(seen ml_score.token_status)" "f f f f t f t" "see the token cache: monitors"
is "$(sql "BEGIN; SET LOCAL ROLE mx_user; SELECT count(*) FROM pg_user_mappings WHERE srvname = 'mx' AND umoptions IS NOT NULL; ROLLBACK")" 0 \
	"another role's mapping keeps its options to itself"
sql "CREATE USER MAPPING FOR mx_user SERVER mx OPTIONS (key 'file:$RUN/matrix.key')"
deed "alter a server that is shown a secret of the machine" "ALTER SERVER mx OPTIONS (ADD timeout '5s', DROP ca_file, DROP authority_ca_file)" no no no no no no yes
sql "DROP SERVER mx, mx_lent CASCADE; DROP OWNED BY ${roles// /, }; DROP ROLE ${roles// /, }"
done_testing
