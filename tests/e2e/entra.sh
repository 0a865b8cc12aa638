#!/bin/bash
# auth 'entra': tokens by secret and certificate, fetched once, renewed when refused, shared by all backends.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/identity.sh"

identity_server plain "auth 'entra', credential 'client_secret'"
mapping plain "tenant_id 'ok', client_id 'client-1', client_secret 'a+b ~/c%d'"
identity reset >/dev/null
is "$(sql "SELECT sum(plain(i)) FROM generate_series(1, 10) i")" 45 "rows are scored with a token"
form=$(identity "last?path=/ok/oauth2")
like "$form" '"client_id": "client-1", "scope": "https://ml.azure.com/.default", "client_secret": "a\+b ~/c%d", "grant_type": "client_credentials"' \
	"which was asked for with the secret and the scope of online endpoints"
like "$form" '"method": "POST", "path": "/ok/oauth2/v2.0/token"' "at the tenant's token endpoint"
like "$form" '"content-type": "application/x-www-form-urlencoded"' "as a form"
sql "SELECT plain(1)" >/dev/null
is "$(identity "count?path=/ok/oauth2")" 1 "another session has no need of another token"
is "$(sql "SELECT kind, identity, scope, source, fetches, expires_at > now() + '50 min', last_error FROM ml_score.token_status WHERE identity = 'client-1'")" \
	"token|client-1|https://ml.azure.com/.default|client secret|1|t|" "ml_score.token_status tells of it"

identity revoke >/dev/null
is "$(sql "SELECT sum(plain(i)) FROM generate_series(1, 10) i")" 45 "a token that the endpoint refuses is replaced by a new one"
is "$(identity "count?path=/ok/oauth2")" 2 "once"
identity "revoke?claims=1" >/dev/null
sql "SELECT plain(1)" >/dev/null
like "$(identity "last?path=/ok/oauth2")" '"claims": "\{\\"access_token\\":\{\\"nbf\\"' "claims that a challenge asks for go into the request"
identity "revoke" >/dev/null

identity_server broken "auth 'entra', credential 'client_secret', scope 'https://other.example/.default'"
mapping broken "tenant_id 'refuse', client_id 'client-1', client_secret 'wr+ng s3cret/of-mine'"
message=$(sql_error "SELECT broken(1)")
like "$message" 'ERROR:  28000: could not get a token for server "broken"' "a refused credential is an error"
like "$message" "AADSTS7000215" "that says what the authority said"
unlike "$message" "s3cret" "without the secret, however it is repeated"
like "$(sql_error "SELECT broken(1)")" "28000.*could not get a token" "it is not tried again"
is "$(identity "count?path=/refuse/")" 1 "for a minute"
sql "ALTER USER MAPPING FOR postgres SERVER broken OPTIONS (SET tenant_id 'ok')"
is "$(sql "SELECT broken(1)")" 0 "but at once when the mapping changed"
like "$(identity "last?path=/ok/oauth2")" '"scope": "https://other.example/.default"' "the option scope is sent"

identity_server once "auth 'entra', credential 'client_secret'"
mapping once "tenant_id 'once-503', client_id 'c', client_secret 's'"
is "$(sql "SELECT once(1)")" 0 "a token service that is not available at first is asked again"
identity_server garbage "auth 'entra', credential 'client_secret'"
mapping garbage "tenant_id 'garbage', client_id 'c', client_secret 's'"
like "$(sql_error "SELECT garbage(1)")" "08P01.*could not get a token" "garbage is an error"
for mode in expired no-expiry; do
	sql "ALTER USER MAPPING FOR postgres SERVER garbage OPTIONS (SET tenant_id '$mode')"
	like "$(sql_error "SELECT garbage(1)")" "08P01.*could not get a token" "so is a token reply that is $mode"
done
sql "ALTER USER MAPPING FOR postgres SERVER garbage OPTIONS (SET tenant_id 'huge')"
is "$(sql "SELECT garbage(1)")" 0 "a token longer than the cache keeps is used all the same"

identity_server hanging "auth 'entra', credential 'client_secret'"
mapping hanging "tenant_id 'hang', client_id 'c', client_secret 's'"
begin=$(now_ms)
like "$(sql_error "SET statement_timeout = '500ms'; SELECT hanging(1)")" "57014" "statement_timeout acts while a token service hangs"
cmp_ok $(($(now_ms) - begin)) "<" 8000 "at once"
sql_background first "SET statement_timeout = '4s'; SELECT hanging(1)"
wait_until 10 "SELECT fetcher IS NOT NULL FROM ml_score.token_status WHERE authority = '$IDENTITY_URL' AND fetcher IS NOT NULL"
like "$(sql_error "SET statement_timeout = '300ms'; SELECT hanging(1)")" "57014" "and while another backend's fetch is waited for"
like "$(sql_join first)" "statement timeout" "which goes on"

identity_server unreachable "auth 'entra', credential 'client_secret', max_attempts '1'"
sql "ALTER SERVER unreachable OPTIONS (SET authority_host 'https://127.0.0.1:9')"
mapping unreachable "tenant_id 'ok', client_id 'c', client_secret 's'"
like "$(sql_error "SELECT unreachable(1)")" "08006.*could not get a token" "an authority that cannot be reached is a connection failure"
like "$(sql_error "ALTER SERVER unreachable OPTIONS (SET authority_host 'http://127.0.0.1:9'); SELECT unreachable(1)")" "https" "an authority must have https"
like "$(sql_error "SET ml_score.allowed_hosts = 'localhost'; SELECT unreachable(1)")" "42501" "and be among the allowed hosts"

