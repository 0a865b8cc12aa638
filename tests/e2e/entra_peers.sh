#!/bin/bash
# The tokens that the played Entra issues for tenant "jwt" are what the broker, the store and the batch endpoint take.
# Version: 16, the peers are the same for every version
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/identity.sh"
need_peer kafka azurite_https batch_endpoint

# entra SCOPE: a token for it.
entra() {
	curl -sS --cacert "$IDENTITY_CA" -d grant_type=client_credentials --data-urlencode "scope=$1/.default" "$IDENTITY_URL/jwt/oauth2/v2.0/token" |
		sed 's/.*"access_token": "\([^"]*\).*/\1/'
}

# login TOKEN: to Event Hubs' listener with it.
login() {
	kafka_login bootstrap.servers="$KAFKA_EVENTHUBS" security.protocol=SASL_SSL ssl.ca.location="$KAFKA_CA" sasl.mechanism=OAUTHBEARER "token=$1"
}

# status URL TOKEN: the HTTP status of it.
status() {
	curl -sS -o /dev/null -w '%{http_code}' --cacert "$BLOB_CA" -H 'x-ms-version: 2021-12-02' -H "Authorization: Bearer $2" "$1"
}

storage=$(entra https://storage.azure.com)
is "$(login "$(entra https://localhost)")" ok "the broker takes one for its own host"
is "$(login "$(entra https://tests.servicebus.windows.net)")" ok "or for a namespace"
like "$(login "$storage")" invalid_token "not one for the store"
BLOB_PEER=azurite_https
blob_container entra-peers
is "$(status "$(blob_url entra-peers)?restype=container&comp=list" "$storage")" 200 "the store takes one for storage"
is "$(status "$(blob_url entra-peers)?restype=container&comp=list" "$(entra https://ml.azure.com)")" 403 "not one for jobs"
is "$(status "$BATCH_URL/none" "$(entra https://ml.azure.com)")" 404 "the batch endpoint takes one for jobs"
is "$(status "$BATCH_URL/none" "$storage")" 401 "not one for the store"
done_testing
