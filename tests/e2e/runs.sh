#!/bin/bash
# Runs: events in any order give the same rows, runs are looked up at the run history by a worker, and never by the caller.
. "$(dirname "$0")/../lib/tap.sh"
# A fresh one: what it was asked counts, and it outlives the tests on other versions.
[ ! -f "$RUN/peers/run_history.pid" ] || end_peers run_history
need_peer run_history
history=$(peer_url run_history)
arm=/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws
put() {
	curl -sS -o /dev/null -X PUT --data-binary "$2" "$history/$1"
}
requests() {
	curl -sS "$history/_requests"
}
# event ID RUN STATUS TIME [EXPERIMENT]
event() {
	sql "SELECT ml_score.ingest_event(jsonb_build_object('id', '$1', 'topic', '$arm', 'subject', 'x', 'eventType', 'Microsoft.MachineLearningServices.RunStatusChanged',
		'eventTime', '$4', 'data', jsonb_build_object('runId', '$2', 'experimentName', '${5:-churn}', 'runStatus', '$3')))"
}
columns="run_id, parent_run_id, experiment_id, experiment, workspace, resource_group, run_type, status, compute_target, compute_type,
	docker_image, snapshot_id, script, step_type, node_id, created_at AT TIME ZONE 'UTC', start_time AT TIME ZONE 'UTC', end_time AT TIME ZONE 'UTC',
	execution_time_ms, queue_time_ms, error"

sql "CREATE ROLE mlops_$PGVER LOGIN; GRANT EXECUTE ON FUNCTION ml_score.ingest_event(jsonb) TO mlops_$PGVER; GRANT USAGE ON FOREIGN DATA WRAPPER ml_score TO mlops_$PGVER"

# order and duplicates
n=$([ "$PGVER" = 16 ] && echo 100000 || echo 5000)
sql <<-SQL
	CREATE TABLE made AS
	SELECT i % ($n / 20) AS run, i, jsonb_build_object('id', 'e' || i, 'topic', '$arm', 'eventType', 'Microsoft.MachineLearningServices.' || CASE WHEN i % 9 = 0 THEN 'RunCompleted' ELSE 'RunStatusChanged' END,
		'eventTime', to_char('2026-01-01'::timestamp + i * interval '1.7 seconds', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
		'data', jsonb_build_object('runId', 'run' || i % ($n / 20), 'runTags', jsonb_build_object('t' || i % 3, i::text)) ||
			CASE WHEN i % 9 = 0 THEN '{}' ELSE jsonb_build_object('runStatus', (ARRAY['Queued', 'Running', 'failed', 'Completed', 'Preparing'])[1 + hashint4(i) % 2 + i % 4]) END) AS event
	FROM generate_series(1, $n) i;
	SELECT setseed(0.4);
	CREATE TABLE shuffled AS SELECT event FROM (SELECT event FROM made UNION ALL SELECT event FROM made WHERE i % 4 = 0) e ORDER BY random();
SQL
started=$(now_ms)
is "$(sql "SELECT sum(ml_score.ingest_event(event)) FROM (SELECT event FROM made ORDER BY i) e")" "$n" "$n events in order are $n new ones"
echo "# $n events in $(($(now_ms) - started)) ms"
digest="SELECT md5(string_agg(md5((to_jsonb(m) - 'updated_at')::text), '' ORDER BY run_id)), count(*), count(DISTINCT status) FROM ml_score.run_metric m"
events="SELECT md5(string_agg(md5((to_jsonb(e) - 'received_at')::text), '' ORDER BY id)) FROM ml_score.run_event e"
in_order=$(sql "$digest")
events_in_order=$(sql "$events")
sql "CREATE TABLE in_order AS SELECT * FROM ml_score.run_metric; TRUNCATE ml_score.run_event, ml_score.run_metric, ml_score.run_lookup"
is "$(sql "SELECT sum(ml_score.ingest_event(event)) FROM shuffled")" "$n" "in random order, a quarter of them twice, as many"
is "$(sql "$digest")" "$in_order" "and the same row for each run"
is "$(sql "$events")" "$events_in_order" "and the same events"
is "$(sql "SELECT sum(ml_score.ingest_event(event)) FROM (SELECT jsonb_agg(event) event FROM made GROUP BY run % 10) e")" 0 "all of them again, as arrays, are none"
is "$(sql "$digest")" "$in_order" "and change nothing"
like "$(sql "SELECT array_agg(DISTINCT status) FROM ml_score.run_metric")" "Completed.*Failed" "what is over counts"

# the look-up
sql "TRUNCATE ml_score.run_event, ml_score.run_metric, ml_score.run_lookup"
pipeline='{"runId": "pipe", "experimentId": "x1", "status": "Completed", "createdUtc": "2026-03-02T10:00:00.1234567+00:00", "startTimeUtc": "2026-03-02T10:00:05Z",
	"endTimeUtc": "2026-03-02T10:01:05Z", "runType": "azureml.PipelineRun", "tags": {}, "properties": {}}'