# certificates
pem=$(cat "$(identity_setup client_pem)")
locked=$(cat "$(identity_setup locked_pem)")
for algorithm in PS256 RS256; do
	name=cert_${algorithm,,}
	identity_server "$name" "auth 'entra', credential 'client_certificate', assertion_algorithm '$algorithm', send_certificate_chain '$([ $algorithm = PS256 ] && echo true || echo false)'"
	mapping "$name" "tenant_id 'ok', client_id 'client-$algorithm', client_certificate '$pem'"
	is "$(sql "SELECT $name(1)")" 0 "a certificate's key signs for a token ($algorithm)"
	is "$(identity "last?path=/ok/oauth2" | /usr/bin/python3 "$ROOT/tests/peers/check_assertion.py" "$(identity_setup client_pem)" "$IDENTITY_URL/ok/oauth2/v2.0/token" "client-$algorithm" $algorithm)" \
		"good" "header, claims and signature are right"
done
identity_server locked "auth 'entra', credential 'client_certificate'"
mapping locked "tenant_id 'ok', client_id 'c', client_certificate '$locked', client_certificate_password 'open sesame'"
is "$(sql "SELECT locked(1)")" 0 "the key may be encrypted"
sql "ALTER USER MAPPING FOR postgres SERVER locked OPTIONS (SET client_certificate_password 'open says me')"
like "$(sql_error "SELECT locked(1)")" "28000.*could not get a token" "with the right password only"
sql "ALTER USER MAPPING FOR postgres SERVER locked OPTIONS (SET client_certificate '$(cat "$(identity_setup expired_pem)")', DROP client_certificate_password)"
like "$(sql_error "SELECT locked(1)" | tr '\n' ' ')" "28000.*could not get a token.*The client certificate has expired" "an expired certificate is not sent"
sql "ALTER USER MAPPING FOR postgres SERVER locked OPTIONS (SET client_certificate '$pem', SET tenant_id 'clock')"
for ahead in 1200 -1200; do
	identity "set?ahead=$ahead" >/dev/null
	sql "ALTER USER MAPPING FOR postgres SERVER locked OPTIONS (SET client_id 'clock$ahead')"
	like "$(sql_error "SELECT locked(1)" | tr '\n' ' ')" "28000.*AADSTS700024.*clock is (1199|1200|1201) s $([ $ahead -gt 0 ] && echo behind || echo 'ahead of')" "with a clock that is wrong the hint says so ($ahead s)"
done
identity "set?ahead=200" >/dev/null
sql "ALTER USER MAPPING FOR postgres SERVER locked OPTIONS (SET client_id 'c')"
is "$(sql "SELECT locked(1)")" 0 "a few minutes do no harm"
identity "set?ahead=0" >/dev/null

# who does not know us, or sends us elsewhere
sql "ALTER USER MAPPING FOR postgres SERVER locked OPTIONS (SET tenant_id 'nobody')"
like "$(sql_error "SELECT locked(1)" | tr '\n' ' ')" "28000.*AADSTS90002" "a tenant that does not exist"
identity reset >/dev/null
sql "ALTER USER MAPPING FOR postgres SERVER locked OPTIONS (SET tenant_id 'redirect')"
like "$(sql_error "SELECT locked(1)" | tr '\n' ' ')" "could not get a token.*HTTP status 307" "a token service that redirects"
is "$(identity "count?path=/ok/oauth2")" 0 "and no credential is taken there"

# one for all
identity_server crowd "auth 'entra', credential 'client_secret'"
mapping crowd "tenant_id 'slow', client_id 'c', client_secret 's'"
printf 'SELECT crowd(1);\n' >"$RUN/crowd.sql"
seq 100 | xargs -P 100 -I{} "$PGBIN/psql" -XAtqf "$RUN/crowd.sql" >"$RUN/crowd.out" 2>&1
is "$(sort "$RUN/crowd.out" | uniq -c | tr -s ' ')" " 100 0" "a hundred backends that start at once score"
is "$(identity "count?path=/slow/")" 1 "with one token"

# a statement whose token is refused waits for another without a spin, and can be cancelled
identity_server hung "auth 'entra', credential 'client_secret'"
mapping hung "tenant_id 'then-hang', client_id 'c', client_secret 's'"
is "$(sql "SELECT hung(1)")" 0 "a first token"
identity revoke >/dev/null
begun=$(now_ms)
like "$(sql_error "SET statement_timeout = '2s'; SELECT hung(1)")" "57014" "statement_timeout acts while the next one does not come"
cmp_ok "$(($(now_ms) - begun))" "<" 30000 "at once"

# old and new
identity_server old "auth 'entra', credential 'client_secret', max_attempts '1'"
mapping old "tenant_id 'then-503', client_id 'c', client_secret 's'"
is "$(sql "SELECT old(1)")" 0 "a token of a short life"
sql "SELECT pg_sleep(21)" >/dev/null
is "$(sql "SELECT old(1)")" 0 "stays in use while its renewal fails"
is "$(sql "SELECT last_error ~ '503' FROM ml_score.token_status WHERE scope = 'https://ml.azure.com/.default' AND last_error_at > fetched_at AND expires_at > now()")" t \
	"which ml_score.token_status tells"
done_testing
