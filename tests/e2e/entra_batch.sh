#!/bin/bash
# Batch jobs and their store with auth 'entra': a token for each audience, over https, checked by those who take them.
# Version: 16, the requests are the same for every version
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/batch_jobs.sh"
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

# a SAS that the identity's user delegation key signs
batch_datastore vault-store "$(blob_url entra-batch)"
sql "ALTER SERVER pb OPTIONS (SET storage 'vault', SET input_uri '$(blob_url entra-batch)/{path}?{sas}', SET output_uri 'azureml://datastores/vault-store/paths/{path}')"
sql "ALTER DATABASE $PGDATABASE SET log_min_messages = 'debug5'; ALTER DATABASE $PGDATABASE SET ml_score.log_requests = 'all'"
server_log_mark
sql "TRUNCATE price"
first=$(submit)
is "$(sql "SELECT step, ok FROM ml_score.check_server('pb') WHERE step = 'make a SAS'")" "make a SAS|t" "check_server makes one"
is "$(finish "$first") $(stored)" "completed 100|100|1|100" "a job whose input is a URL with a user delegation SAS"
sas=$(batch_jobs | grep -o "ml_score/$first-[^\"]*" | grep -o '[?].*' | head -n 1)
is "$(sql "SELECT count(*) FROM ml_score.batch_job_event WHERE job = $first AND state = 'submitting' AND message ~ 'its SAS ends at .*Z, which is before its timeout'")" 1 \
	"that it ends before the job's timeout is noted"
like "$sas" '[?]se=.*&sp=racwl&spr=https&sv=2021-12-02&sr=c&skoid=tests&sktid=tenant&skt=.*&ske=.*&sks=b&skv=.*&sig=' "which says whose key it is"
is "$(curl -sS -o /dev/null -w '%{http_code}' --cacert "$BLOB_CA" "$(blob_url entra-batch)${sas}&restype=container&comp=list")" 200 "and is good on its own"
is "$(curl -sS -o /dev/null -w '%{http_code}' --cacert "$BLOB_CA" "$(blob_url entra-batch)${sas/sp=racwl/sp=racwdl}&restype=container&comp=list")" 403 "for no more than it says"
id=$(submit "on_conflict => 'update', timeout => '5 days'")
is "$(finish "$id")" completed "another job"
is "$(sql "SELECT count(*) FROM ml_score.batch_job_event WHERE job = $id AND message ~ 'its SAS ends'")" 0 "whose SAS lives longer"
is "$(sql "SELECT identity, scope = '$(blob_url "")', source, fetches, expires_at - fetched_at BETWEEN '23 hours' AND '24 hours', last_error FROM ml_score.token_status WHERE kind = 'delegation key'")" \
	"app|t|blob service|1|t|" "has the same key from the cache"
sql "ALTER DATABASE $PGDATABASE RESET ALL"
log=$(server_log)
like "$log" "ml_score request: server \"vault\"" "the log at debug5 has the requests"
is "$(grep -cF "${sas##*sig=}" <<<"$log$(sql "SELECT j::text FROM ml_score.batch_job j")$(sql "SELECT e::text FROM ml_score.batch_job_event e")$(sql "SELECT t::text FROM ml_score.token_status t")")" 0 \
	"the SAS is written down nowhere"
is "$(BLOB_CA=$BLOB_CA "$CACHE/venv-azure/bin/python" "$ROOT/tests/peers/delegation_client.py" "$(blob_url "")" entra-batch "$(blob_token tid=tenant)" "$sas")" \
	same "azure-storage-blob asks for such a key and signs alike"

sql "ALTER USER MAPPING FOR PUBLIC SERVER vault OPTIONS (SET tenant_id 'ok')"
like "$(sql "SELECT string_agg(step || ': ' || message, ', ') FROM ml_score.check_server('vault') WHERE NOT ok")" "write: .*403" \
	"a token that the store does not know is refused there"
sql "CREATE SERVER stingy TYPE 'blob' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$IDENTITY_URL/acct/box', auth 'entra', credential 'client_secret',
	authority_host '$IDENTITY_URL', authority_ca_file '$IDENTITY_CA', ca_file '$IDENTITY_CA', retry_base_delay '10ms')"
mapping stingy "tenant_id 'ok', client_id 'app', client_secret 's'" PUBLIC
sql "ALTER SERVER pb OPTIONS (SET storage 'stingy')"
id=$(sql "SELECT ml_score.submit_batch('pb', input => 'azureml://datastores/entra-batch/paths/x.csv', outputs => '{\"score\": \"https://acct/box/{path}?{sas}\"}')")
like "$(finish "$id")" "could not get a user delegation key for server .stingy." "an identity that may not have a key"
is "$(job "$id" "sqlstate, error_detail ~ 'AuthorizationPermissionMismatch', error_hint ~ 'Storage Blob Delegator'")" "28000|t|t" "is told which role it lacks"
like "$(sql "SELECT hint FROM ml_score.check_server('pb') WHERE step = 'make a SAS'")" "again in|Storage Blob Delegator" "by check_server, too"
done_testing
