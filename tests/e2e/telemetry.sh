#!/bin/bash
# Runs that are over go to Application Insights and OpenTelemetry: once, again when refused for now, not again when refused for good.
# Version: 16, the outbox is the same for every version
. "$(dirname "$0")/../lib/tap.sh"
need_peer telemetry_sink
sink=$(peer_url telemetry_sink)
key=0b3c0000-0000-0000-0000-00000000000a
answers() {
	curl -sS -o /dev/null -X PUT --data-binary "$1" "$sink/_answers"
}
# taken PATH EXPRESSION: of each item taken there, in order
taken() {
	curl -sS "$sink/_items" | /usr/bin/python3 -c 'import json, sys
for line in sys.stdin:
    e = json.loads(line)
    i = e["item"]
    if e["path"] == sys.argv[1]:
        print(eval(sys.argv[2]))' "$1" "$2" | sort
}
events() {
	taken /v2.1/track 'i["data"]["baseData"]["properties"]["run_id"]' | tr '\n' ' '
}
finished() {
	taken /v1/metrics 'i["attributes"]["run_id"] if i["metric"] == "azureml.run.finished" else ""' | grep . | tr '\n' ' '
}
# over RUN...: their events, in one transaction
over() {
	sql "SELECT count(*) FROM (SELECT ml_score.ingest_event(jsonb_build_array(
		jsonb_build_object('id', r || '-r', 'topic', '/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w', 'eventType', 'Microsoft.MachineLearningServices.RunStatusChanged',
			'eventTime', '2026-03-02T10:00:01Z', 'data', jsonb_build_object('runId', r, 'experimentName', 'churn', 'runStatus', 'Running')),
		jsonb_build_object('id', r || '-c', 'topic', '/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w', 'eventType', 'Microsoft.MachineLearningServices.RunStatusChanged',
			'eventTime', '2026-03-02T10:00:03.5Z', 'data', jsonb_build_object('runId', r, 'experimentName', 'churn', 'runStatus', 'Completed'))))
		FROM unnest(string_to_array('$*', ' ')) r) e" >/dev/null
}
settled() {
	wait_until 30 "SELECT count(*) FILTER (WHERE state = 'pending') = 0 AND count(*) = $1 FROM ml_score.run_forward"
}
states() {
	sql "SELECT string_agg(run_id || ' ' || f.state, ', ' ORDER BY run_id) FROM ml_score.run_forward f JOIN ml_score.run_destination d ON d.id = destination WHERE server = '$1' AND run_id ~ '$2'"
}

sql <<-SQL
	CREATE SERVER insights TYPE 'appinsights' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$sink/', max_attempts '1');
	CREATE USER MAPPING FOR CURRENT_USER SERVER insights OPTIONS (connection_string 'InstrumentationKey=${key^^};IngestionEndpoint=$sink/');
	CREATE SERVER collector TYPE 'otlp' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$sink', auth 'key', max_attempts '1');
	CREATE USER MAPPING FOR CURRENT_USER SERVER collector OPTIONS (key 'collector-key');
SQL
over before
is "$(sql "SELECT ml_score.forward_runs('insights')")" 0 "from now on"
over a
settled 1
ok $? "a run that is over is sent" "$(sql "SELECT * FROM ml_score.run_destination")"
is "$(taken /v2.1/track '(i["iKey"], i["time"], i["data"]["baseData"]["properties"]["status"], i["data"]["baseData"]["properties"]["experiment"], i["data"]["baseData"]["measurements"])')" \
	"('$key', '2026-03-02T10:00:03.500Z', 'Completed', 'churn', {'execution_time_ms': 2500, 'queue_time_ms': 0})" "with its columns and times"
is "$(sql "SELECT ml_score.forward_runs('insights', past => true)")" 1 "past runs, when asked for"
settled 2
is "$(events)" "a before " "are sent too, the others not again"
over a
is "$(sql "SELECT count(*) FROM ml_score.run_forward WHERE state = 'pending'")" 0 "repeated events send nothing"