step() {
	echo '{"runId": "'"$1"'", "status": "Completed", "createdUtc": "2026-03-02T10:00:10Z", "startTimeUtc": "2026-03-02T10:00:20.5Z", "endTimeUtc": "2026-03-02T10:00:50Z",
		"runType": "azureml.StepRun", "parentRunId": "pipe", "target": "cpu", "token": "secret-token", "tags": {"azureml.pipelinerunid": "pipe"},
		"properties": {"computeTargetType": "AmlCompute", "ContentSnapshotId": "snap", "StepType": "PythonScriptStep", "azureml.nodeid": "n1"},
		"runDefinition": {"script": "train.py", "environment": {"docker": {"baseImage": "mcr/img:1"}, "environmentVariables": {"KEY": "secret-variable"}}}}'
}
put _runs '{"key": "history-key", "churn/pipe": {"run": '"$pipeline"', "details": {"runId": "pipe", "status": "Completed"}, "children": [['"$(step s1)"'], ['"$(step s2)"']]},
	"churn/s1": {"run": '"$(step s1)"', "details": '"$(step s1)"'}, "churn/s2": {"run": '"$(step s2)"', "details": '"$(step s2)"'}}'
event p1 pipe Running 2026-03-02T10:00:07Z >/dev/null
event p2 pipe completed 2026-03-02T10:01:07Z >/dev/null
is "$(requests)" "" "without a server of TYPE 'workspace' nobody is asked"
is "$(sql "SELECT status, start_time AT TIME ZONE 'UTC', end_time AT TIME ZONE 'UTC', looked_up_at IS NULL FROM ml_score.run_metric")" \
	"Completed|2026-03-02 10:00:07|2026-03-02 10:01:07|t" "the row has what the events said"
sql "BEGIN; SET LOCAL ROLE mlops_$PGVER;
	CREATE SERVER ws TYPE 'workspace' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$history/', arm_id '${arm/resourceGroups/resourcegroups}', auth 'key', max_attempts '1');
	CREATE USER MAPPING FOR CURRENT_USER SERVER ws OPTIONS (key 'wrong-key'); COMMIT"
put _faults '[]'
sql "ALTER SERVER ws OPTIONS (SET arm_id '$arm')"
event p3 pipe completed 2026-03-02T10:01:07Z >/dev/null
wait_until 20 "SELECT last_error ~ 'credential' FROM ml_score.run_lookup"
ok $? "a refused credential is noted" "$(sql "SELECT * FROM ml_score.run_lookup")"
is "$(sql "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'ml_score launcher'")" 1 "and the server is none the worse"
sql "ALTER USER MAPPING FOR mlops_$PGVER SERVER ws OPTIONS (SET key 'history-key')"
wait_until 25 "SELECT count(*) = 3 AND bool_and(looked_up_at IS NOT NULL) FROM ml_score.run_metric"
ok $? "after that the pipeline is looked up, and its steps, of which no event came" "$(sql "SELECT * FROM ml_score.run_lookup")"
is "$(sql "SELECT $columns FROM ml_score.run_metric ORDER BY run_id")" \
	"pipe||x1|churn|ws|rg|azureml.PipelineRun|Completed||||||||2026-03-02 10:00:00.123456|2026-03-02 10:00:05|2026-03-02 10:01:05|60000|4876|
s1|pipe||churn|||azureml.StepRun|Completed|cpu|AmlCompute|mcr/img:1|snap|train.py|PythonScriptStep|n1|2026-03-02 10:00:10|2026-03-02 10:00:20.5|2026-03-02 10:00:50|29500|10500|
s2|pipe||churn|||azureml.StepRun|Completed|cpu|AmlCompute|mcr/img:1|snap|train.py|PythonScriptStep|n1|2026-03-02 10:00:10|2026-03-02 10:00:20.5|2026-03-02 10:00:50|29500|10500|" \
	"with all that the run history knows"
is "$(sql "SELECT count(*) FROM ml_score.run_metric m WHERE m::text ~ 'secret'")" 0 "but no tokens and no environment variables"
is "$(sql "SELECT count(*) FROM ml_score.run_lookup")" 0 "nothing is left to look up"
before=$(sql "SELECT md5(string_agg((to_jsonb(m) - 'updated_at')::text, '' ORDER BY run_id)) FROM ml_score.run_metric m")
curl -sS -X DELETE "$history/_requests" >/dev/null
event s1a s1 Running 2026-03-02T10:00:21Z >/dev/null
event s1b s1 Failed 2026-03-02T09:00:00Z >/dev/null
is "$(sql "SELECT status, start_time AT TIME ZONE 'UTC', end_time AT TIME ZONE 'UTC' FROM ml_score.run_metric WHERE run_id = 's1'")" \
	"Completed|2026-03-02 10:00:20.5|2026-03-02 10:00:50" "late events do not undo what the run history said"
