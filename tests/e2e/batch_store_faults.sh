#!/bin/bash
# Batch jobs whose credential ends, lacks a role or is of another time; results that are empty, or in the way; requests not taken.
# Version: 15, what the store says is the same for every version
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/batch_jobs.sh"
. "$ROOT/tests/lib/identity.sh"
batch_setup store-faults 200

# A SAS that ends while the job runs
sql "ALTER SERVER lake OPTIONS (SET auth 'sas'); ALTER USER MAPPING FOR PUBLIC SERVER lake OPTIONS (DROP account_key, ADD sas_token '$(blob_sas "$BOX" racwdl 6)')"
ends=$((SECONDS + 7))
batch_fault '{"on": "job", "hold": "Running"}'
id=$(submit)
wait_state "$id" running
until [ $SECONDS -ge $ends ]; do sleep 0.2; done
batch_no_faults
finish "$id" >/dev/null
like "$(why "$id")" "^downloading / 28000 / could not (list|read) blob .*HTTP status 403.*(a SAS may have expired|AuthorizationFailure)" "a SAS that ends while the job runs"
sql "ALTER USER MAPPING FOR PUBLIC SERVER lake OPTIONS (SET sas_token '$(blob_sas "$BOX")'); SELECT ml_score.retry_batch($id)" >/dev/null
is "$(finish "$id") $(invoked "$id") $(stored)" "completed 1 200|200|1|200" "with a new one the job goes on where it was"

# A role that is missing
sql "TRUNCATE price; ALTER USER MAPPING FOR PUBLIC SERVER lake OPTIONS (SET sas_token '$(blob_sas "$BOX" rl)')"
id=$(submit)
finish "$id" >/dev/null
like "$(why "$id")" "^exporting / .*AuthorizationPermissionMismatch.*Storage Blob Data Contributor" "a credential that may not write: the role is named"
sql "ALTER SERVER lake OPTIONS (SET auth 'shared_key'); ALTER USER MAPPING FOR PUBLIC SERVER lake OPTIONS (DROP sas_token, ADD account_key '$BLOB_KEY')"

# A clock that is wrong: Azurite does not look at it
sql "CREATE SERVER late TYPE 'blob' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$IDENTITY_URL/acct/clock', auth 'shared_key', ca_file '$IDENTITY_CA', retry_base_delay '10ms');
	CREATE USER MAPPING FOR PUBLIC SERVER late OPTIONS (account_key '$BLOB_KEY')"
identity "set?ahead=1800" >/dev/null
like "$(sql "SELECT hint FROM ml_score.check_server('late') WHERE step = 'write'")" "clock is (1799|1800|1801) s behind" "a clock that is wrong is told of"
identity "set?ahead=0" >/dev/null

# Results
batch_fault '{"on": "job", "output": "empty"}'
id=$(submit)
is "$(finish "$id") $(job "$id" "rows_in, missing, dead_letters") $(sql "SELECT count(*) FROM ml_score.batch_missing WHERE job = $id")" "completed 0|200|0 200" \
	"an output of no bytes: all rows are missing"
batch_fault '{"on": "job", "output": "empty"}'
id=$(submit "on_missing => 'fail'")
like "$(finish "$id")" "200 of 200 rows have no prediction" "or the job fails"
outputs="outputs => '{\"score\": \"azureml://datastores/$BOX/paths/fixed/predictions.csv\"}'"
sql "ALTER SERVER pb OPTIONS (ADD deployment 'pipeline')"
pipeline="SELECT ml_score.submit_batch('pb', input => 'azureml://datastores/$BOX/paths/x.csv', $outputs)"
is "$(finish "$(sql "$pipeline")")" completed "an output at a place of the user's own"
like "$(finish "$(sql "$pipeline")")" "output file fixed/predictions.csv exists already" "which is not written over"
sql "ALTER SERVER pb OPTIONS (DROP deployment)"

# The endpoint did not take the job
for fault in '"status": 503' '"drop": true'; do
	sql "TRUNCATE price"
	batch_fault "{\"on\": \"invoke\", $fault}"
	id=$(submit)
	is "$(finish "$id" 90) $(invoked "$id") $(stored)" "completed 1 200|200|1|200" "a request that was not carried out is made again ($fault)"
done
# A store that lists what cannot be
need_peer hostile_store
sql "ALTER SERVER pb OPTIONS (ADD deployment 'pipeline')"
for container in unsized negative endless; do
	sql "CREATE SERVER $container TYPE 'blob' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(peer_url hostile_store)/acct/$container', auth 'none');
		ALTER SERVER pb OPTIONS (SET storage '$container')"
	id=$(sql "SELECT ml_score.submit_batch('pb', input => 'azureml://datastores/$BOX/paths/x.csv', target => 'price',
		outputs => '{\"score\": \"azureml://datastores/$BOX/paths/hostile/$container.csv\"}')")
	expected="does not say how long the blob .*/out/0.csv. is"
	[ $container != endless ] || expected="lists its blobs on more than 1000 pages"
	wait_until 60 "SELECT error ~ '$expected' AND sqlstate IN ('08P01', '54000') FROM ml_score.batch_job WHERE id = $id"
	ok $? "a listing that is $container is refused" "$(why "$id")"
	sql "SELECT ml_score.cancel_batch($id)" >/dev/null
done
done_testing
