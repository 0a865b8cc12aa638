#!/bin/bash
# Azure's own library and this extension ask the same services: the same requests, field by field, and the same end.
# Version: 16, the requests are the same for every version
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/identity.sh"
need_venv azure
peer=$(peer_url identity_server)
client() {
	"$CACHE/venv-azure/bin/python" "$ROOT/tests/peers/identity_client.py" "$@"
}

# compare NAME PATH KIND SERVER: both get a token, and what each asked PATH for is the same.
compare() {
	local theirs ours
	identity reset >/dev/null
	is "$(client token "$3" "$IDENTITY_URL" "$IDENTITY_CA" "$(identity_setup client_pem)")" token "Azure's library gets a token: $1"
	theirs=$(identity "last?path=$2")
	identity reset >/dev/null
	is "$(sql "SELECT $4(1)")" 0 "so do we"
	ours=$(identity "last?path=$2")
	is "$(client compare "$theirs" "$ours")" same "by the same request"
}

identity_server by_secret "auth 'entra', credential 'client_secret'"
mapping by_secret "tenant_id 'ok', client_id 'client-3', client_secret 'a+b ~/c%d'"
compare "a client secret" /oauth2/v2.0/token client_secret@ok/client-3 by_secret
identity_server by_certificate "auth 'entra', credential 'client_certificate', assertion_algorithm 'RS256', send_certificate_chain 'true'"
mapping by_certificate "tenant_id 'ok', client_id 'client-2', client_certificate 'file:$(identity_setup client_pem)'"
compare "a client certificate" /oauth2/v2.0/token client_certificate@ok/client-2 by_certificate

# The same answers to errors.
for mode in refuse status-400 status-403 expired; do
	identity_server "end_${mode//-/_}" "auth 'entra', credential 'client_secret'"
	mapping "end_${mode//-/_}" "tenant_id '$mode', client_id 'c', client_secret 'a+b ~/c%d'"
	theirs=$(client token "client_secret@$mode/c" "$IDENTITY_URL" "$IDENTITY_CA" "" 2>&1 | tail -n 1)
	[ $mode != expired ] || theirs=refused # it hands the expired token out, and leaves the error to who uses it
	is "$theirs" refused "Azure's library gives up: $mode"
	like "$(sql_error "SELECT end_${mode//-/_}(1)")" "could not get a token" "so do we"
done

# The machine's own identities, by the same environment.
start_cluster identity "$PGVER" "shared_preload_libraries = 'ml_score'"
main=$CLUSTER
use_cluster identity
sql "CREATE EXTENSION ml_score"
identity_server managed "auth 'entra', credential 'managed_identity'"
identity_server chosen "auth 'entra', credential 'managed_identity', identity_client_id 'id-1'"
identity_server workload "auth 'entra', credential 'workload_identity'"
printf 'federated' >"$RUN/federated.token"
chmod 644 "$RUN/federated.token"

# under NAME=VALUE... -- COMMAND...
under() {
	local variables=()
	while [ "$1" != -- ]; do variables+=("$1") && shift; done
	shift
	stop_cluster identity
	export "${variables[@]}"
	restart_cluster identity
	"$@"
	unset "${variables[@]%%=*}"
}
both_managed() {
	compare "$1" "$2" managed_identity managed
	compare "$1, a chosen identity" "$2" managed_identity@/id-1 chosen
}
under AZURE_POD_IDENTITY_AUTHORITY_HOST="$peer" -- both_managed "the metadata service" /metadata
under IDENTITY_ENDPOINT="$peer/msi/token" IDENTITY_HEADER=identity-header -- both_managed "App Service" /msi/token
under MSI_ENDPOINT="$peer/aml/token" MSI_SECRET=msi-secret -- both_managed "Azure ML compute" /aml/token
under AZURE_TENANT_ID=ok AZURE_CLIENT_ID=w-1 AZURE_FEDERATED_TOKEN_FILE="$RUN/federated.token" -- \
	compare "workload identity" /oauth2/v2.0/token workload_identity workload
stop_cluster identity
use_cluster "$main"
done_testing