is "$(requests)" "" "and nothing is asked again"

# what fails
put _runs '{"key": "history-key", "churn/late": {"run": {"runId": "late", "status": "Running"}, "details": {"runId": "late"}},
	"churn/bad": {"run": {"runId": "other"}, "details": [1]}, "a b/ü": {"run": {"runId": "ü", "status": "Canceled", "error": {"error": {"code": "C", "message": "stopped"}}}, "details": {"runId": "ü"}}}'
put _faults '[503, 0]'
event l1 late Running 2026-03-02T10:00:21Z >/dev/null
wait_until 20 "SELECT NOT EXISTS (SELECT FROM ml_score.run_lookup WHERE run_id = 'late') AND EXISTS (SELECT FROM ml_score.run_metric WHERE run_id = 'late' AND facts -> 'status' ->> 0 = '0')"
ok $? "a run history that fails is asked again" "$(sql "SELECT * FROM ml_score.run_lookup")"
event b1 bad Failed 2026-03-02T10:00:21Z >/dev/null
event n1 nowhere Failed 2026-03-02T10:00:21Z >/dev/null
wait_until 20 "SELECT count(*) = 2 FROM ml_score.run_lookup WHERE attempts > 0"
like "$(sql "SELECT last_error FROM ml_score.run_lookup WHERE run_id = 'bad'")" "answered with the run \"other\"" "an answer about something else is refused"
like "$(sql "SELECT last_error FROM ml_score.run_lookup WHERE run_id = 'nowhere'")" "does not have what was asked for" "a run that is not there is asked for again"
sql "UPDATE ml_score.run_lookup SET created_at = now() - interval '2 days', due_at = now()"
event u1 ü Running 2026-03-02T10:00:21Z "a b" >/dev/null
wait_until 20 "SELECT error = 'C: stopped' FROM ml_score.run_metric WHERE run_id = 'ü'"
ok $? "names go into the URL as they should" "$(requests | tail -n 2)" "$(sql "SELECT * FROM ml_score.run_lookup")"
wait_until 20 "SELECT count(*) = 0 FROM ml_score.run_lookup"
ok $? "for a day, then no more"

# a run history that does not answer
put _faults '[-1, -1]'
started=$(now_ms)
event h1 late Failed 2026-03-02T10:00:22Z >/dev/null
cmp_ok $(($(now_ms) - started)) "<" 10000 "the caller does not wait for the run history"
worker="SELECT pid FROM pg_stat_activity WHERE backend_type = 'ml_score runs' AND datname = current_database()"
wait_until 20 "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'ml_score runs' AND datname = current_database() AND wait_event_type = 'Extension'"
sleep 0.5
pid=$(sql "$worker")
is "$(sql "SELECT xact_start IS NULL AND backend_xmin IS NULL FROM pg_stat_activity WHERE pid = $pid")" t "who waits for the run history is in no transaction"
sql "SELECT pg_terminate_backend($pid)" >/dev/null
wait_until 20 "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)"
ok $? "and ends when told to"
wait_until 20 "SELECT last_error ~ 'does not know yet' FROM ml_score.run_lookup"
ok $? "another one takes over, and is told less than the event said" "$(sql "SELECT * FROM ml_score.run_lookup")"
is "$(sql "SELECT status, looked_up_at IS NULL FROM ml_score.run_metric WHERE run_id = 'late'")" "Failed|t" "which is not taken for the end"
put _runs '{"key": "history-key", "churn/late": {"run": {"runId": "late", "status": "Failed", "endTimeUtc": "2026-03-02T10:00:21.5Z"}, "details": {"runId": "late"}}}'
wait_until 20 "SELECT looked_up_at IS NOT NULL AND NOT EXISTS (SELECT FROM ml_score.run_lookup) FROM ml_score.run_metric WHERE run_id = 'late'"
ok $? "but asked for again" "$(sql "SELECT * FROM ml_score.run_lookup")"

is "$("$PGBIN/pg_dump" --data-only 2>/dev/null | grep -o '^COPY ml_score.run_[a-z]*' | sort | tr '\n' ' ')" "COPY ml_score.run_event COPY ml_score.run_metric " \
	"events and runs are dumped, what is to be done is not"
sql "REVOKE EXECUTE ON FUNCTION ml_score.ingest_event(jsonb) FROM mlops_$PGVER"
is "$(sql "SELECT count(*) FROM ml_score.run_workspace")" 0 "who may not ingest events has nothing looked up"
sql "DROP SERVER ws CASCADE; REVOKE ALL ON FOREIGN DATA WRAPPER ml_score FROM mlops_$PGVER"
done_testing
