#!/bin/bash
# Launcher and supervisors: databases are found by themselves, and nothing that needs a database to itself is held back.
. "$(dirname "$0")/../lib/tap.sh"
me=$PGDATABASE
supervisor() {
	echo "SELECT count(*) = $2 FROM pg_stat_activity WHERE backend_type = 'ml_score supervisor' AND datname = '$1'"
}

# Work that takes a worker: a stream, whether or not there is a hub.
work="CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '127.0.0.1:1', security_protocol 'plaintext', auth 'none');
	SELECT FROM ml_score.create_stream('work', server => 'hub', topic => 't', columns => 'a int', query => 'SELECT FROM batch')"

is "$(sql "SELECT application_name FROM pg_stat_activity WHERE backend_type = 'ml_score launcher'")" "ml_score launcher" "one launcher"
sleep 0.5
is "$(sql "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'ml_score supervisor'")" 0 "no database has work, none has a supervisor"
start=$(now_ms)
sql "$work" >/dev/null
wait_until 10 "$(supervisor "$me" 1)"
ok $? "it comes once there is work"
cmp_ok $(($(now_ms) - start)) "<" 3000 "soon"
is "$(sql "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'ml_score supervisor' AND datname IS DISTINCT FROM '$me'")" 0 \
	"and to no other database"

sql "CREATE DATABASE w1"
PGDATABASE=w1 sql "CREATE EXTENSION ml_score"
sleep 0.5
is "$(sql "$(supervisor w1 0)")" t "a database with the extension and no work is left alone"
PGDATABASE=w1 sql "BEGIN; $work; ROLLBACK"
sleep 0.5
is "$(sql "$(supervisor w1 0)")" t "so is one where work was rolled back"
PGDATABASE=w1 sql "BEGIN; $work; PREPARE TRANSACTION 'w1'"
sleep 0.5
is "$(sql "$(supervisor w1 0)")" t "or is only prepared"
PGDATABASE=w1 sql "COMMIT PREPARED 'w1'"
wait_until 10 "$(supervisor w1 1)"
ok $? "until it is committed"
PGDATABASE=w1 sql "BEGIN; DROP EXTENSION ml_score CASCADE; ROLLBACK" 2>/dev/null
wait_until 10 "$(supervisor w1 1)"
ok $? "it is back when DROP EXTENSION was rolled back"
PGDATABASE=w1 sql "DROP EXTENSION ml_score CASCADE" 2>/dev/null
sleep 0.5
is "$(sql "$(supervisor w1 0)")" t "and is gone with the extension"
PGDATABASE=w1 sql "CREATE EXTENSION ml_score; $work" >/dev/null
wait_until 10 "$(supervisor w1 1)"
ok $? "and back with another and its work"

start=$(now_ms)
sql "CREATE DATABASE w2 TEMPLATE w1"
cmp_ok $(($(now_ms) - start)) "<" 4000 "it does not hold back CREATE DATABASE ... TEMPLATE"
sleep 0.5
is "$(sql "$(supervisor w2 0)")" t "the copy's streams do not run beside those that they were copied from"
PGDATABASE=w2 sql "SELECT FROM ml_score.create_stream('more', server => 'hub', topic => 't', columns => 'a int', query => 'SELECT FROM batch')"
wait_until 10 "$(supervisor w2 1)"
ok $? "it gets a supervisor for work of its own"
wait_until 10 "$(supervisor w1 1)"
ok $? "and the original its own back"
sql "ALTER DATABASE w2 RENAME TO w3"
is "$(sql "SELECT count(*) FROM pg_database WHERE datname = 'w3'")" 1 "nor ALTER DATABASE ... RENAME"
wait_until 10 "$(supervisor w3 1)"
ok $? "after which it is back"
sql "ALTER DATABASE w3 IS_TEMPLATE true"
wait_until 10 "$(supervisor w3 0)"
ok $? "it leaves a template, which CREATE DATABASE needs alone"
sql "ALTER DATABASE w3 IS_TEMPLATE false"
wait_until 10 "$(supervisor w3 1)"
ok $? "and is back when it is none any more"

