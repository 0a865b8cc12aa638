#!/bin/bash
# A stream is altered while it runs, its role's workers are limited, and what it needs of the catalog stays or follows.
# Version: 16, definitions are the same for every version
. "$(dirname "$0")/../lib/tap.sh"
need_peer kafka
T=stream_definition
kafka_topic $T 2
start_cluster "definition-$PGVER" "$PGVER" "shared_preload_libraries = 'ml_score'" "max_worker_processes = 16"
use_cluster "definition-$PGVER"
sql <<-EOSQL
	CREATE EXTENSION ml_score;
	CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_PLAIN', security_protocol 'plaintext');
	CREATE ROLE streamer; CREATE ROLE heir; CREATE ROLE gone;
	GRANT USAGE ON FOREIGN SERVER hub TO streamer, heir;
	CREATE TABLE t (id bigint PRIMARY KEY, twice bigint, by text DEFAULT current_user);
	GRANT ALL ON t TO PUBLIC;
EOSQL
SENT=0
send() {
	seq $((SENT + 1)) $((SENT + $1)) | awk '{printf "{\"id\": %d}\n", $1}' | kafka_produce $T -X linger.ms=5 && SENT=$((SENT + $1))
}
complete() {
	sql "SELECT ml_score.wait_stream('s', '60s')" >/dev/null
	is "$(sql "SELECT count(*), coalesce(max(id), 0) FROM t")|$(sql "SELECT sum(events) FROM ml_score.stat_stream WHERE stream = 's'")" "$SENT|$SENT|$SENT" "$1"
}

# Altered in the middle of what comes: each event is stored once, as the stream was before or as it is after.
sql "SET ROLE streamer; SELECT ml_score.create_stream('s', 'hub', '$T', target => 'public.t', max_batch_rows => 20, max_batch_delay => '20ms')" >/dev/null
send 500
sql "SELECT ml_score.wait_stream('s', '60s')" >/dev/null
seq 501 1500 | awk '{printf "{\"id\": %d}\n", $1; if ($1 % 50 == 0) system("sleep 0.05")}' | kafka_produce $T -X linger.ms=1 &
sender=$!
sleep 0.3
sql "SET ROLE streamer; BEGIN; SELECT ml_score.alter_stream('s', query => 'INSERT INTO t SELECT 1/0 FROM batch', columns => 'id bigint'); SELECT pg_sleep(0.3); ROLLBACK" >/dev/null
sql "SET ROLE streamer; SELECT ml_score.alter_stream('s', query => 'INSERT INTO t SELECT id, 2 * id FROM batch', columns => 'id bigint', workers => 2, max_batch_rows => 100)" >/dev/null
wait $sender
SENT=1500
complete "a stream that is altered keeps its place; one that is rolled back is as it was"
is "$(sql "SELECT count(*) > 0 AND bool_and(twice = 2 * id) FROM t WHERE twice IS NOT NULL")|$(sql "SELECT count(twice) FROM t WHERE id <= 500")" "t|0" "what came after the commit is stored the new way"
is "$(sql "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'ml_score stream'")" 2 "by as many workers as it has now"
sql "SELECT ml_score.alter_stream('s', owner => 'heir')" >/dev/null
wait_until 30 "SELECT count(*) > 0 AND bool_and(usename = 'heir') FROM pg_stat_activity WHERE backend_type = 'ml_score stream' AND datname = current_database()"
send 100
complete "one that is given away goes on"
is "$(sql "SELECT DISTINCT by FROM t WHERE id > 1500")" heir "in its new owner's name"
like "$(sql_error "SET ROLE streamer; SELECT ml_score.alter_stream('s', workers => 1)")" "42501.*must be owner" "and is no longer the old one's"

# After that nothing is stored in the old one's name, not even by a worker that has not heard of it: what would end it, the
# supervisor, is stopped meanwhile.
release() {
	sql "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND mode = 'ExclusiveLock' AND granted" >/dev/null
	sql_join holder >/dev/null 2>&1
}
sql "SELECT ml_score.alter_stream('s', query => 'INSERT INTO t SELECT id FROM batch; SELECT pg_advisory_xact_lock_shared(42)', columns => 'id bigint', workers => 1)" >/dev/null
sql "SELECT ml_score.wait_stream('s', '60s')" >/dev/null
sql_background holder "SELECT pg_advisory_lock(42), pg_sleep(300)"
wait_until 20 "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 42"
send 10
wait_until 30 "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'ml_score stream' AND usename = 'heir' AND wait_event = 'advisory'"
supervisor=$(sql "SELECT pid FROM pg_stat_activity WHERE backend_type = 'ml_score supervisor' AND datname = current_database()")
kill -STOP "$supervisor"
sql "SELECT ml_score.alter_stream('s', owner => 'streamer', query => 'INSERT INTO t SELECT id FROM batch', columns => 'id bigint')" >/dev/null
release 42
wait_until 30 "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'ml_score stream'"
ok $? "a worker of the old owner ends when it comes to store"
is "$(sql "SELECT count(*) FROM t WHERE id > $SENT - 10")" 0 "and stores nothing"
kill -CONT "$supervisor"
complete "the new owner's worker does"
is "$(sql "SELECT DISTINCT by FROM t WHERE id > $SENT - 10")" streamer "in the new owner's name"
sql "SELECT ml_score.alter_stream('s', owner => 'heir', query => 'INSERT INTO t SELECT id, 2 * id FROM batch', columns => 'id bigint', workers => 2)" >/dev/null

