#!/bin/bash
# A database that was copied while it had work does none of it beside the original: neither events nor runs that wait to be
# sent, nor batch jobs under way. They go on in the copy when somebody says so.
# Version: 16, one version shows it
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/batch_jobs.sh"
need_peer kafka
batch_setup copies
copy=${PGDATABASE}_copy
in_copy() {
	PGDATABASE=$copy sql "$@"
}
copy_database() {
	"$PGBIN/psql" -Xqd postgres -c "DROP DATABASE IF EXISTS $copy WITH (FORCE)" -c "CREATE DATABASE $copy TEMPLATE $PGDATABASE" 2>&1 | grep -v NOTICE
}
sent() {
	kcat -C -e -q -b "$KAFKA_PLAIN" -t "$1" -f '%s\n'
}
workers_in_copy="SELECT count(*) FROM pg_stat_activity WHERE datname = '$copy' AND backend_type LIKE 'ml_score%' AND backend_type <> 'ml_score supervisor'"

# events, and a run that is over
sql "CREATE SERVER collector TYPE 'otlp' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1', max_attempts '1'); SELECT ml_score.forward_runs('collector')" >/dev/null
sql "SELECT ml_score.ingest_event(jsonb_build_object('id', 'e', 'topic', '/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w',
	'eventType', 'Microsoft.MachineLearningServices.RunStatusChanged', 'eventTime', '2026-03-02T10:00:01Z', 'data', jsonb_build_object('runId', 'r', 'experimentName', 'churn', 'runStatus', 'Completed')))" >/dev/null
wait_until 60 "SELECT count(*) = 1 AND bool_and(attempts > 0) FROM ml_score.run_forward"
ok $? "a run waits for its collector"
sql "CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_PLAIN', security_protocol 'plaintext')"
sql "CREATE ROLE copies_other LOGIN; SELECT ml_score.send_event('hub', 'copies', 'one')" >/dev/null
wait_until 60 "SELECT bool_and(attempts > 0 AND state = 'waiting') FROM ml_score.outbox"
ok $? "an event waits for its topic"
is "$(copy_database)" "" "the database can be copied meanwhile"
is "$(in_copy "SELECT state FROM ml_score.outbox")" restored "the copy shows the event as restored"
kafka_topic copies 1
wait_until 90 "SELECT count(*) = 0 FROM ml_score.outbox"
ok $? "the original sends it"
is "$(sql "$workers_in_copy")" 0 "nothing works in the copy"
in_copy "SELECT ml_score.send_event('hub', 'copies', 'two')" >/dev/null
PGDATABASE=$copy wait_until 60 "SELECT count(*) = 1 FROM ml_score.outbox"
is "$(sent copies | tr '\n' ' ')$(in_copy "SELECT state FROM ml_score.outbox")" "one two restored" "the copy sends its own event only"
is "$(PGUSER=copies_other PGDATABASE=$copy sql "SELECT ml_score.resume_outbox()")" 0 "others do not resume the sender's events"
is "$(in_copy "SELECT ml_score.resume_outbox('hub')")" 1 "resume_outbox takes them over"
PGDATABASE=$copy wait_until 60 "SELECT count(*) = 0 FROM ml_score.outbox"
is "$(sent copies | tr '\n' ' ')" "one two one " "and they are sent from there"
is "$(in_copy "SELECT ml_score.forward_runs('collector'), (SELECT count(*) FROM ml_score.run_forward)")|$(in_copy "SELECT count(*) FROM ml_score.run_forward")" "0|1|0" \
	"runs that waited are the original's, also when the copy forwards again"
is "$(sql "SELECT count(*) FROM ml_score.run_forward WHERE state = 'pending'")" 1 "which still does"
sql "SELECT ml_score.stop_forward_runs('collector'); DROP SERVER collector, hub; DROP ROLE copies_other" >/dev/null

# a batch job that runs in Azure
batch_fault '{"on": "job", "hold": "Running"}'
id=$(submit)
wait_until 60 "SELECT azure_status = 'Running' FROM ml_score.batch_job WHERE id = $id"
is "$(copy_database)" "" "a database with a job under way can be copied"
like "$(PGDATABASE=$copy sql_error "CALL ml_score.wait_batch($id)" | tr '\n' ' ')" "55000: batch job $id does not go on in this database.*resume_batch" "in the copy it cannot be waited for"
is "$(in_copy "SELECT ml_score.cancel_batch($id)")" t "but cancelled"
is "$(in_copy "SELECT state, cleanup FROM ml_score.batch_job")" "cancelled|f" "which ends it there at once"
is "$(sql "$workers_in_copy")" 0 "without a worker"
batch_release
is "$(finish "$id")" completed "the original's job goes on"
is "$(stored)" "1000|1000|1|1000" "and completes"
batch_no_faults
in_copy "SELECT ml_score.retry_batch($id)" >/dev/null
is "$(PGDATABASE=$copy finish "$id")" completed "tried again in the copy, it begins anew"
is "$(PGDATABASE=$copy stored) $(invoked "$id")" "1000|1000|1|1000 2" "with a job of its own in Azure"
is "$(in_copy "SELECT '$(job "$id" folder)' = ANY (folders), home = ml_score.home() FROM ml_score.batch_job WHERE id = $id")" "f|t" "and removes no folder but its own"

# a copy takes a job over
batch_fault '{"on": "job", "hold": "Running"}'
sql "TRUNCATE price"
id=$(submit "retain => 'all'")
wait_until 60 "SELECT azure_status = 'Running' FROM ml_score.batch_job WHERE id = $id"
copy_database
like "$(sql_error "SELECT ml_score.resume_batch($id)")" "55000: batch job $id is a job of this database" "the original has nothing to resume"
in_copy "SELECT ml_score.resume_batch($id)"
batch_release
is "$(PGDATABASE=$copy finish "$id")" completed "resume_batch has a job go on in the copy"
is "$(PGDATABASE=$copy stored) $(invoked "$id")" "1000|1000|1|1000 1" "where it was: no other is started"
is "$(finish "$id")" completed "the original, which still is there, does so, too"
batch_no_faults
"$PGBIN/psql" -Xqd postgres -c "DROP DATABASE $copy WITH (FORCE)"
done_testing
