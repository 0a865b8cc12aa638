#!/bin/bash
# Faults of the database and of the model under a stream: privileges, functions, tables, disks, constraints, an endpoint that
# is down for a minute, a standby, a restored backup. The stream waits or stops visibly, and loses and doubles nothing.
# Version: 16, a stream's faults are the same for every version
. "$(dirname "$0")/../lib/tap.sh"
need_peer kafka
T=stream_database
kafka_topic $T 2
start_cluster "database-$PGVER" "$PGVER" "shared_preload_libraries = 'ml_score'" "max_worker_processes = 16" "wal_level = replica"
use_cluster "database-$PGVER"
sql <<-EOSQL
	CREATE EXTENSION ml_score;
	CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_PLAIN', security_protocol 'plaintext');
	CREATE ROLE streamer;
	GRANT USAGE ON FOREIGN SERVER hub TO streamer;
	CREATE TABLE t (id bigint, n bigint);
	CREATE TABLE scored (id bigint, score float8);
	GRANT INSERT ON t TO streamer;
	CREATE FUNCTION twice(bigint) RETURNS bigint LANGUAGE sql AS 'SELECT 2 * \$1';
EOSQL
fast_function f ""
sql "CREATE FUNCTION score(a float8) RETURNS float8 LANGUAGE ml_score STABLE COST 10000 AS 'f'; ALTER SERVER f OPTIONS (ADD max_attempts '2', ADD retry_base_delay '10ms')"
SENT=0
send() {
	seq $((SENT + 1)) $((SENT + $1)) | awk '{printf "{\"id\": %d}\n", $1}' | kafka_produce $T -X linger.ms=5 && SENT=$((SENT + $1))
}
# complete NAME: all that was sent is in t, once, and nothing is a dead letter.
complete() {
	sql "SELECT ml_score.wait_stream('s', '60s')" >/dev/null
	is "$(sql "SELECT count(*), count(DISTINCT id), coalesce(max(id), 0) FROM t; SELECT count(*) FROM ml_score.dead_letter WHERE stream = 's'")" "$SENT|$SENT|$SENT"$'\n0' "$1"
}
# shows STATE REGEX NAME
shows() {
	wait_until 40 "SELECT bool_or(state = '$1' AND last_error ~ '$2') FROM ml_score.stat_stream WHERE stream = '${4:-s}'"
	ok $? "$3" "$(sql "SELECT stream, partition, state, last_error FROM ml_score.stat_stream WHERE stream = '${4:-s}'")"
}
send 100
sql "SET ROLE streamer; SELECT ml_score.create_stream('s', 'hub', '$T', columns => 'id bigint', query => 'INSERT INTO public.t SELECT id, public.twice(id) FROM batch', max_batch_delay => '20ms')" >/dev/null
complete "a query with a function"

# The endpoint of another stream is down for a minute meanwhile.
sql "SELECT ml_score.create_stream('scored', 'hub', '$T', columns => 'id bigint', query => 'INSERT INTO scored SELECT id, score(id) FROM batch', max_batch_rows => 50)" >/dev/null
sql "SELECT ml_score.wait_stream('scored', '60s')" >/dev/null
sql "ALTER SERVER f OPTIONS (SET url 'http://127.0.0.1:9/score')"
down_until=$((SECONDS + 60))

sql "REVOKE INSERT ON t FROM streamer"
send 50
shows waiting "permission denied for table t" "a privilege that the owner loses shows"
sql "GRANT INSERT ON t TO streamer"
complete "and it goes on when he has it again"

sql "REVOKE USAGE ON FOREIGN SERVER hub FROM streamer; SELECT ml_score.pause_stream('s'); SELECT ml_score.resume_stream('s')" >/dev/null
send 50
shows waiting "permission denied for foreign server hub" "so does USAGE on the server"
sql "GRANT USAGE ON FOREIGN SERVER hub TO streamer"
complete "until he has that"

# The worker cannot read the stream itself: another transaction has one of our tables.
sql "ALTER DATABASE postgres SET lock_timeout = '200ms'"
sql_background locker "BEGIN; LOCK TABLE ml_score.stream_window; SELECT pg_sleep(4)"
wait_until 10 "SELECT count(*) = 1 FROM pg_locks WHERE relation = 'ml_score.stream_window'::regclass AND mode = 'AccessExclusiveLock' AND granted"
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'ml_score stream' AND application_name = 's'" >/dev/null
sql_join locker >/dev/null
send 50
complete "a worker that could not read its stream tries again"
like "$(cat "$RUN/$CLUSTER/log")" 'ml_score stream "s" waits: canceling statement due to lock timeout' "and says so"
sql "ALTER DATABASE postgres RESET lock_timeout"

sql "DROP FUNCTION twice(bigint)"
send 50
shows waiting "function public.twice.bigint. does not exist" "a function that was dropped shows"
sql "CREATE FUNCTION twice(bigint) RETURNS bigint LANGUAGE sql AS 'SELECT 2 * \$1'"
complete "and it goes on when there is one"

sql "CREATE TABLE kept AS TABLE t; DROP TABLE t"
send 50
shows waiting 'relation "public.t" does not exist' "a table that was dropped shows"
sql "CREATE TABLE t (id int, n numeric); INSERT INTO t TABLE kept; GRANT INSERT ON t TO streamer"
complete "and it goes on with another, of other types"

