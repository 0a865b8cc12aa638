# batch_jobs.sh - servers, tables and helpers for tests of batch jobs; sourced after tap.sh.
#
# shellcheck shell=bash

# batch_setup BOX [ROWS]: in this database the extension's servers lake (container BOX) and pb (deployment mlflow), diamonds
# and the empty table price (id, price).
batch_setup() {
	need_peer batch_endpoint
	batch_no_faults
	batch_pace 0.1
	BOX=$1
	blob_container "$BOX" >/dev/null 2>&1
	batch_datastore "$BOX" "$BOX"
	batch_accept_token batch-tests
	batch_servers
	diamonds_table "${2:-1000}"
	sql "CREATE TABLE price (id int PRIMARY KEY, price float8)"
}

batch_servers() {
	local base=${BATCH_URL%/jobs} store="azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/$BOX/paths/{path}"
	sql <<-EOF2
		CREATE SERVER lake TYPE 'blob' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(blob_url "$BOX")', auth 'shared_key');
		CREATE USER MAPPING FOR PUBLIC SERVER lake OPTIONS (account_key '$BLOB_KEY');
		CREATE SERVER pb TYPE 'batch' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$BATCH_URL', auth 'key', storage 'lake',
			input_uri '$store', output_uri '$store', workspace_url '$base$BATCH_WORKSPACE',
			jobs_url '$base/mferp/managementfrontend$BATCH_WORKSPACE/batchEndpoints/price-batch/jobs',
			poll_min_interval '100ms', poll_max_interval '500ms', retry_base_delay '50ms', max_attempts '3');
		CREATE USER MAPPING FOR PUBLIC SERVER pb OPTIONS (key 'batch-tests');
	EOF2
}

# The columns that the model needs, and the job's usual query.
BATCH_QUERY="SELECT id, $DIAMOND FROM diamonds"

# submit [FURTHER ARGUMENTS]: a job over all diamonds into price; its number.
submit() {
	sql "SELECT ml_score.submit_batch('pb', query => '$BATCH_QUERY', target => 'price' ${1:+, $1})"
}

# finish JOB [SECONDS]: wait for its end; "completed", or the error.
finish() {
	local out
	if out=$(sql "CALL ml_score.wait_batch($1, timeout => '${2:-60} s')" 2>&1); then
		echo completed
	else
		echo "$out"
	fi
}

# job JOB COLUMNS: what the table says of it.
job() {
	sql "SELECT $2 FROM ml_score.batch_job WHERE id = $1"
}

# why JOB: where and why it failed, on one line.
why() {
	job "$1" "translate(concat_ws(' / ', failed_state, sqlstate, error, error_detail, error_hint), E'\\n', ' ')"
}

# stored: rows and keys in price.
stored() {
	sql "SELECT count(*), count(price), min(id), max(id) FROM price"
}

# wait_state JOB STATE [SECONDS]
wait_state() {
	wait_until "${3:-30}" "SELECT state = '$2' FROM ml_score.batch_job WHERE id = $1"
}

# invoked JOB: how many jobs the service has that mention this one's folders.
invoked() {
	batch_jobs | grep -Eo "/$BOX/(paths/)?ml_score/$1-[0-9a-f-]*/in" | sort -u | wc -l
}
