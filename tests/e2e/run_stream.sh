#!/bin/bash
# Events of Azure ML by way of an event hub: a stream ingests them, and a batch job is done as soon as its run event is there.
# Version: 16, hub and endpoint are the same for every version
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/batch_jobs.sh"
need_peer kafka
batch_setup "runs$PGVER"
sql "ALTER SERVER pb OPTIONS (SET poll_min_interval '20min', SET poll_max_interval '20min')" 2>/dev/null || sql "ALTER SERVER pb OPTIONS (ADD poll_min_interval '20min', ADD poll_max_interval '20min')"
T=ml_events_$PGVER
kafka_topic "$T" 2
sql <<-SQL >/dev/null
	CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_EVENTHUBS', auth 'connection_string', ca_file '$KAFKA_CA');
	CREATE USER MAPPING FOR PUBLIC SERVER hub OPTIONS (connection_string '$KAFKA_CONNECTION_STRING');
	SELECT ml_score.create_stream('runs', server => 'hub', topic => '$T', format => 'eventgrid', workers => 2,
		columns => 'event jsonb', format_options => '{"paths": {"event": "$"}}', query => 'SELECT ml_score.ingest_event(event) FROM batch');
SQL
# events FROM TO: of that many runs, an event grid delivery a line
events() {
	seq "$1" "$2" | awk -v batch=3 '{
		printf "%s{\"id\": \"e%d\", \"topic\": \"/subscriptions/s/workspaces/w\", \"eventType\": \"Microsoft.MachineLearningServices.RunStatusChanged\", \"eventTime\": \"2026-03-02T10:00:%02d.1234567Z\", \"data\": {\"runId\": \"r%d\", \"runStatus\": \"%s\"}}", \
			NR % batch == 1 ? "[" : ", ", $1, $1 % 60, $1 % 20, $1 % 40 < 20 ? "Running" : "Completed"
		if (NR % batch == 0) print "]"
	}'
}
events 1 300 | kafka_produce "$T"
echo '{"specversion": "1.0", "id": "c1", "source": "/subscriptions/s/workspaces/w", "type": "Microsoft.MachineLearningServices.ModelDeployed", "data": {"ServiceName": "s"}}' | kafka_produce "$T"
echo '{"id": "broken", "type": "Microsoft.MachineLearningServices.RunCompleted", "data": {}}' | kafka_produce "$T"
events 1 30 | kafka_produce "$T"
sql "SELECT ml_score.wait_stream('runs', '60s')" >/dev/null
is "$(sql "SELECT count(*), count(DISTINCT run_id), count(*) FILTER (WHERE type = 'ModelDeployed') FROM ml_score.run_event")" "301|20|1" "a stream ingests deliveries, each event once"
is "$(sql "SELECT count(*), string_agg(DISTINCT status, ',') FROM ml_score.run_metric")" "20|Completed" "and merges them, by two workers at a time"
is "$(sql "SELECT count(*), min(reason) FROM ml_score.dead_letter WHERE stream = 'runs'")" "1|could not ingest an event" "what is no event is a dead letter, alone"

batch_pace 0.1
id=$(submit "")
wait_until 60 "SELECT state = 'running' AND job_name IS NOT NULL FROM ml_score.batch_job WHERE id = $id"
name=$(job "$id" job_name)
completed() {
	curl -sS -H "Authorization: Bearer batch-tests" "$BATCH_URL/$name" | grep -q '"status": "Completed"'
}
poll 60 completed
ok $? "a job has completed"
is "$(job "$id" state)" running "as it is looked at every 20 minutes, nobody has noticed"
echo '{"id": "job", "topic": "/subscriptions/s/workspaces/w", "eventType": "Microsoft.MachineLearningServices.RunStatusChanged", "eventTime": "2026-03-02T10:00:00Z", "data": {"runId": "'"$name"'", "runStatus": "Completed"}}' |
	kafka_produce "$T"
wait_until 60 "SELECT state = 'completed' FROM ml_score.batch_job WHERE id = $id"
ok $? "its run event completes it" "$(sql "SELECT state, error, next_poll_at FROM ml_score.batch_job WHERE id = $id")"
sql "SELECT ml_score.drop_stream('runs')" >/dev/null
done_testing
