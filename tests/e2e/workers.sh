#!/bin/bash
# Launcher and supervisors: databases are found by themselves, and nothing that needs a database to itself is held back.
. "$(dirname "$0")/../lib/tap.sh"
me=$PGDATABASE
supervisor() {
	echo "SELECT count(*) = $2 FROM pg_stat_activity WHERE backend_type = 'ml_score supervisor' AND datname = '$1'"
}

is "$(sql "SELECT application_name FROM pg_stat_activity WHERE backend_type = 'ml_score launcher'")" "ml_score launcher" "one launcher"
wait_until 10 "$(supervisor "$me" 1)"
ok $? "a supervisor comes to a database with the extension"
is "$(sql "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'ml_score supervisor' AND datname IN ('postgres', 'template1')")" 0 \
	"and to no other"

sql "CREATE DATABASE w1"
sleep 0.5
is "$(sql "$(supervisor w1 0)")" t "a database without the extension is left alone"
start=$(now_ms)
PGDATABASE=w1 sql "CREATE EXTENSION ml_score"
wait_until 10 "$(supervisor w1 1)"
ok $? "it comes once the extension is there"
cmp_ok $(($(now_ms) - start)) "<" 3000 "soon"
PGDATABASE=w1 sql "BEGIN; DROP EXTENSION ml_score; CREATE EXTENSION ml_score; COMMIT"
wait_until 10 "$(supervisor w1 1)"
ok $? "and again when the extension was made anew"
PGDATABASE=w1 sql "BEGIN; DROP EXTENSION ml_score; ROLLBACK"
wait_until 10 "$(supervisor w1 1)"
ok $? "and when DROP EXTENSION was rolled back"
PGDATABASE=w1 sql "DROP EXTENSION ml_score"
sleep 0.5
is "$(sql "$(supervisor w1 0)")" t "and is gone with it"
PGDATABASE=w1 sql "CREATE EXTENSION ml_score"
wait_until 10 "$(supervisor w1 1)"

start=$(now_ms)
sql "CREATE DATABASE w2 TEMPLATE w1"
cmp_ok $(($(now_ms) - start)) "<" 4000 "it does not hold back CREATE DATABASE ... TEMPLATE"
wait_until 10 "$(supervisor w2 1)"
ok $? "the copy gets a supervisor"
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
sql "SELECT pg_terminate_backend($pid)" >/dev/null
wait_until 20 "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'ml_score supervisor' AND datname = '$me' AND pid <> $pid"
ok $? "a supervisor that ended is started again"

start_cluster "workers-$PGVER" "$PGVER" "shared_preload_libraries = 'ml_score'" "max_worker_processes = 1" "max_logical_replication_workers = 0"
use_cluster "workers-$PGVER"
sql "CREATE EXTENSION ml_score"
for _ in $(seq 100); do
	grep -q 'no background worker slot' "$RUN/$CLUSTER/log" && break
	sleep 0.1
done
like "$(cat "$RUN/$CLUSTER/log")" "HINT:  Raise max_worker_processes \(now 1\)" "too few max_worker_processes are reported"
start=$(now_ms)
stop_cluster "workers-$PGVER"
cmp_ok $(($(now_ms) - start)) "<" 5000 "a fast shutdown is not held back"
use_cluster "main-$PGVER"
done_testing
