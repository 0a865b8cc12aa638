# batch.sh - a batch endpoint with real jobs (peers/batch_endpoint.py, which tells what it does and how to make it misbehave).
#
# After `need_peer batch_endpoint` (which has Azurite as its store), BATCH_URL is where jobs are invoked, BATCH_HTTPS_URL the same
# over https (BLOB_CA), and BATCH_WORKSPACE the workspace's path on the same host.
#
#   batch_token [CLAIM=VALUE...]     a bearer token for jobs and their list; batch_arm_token: for the control plane (cancel)
#   batch_accept_token TOKEN         accept this one, which may be anything
#   batch_datastore NAME CONTAINER   jobs know the container (or its URL) as azureml://datastores/NAME/paths/
#   batch_pace SECONDS               how long a job stays in each state (0.1)
#   batch_fault JSON                 misbehave; batch_no_faults: behave again, and let held jobs go on
#   batch_release                    let held jobs go on
#   batch_jobs                       every job, as JSON
#   batch_requests NAME              how many requests to invoke, status, list or cancel it got
# shellcheck shell=bash

BATCH_WORKSPACE=/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/tests/providers/Microsoft.MachineLearningServices/workspaces/tests

# start_batch_endpoint PORT
start_batch_endpoint() {
	need_peer azurite
	need_model
	need_certificates
	mkdir -p "$RUN/batch"
	echo "BATCH_HTTPS_URL=https://localhost:$(free_port)/jobs" >"$RUN/batch/settings"
	. "$RUN/batch/settings"
	blob_container workspaceblobstore 2>/dev/null || true
	start_peer batch_endpoint "$1" env BLOB_KEY="$BLOB_KEY" BLOB_CA="$BLOB_CA" /usr/bin/python3 "$ROOT/tests/peers/batch_endpoint.py" --port "$1" \
		--tls-port "$(sed 's#.*:\(.*\)/jobs#\1#' <<<"$BATCH_HTTPS_URL")" --cert "$RUN/tls/server.crt" --key "$RUN/tls/server.key" --storage "$(blob_url "")" --job-python "$CACHE/venv-azure/bin/python" --score-python "$CACHE/venv-scoring/bin/python" \
		--model "$CACHE/model" --log-dir "$RUN/batch"
}

# batch_endpoint_healthy: it answers; its address and that of its store are known here.
batch_endpoint_healthy() {
	need_peer azurite
	. "$RUN/batch/settings"
	BATCH_URL=$(peer_url batch_endpoint)/jobs
	answers_http batch_endpoint
}

batch_admin() {
	curl -sS --fail-with-body -m 20 -X "$1" "$(peer_url batch_endpoint)/admin/$2" ${3:+-d "$3"}
}

batch_token() {
	signed_token aud=https://ml.azure.com iss=https://sts.windows.net/tests/ oid=tests "$@"
}

batch_arm_token() {
	signed_token aud=https://management.azure.com iss=https://sts.windows.net/tests/ oid=tests "$@"
}

batch_accept_token() {
	batch_admin POST tokens "[\"$1\"]"
}

batch_datastore() {
	batch_admin POST datastores "{\"$1\": \"$2\"}"
}

batch_pace() {
	batch_admin POST pace "$1"
}

batch_fault() {
	batch_admin POST faults "$1"
}

batch_release() {
	batch_admin POST release
}

batch_no_faults() {
	batch_admin DELETE faults
	batch_release
}

batch_jobs() {
	batch_admin GET jobs
	echo
}

batch_requests() {
	batch_admin GET requests | sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p"
}
