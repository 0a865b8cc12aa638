#!/bin/bash
# The database server's own identity: every identity endpoint that Azure gives to machines, as its environment says.
# Version: 16, the requests are the same for every version
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/identity.sh"
peer=$(peer_url identity_server)
main=$CLUSTER

# with_environment NAME=VALUE...: a server whose process has these variables, and nothing else of this kind.
with_environment() {
	[ -z "${started:-}" ] || stop_cluster identity
	[ -n "${started:-}" ] || (start_cluster identity "$PGVER" "shared_preload_libraries = 'ml_score'")
	started=1
	(
		# shellcheck disable=SC2163
		for variable; do export "$variable"; done
		restart_cluster identity
	)
	use_cluster identity
}

# token NAME: ask for a token through server NAME, which has a credential of this name.
token() {
	sql "SELECT $1(1)"
}

with_environment "AZURE_POD_IDENTITY_AUTHORITY_HOST=$peer"
sql "CREATE EXTENSION ml_score"
identity_server managed "auth 'entra', credential 'managed_identity'"
identity_server managed_client "auth 'entra', credential 'managed_identity', identity_client_id 'id-1'"
identity_server managed_object "auth 'entra', credential 'managed_identity', identity_object_id 'id-2'"
identity_server managed_resource "auth 'entra', credential 'managed_identity', identity_resource_id '/subscriptions/s/id 3'"
identity_server chain "auth 'entra', credential 'default'"
identity_server workload "auth 'entra', credential 'workload_identity'"
identity_server environment "auth 'entra', credential 'environment'"
identity_server cli "auth 'entra', credential 'azure_cli'"
identity_server proxied "auth 'entra', credential 'managed_identity', proxy 'http://127.0.0.1:9', scope 'https://proxied.example/.default'"

# the metadata service
identity reset >/dev/null
is "$(token managed)" 0 "a virtual machine's identity scores"
request=$(identity "last?path=/metadata")
like "$request" '"method": "GET", "path": "/metadata/identity/oauth2/token", "query": \{"api-version": "2018-02-01", "resource": "https://ml.azure.com"\}' \
	"the metadata service is asked for the resource"
like "$request" '"metadata": "true"' "with the header it wants"
is "$(sql "SELECT source, identity, refresh_at - fetched_at < interval '12h 1min' FROM ml_score.token_status")" \
	"managed identity, metadata service|the database server's|t" "a long token is renewed at half of its life"
token managed_client >/dev/null
like "$(identity "last?path=/metadata")" '"client_id": "id-1"' "an identity may be chosen by client id"
token managed_object >/dev/null
like "$(identity "last?path=/metadata")" '"object_id": "id-2"' "by object id"
token managed_resource >/dev/null
like "$(identity "last?path=/metadata")" '"msi_res_id": "/subscriptions/s/id 3"' "by resource id"
sql_error "SELECT proxied(1)" >/dev/null
like "$(identity "last?path=/metadata")" '"resource": "https://proxied.example"' "the metadata service is never asked through a proxy"
is "$(token chain)" 0 "credential 'default' finds it"

# its faults
for fault in 404-1 429-1 500-1 410-1; do
	with_environment "AZURE_POD_IDENTITY_AUTHORITY_HOST=$peer/imds-$fault"
	identity reset >/dev/null
	begin=$(now_ms)
	is "$(token managed)" 0 "status ${fault%-*} of the metadata service is waited out"
	cmp_ok $(($(now_ms) - begin)) ">" "$([ $fault = 410-1 ] && echo 9900 || echo 900)" "for as long as documented"
done
with_environment "AZURE_POD_IDENTITY_AUTHORITY_HOST=$peer/imds-404-9"
identity reset >/dev/null
like "$(sql_error "SET statement_timeout = '1500ms'; SELECT managed(1)")" "57014" "statement_timeout acts in these waits"
like "$(sql_error "SELECT managed(1)")" "could not get a token.*managed" "which come to an end"
is "$(($(identity "count?path=/metadata") <= 6))" 1 "after three more attempts"

