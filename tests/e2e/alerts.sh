#!/bin/bash
# Monitors that run by themselves and what they have done: each alert once for a breach and once for its end, through failing
# webhooks, dropped tables, lost privileges, killed workers, and dumps.
# Version: 16, monitors are the same for every version
. "$(dirname "$0")/../lib/tap.sh"
need_peer webhook_sink
sink=$(peer_url webhook_sink)
secret=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
answers() {
	curl -sS -o /dev/null -X PUT --data-binary "$1" "$sink/_answers"
}
# taken EXPRESSION: of each alert taken, in order
taken() {
	curl -sS "$sink/_taken" | /usr/bin/python3 -c 'import json, sys
for line in sys.stdin:
    i = json.loads(line)
    print(eval(sys.argv[1]))' "$1" | tr '\n' ' '
}
# alerts ACTION: event and state of each, in order
alerts() {
	sql "SELECT string_agg(event || ' ' || l.state, ', ' ORDER BY l.id) FROM ml_score.alert l JOIN ml_score.monitor_action a ON a.id = action WHERE a.name = '$1'"
}
# level VALUE: what the monitor measures from now on
level() {
	sql "UPDATE level SET value = $1"
}
# until_breached MONITOR t|f
until_breached() {
	wait_until 30 "SELECT breached = '$2' FROM ml_score.monitor_status WHERE monitor = '$1'"
}
until_delivered() {
	wait_until "${1:-30}" "SELECT count(*) FILTER (WHERE state = 'pending') = 0 FROM ml_score.alert"
}

sql <<-SQL
	CREATE ROLE watcher LOGIN;
	GRANT CREATE ON SCHEMA public TO watcher;
	CREATE TABLE level (value float8);
	INSERT INTO level VALUES (1);
	GRANT SELECT ON level TO watcher;
	CREATE SERVER hook TYPE 'webhook' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$sink/hook', auth 'key', max_attempts '1');
	CREATE USER MAPPING FOR watcher SERVER hook OPTIONS (key 'bearer-of-alerts', secret '$secret');
	CREATE SERVER train TYPE 'batch' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:9/jobs', auth 'none', max_attempts '1');
	GRANT USAGE ON FOREIGN SERVER hook, train TO watcher;
SQL
sql_as watcher "CREATE TABLE done (what text, event text, who text DEFAULT current_user, id uuid UNIQUE);
	SELECT ml_score.create_monitor('level', custom => 'SELECT ''level'' AS metric, value FROM level', thresholds => '{\"custom\": {\"level\": 10}}', schedule => '1 second');
	SELECT ml_score.create_monitor_action('level', 'tell', channel => 'drift');
	SELECT ml_score.create_monitor_action('level', 'post', webhook => 'hook');
	SELECT ml_score.create_monitor_action('level', 'write', statement => 'INSERT INTO done SELECT ''write'', \$1 #>> ''{data,event}'', current_user, (\$1 ->> ''id'')::uuid');
	SELECT ml_score.create_monitor_action('level', 'train', batch => '{\"server\": \"train\", \"input\": \"azureml://data\", \"parameters\": {\"rate\": 0.1}}')" >/dev/null
until_breached level f
ok $? "a monitor with a schedule runs by itself" "$(sql "SELECT * FROM ml_score.monitor_status")"
is "$(sql "SELECT count(*) FROM ml_score.alert")" 0 "nothing is announced while all is well"

# a breach
(
	echo "LISTEN drift;"
	for _ in $(seq 40); do sleep 0.5 && echo "SELECT 1;"; done
) | "$PGBIN/psql" -XAtq >"$RUN/alerts.notify" 2>&1 &
listener=$!
sleep 1
answers '[503, 500, 0]'
level 20
until_breached level t
ok $? "a value beyond its threshold is a breach"
until_delivered
ok $? "of which all are told" "$(sql "SELECT * FROM ml_score.alert")"
is "$(alerts tell)|$(alerts post)|$(alerts write)|$(alerts train)" "breach delivered|breach delivered|breach delivered|breach delivered" "once each"
is "$(sql "SELECT what, event, who, id = (SELECT event_id FROM ml_score.alert l JOIN ml_score.monitor_action a ON a.id = action WHERE a.name = 'write') FROM done")" \
	"write|breach|watcher|t" "the statement is run as the owner, with the alert"
