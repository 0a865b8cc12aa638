#!/bin/bash
# The whole loop: diamonds come as events of a real broker and are priced on the way in by Azure's inference server; then the market
# changes. A monitor finds it, its alert has a pipeline train anew, the event that says that the model is deployed moves the server to
# the new deployment, and all is well again. All of it by a role that is no superuser; nobody steps in.
# Version: 16, the parts are tested on every version
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/batch_jobs.sh"
need_peer kafka deployments real_records real_retrained
batch_setup loop 1
kafka_topic loop_diamonds 2
kafka_topic loop_events 1
url=$(deployments_url blue "$(peer_url real_records)/score" green "$(peer_url real_retrained)/score")
store=azureml://datastores/$BOX/paths

# market ROUND CONDITION FACTOR: events of the diamonds for which awk's condition holds, at so many times their price.
market() {
	awk -F , -v round="$1" -v factor="$3" 'NR > 1 && '"$2"' { gsub("\"", ""); printf "{\"round\": %d, \"id\": %d, \"carat\": %s, \"cut\": \"%s\", \"color\": \"%s\", \"clarity\": \"%s\", \"depth\": %s, \"table\": %s, \"paid\": %s, \"x\": %s, \"y\": %s, \"z\": %s}\n",
		round, NR, $1, $2, $3, $4, $5, $6, $7 * factor, $8, $9, $10 }' "$CACHE/diamonds.csv" | kafka_produce loop_diamonds
	sql_as loop_ops "SELECT ml_score.wait_stream('diamonds', '90 s')" >/dev/null
}
status() {
	sql "SELECT string_agg(signal || ' ' || breached, ', ' ORDER BY signal) FROM ml_score.monitor_status WHERE monitor = 'diamonds'"
}
# until_status WORDS
until_status() {
	poll 60 has_status "$1"
}
has_status() {
	[ "$(status)" = "$1" ]
}

sql <<-SQL
	CREATE ROLE loop_ops LOGIN;
	GRANT CREATE ON SCHEMA public TO loop_ops;
	GRANT USAGE ON FOREIGN DATA WRAPPER ml_score TO loop_ops;
	GRANT EXECUTE ON FUNCTION ml_score.ingest_event(jsonb) TO loop_ops;
	GRANT USAGE ON FOREIGN SERVER pb, lake TO loop_ops;
	CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_EVENTHUBS', auth 'connection_string', ca_file '$KAFKA_CA');
	CREATE USER MAPPING FOR PUBLIC SERVER hub OPTIONS (connection_string '$KAFKA_CONNECTION_STRING');
	GRANT USAGE ON FOREIGN SERVER hub TO loop_ops;
	ALTER SERVER pb OPTIONS (ADD deployment 'pipeline');