# none at all
with_environment "AZURE_POD_IDENTITY_AUTHORITY_HOST=http://127.0.0.1:9"
message=$(sql_error "SELECT chain(1)")
for link in "environment: The server" "workload identity: The server" "managed identity: There is no metadata service" "Azure CLI: ml_score.allow_azure_cli is off"; do
	like "$message" "$link" "without any identity the error says: $link"
done
like "$(sql_error "SET ml_score.allow_azure_cli = on; SELECT chain(1)")" "Azure CLI: The program az" "with another setting it is not the remembered error"
like "$(sql_error "CREATE SERVER imds TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://169.254.169.254/score', request_format 'records');
	CREATE FUNCTION imds(i int) RETURNS float8 LANGUAGE ml_score AS 'imds'; SELECT imds(1)")" "link-local" "the metadata service is nothing a server can point to"

# other places
with_environment "IDENTITY_ENDPOINT=$peer/msi/token" IDENTITY_HEADER=identity-header
is "$(token managed)" 0 "App Service's identity scores"
like "$(identity "last?path=/msi")" '"api-version": "2019-08-01", "resource": "https://ml.azure.com"' "with its API version"
token managed_object >/dev/null
like "$(identity "last?path=/msi")" '"principal_id": "id-2"' "and its names of what is chosen"
with_environment "MSI_ENDPOINT=$peer/msi/token" MSI_SECRET=msi-secret
is "$(token managed)" 0 "so does the one of its older interface and of Azure ML's compute"
token managed_client >/dev/null
like "$(identity "last?path=/msi")" '"api-version": "2017-09-01".*"clientid": "id-1"' "which spells the client id in its own way"
like "$(sql_error "SELECT managed_object(1)")" "knows no option \"identity_object_id\"" "and knows no other selector"
with_environment "MSI_ENDPOINT=$peer/msi/token"
is "$(token managed)" 0 "Cloud Shell's"
like "$(identity "last?path=/msi")" '"method": "POST".*"form": \{"api-version|"form": \{"resource": "https://ml.azure.com"\}' "which is posted a form"
with_environment "IDENTITY_ENDPOINT=$IDENTITY_URL/fabric/token" IDENTITY_HEADER=fabric-secret "IDENTITY_SERVER_THUMBPRINT=$(identity_setup thumbprint)"
is "$(token managed)" 0 "Service Fabric's, whose certificate is known by its thumbprint"
like "$(identity "last?path=/fabric")" '"api-version": "2019-07-01-preview"' "with its API version"
with_environment "IDENTITY_ENDPOINT=$IDENTITY_URL/fabric/token" IDENTITY_HEADER=fabric-secret IDENTITY_SERVER_THUMBPRINT=0123456789012345678901234567890123456789
like "$(sql_error "SELECT managed(1)")" "could not get a token" "and no other certificate is accepted"
unlike "$(sql_error "SELECT managed(1)")" "fabric-secret" "no error shows the header's secret"

# Azure Arc: its challenge names a file of the agent's directory
arc=/var/opt/azcmagent/tokens
if [ "$(id -u)" = 0 ] && [ ! -e /var/opt/azcmagent ]; then
	mkdir -p $arc
	printf 'arc-key-content' >$arc/ml_score_test.key
	identity "set?arc_key_file=$arc/ml_score_test.key" >/dev/null
	with_environment "IDENTITY_ENDPOINT=$peer/arc/token" IMDS_ENDPOINT=http://127.0.0.1:9
	is "$(token managed)" 0 "Azure Arc's identity scores after its challenge"
	like "$(identity "last?path=/arc")" '"api-version": "2020-06-01".*"authorization": "Basic arc-key-content"' "with what the file holds"
	rm -r /var/opt/azcmagent