is "$(taken 'i["body"]["data"]["event"], i["body"]["data"]["breaches"][0]["value"], i["authorization"]')" \
	"('breach', 20, 'Bearer bearer-of-alerts') ('breach', 20, 'Bearer bearer-of-alerts') " "a webhook whose answer was lost is sent again"
is "$(curl -sS "$sink/_seen" | sort | uniq -c | tr -s ' ' | cut -d ' ' -f 2)" 4 "always with the same id"
is "$(sql "SELECT attempts >= 2, last_error ~ 'server \"hook\"' FROM ml_score.alert l JOIN ml_score.monitor_action a ON a.id = action WHERE a.name = 'post'")" "t|t" "what failed is noted"
is "$(sql "SELECT j.owner, j.server, j.input, j.parameters FROM ml_score.batch_job j JOIN ml_score.alert l ON l.job = j.id")" 'watcher|train|azureml://data|{"rate": 0.1}' "the batch job is submitted"
like "$(sql_error "DROP SERVER hook CASCADE" | tr '\n' ' ')" "2BP01.*action post of monitor level.*drop_monitor_action" "a server that an action uses cannot be dropped"
like "$(sql_error "DROP OWNED BY watcher; DROP ROLE watcher" | tr '\n' ' ')" "2BP01.*monitor level.*drop_monitor" "nor the role that owns a monitor"
sql "ALTER SERVER train RENAME TO retrain; ALTER SERVER hook RENAME TO on_call"
is "$(sql "SELECT string_agg(coalesce(webhook, batch ->> 'server'), ' ' ORDER BY name) FROM ml_score.monitor_action WHERE name IN ('post', 'train')")" "on_call retrain" "they may be renamed"
sql "ALTER SERVER on_call RENAME TO hook"
runs=$(sql "SELECT count(*) FROM ml_score.monitor_run")
wait_until 20 "SELECT count(*) > $runs + 2 FROM ml_score.monitor_run"
is "$(sql "SELECT count(*) FROM ml_score.alert")" 4 "runs that find the same breach announce nothing"

# it is over; the next one is within the cool-down
level 1
until_breached level f
until_delivered
is "$(alerts tell)|$(alerts post)|$(alerts write)|$(alerts train)" \
	"breach delivered, recovery delivered|breach delivered, recovery delivered|breach delivered, recovery delivered|breach delivered" "so is its end, but no training for it"
is "$(taken 'i["body"]["type"]')" "ml_score.monitor.breach ml_score.monitor.breach ml_score.monitor.recovery " "in order"
level 30
until_breached level t
level 1
until_breached level f
is "$(sql "SELECT count(*) FROM ml_score.alert")" 7 "another breach within the cool-down is not announced"
wait "$listener"
is "$(grep -c 'Asynchronous notification "drift" with payload .*"signal": "custom"' "$RUN/alerts.notify")" 2 "listeners heard of both" "$(cat "$RUN/alerts.notify")"

# each action by itself from here on: without a cool-down
sql_as watcher "SELECT ml_score.drop_monitor_action('level', name) FROM ml_score.monitor_action; DELETE FROM done;
	SELECT ml_score.create_monitor_action('level', 'post', webhook => 'hook', cool_down => '0')" >/dev/null
answers '[[200, 3]]'
level 20
wait_until 20 "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'ml_score alert' AND datname = current_database()"
sleep 0.5
is "$(sql "SELECT xact_start IS NULL AND backend_xmin IS NULL FROM pg_stat_activity WHERE backend_type = 'ml_score alert' AND datname = current_database()")" t \
	"who waits for a webhook is in no transaction"