sql "CREATE ROLE w_other LOGIN"
like "$(PGUSER=w_other sql_error "DROP DATABASE w3")" "must be owner" "who may not drop a database is refused as ever"
is "$(sql "$(supervisor w3 1)")" t "and does not send its supervisor away"
start=$(now_ms)
sql "DROP DATABASE w3" && sql "DROP DATABASE w1"
ok $? "it does not hold back DROP DATABASE"
cmp_ok $(($(now_ms) - start)) "<" 4000 "for no time that matters"

pid=$(sql "SELECT pid FROM pg_stat_activity WHERE backend_type = 'ml_score supervisor' AND datname = '$me'")
is "$(sql "SELECT state, xact_start IS NULL, backend_xmin IS NULL FROM pg_stat_activity WHERE pid = $pid" | cut -d '|' -f 2,3)" "t|t" \
	"a waiting supervisor is in no transaction and holds back no vacuum"
wait_until 20 "SELECT bool_and(state = 'running') FROM ml_score.stat_worker"
worker=$(sql "SELECT pid FROM ml_score.stat_worker")
is "$(sql "SELECT kind, name, worker, owner FROM ml_score.stat_worker JOIN pg_stat_activity USING (pid) WHERE backend_type = 'ml_score stream'")" "stream|work|0|postgres" \
	"stat_worker shows its workers"
sql "SELECT pg_terminate_backend($pid)" >/dev/null
wait_until 20 "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'ml_score supervisor' AND datname = '$me' AND pid <> $pid"
ok $? "a supervisor that ended is started again"
wait_until 20 "SELECT count(*) = 1 AND min(pid) <> $worker FROM ml_score.stat_worker w JOIN pg_stat_activity a USING (pid) WHERE w.state = 'running'"
ok $? "with workers of its own"
is "$(sql "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'ml_score stream' AND datname = '$me'")" 1 "which do not work beside those that it has left"

start_cluster "workers-$PGVER" "$PGVER" "shared_preload_libraries = 'ml_score'" "max_worker_processes = 1" "max_logical_replication_workers = 0"
use_cluster "workers-$PGVER"
sql "CREATE EXTENSION ml_score; $work" >/dev/null
poll 30 grep -q 'no background worker slot' "$RUN/$CLUSTER/log"
like "$(cat "$RUN/$CLUSTER/log")" "HINT:  Raise max_worker_processes \(now 1\)" "too few max_worker_processes are reported"
sent="CREATE USER MAPPING FOR PUBLIC SERVER hub; SELECT FROM ml_score.send_event('hub', 't', 'x')"
sql "$sent"
wait_until 30 "SELECT bool_and(state = 'no slot' AND last_error LIKE '%raise max_worker_processes (now 1)%') FROM ml_score.outbox"
ok $? "the outbox shows it"
is "$(sql "SELECT kind, state, owner FROM ml_score.stat_worker")" "supervisor|no slot|" "so does stat_worker"
sql "SELECT ml_score.drop_stream('work')"
sql "ALTER SYSTEM SET max_worker_processes = 2"
restart_cluster "workers-$PGVER"
sql "SELECT ml_score.send_event('hub', 'u', 'x')" >/dev/null
wait_until 30 "SELECT bool_and(state = 'no slot') FROM ml_score.outbox"
ok $? "also when the supervisor has a slot and its worker has none"
is "$(sql "SELECT kind, name, state, pid, owner FROM ml_score.stat_worker")" "outbox|hub|no slot||postgres" "and stat_worker says which"
sql "CREATE ROLE w_nobody LOGIN"
is "$(sql_as w_nobody "SELECT count(*) FROM ml_score.stat_worker")" 0 "to whom it concerns"
start=$(now_ms)
stop_cluster "workers-$PGVER"
cmp_ok $(($(now_ms) - start)) "<" 5000 "a fast shutdown is not held back"
use_cluster "main-$PGVER"
done_testing