fi
printf 'stolen' >"$RUN/outside.key"
chmod 644 "$RUN/outside.key"
identity "set?arc_key_file=$RUN/outside.key" >/dev/null
with_environment "IDENTITY_ENDPOINT=$peer/arc/token" IMDS_ENDPOINT=http://127.0.0.1:9
like "$(sql_error "SELECT managed(1)")" "names a file outside of" "a challenge that names another file is refused"
is "$(identity log | grep -c stolen)" 0 "and nothing of it is sent"

# Kubernetes, and plain variables
printf 'federated-assertion\n' >"$RUN/federated"
chmod 644 "$RUN/federated"
with_environment AZURE_TENANT_ID=ok AZURE_CLIENT_ID=workload-1 "AZURE_FEDERATED_TOKEN_FILE=$RUN/federated"
is "$(token workload)" 0 "a pod's workload identity scores"
like "$(identity "last?path=/oauth2/v2.0")" '"client_id": "workload-1".*"client_assertion": "federated-assertion"' "with the token in its file"
is "$(token chain)" 0 "credential 'default' finds it too"
with_environment AZURE_TENANT_ID=ok AZURE_CLIENT_ID=env-1 AZURE_CLIENT_SECRET=env-secret "AZURE_AUTHORITY_HOST=$IDENTITY_URL"
sql "ALTER SERVER environment OPTIONS (DROP authority_host)"
is "$(token environment)" 0 "the environment's client secret scores, at the environment's authority"
like "$(identity "last?path=/oauth2/v2.0")" '"client_id": "env-1".*"client_secret": "env-secret"' "as the SDKs use it"
with_environment AZURE_TENANT_ID=ok AZURE_CLIENT_ID=env-2 "AZURE_CLIENT_CERTIFICATE_PATH=$(identity_setup client_pem)" "AZURE_AUTHORITY_HOST=$IDENTITY_URL"
is "$(token environment)" 0 "so does its certificate"

# the Azure CLI
mkdir -p "$RUN/bin"
cat >"$RUN/bin/az" <<-SCRIPT
	#!/bin/bash
	unset LD_PRELOAD # the sanitizers'
	echo "\$*" >$RUN/az.log
	[ ! -e $RUN/az.hang ] || sleep 60
	[ "\$(id -un)" != root ] || exit 3
	curl -sS --cacert $IDENTITY_CA -d x $IDENTITY_URL/ok/oauth2/v2.0/token | sed 's/access_token/accessToken/; s/"expires_in": [0-9]*/"expires_on": '\$((\$(date +%s) + 3000))'/'
SCRIPT
chmod 755 "$RUN/bin/az"
: >"$RUN/az.log" && chmod 666 "$RUN/az.log"
with_environment "PATH=$RUN/bin:$PATH"
message=$(sql_error "SELECT cli(1)")
like "$message" "allow_azure_cli is off" "the Azure CLI is run only if a superuser lets it"
like "$message" "Superusers.* may set ml_score.allow_azure_cli" "the error says who may"
like "$(sql_error "SELECT cli(1)")" "Superusers.* may set ml_score.allow_azure_cli" "each time"
is "$(sql "SET ml_score.allow_azure_cli = on; SELECT cli(1)")" 0 "and when it is set, the refusal is forgotten at once"
like "$(sql_error "SELECT cli(1)")" "allow_azure_cli is off" "while sessions without the setting get nothing of it"
sql "ALTER SYSTEM SET ml_score.allow_azure_cli = on"
with_environment "PATH=$RUN/bin:$PATH"
is "$(token cli)" 0 "who is logged in to it scores then"
is "$(cat "$RUN/az.log")" "account get-access-token --output json --scope https://ml.azure.com/.default" "it is asked for the scope"
touch "$RUN/az.hang"
with_environment "PATH=$RUN/bin:$PATH"
begin=$(now_ms)
like "$(sql_error "SET statement_timeout = '500ms'; SELECT cli(1)")" "57014" "statement_timeout ends it"
cmp_ok $(($(now_ms) - begin)) "<" 8000 "at once"

stop_cluster identity
use_cluster "$main"
done_testing
