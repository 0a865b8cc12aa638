#!/bin/bash
# A batch job over a bad network: what is lost on the way to the store or the endpoint is sent again, and nothing is done twice.
# Version: 16, the network is the same for every version
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/batch_jobs.sh"
batch_setup batch-network 4000
store=$(blob_url batch-network) endpoint=${BATCH_URL%/jobs}
proxy store "$(cut -d / -f 3 <<<"$store")"
proxy jobs "${endpoint#http://}"
sql <<-EOSQL
	ALTER SERVER lake OPTIONS (SET url 'http://$(proxy_address store)/$BLOB_ACCOUNT/batch-network', ADD timeout '3s', ADD max_attempts '8',
		ADD retry_base_delay '100ms');
	ALTER SERVER pb OPTIONS (SET url 'http://$(proxy_address jobs)/jobs', ADD timeout '3s', SET max_attempts '8');
EOSQL

# done_once JOB NAME: it completed, with one job at the endpoint, and every row is there.
done_once() {
	is "$(finish "$1") $(batch_jobs | grep -o '"deployment"' | wc -l) $(stored)" "completed $((JOBS += 1)) 4000|4000|1|4000" "$2"
	sql "TRUNCATE price"
}
JOBS=$(batch_jobs | grep -o '"deployment"' | wc -l)

done_once "$(submit)" "through the proxies"

proxy_cut store
id=$(submit)
sleep 2
proxy_restore store
done_once "$id" "the store is gone for a while"

proxy_latency store 100 50
done_once "$(submit "rows_per_file => 1000")" "it is slow to answer"
proxy_restore store

toxic jobs timeout downstream '"timeout": 0'
id=$(submit)
wait_until 30 "SELECT state = 'submitting' FROM ml_score.batch_job WHERE id = $id"
sleep 4
proxy_restore jobs
done_once "$id" "the answer to the invocation does not come, although the job was taken"

batch_fault '{"on": "job", "hold": "Running"}'
id=$(submit)
wait_until 30 "SELECT azure_status = 'Running' FROM ml_score.batch_job WHERE id = $id"
proxy_cut jobs
sleep 2
batch_release
proxy_restore jobs
done_once "$id" "the endpoint is gone while the job runs"

batch_fault '{"on": "job", "hold": "Running"}'
id=$(submit)
wait_until 30 "SELECT azure_status = 'Running' FROM ml_score.batch_job WHERE id = $id"
proxy_limit store 20000
batch_release
wait_until 30 "SELECT state <> 'running' FROM ml_score.batch_job WHERE id = $id"
sleep 1
proxy_restore store
done_once "$id" "the download breaks off in the middle"
done_testing