# As PostgreSQL raises it when the disk is full; a file system that is may not be to be had where tests run.
sql "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS \$\$BEGIN RAISE 'could not extend file \"base/1/2\": No space left on device' USING ERRCODE = '53100'; END\$\$;
	CREATE TRIGGER full_disk BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION full_disk()"
send 50
shows waiting "No space left on device" "a full disk shows"
sql "DROP TRIGGER full_disk ON t"
complete "and nothing is lost by it"

# A constraint that is looked at when the transaction commits: then which event it was is found, and the others are kept.
sql "CREATE TABLE parent (id bigint PRIMARY KEY); INSERT INTO parent SELECT generate_series(1, 500) EXCEPT VALUES (7), (8), (270);
	CREATE TABLE child (id bigint REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
	SELECT ml_score.create_stream('deferred', 'hub', '$T', target => 'child', max_batch_rows => 1000)" >/dev/null
sql "SELECT ml_score.wait_stream('deferred', '60s')" >/dev/null
is "$(sql "SELECT count(*) FROM child")|$(sql "SELECT string_agg(v::text, ' ' ORDER BY v), min(sqlstate), max(sqlstate) FROM ml_score.dead_letter, LATERAL (SELECT (convert_from(raw, 'UTF8')::jsonb ->> 'id')::int AS v) AS e WHERE stream = 'deferred'")" \
	"$((SENT - 3))|7 8 270|23503|23503" "events that violate a deferred constraint are dead letters, those alone"
sql "SELECT ml_score.drop_stream('deferred')" >/dev/null

# on_error 'fail': stops before the event, says which it is, and goes on there.
kafka_topic ${T}_fail 1
printf '{"id": %s}\n' 1 2 x 4 | kafka_produce ${T}_fail
sql "CREATE TABLE strict (id bigint); SELECT ml_score.create_stream('strict', 'hub', '${T}_fail', target => 'strict', on_error => 'fail')" >/dev/null
shows stopped "partition 0, offset 2: .*invalid input syntax|partition 0, offset 2: .*not JSON" "on_error fail stops at the event that cannot be stored" strict
is "$(sql "SELECT coalesce(max(next_offset), 0) <= 2, (SELECT count(*) FROM ml_score.dead_letter WHERE stream = 'strict') FROM ml_score.stream_offset WHERE stream = 'strict'")" "t|0" "before it, and it is no dead letter"
sql "SELECT ml_score.alter_stream('strict', on_error => 'dead_letter'); SELECT ml_score.resume_stream('strict')" >/dev/null
sql "SELECT ml_score.wait_stream('strict', '60s')" >/dev/null
is "$(sql "SELECT string_agg(id::text, ' ' ORDER BY id) FROM strict")" "1 2 4" "altered, it goes on from there"
sql "SELECT ml_score.drop_stream('strict')" >/dev/null

# copy_cluster NAME [OPTION]: a base backup of this cluster, not started.
copy_cluster() {
	mkdir -p "$RUN/$1/s"
	chown "$SERVER_USER" "$RUN/$1" "$RUN/$1/s" 2>/dev/null || true
	chmod 700 "$RUN/$1/s"
	as_server "$PGBIN/pg_basebackup" -h "$PGHOST" -U postgres -D "$RUN/$1/data" -c fast ${2:+"$2"} || return 1
	as_server sed -i "s#$RUN/$CLUSTER/s#$RUN/$1/s#" "$RUN/$1/data/postgresql.conf"
	echo "$PGVER" >"$RUN/$1/version"
}
copy_cluster "backup-$PGVER"
ok $? "a backup is taken while the stream runs"
backup_had=$SENT
send 100
copy_cluster "standby-$PGVER" -R
use_cluster "standby-$PGVER"
restart_cluster "standby-$PGVER"
send 100
wait_until 30 "SELECT count(*) = $SENT FROM t"
ok $? "a standby sees what the primary's stream stores" "$(sql "SELECT count(*) FROM t")"
is "$(sql "SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ 'ml_score'")" 0 "and runs nothing itself"
stop_cluster "database-$PGVER"
send 100
sql "SELECT pg_promote()" >/dev/null
complete "promoted, it goes on where the primary was"
stop_cluster "standby-$PGVER"
use_cluster "backup-$PGVER"
restart_cluster "backup-$PGVER"
cmp_ok "$backup_had" "<" "$SENT" "the backup is older"
complete "restored, it takes what has come since, once"

# The endpoint, which the backup has down, too.
shows waiting 'server "f"' "a minute without the endpoint" scored
left=$((down_until - SECONDS))
[ $left -le 0 ] || sleep $left
is "$(sql "SELECT count(*) FROM scored")|$(sql "SELECT count(*) FROM ml_score.dead_letter")" "100|0" "loses nothing to the dead letters"
sql "ALTER SERVER f OPTIONS (SET url '$(peer_url fast)/score')"
sql "SELECT ml_score.wait_stream('scored', '60s')" >/dev/null
is "$(sql "SELECT count(*), count(DISTINCT id), bool_and(score = id) FROM scored")" "$SENT|$SENT|t" "and all is scored when it is back"
stop_cluster "backup-$PGVER"
use_cluster "main-$PGVER"
kafka_delete_topic $T
done_testing
