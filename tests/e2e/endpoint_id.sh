#!/bin/bash
# Online endpoints by their ARM id, both of their keys, tokens of the control plane; secrets that stand elsewhere.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/identity.sh"
id=/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/e
identity "set?authMode=Key&primary=key-one&secondary=key-two" >/dev/null

# looked_up NAME OPTIONS: a server without a url.
looked_up() {
	sql "CREATE SERVER $1 TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (endpoint_id '$id', request_format 'records', credential 'client_secret',
		ca_file '$IDENTITY_CA', authority_ca_file '$IDENTITY_CA', authority_host '$IDENTITY_URL', management_url '$IDENTITY_URL', retry_base_delay '10ms'$2)"
	sql "CREATE FUNCTION $1(i int) RETURNS float8 LANGUAGE ml_score STABLE COST 10000 AS '$1'"
	mapping "$1" "tenant_id 'ok', client_id '$1', client_secret 's'"
}

# both keys in the mapping
identity_server keyed "auth 'key'"
mapping keyed "key 'key-one', secondary_key 'key-two'"
identity reset >/dev/null
is "$(sql "SELECT keyed(1)")" 0 "the first key scores"
identity "set?primary=key-new" >/dev/null
is "$(sql "SELECT sum(keyed(i)) FROM generate_series(1, 5) i")" 10 "when it is refused, the second does"
is "$(identity "count?path=/score")" 3 "after one refusal"
sql "SELECT keyed(1)" >/dev/null
is "$(identity "count?path=/score")" 4 "and then at once"
identity "set?secondary=key-other" >/dev/null
like "$(sql_error "SELECT keyed(1)")" "28000.*did not accept the credential" "with both refused it is an error"

# everything looked up
identity "set?primary=key-one&secondary=key-two" >/dev/null
looked_up found ""
identity reset >/dev/null
is "$(sql "SELECT found(1)")" 0 "an endpoint is found by its ARM id, its keys too"
like "$(identity "last?path=listkeys")" '"method": "POST".*"content-length": "0"' "which are asked for without a body"
like "$(identity "last?path=/oauth2/")" '"scope": "'"$IDENTITY_URL"'/.default"' "with a token for the control plane"
sql "SELECT found(1)" >/dev/null
is "$(identity "count?path=/subscriptions")" 2 "once for all sessions"
is "$(sql "SELECT string_agg(step || ' ' || ok, ', ') FROM ml_score.check_server('found')")" "look the endpoint up true, look at the endpoint true" \
	"check_server looks it up, too"
identity "set?primary=key-a&secondary=key-b" >/dev/null
is "$(sql "SELECT found(1)")" 0 "keys that were made anew are fetched when the old ones are refused"
is "$(sql "SELECT string_agg(kind || ' ' || coalesce(source, '-'), ', ' ORDER BY kind) FROM ml_score.token_status WHERE identity = 'found'")" \
	"endpoint resource manager, key resource manager, token client secret" "ml_score.token_status tells of all of it"
is "$(sql "SELECT count(*) FROM ml_score.token_status t WHERE t::text ~ 'key-a|key-one|token-[0-9]'")" 0 "without a value"

identity "set?authMode=AMLToken" >/dev/null
looked_up aml ""
is "$(sql "SELECT aml(1)")" 0 "an endpoint with Azure ML tokens gets one"
is "$(sql "SELECT refresh_at - fetched_at <= interval '1 hour' FROM ml_score.token_status WHERE identity = 'aml' AND scope LIKE '%/token'")" t "to be renewed when the control plane says"
identity revoke >/dev/null
is "$(sql "SELECT aml(1)")" 0 "and a new one when it is refused"
identity "set?authMode=AADToken" >/dev/null
looked_up aad ""
is "$(sql "SELECT aad(1)")" 0 "one with Entra tokens is talked to with those"
identity "set?authMode=Magic" >/dev/null
looked_up magic ""
like "$(sql_error "SELECT magic(1)")" "08P01.*authentication mode that is not known" "what is not known is said"
identity "set?authMode=Key" >/dev/null
looked_up described ", auth 'key'"
like "$(sql "SELECT * FROM ml_score.describe('described')" 2>&1)" "404|no such document|declare" "ml_score.describe looks it up as well"
like "$(sql_error "SET ml_score.allowed_hosts = 'localhost'; SELECT described(1)")" "42501" "allowed_hosts holds for the control plane"

# secrets that stand elsewhere
printf 'key-a\n' >"$RUN/keyfile"
chmod 644 "$RUN/keyfile"
identity_server filed "auth 'key'"
mapping filed "key 'file:$RUN/keyfile'"
is "$(sql "SELECT filed(1)")" 0 "a key may stand in a file"
identity "set?primary=key-c&secondary=key-d" >/dev/null
printf 'key-c\n' >"$RUN/keyfile"
is "$(sql "SELECT filed(1)")" 0 "and change there without a restart"
rm "$RUN/keyfile"
like "$(sql_error "SELECT filed(1)")" "28000.*could not read option \"key\"" "it is an error when the file is gone"
sql "ALTER USER MAPPING FOR postgres SERVER filed OPTIONS (SET key 'env:NO_SUCH_VARIABLE')"
like "$(sql_error "SELECT filed(1)")" "environment of the database server does not have" "or a variable is not there"

identity "set?kv-key=key-c" >/dev/null
identity_server vaulted "auth 'key', credential 'client_secret'"
mapping vaulted "tenant_id 'ok', client_id 'vaulted', client_secret 's', key 'keyvault:$IDENTITY_URL/secrets/kv-key'"
identity reset >/dev/null
is "$(sql "SELECT vaulted(1)")" 0 "a key may stand in a key vault"
like "$(identity "last?path=/secrets")" '"query": \{"api-version": "7.4"\}' "which is asked for it"
sql "SELECT vaulted(1)" >/dev/null
is "$(identity "count?path=/secrets")" 1 "once in some minutes"
identity "set?kv-key=key-e&primary=key-e" >/dev/null
is "$(sql "SELECT vaulted(1)")" 0 "and again when the endpoint refuses the key"
is "$(identity "count?path=/secrets")" 2 "once"
sql "ALTER USER MAPPING FOR postgres SERVER vaulted OPTIONS (SET key 'keyvault:$IDENTITY_URL/secrets/none')"
like "$(sql_error "SELECT vaulted(1)")" "could not get a secret of a key vault" "a secret that is not there is an error"
sql "ALTER USER MAPPING FOR postgres SERVER vaulted OPTIONS (SET client_secret 'keyvault:$IDENTITY_URL/secrets/kv-key')"
like "$(sql_error "SELECT vaulted(1)")" "needed to open the vault" "what opens the vault cannot be in it"
sql "CREATE SERVER nowhere TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (endpoint_id '$id', credential 'client_secret')"
is "$(sql "SELECT step, ok FROM ml_score.check_server('nowhere')")" "look the endpoint up|f" "and says so when it cannot"
done_testing
