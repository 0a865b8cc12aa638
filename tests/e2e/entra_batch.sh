#!/bin/bash
# Batch jobs and their store with auth 'entra': a token for each audience, over https, checked by those who take them.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/batch_jobs.sh"
[ "$PGVER" = 16 ] || skip_all "the requests are the same for every version"
. "$ROOT/tests/lib/identity.sh"
need_peer azurite_https
batch_setup entra-batch 100
BLOB_PEER=azurite_https
blob_container entra-batch
base=${BATCH_HTTPS_URL%/jobs}
identity="auth 'entra', credential 'client_secret', authority_host '$IDENTITY_URL', authority_ca_file '$IDENTITY_CA', ca_file '$BLOB_CA'"
sql <<-EOF2
	CREATE SERVER vault TYPE 'blob' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(blob_url entra-batch)', $identity);
	DROP SERVER pb CASCADE;
	CREATE SERVER pb TYPE 'batch' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$BATCH_HTTPS_URL', storage 'lake', $identity,
		input_uri 'azureml://datastores/entra-batch/paths/{path}', output_uri 'azureml://datastores/entra-batch/paths/{path}',
		workspace_url '$base$BATCH_WORKSPACE', jobs_url '$base/mferp/managementfrontend$BATCH_WORKSPACE/batchEndpoints/price-batch/jobs',
		poll_min_interval '100ms', poll_max_interval '500ms');
	CREATE USER MAPPING FOR PUBLIC SERVER vault OPTIONS (tenant_id 'jwt', client_id 'app', client_secret 's');
	CREATE USER MAPPING FOR PUBLIC SERVER pb OPTIONS (tenant_id 'jwt', client_id 'app', client_secret 's');
EOF2

is "$(sql "SELECT string_agg(step, ', ') FILTER (WHERE ok), string_agg(message, ', ') FILTER (WHERE NOT ok) FROM ml_score.check_server('vault')")" \
	"credential, write, list, read, delete|" "the store takes the identity's token"
is "$(sql "SELECT string_agg(step, ', ') FILTER (WHERE ok), string_agg(message, ', ') FILTER (WHERE NOT ok) FROM ml_score.check_server('pb') WHERE name = 'pb'")" \
	"credential, look at a job, list jobs, cancel a job|" "so does every path of the batch endpoint, each for its audience"
is "$(finish "$(submit)")" completed "a job"
is "$(stored)" "100|100|1|100" "with its predictions"
batch_fault '{"on": "job", "hold": "Running"}'
id=$(submit "on_conflict => 'update'")
wait_until 30 "SELECT azure_status = 'Running' FROM ml_score.batch_job WHERE id = $id"
sql "SELECT ml_score.cancel_batch($id)" >/dev/null
wait_until 30 "SELECT state = 'cancelled' FROM ml_score.batch_job WHERE id = $id"
is "$(job "$id" state)" cancelled "and cancelled, with a token for the control plane"
batch_no_faults
sql "ALTER USER MAPPING FOR PUBLIC SERVER vault OPTIONS (SET tenant_id 'ok')"
like "$(sql "SELECT string_agg(step || ': ' || message, ', ') FROM ml_score.check_server('vault') WHERE NOT ok")" "write: .*403" \
	"a token that the store does not know is refused there"
done_testing