SQL
sql_as loop_ops "
	CREATE SERVER endpoint TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$url', deployment 'blue', max_batch_rows '500');
	SELECT ml_score.create_function('endpoint', 'diamond_price');
	CREATE TABLE scored (round int, id int, carat float8, cut text, color text, clarity text, paid float8, price float8, PRIMARY KEY (round, id));
	CREATE TABLE trained_on (feature text, distribution ml_score.distribution);
	CREATE TABLE journal (id int GENERATED ALWAYS AS IDENTITY, what text);
	-- what a deployment brings with it: where to send rows, and what they should be like
	CREATE FUNCTION promote(event jsonb) RETURNS void LANGUAGE plpgsql AS \$\$
	BEGIN
		EXECUTE format('ALTER SERVER endpoint OPTIONS (SET deployment %L)', event #>> '{data,ServiceTags,deployment}');
		DELETE FROM trained_on;
		INSERT INTO trained_on SELECT * FROM ml_score.freeze('SELECT carat, cut, color, clarity FROM scored WHERE round = (SELECT max(round) FROM scored)');
		INSERT INTO journal (what) VALUES ('promoted');
	END \$\$;
	SELECT ml_score.create_stream('diamonds', server => 'hub', topic => 'loop_diamonds',
		columns => 'round int, id int, carat float8, cut text, color text, clarity text, depth float8, \"table\" float8, paid float8, x float8, y float8, z float8',
		query => 'INSERT INTO scored SELECT round, id, carat, cut, color, clarity, paid, diamond_price(carat, cut, color, clarity, depth, \"table\", x, y, z) FROM batch');
	SELECT ml_score.create_stream('events', server => 'hub', topic => 'loop_events', format => 'eventgrid', columns => 'event jsonb', format_options => '{\"paths\": {\"event\": \"\$\"}}',
		query => 'SELECT ml_score.ingest_event(event) FROM batch; SELECT promote(event) FROM batch WHERE event ->> ''eventType'' = ''Microsoft.MachineLearningServices.ModelDeployed''')" >/dev/null

# the market that the model knows
market 1 'NR % 30 == 2' 1
is "$(sql "SELECT count(*), count(price) FROM scored")" "1798|1798" "diamonds are priced as they come"
sql_as loop_ops "INSERT INTO trained_on SELECT * FROM ml_score.freeze('SELECT carat, cut, color, clarity FROM scored');
	SELECT ml_score.create_monitor('diamonds', current => 'SELECT carat, cut, color, clarity FROM scored WHERE round = (SELECT max(round) FROM scored)',
		baseline => 'SELECT feature, distribution FROM trained_on', signals => '{data_drift, model_performance}',
		performance => 'SELECT paid AS actual, price AS predicted FROM scored WHERE round = (SELECT max(round) FROM scored)',
		thresholds => '{\"model_performance\": {\"r2\": 0.8}}', schedule => '1 second');
	SELECT ml_score.create_monitor_action('diamonds', 'journal', statement => 'INSERT INTO journal (what) SELECT (\$1 #>> ''{data,event}'') || '' of '' || (\$1 #>> ''{data,signal}'')');
	SELECT ml_score.create_monitor_action('diamonds', 'train', signals => '{model_performance}', cool_down => '1 day',
		batch => '{\"server\": \"pb\", \"input\": \"$store/training\", \"parameters\": {\"rate\": 0.1}, \"outputs\": {\"model\": \"$store/{path}/model.json\"}, \"retain\": \"all\"}')" >/dev/null
until_status "data_drift false, model_performance false"
is "$(status)" "data_drift false, model_performance false" "all is well" "$(sql "SELECT * FROM ml_score.monitor_status")"

# it changes: heavier diamonds, at twice the price
market 2 'NR % 10 == 5 && $1 + 0 > 1' 2
until_status "data_drift true, model_performance true"
is "$(status)" "data_drift true, model_performance true" "the monitor finds that it has changed"
wait_until 60 "SELECT count(*) = 1 AND bool_and(state = 'completed') FROM ml_score.batch_job"
ok $? "its alert has a model trained" "$(sql "SELECT state, error, error_detail FROM ml_score.batch_job; SELECT * FROM ml_score.alert")"
job=$(sql "SELECT job FROM ml_score.alert WHERE job IS NOT NULL")
like "$(blob_get "$BOX/$(job "$job" folder)/out/model.json")" '"rate": "?0\.1' "with the parameters of the alert"

# the workspace says that the new model is deployed
echo '[{"topic": "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w", "eventType": "Microsoft.MachineLearningServices.ModelDeployed", "subject": "endpoints/diamonds",
	"eventTime": "2026-03-02T10:00:00Z", "id": "deployed-1", "data": {"ServiceName": "diamonds", "ModelIds": "diamonds:2", "ServiceTags": {"deployment": "green"}, "ServiceProperties": {}}, "dataVersion": "", "metadataVersion": "1"}]' |
	tr -d '\n\t' | kafka_produce loop_events
sql_as loop_ops "SELECT ml_score.wait_stream('events', '60 s')" >/dev/null
is "$(sql "SELECT type, subject FROM ml_score.run_event")" "ModelDeployed|endpoints/diamonds" "the event is kept"
like "$(sql "SELECT srvoptions FROM pg_foreign_server WHERE srvname = 'endpoint'")" "deployment=green" "and moves the server to the new deployment"
market 3 'NR % 10 == 8 && $1 + 0 > 1' 2
until_status "data_drift false, model_performance false"
is "$(status)" "data_drift false, model_performance false" "the drift is gone, and prices are right again" "$(sql "SELECT * FROM ml_score.monitor_result WHERE at = (SELECT max(at) FROM ml_score.monitor_result)")"
is "$(sql "SELECT round, (sum(abs(price - paid)) / sum(paid) < 0.2) FROM scored GROUP BY round ORDER BY round")" $'1|t\n2|f\n3|t' "as the rows themselves say"
wait_until 30 "SELECT count(*) FILTER (WHERE state <> 'delivered') = 0 FROM ml_score.alert"
is "$(sql "SELECT string_agg(what, ', ' ORDER BY id) FROM (SELECT min(id) AS id, what FROM journal GROUP BY what) j WHERE what <> 'recovery of data_drift'")" \
	"breach of data_drift, breach of model_performance, promoted, recovery of model_performance" "the journal tells it in order"
is "$(sql "SELECT count(*), count(DISTINCT what) FROM journal")|$(sql "SELECT count(*) FROM ml_score.batch_job")|$(sql "SELECT count(*) FROM ml_score.dead_letter")" "5|5|1|0" "each thing was done once"
sql_as loop_ops "SELECT ml_score.drop_monitor('diamonds'); SELECT ml_score.drop_stream(name) FROM ml_score.stream" >/dev/null
done_testing
