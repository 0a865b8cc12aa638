#!/bin/bash
# The companion files: postgres_exporter takes the queries, Prometheus scrapes it, and everything on the Grafana dashboard has an answer.
# Version: 16, the files are the same for every version
. "$(dirname "$0")/../lib/tap.sh"
need_prometheus
share=$("$PGBIN/pg_config" --sharedir)/extension
queries=$share/ml_score_postgres_exporter.yaml
dashboard=$share/ml_score_grafana.json
ok "$([ -s "$queries" ] && [ -s "$dashboard" ]; echo $?)" "make install puts them beside the extension"
dir=$RUN/prometheus
mkdir -p "$dir"

# look WHAT FILE [ARGUMENT]: see dashboard.py.
look() {
	/usr/bin/python3 "$ROOT/tests/e2e/dashboard.py" "$@" 2>&1
}

# Something of everything.
fast_function f "/tag/prometheus"
diamonds_table 2000
sql "CREATE SERVER \"odd \"\"name\"\"\" TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(peer_url fast)/cap/0/reject/x/score', auth 'none', max_attempts '1');
	CREATE FUNCTION odd(t text) RETURNS float8 LANGUAGE ml_score STABLE AS 'odd \"name\"'"
sql_error "SELECT odd('x')" >/dev/null
. "$(dirname "$0")/../lib/identity.sh"
identity_server secured "auth 'entra', credential 'client_secret'"
mapping secured "tenant_id 'ok', client_id 'prometheus', client_secret 'prometheus'"
sql "SELECT secured(1)" >/dev/null
sql "ALTER USER MAPPING FOR postgres SERVER secured OPTIONS (SET client_secret 'the next')"
sql "SELECT secured(1)" >/dev/null
is "$(sql "SELECT count(*) FROM ml_score.token_status WHERE identity = 'prometheus'")" 2 "an identity may have two tokens"
need_peer kafka
kafka_topic prometheus 2
seq 1 500 | sed 's/.*/{"id": &}/' | kafka_produce prometheus
sql "CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_PLAIN', security_protocol 'plaintext', auth 'none');
	CREATE TABLE reading (id int); SELECT ml_score.create_stream('readings', server => 'hub', topic => 'prometheus', target => 'reading');
	INSERT INTO ml_score.batch_job (owner, server, state, send_key, format, rows_per_file, gzip, result_format, on_missing, on_error, retain, request_id, folder, folders, search_path, time_zone, completed_at)
		VALUES ('postgres', 'night', 'failed', false, 'csv', 1, false, 'auto', 'record', 'fail', 'none', gen_random_uuid(), '', '{}', '', '', now());
	SELECT ml_score.create_monitor('rows', custom => 'SELECT ''rows'' AS metric, count(*) AS value FROM diamonds', thresholds => '{\"custom\": {\"rows\": 1000}}'), ml_score.run_monitor('rows');
	SELECT ml_score.ingest_event('{\"topic\": \"/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w\", \"eventType\": \"Microsoft.MachineLearningServices.RunStatusChanged\",
		\"subject\": \"experiments/e/runs/r\", \"eventTime\": \"2026-01-01T00:00:00Z\", \"id\": \"1\", \"data\": {\"experimentId\": \"e\", \"experimentName\": \"e\", \"runId\": \"r\", \"runStatus\": \"Completed\"}}')" >/dev/null
wait_until 60 "SELECT count(*) = 500 AND (SELECT sum(lag) = 0 FROM ml_score.stat_stream) FROM reading"
is $? 0 "a stream has stored its events"

# The exporter, as a role that may only look.
sql "SET client_min_messages = error; DROP ROLE IF EXISTS exporter; CREATE ROLE exporter LOGIN; GRANT pg_monitor TO exporter"
port=$(free_port)
start_peer postgres_exporter "$port" env DATA_SOURCE_NAME="postgresql://exporter@/$PGDATABASE?host=$PGHOST&port=$PGPORT&sslmode=disable" \
	"$CACHE/postgres_exporter/usr/bin/prometheus-postgres-exporter" --web.listen-address="127.0.0.1:$port" --extend.query-path="$queries" --disable-default-metrics --disable-settings-metrics
answers_http postgres_exporter
sql "SELECT count(f($DIAMOND)) FROM diamonds; ALTER SERVER f OPTIONS (ADD deployment 'blue'); SELECT count(f($DIAMOND)) FROM diamonds WHERE id <= 10; ALTER SERVER f OPTIONS (DROP deployment)" >/dev/null
scrape() {
	curl -sS -m 30 "$(peer_url postgres_exporter)/metrics"
}
scraped=$(scrape)
is "$(look metrics "$queries" | while read -r name; do grep -q "^$name{" <<<"$scraped" || echo "$name"; done)" "" "the exporter has every metric of the file"
unlike "$(cat "$RUN/peers/postgres_exporter.log")" 'level=(error|warn)|err=' "and complains of nothing"
# value METRIC: of the scrape
value() {
	grep -F "$1" <<<"$scraped" | sed 's/.* //' | head -n 1
}
is "$(value 'ml_score_endpoint_rows_total{deployment="",endpoint="f",')" "$(sql "SELECT rows FROM ml_score.stat_endpoint WHERE server = 'f' AND deployment IS NULL")" "rows, as the view has them"
is "$(value 'ml_score_endpoint_failed_total{deployment="",endpoint="odd \"name\"",')" "$(sql "SELECT failed FROM ml_score.stat_endpoint WHERE server LIKE 'odd%'")" "of any name"
is "$(value 'ml_score_endpoint_rows_total{deployment="blue",endpoint="f",')" 10 "each deployment by itself"
is "$(grep -c '^ml_score_endpoint_latency_seconds{.*endpoint="f"' <<<"$scraped")" 8 "latencies by quantile"
is "$(grep '^ml_score_stream_rows_total{' <<<"$scraped" | awk '{ n += $NF } END { print n }')" 500 "rows of a stream's partitions"
is "$(value 'ml_score_batch_jobs{endpoint="night",')" 1 "batch jobs by state"
is "$(value 'ml_score_monitor_breached{monitor="rows",')" 1 "a monitor's signal"
is "$(value 'ml_score_monitor_metric_value{bound="above",feature="",metric="rows",')" 2000 "and what it found"
is "$(value 'ml_score_runs_runs{')" 1 "runs by status"
cmp_ok "$(grep '^ml_score_token_valid_seconds{.*identity="prometheus"' <<<"$scraped" | sed 's/.* //')" '>' 60 "how long a token is good"

# Prometheus scrapes it; the dashboard asks.
cat >"$dir/prometheus.yml" <<-END
	global: {scrape_interval: 1s}
	scrape_configs: [{job_name: ml_score, static_configs: [{targets: ["127.0.0.1:$port"]}]}]
END
port=$(free_port)
start_peer prometheus "$port" "$CACHE/prometheus/usr/bin/prometheus" --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/data" --web.listen-address="127.0.0.1:$port"
answers_http prometheus
# while it scrapes, something happens
i=0
all_answered() {
	sql "SELECT count(f($DIAMOND)) FROM diamonds WHERE id <= $((i += 1))" >/dev/null
	answer=$(look ask "$dashboard" "$(peer_url prometheus)")
	[[ $answer =~ ^[0-9]+\ answered$ ]]
}
poll 60 all_answered
ok $? "every expression of the dashboard has an answer" "$answer"
sed 's/ml_score_endpoint_in_flight/ml_score_endpoint_in_fright/' "$dashboard" >"$dir/wrong.json"
is "$(look ask "$dir/wrong.json" "$(peer_url prometheus)")" 'Requests in flight: ml_score_endpoint_in_fright{endpoint=~".*"}: nothing' "one that has none would be noticed"
is "$(look shape "$dashboard")" ok "the dashboard is well-formed"
statements=$(look sql "$dashboard")
is "$(while read -r statement; do PGUSER=exporter sql "$statement" 2>&1 >/dev/null; done <<<"$statements")" "" "its SQL runs, as the same role"
cmp_ok "$(wc -l <<<"$statements")" '>=' 4 "all of it"
end_peers prometheus postgres_exporter
sql "SELECT ml_score.drop_stream('readings'); DROP OWNED BY exporter; DROP ROLE exporter"
done_testing