# Who makes a stream and who drops its server wait for each other.
hub_for() {
	sql "CREATE SERVER $1 TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_PLAIN', security_protocol 'plaintext')"
}
new_stream() {
	echo "SELECT FROM ml_score.create_stream('$1', '$2', '$T', columns => 'id bigint', query => 'SELECT FROM batch', paused => true)"
}
locked="SELECT count(*) > 0 FROM pg_locks WHERE classid = 'pg_foreign_server'::regclass AND granted AND mode ="
hub_for raced
sql_background maker "BEGIN; $(new_stream raced raced); SELECT pg_sleep(2); COMMIT"
wait_until 20 "$locked 'AccessShareLock'"
like "$(sql_error "DROP SERVER raced" | tr '\n' ' ')" "2BP01.*Used by: stream raced" "a server whose stream is not committed yet is not dropped"
sql_join maker >/dev/null
sql "SELECT ml_score.drop_stream('raced')"
sql_background holder "SELECT pg_advisory_lock(43), pg_sleep(300)"
wait_until 20 "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 43"
sql_background dropper "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM pg_class LIMIT 1; SELECT pg_advisory_xact_lock_shared(43); DROP SERVER raced; COMMIT"
wait_until 20 "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 43 AND NOT granted"
sql "$(new_stream unseen raced)"
release 43
like "$(sql_join dropper | tr '\n' ' ')" "cannot drop server .raced.*Used by: stream unseen" "nor one whose stream is newer than the transaction's snapshot"
sql "SELECT ml_score.drop_stream('unseen')"
sql_background dropper "BEGIN; DROP SERVER raced; SELECT pg_sleep(2); COMMIT"
wait_until 20 "$locked 'AccessExclusiveLock'"
like "$(sql_error "$(new_stream late raced)" | tr '\n' ' ')" '42704.*server "raced" does not exist' "a stream on a server that is being dropped is refused"
sql_join dropper >/dev/null

# A role's workers.
sql "SET ROLE heir; SELECT ml_score.create_stream('s2', 'hub', '$T', columns => 'id bigint', query => 'SELECT FROM batch', workers => 2)" >/dev/null
sql "SELECT ml_score.wait_stream('s2', '60s')" >/dev/null
like "$(sql_error "SET ROLE heir; SELECT ml_score.create_stream('s3', 'hub', '$T', columns => 'id bigint', query => 'SELECT FROM batch')")" \
	"53400.*too many stream workers" "a role gets no more workers than the setting says"
sql "ALTER SYSTEM SET ml_score.max_stream_workers_per_role = 2"
sql "SELECT pg_reload_conf()" >/dev/null
wait_until 20 "SELECT count(*) = 2 AND bool_and(application_name = 's') FROM pg_stat_activity WHERE backend_type = 'ml_score stream'"
ok $? "when it is lowered the newer stream's workers end"
is "$(sql "SELECT DISTINCT state, last_error ~ 'max_stream_workers_per_role' FROM ml_score.stat_stream WHERE stream = 's2'")" "waiting|t" "which shows"
sql "ALTER SYSTEM RESET ml_score.max_stream_workers_per_role"
sql "SELECT pg_reload_conf()" >/dev/null
wait_until 20 "SELECT count(*) = 4 FROM pg_stat_activity WHERE backend_type = 'ml_score stream'"
ok $? "and come back when it is raised"
sql "SELECT ml_score.drop_stream('s2')" >/dev/null

# What a stream needs.
like "$(sql_error "DROP SERVER hub CASCADE" | tr '\n' ' ')" "2BP01.*cannot drop server \"hub\".*stream s" "its server cannot be dropped"
like "$(sql_error "DROP OWNED BY heir; DROP ROLE heir" | tr '\n' ' ')" "2BP01.*role \"heir\" cannot be dropped.*stream s" "nor the role that owns it"
sql "GRANT USAGE ON FOREIGN SERVER hub TO heir; DROP OWNED BY gone; DROP ROLE gone"
ok $? "another can"
sql "ALTER SERVER hub RENAME TO bay"
send 100
complete "a server that is renamed is still its server"
is "$(sql "SELECT server FROM ml_score.stream")" bay "under its new name"
sql "ALTER ROLE heir RENAME TO crown_prince"
send 100
complete "so is a role"
sql "SELECT ml_score.send_event('bay', '$T', 'x')" >/dev/null
sql "BEGIN; DROP EXTENSION ml_score CASCADE; ROLLBACK" 2>/dev/null
ok $? "DROP EXTENSION CASCADE takes all with it"
sql "SELECT ml_score.drop_stream('s')" >/dev/null
wait_until 30 "SELECT count(*) = 0 FROM ml_score.outbox"
sql "DROP SERVER bay; DROP OWNED BY crown_prince; DROP ROLE crown_prince"
ok $? "without it both can be dropped"