until_delivered
answers '[410]'
level 1
wait_until 20 "SELECT count(*) = 1 FROM ml_score.alert WHERE state = 'failed'"
ok $? "a webhook that is gone is given up" "$(sql "SELECT * FROM ml_score.alert")"
sql "REVOKE USAGE ON FOREIGN SERVER hook FROM watcher"
sql_as watcher "SELECT ml_score.retry_alert(id) FROM ml_score.alert WHERE state = 'failed'"
wait_until 20 "SELECT last_error ~ 'permission denied for foreign server hook' AND state = 'pending' FROM ml_score.alert ORDER BY id DESC LIMIT 1"
ok $? "who may not use the server any more sends nothing" "$(sql "SELECT * FROM ml_score.alert")"
sql "GRANT USAGE ON FOREIGN SERVER hook TO watcher; ALTER USER MAPPING FOR watcher SERVER hook OPTIONS (SET secret 'whsec_?')"
sql_as watcher "SELECT ml_score.retry_alert(id) FROM ml_score.alert WHERE state = 'pending'"
wait_until 20 "SELECT last_error ~ 'cannot sign' FROM ml_score.alert WHERE state = 'pending'"
ok $? "a secret that is none is said to be" "$(sql "SELECT * FROM ml_score.alert")"
sql "ALTER USER MAPPING FOR watcher SERVER hook OPTIONS (SET secret '$secret')"
sql_as watcher "SELECT ml_score.retry_alert(id) FROM ml_score.alert WHERE state = 'pending'"
until_delivered
ok $? "until he may, and it is one"
is "$(curl -sS "$sink/_bad")" "" "every signature was right"

# where webhooks may go, and what NOTIFY can carry
sql "ALTER DATABASE $PGDATABASE SET ml_score.allowed_hosts = 'hooks.example.com'"
level 20
wait_until 20 "SELECT last_error ~ 'allowed' AND state = 'pending' FROM ml_score.alert ORDER BY id DESC LIMIT 1"
ok $? "nothing is sent to hosts that are not allowed" "$(sql "SELECT * FROM ml_score.alert")"
sql "ALTER DATABASE $PGDATABASE RESET ml_score.allowed_hosts; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'ml_score alert' AND datname = current_database()" >/dev/null
sql_as watcher "SELECT ml_score.retry_alert(id) FROM ml_score.alert WHERE state = 'pending'"
until_delivered
ok $? "until they are"
level 1
until_breached level f
sql_as watcher "SELECT ml_score.create_monitor('wide', custom => 'SELECT repeat(''x'', 500) || i AS metric, i AS value, ''f'' || i AS feature FROM generate_series(1, 30) i',
	thresholds => (SELECT jsonb_build_object('custom', jsonb_object_agg(repeat('x', 500) || i, 0)) FROM generate_series(1, 30) i));
	SELECT ml_score.create_monitor_action('wide', 'shout', channel => 'wide')" >/dev/null
is "$(sql_as watcher "SELECT ml_score.run_monitor('wide')")" breached "a monitor with many values"
until_delivered
is "$(alerts shout)|$(sql "SELECT octet_length(payload::text) > 8000 FROM ml_score.alert ORDER BY id DESC LIMIT 1")" "breach delivered|t" "is announced though NOTIFY cannot carry them"

# a statement that fails, and one that is killed
sql_as watcher "SELECT ml_score.drop_monitor_action('level', 'post'); ALTER TABLE done RENAME TO put_away;
	SELECT ml_score.create_monitor_action('level', 'write', statement => 'INSERT INTO done (what, id) VALUES (''first'', (\$1 ->> ''id'')::uuid); SELECT pg_sleep(nap) FROM naps', cool_down => '0');
	CREATE TABLE naps AS SELECT 0::float8 AS nap" >/dev/null