# answers in part, refusals, quota
answers '[{"status": 206, "take": [0], "body": {"itemsReceived": 3, "itemsAccepted": 1, "errors": [{"index": 1, "statusCode": 429, "message": "busy"}, {"index": 2, "statusCode": 400, "message": "odd"}]}}]'
over p1 p2 p3
settled 5
is "$(states insights '^p')" "p1 sent, p2 sent, p3 dropped" "of an answer in part only what may be sent again is"
is "$(events)" "a before p1 p2 " "once each"
is "$(sql "SELECT last_error FROM ml_score.run_destination")" "status 429 of a run: busy" "the reason is noted"
answers '[{"status": 503}, {"status": 500}]'
over r
settled 6
is "$(states insights '^r')" "r sent" "a destination that fails is tried again"
is "$(sql "SELECT attempts FROM ml_score.run_forward WHERE run_id = 'r'")" 2 "as often as it takes"
answers '[{"status": 400}]'
over x
settled 7
is "$(states insights '^x')" "x dropped" "what is refused for good is dropped"
answers '[{"status": 439}]'
over q1
wait_until 30 "SELECT paused_until > now() + interval '50 minutes' FROM ml_score.run_destination"
ok $? "a quota that is used up pauses the destination"
over q2
sleep 2
is "$(states insights '^q')" "q1 pending, q2 pending" "for all"
sql "UPDATE ml_score.run_destination SET paused_until = now() - interval '1 second'; UPDATE ml_score.run_forward SET due_at = now() WHERE state = 'pending'"
over q3
settled 10
is "$(states insights '^q')" "q1 sent, q2 sent, q3 sent" "until that is over"

# OpenTelemetry
is "$(sql "SELECT ml_score.forward_runs('collector')")" 0 "a second destination"
over o1
settled 12
is "$(taken /v1/metrics '(i["metric"], i["unit"], i["value"], i["attributes"]["workspace"], e["authorization"])')" \
	"('azureml.run.execution_time', 'ms', 2500, 'w', 'Bearer collector-key')
('azureml.run.finished', '{run}', 1, 'w', 'Bearer collector-key')
('azureml.run.queue_time', 'ms', 0, 'w', 'Bearer collector-key')" "data points that OpenTelemetry's own classes read"
sql "SELECT ml_score.stop_forward_runs('insights')"
is "$(sql "SELECT count(*) FROM ml_score.run_forward")" 1 "a destination that is given up takes its outbox along"
answers '[{"status": 200, "take": [], "body": {"partialSuccess": {"rejectedDataPoints": "3", "errorMessage": "too old"}}}]'
over o2
settled 2
is "$(states collector '^o2')|$(finished)" "o2 sent|o1 " "what was taken in part is never sent again"
is "$(sql "SELECT last_error FROM ml_score.run_destination")" "3 data points were rejected: too old" "but noted"
answers '[{"status": 503, "headers": {"Retry-After": "1"}}, {"status": 429}, {"status": 200}, {"status": 500}]'
over o3
settled 3
over o4
settled 4
is "$(states collector '^o[34]')|$(finished)" "o3 sent, o4 dropped|o1 o3 " "429 and 503 are sent again, 500 is not"

# who may
sql "CREATE ROLE t_$PGVER LOGIN"
like "$(PGUSER=t_$PGVER sql_error "SELECT ml_score.forward_runs('collector')")" "permission denied for foreign server collector" "sending takes USAGE on the server"
sql "GRANT USAGE ON FOREIGN SERVER collector TO t_$PGVER"
like "$(PGUSER=t_$PGVER sql_error "SELECT ml_score.forward_runs('collector')")" "permission denied for table run_metric" "and SELECT on the runs"
sql "GRANT pg_monitor TO t_$PGVER"
like "$(PGUSER=t_$PGVER sql_error "SELECT ml_score.forward_runs('collector')")" "42710: .*already" "and nobody else who does"
like "$(PGUSER=t_$PGVER sql_error "SELECT ml_score.stop_forward_runs('collector')")" "42501" "who began it ends it"
like "$(sql_error "SELECT ml_score.forward_runs('nowhere')")" "42704" "an unknown server"
sql "CREATE SERVER online TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$sink')"
like "$(sql_error "SELECT ml_score.forward_runs('online')")" "42809" "a server of another type"
is "$(curl -sS "$sink/_malformed")" "" "nothing that was sent was malformed"
is "$(grep -c "$key\|collector-key" "$RUN/$CLUSTER/log")" 0 "no key in the log"
sql "SELECT ml_score.stop_forward_runs('collector')"
done_testing