# From another database PostgreSQL lets its owner go.
sql "CREATE ROLE orphan; CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_PLAIN', security_protocol 'plaintext');
	GRANT USAGE ON FOREIGN SERVER hub TO PUBLIC"
sql "SET ROLE orphan; SELECT ml_score.create_stream('o', 'hub', '$T', columns => 'id bigint', query => 'SELECT FROM batch')" >/dev/null
sql "SELECT ml_score.wait_stream('o', '60s')" >/dev/null
sql "CREATE DATABASE elsewhere"
PGDATABASE=elsewhere sql "DROP ROLE orphan"
wait_until 90 "SELECT bool_and(state = 'waiting' AND last_error ~ 'owned it is gone') FROM ml_score.stat_stream"
ok $? "a stream whose owner is gone waits, and says so" "$(sql "SELECT stream, state, last_error FROM ml_score.stat_stream")"
sql "SELECT ml_score.alter_stream('o', owner => 'streamer')" >/dev/null
sql "SELECT ml_score.wait_stream('o', '60s')" >/dev/null
ok $? "until it is given to another"
sql "SELECT ml_score.drop_stream('o'); DROP SERVER hub" >/dev/null

# A query that drops its own stream.
sql "CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_PLAIN', security_protocol 'plaintext')"
sql "SELECT ml_score.create_stream('s', 'hub', '$T', columns => 'id bigint', max_batch_rows => 10,
	query => \$\$INSERT INTO t SELECT -1; SELECT ml_score.drop_stream('s')\$\$)" >/dev/null
wait_until 30 "SELECT count(*) = 0 FROM ml_score.stream"
ok $? "a query can drop its own stream"
wait_until 10 "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'ml_score stream'"
ok $? "whose worker then ends" "$(sql "SELECT stream, state, last_error FROM ml_score.stat_stream")"
is "$(sql "SELECT count(*) FROM t WHERE id = -1")" 1 "with what it did, once"

# Where the hub sends us: not to hosts that a superuser did not allow.
sql "ALTER SYSTEM SET ml_score.allowed_hosts = 'localhost'"
sql "SELECT pg_reload_conf()" >/dev/null
wait_until 10 "SELECT current_setting('ml_score.allowed_hosts') = 'localhost'"
sql "DROP SERVER hub; CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers 'localhost:${KAFKA_PLAIN#*:}', security_protocol 'plaintext');
	SELECT ml_score.create_stream('s', 'hub', '$T', columns => 'id bigint', query => 'SELECT FROM batch')" >/dev/null
wait_until 30 "SELECT bool_or(state = 'waiting' AND last_error = 'the hub''s broker \"${KAFKA_PLAIN%:*}\" is not among ml_score.allowed_hosts') FROM ml_score.stat_stream"
ok $? "a hub cannot send a stream to a host that is not allowed" "$(sql "SELECT state, last_error FROM ml_score.stat_stream")"
before=$(kafka_events $T)
sql "SELECT ml_score.send_event('hub', '$T', 'x')" >/dev/null
wait_until 20 "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'ml_score outbox'"
sleep 2
is "$(kafka_events $T)|$(sql "SELECT count(*) FROM ml_score.outbox")" "$before|1" "nor what is sent to it"
sql "ALTER SYSTEM SET ml_score.allowed_hosts = 'localhost, 127.0.0.1'"
sql "SELECT pg_reload_conf(); SELECT ml_score.pause_stream('s'); SELECT ml_score.resume_stream('s')" >/dev/null
sql "SELECT ml_score.wait_stream('s', '60s')" >/dev/null
ok $? "until it is"
pid=$(sql "SELECT pid FROM ml_score.stat_worker WHERE kind = 'stream'")
sql "ALTER SYSTEM SET ml_score.allowed_hosts = 'localhost'"
sql "SELECT pg_reload_conf()" >/dev/null
wait_until 30 "SELECT bool_and(state = 'waiting' AND last_error ~ 'allowed_hosts' AND pid = $pid) FROM ml_score.stat_stream"
ok $? "a stream that runs leaves a host that is no longer allowed" "$(sql "SELECT state, last_error FROM ml_score.stat_stream")"
stop_cluster "$CLUSTER"
unlike "$(cat "$RUN/$CLUSTER/log")" "before_shmem_exit|CONFWARN|%[0-9]\|" "workers that are told to end do so without a complaint, and librdkafka writes nothing to the server's log"
use_cluster "main-$PGVER"
done_testing