level 20
wait_until 20 "SELECT last_error ~ 'relation \"done\" does not exist' FROM ml_score.alert WHERE state = 'pending'"
ok $? "a statement whose table was dropped is tried again" "$(sql "SELECT * FROM ml_score.alert")"
level 1
until_breached level f
is "$(alerts write)" "breach pending, recovery pending" "and holds up what comes after"
commits="SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
before=$(sql "$commits")
sleep 3
cmp_ok $(($(sql "$commits") - before)) "<" 300 "for which the worker waits without looking all the time"
sql_as watcher "ALTER TABLE put_away RENAME TO done"
until_delivered
ok $? "until the table is back"
is "$(sql "SELECT count(*), count(DISTINCT id) FROM done WHERE what = 'first'")" "2|2" "then both are done once"
sql_as watcher "UPDATE naps SET nap = 600"
level 20
worker="SELECT pid FROM pg_stat_activity WHERE backend_type = 'ml_score alert' AND datname = current_database() AND wait_event = 'PgSleep'"
wait_until 30 "SELECT count(*) = 1 FROM ($worker) w"
pid=$(sql "$worker")
sql "UPDATE naps SET nap = 0"
kill -9 "$pid"
sleep 1
until_delivered 60
ok $? "a worker that was killed is replaced" "$(sql "SELECT * FROM ml_score.alert")"
is "$(sql "SELECT count(*), count(DISTINCT id) FROM done WHERE what = 'first'")" "3|3" "and what it was doing is done once"
until_breached level t
ok $? "the monitor goes on" "$(sql "SELECT * FROM ml_score.monitor_status")"

# privileges, and what is dropped
sql "REVOKE SELECT ON level FROM watcher"
wait_until 30 "SELECT last_outcome = 'failed' AND last_error ~ 'permission denied for table level' AND breached FROM ml_score.monitor_status WHERE monitor = 'level'"
ok $? "a monitor whose owner may not read any more fails, and says why" "$(sql "SELECT * FROM ml_score.monitor_status")"
like "$(sql_error "SELECT ml_score.run_monitor('level')")" "42501.*permission denied for table level" "also when a superuser calls it"
sql "GRANT SELECT ON level TO watcher"
wait_until 30 "SELECT last_outcome = 'breached' FROM ml_score.monitor_status WHERE monitor = 'level'"
ok $? "until he may"
sql_as watcher "SELECT ml_score.pause_monitor('level')"
runs=$(sql "SELECT count(*) FROM ml_score.monitor_run")
wait_until 20 "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'ml_score monitor' AND datname = current_database()"
ok $? "a pause ends its worker"
cmp_ok "$(sql "SELECT count(*) FROM ml_score.monitor_run")" "<=" $((runs + 1)) "and its runs"
is "$(sql_as watcher "SELECT ml_score.run_monitor('level')")" breached "by hand it still runs"

# messages in the encoding of the database
latin=${PGDATABASE}_latin
"$PGBIN/psql" -Xqd postgres -c "DROP DATABASE IF EXISTS $latin" -c "CREATE DATABASE $latin ENCODING LATIN1 LOCALE 'C' TEMPLATE template0" 2>/dev/null
PGDATABASE=$latin PGCLIENTENCODING=UTF8 sql "CREATE EXTENSION ml_score;
	SELECT ml_score.create_monitor('été', custom => 'SELECT ''é'' AS metric, 1 AS value', thresholds => '{\"custom\": {\"é\": 0}}');
	SELECT ml_score.create_monitor_action('été', 'à', statement => 'INSERT INTO \"où\" VALUES (\$1)');
	SELECT ml_score.create_monitor_action('été', 'end', statement => 'DO \$do\$ BEGIN RAISE ''told to'' USING ERRCODE = ''admin_shutdown''; END \$do\$');
	SELECT ml_score.run_monitor('été')" >/dev/null
PGDATABASE=$latin PGCLIENTENCODING=UTF8 wait_until 30 "SELECT attempts > 0 AND last_error ~ 'relation \"où\" does not exist' FROM ml_score.alert ORDER BY id LIMIT 1"
ok $? "what fails in another encoding than UTF8 is noted" "$(PGDATABASE=$latin sql "SELECT * FROM ml_score.alert")"
PGDATABASE=$latin wait_until 30 "SELECT attempts > 0 AND last_error = 'told to' FROM ml_score.alert ORDER BY id DESC LIMIT 1"
ok $? "so is what fails as if PostgreSQL were shut down" "$(PGDATABASE=$latin sql "SELECT * FROM ml_score.alert")"
"$PGBIN/psql" -Xqd postgres -c "DROP DATABASE $latin WITH (FORCE)"

