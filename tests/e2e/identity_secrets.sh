#!/bin/bash
# Nothing of what is fetched or shown to get in can be read anywhere: log at any level, errors, views, dumps.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/identity.sh"
need_peer fault_server
id=/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/scan
identity "set?authMode=Key&primary=Pr1mary-scan&secondary=S3condary-scan&vault-scan=Pr1mary-scan" >/dev/null
quiet="SET log_statement = 'none'; SET log_min_error_statement = 'panic'; SET log_min_duration_statement = -1;"
identity_server scan_secret "auth 'entra', credential 'client_secret'"
identity_server scan_refused "auth 'entra', credential 'client_secret'"
identity_server scan_certificate "auth 'entra', credential 'client_certificate'"
identity_server scan_vault "auth 'key', credential 'client_secret'"
sql "CREATE SERVER scan_found TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (endpoint_id '$id', request_format 'records', credential 'client_secret',
	ca_file '$IDENTITY_CA', authority_ca_file '$IDENTITY_CA', authority_host '$IDENTITY_URL', management_url '$IDENTITY_URL');
	CREATE FUNCTION scan_found(i int) RETURNS float8 LANGUAGE ml_score STABLE AS 'scan_found'"
pem=$(cat "$(identity_setup client_pem)")
sql "$quiet
	CREATE USER MAPPING FOR postgres SERVER scan_secret OPTIONS (tenant_id 'ok', client_id 'scan', client_secret 'Cl1ent-scan');
	CREATE USER MAPPING FOR postgres SERVER scan_refused OPTIONS (tenant_id 'refuse', client_id 'scan', client_secret 'R3fused+scan/=');
	CREATE USER MAPPING FOR postgres SERVER scan_certificate OPTIONS (tenant_id 'ok', client_id 'scan', client_certificate '$pem');
	CREATE USER MAPPING FOR postgres SERVER scan_vault OPTIONS (tenant_id 'ok', client_id 'scan', client_secret 'V4ult-scan', key 'keyvault:$IDENTITY_URL/secrets/vault-scan');
	CREATE USER MAPPING FOR postgres SERVER scan_found OPTIONS (tenant_id 'ok', client_id 'scan', client_secret 'F0und-scan')"
server_log_mark
shown=$("$PGBIN/psql" -XAt -v VERBOSITY=verbose 2>&1 <<-EOF
	SET client_min_messages = debug5;
	SET log_min_messages = debug5;
	$quiet
	SET ml_score.log_requests = 'all';
	EXPLAIN (ANALYZE, VERBOSE) SELECT scan_secret(1), scan_certificate(2), scan_vault(3), scan_found(4);
	SELECT scan_secret(1);
	SELECT scan_refused(1);
	SELECT scan_certificate(1);
	SELECT scan_vault(1);
	SELECT scan_found(1);
	SELECT * FROM ml_score.token_status;
	SELECT * FROM ml_score.stat_endpoint;
	SELECT * FROM pg_stat_activity;
	SELECT * FROM pg_settings;
EOF
)
log=$(server_log)
secrets='Cl1ent-scan|R3fused|V4ult-scan|F0und-scan|Pr1mary-scan|S3condary-scan|token-[0-9]+-|PRIVATE KEY|client_assertion=|eyJ'
like "$shown" "AADSTS7000215" "all of it was tried: the refused credential is told of"
like "$shown" "resource manager" "and what was fetched shows in ml_score.token_status"
cmp_ok "$(identity "count?path=/score")" ">=" 4 "and requests carried it"
is "$(grep -Eo "$secrets" <<<"$shown" | sort | uniq -c)" "" "no secret, key or token in messages at debug5, EXPLAIN and views"
is "$(grep -Eo "$secrets" <<<"$log" | sort | uniq -c)" "" "nor in the server log at debug5"
is "$(sql "SELECT count(*) FROM pg_stat_activity WHERE query ~ 'R3[f]used'")" 0 "nor in pg_stat_activity"

# What a reply repeats is masked however it is spelt.
n=0
for spelling in 'k3y+with/odd=chars~' 'k3y%2Bwith%2Fodd%3Dchars~' 'k3y%2bwith%2fodd%3dchars%7e' 'k3y\u002bwith\/odd\u003dchars~' 'k3y&#43;with/odd=chars~'; do
	n=$((n + 1))
	body=$(printf '%s' "{\"message\": \"you sent $spelling\"}" | /usr/bin/python3 -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.stdin.read(), safe=""))')
	sql "CREATE SERVER echo$n TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(peer_url fault_server)/fault/status-400/score?body=$body', auth 'key', request_format 'records');
		CREATE FUNCTION echo$n(i int) RETURNS float8 LANGUAGE ml_score AS 'echo$n'; $quiet
		CREATE USER MAPPING FOR postgres SERVER echo$n OPTIONS (key 'k3y+with/odd=chars~')"
	message=$(sql_error "SELECT echo$n(1)")
	like "$message" 'you sent \*+' "a key that a reply repeats is masked: spelt $spelling"
	unlike "$message" "odd|chars" "all of it"
done
# But not so short a secret that it is found in any word: masking would tell what it is.
sql "$quiet ALTER USER MAPPING FOR postgres SERVER scan_refused OPTIONS (SET client_secret 's')"
message=$(sql_error "SELECT scan_refused(1)")
like "$message" "AADSTS7000215: .*s" "a message goes without damage from a secret of one letter"
unlike "$message" '\*' "which is not masked"
sql "ALTER USER MAPPING FOR postgres SERVER echo1 OPTIONS (SET key 'k3y+w')"
like "$(sql_error "SELECT echo1(1)")" 'you sent k3y\+with' "five bytes are not masked"
sql "ALTER USER MAPPING FOR postgres SERVER echo1 OPTIONS (SET key 'k3y+wi')"
like "$(sql_error "SELECT echo1(1)")" 'you sent \*{6}th' "six are"
is "$("$PGBIN/pg_dump" -U postgres "$PGDATABASE" 2>/dev/null | grep -Ec 'token-[0-9]+-|Pr1mary')" 0 "a dump has nothing that was fetched"
done_testing
