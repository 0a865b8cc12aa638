#!/bin/bash
# Background work that waits for a token, or for what a key vault holds, is in no transaction meanwhile: it holds back neither
# vacuum nor anything else.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/batch_jobs.sh"
[ "$PGVER" = 15 ] || [ "$PGVER" = 18 ] || skip_all "two versions do: what is allowed outside of a transaction differs"
. "$ROOT/tests/lib/identity.sh"
batch_setup waits 10
who="credential 'client_secret', authority_host '$IDENTITY_URL', authority_ca_file '$IDENTITY_CA', max_attempts '1'"
# waits TENANT TIMES BACKEND_TYPE TEXT: once the tenant was asked so often for a token, the process is there and in no transaction.
waits() {
	local end=$((SECONDS + 60))
	until [ "$(identity "count?path=/$1/oauth2" | tr -dc 0-9)" -ge "$2" ] || [ $SECONDS -gt $end ]; do sleep 0.2; done
	sleep 0.5
	is "$(sql "SELECT count(*) > 0, count(xact_start), count(backend_xid), count(backend_xmin) FROM pg_stat_activity WHERE backend_type = '$3' AND datname = current_database()")" \
		"t|0|0|0" "$4" "$(sql "SELECT * FROM pg_stat_activity WHERE datname = current_database()")"
}
# drop_job JOB: it is over, whatever it waits for.
drop_job() {
	sql "SELECT ml_score.cancel_batch($1)" >/dev/null
	sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type IN ('ml_score batch job', 'ml_score batch poller') AND datname = current_database()" >/dev/null
	wait_state "$1" cancelled
}

sql "CREATE SERVER store TYPE 'blob' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(blob_url waits)', auth 'entra', $who);
	CREATE USER MAPPING FOR postgres SERVER store OPTIONS (tenant_id 'hang-store', client_id 'c', client_secret 's');
	ALTER SERVER pb OPTIONS (SET storage 'store')"
id=$(submit)
waits hang-store 1 "ml_score batch job" "an export that waits for its store's token"
drop_job "$id"

sql "CREATE SERVER vaulted TYPE 'blob' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(blob_url waits)', auth 'sas', $who);
	CREATE USER MAPPING FOR postgres SERVER vaulted OPTIONS (tenant_id 'hang-vault', client_id 'c', client_secret 's', sas_token 'keyvault:$IDENTITY_URL/secrets/sas');
	ALTER SERVER pb OPTIONS (SET storage 'vaulted')"
id=$(submit)
waits hang-vault 1 "ml_score batch job" "one that waits for a key vault"
drop_job "$id"

sql "CREATE SERVER start TYPE 'batch' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$BATCH_URL', auth 'entra', $who, poll_min_interval '100ms');
	CREATE USER MAPPING FOR postgres SERVER start OPTIONS (tenant_id 'hang-start', client_id 'c', client_secret 's')"
id=$(sql "SELECT ml_score.submit_batch('start', input => 'azureml://datastores/waits/paths/x.csv')")
waits hang-start 1 "ml_score batch job" "a start that waits for the endpoint's token"
drop_job "$id"
sql "ALTER USER MAPPING FOR postgres SERVER start OPTIONS (SET tenant_id 'stale-hang')"
id=$(sql "SELECT ml_score.submit_batch('start', input => 'azureml://datastores/waits/paths/x.csv')")
waits stale-hang 2 "ml_score batch job" "one that waits for another token, the first being refused"
drop_job "$id"

batch_fault '{"on": "job", "hold": "Running"}'
sql "CREATE SERVER poll TYPE 'batch' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$BATCH_URL', auth 'key', $who, poll_min_interval '100ms', poll_max_interval '100ms');
	CREATE USER MAPPING FOR postgres SERVER poll OPTIONS (key 'batch-tests')"
id=$(sql "SELECT ml_score.submit_batch('poll', input => 'azureml://datastores/waits/paths/x.csv')")
wait_until 30 "SELECT azure_status = 'Running' FROM ml_score.batch_job WHERE id = $id"
sql "ALTER USER MAPPING FOR postgres SERVER poll OPTIONS (SET key 'keyvault:$IDENTITY_URL/secrets/key', ADD tenant_id 'hang-poll', ADD client_id 'c', ADD client_secret 's')"
waits hang-poll 1 "ml_score batch poller" "the poller that waits for a key vault"
sql "ALTER USER MAPPING FOR postgres SERVER poll OPTIONS (SET key 'batch-tests')"
drop_job "$id"
batch_no_faults

# A job that runs is not given up for what keeps us from looking at it.
batch_fault '{"on": "job", "hold": "Running"}'
sql "ALTER USER MAPPING FOR postgres SERVER poll OPTIONS (DROP tenant_id, DROP client_id, DROP client_secret)" 2>/dev/null
id=$(sql "SELECT ml_score.submit_batch('poll', input => 'azureml://datastores/waits/paths/x.csv')")
wait_until 30 "SELECT azure_status = 'Running' FROM ml_score.batch_job WHERE id = $id"
sql "UPDATE ml_score.batch_job SET attempts = 100 WHERE id = $id;
	ALTER USER MAPPING FOR postgres SERVER poll OPTIONS (SET key 'keyvault:$IDENTITY_URL/secrets/key', ADD tenant_id 'status-503', ADD client_id 'c', ADD client_secret 's')"
wait_until 60 "SELECT error ~ 'could not get a secret of a key vault' AND attempts > 100 FROM ml_score.batch_job WHERE id = $id"
is "$(job "$id" state)" running "a job goes on while its credential cannot be had" "$(job "$id" "*")"
sql "ALTER USER MAPPING FOR postgres SERVER poll OPTIONS (SET key 'batch-tests'); UPDATE ml_score.batch_job SET next_poll_at = clock_timestamp() WHERE id = $id"
batch_no_faults
like "$(finish "$id")" "BlobNotFound" "how it has ended is seen when it can"

need_peer webhook_sink
sql "CREATE TABLE level (value float8); INSERT INTO level VALUES (20);
	CREATE SERVER hook TYPE 'webhook' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(peer_url webhook_sink)/waits', auth 'none', $who);
	CREATE USER MAPPING FOR postgres SERVER hook OPTIONS (tenant_id 'hang-hook', client_id 'c', client_secret 's', secret 'keyvault:$IDENTITY_URL/secrets/hook');
	SELECT ml_score.create_monitor('level', custom => 'SELECT ''level'' AS metric, value FROM level', thresholds => '{\"custom\": {\"level\": 10}}', schedule => '1 second');
	SELECT ml_score.create_monitor_action('level', 'post', webhook => 'hook')" >/dev/null
waits hang-hook 1 "ml_score alert" "a webhook whose secret is waited for"
done_testing