# a dump
restored=${PGDATABASE}_restored
sql_as watcher "SELECT ml_score.resume_monitor('level')"
before="SELECT count(*) > 5, count(*) FILTER (WHERE breached) > 0 FROM ml_score.monitor_result"
is "$(sql "$before")" "t|t" "there is a history"
sql_as watcher "ALTER TABLE done RENAME TO put_away"
level 1
wait_until 20 "SELECT count(*) = 1 FROM ml_score.alert WHERE state = 'pending'"
"$PGBIN/psql" -Xqd postgres -c "DROP DATABASE IF EXISTS $restored" -c "CREATE DATABASE $restored" 2>/dev/null
"$PGBIN/pg_dump" -Fc -f "$RUN/alerts.dump" "$PGDATABASE"
is "$("$PGBIN/pg_restore" -e -d "$restored" "$RUN/alerts.dump" 2>&1)" "" "a dump restores without an error"
is "$(PGDATABASE=$restored sql "$before")|$(PGDATABASE=$restored sql "SELECT count(*) > 0, count(*) FILTER (WHERE state = 'pending') FROM ml_score.alert")" "t|t|t|0" \
	"history is in it, what is still to be done is not"
is "$(PGDATABASE=$restored sql "SELECT state, next_run_at FROM ml_score.monitor_status WHERE monitor = 'level'")" "restored|" "the copy waits"
like "$(PGDATABASE=$restored sql_error "SELECT ml_score.run_monitor('level')")" "55000.*came with a dump" "and does not announce what the original does"
is "$(PGDATABASE=$restored sql "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'ml_score monitor' AND datname = '$restored'")" 0 "nor runs"
PGDATABASE=$restored sql "SELECT ml_score.resume_monitor('level')"
PGDATABASE=$restored wait_until 30 "SELECT last_run_at > now() - interval '20 seconds' AND state = 'scheduled' FROM ml_score.monitor_status WHERE monitor = 'level'"
ok $? "until it is resumed" "$(PGDATABASE=$restored sql "SELECT * FROM ml_score.monitor_status")"
"$PGBIN/psql" -Xqd postgres -c "DROP DATABASE $restored WITH (FORCE)"

# a copy of the database
copy=${PGDATABASE}_copy
is "$("$PGBIN/psql" -Xqd postgres -c "CREATE DATABASE $copy TEMPLATE $PGDATABASE" 2>&1)" "" "the database can be copied"
PGDATABASE=$copy sql_as watcher "ALTER TABLE put_away RENAME TO done; DELETE FROM done"
PGDATABASE=$copy sql "UPDATE ml_score.alert SET due_at = now() WHERE state = 'pending'"
wait_until 20 "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'ml_score alert' AND datname = current_database()"
sleep 3
is "$(PGDATABASE=$copy sql "SELECT count(*), (SELECT count(*) FROM done) FROM ml_score.alert WHERE state = 'pending'")" "1|0" \
	"the copy does not do what the original has to"
PGDATABASE=$copy sql "SELECT ml_score.resume_monitor('level')"
is "$(PGDATABASE=$copy sql "SELECT count(*), (SELECT count(*) FROM done) FROM ml_score.alert WHERE state = 'pending'")" "0|0" "nor when it is resumed"
"$PGBIN/psql" -Xqd postgres -c "DROP DATABASE $copy WITH (FORCE)"
sql_as watcher "SELECT ml_score.drop_monitor(name) FROM ml_score.monitor"
is "$(sql "SELECT count(*) FROM ml_score.alert")|$(sql "SELECT count(*) FROM ml_score.monitor_result")" "0|0" "a monitor that is dropped takes all along"
is "$(grep -c "$secret\|MfKQ9r8GKYqrTw\|bearer-of-alerts" "$RUN/$CLUSTER/log")" 0 "no secret in the log"
done_testing
