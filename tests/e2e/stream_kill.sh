#!/bin/bash
# A stream's worker, and the whole server, killed by kill -9 at any moment: nothing is lost, nothing is doubled.
# Version: 16, a stream's faults are the same for every version
. "$(dirname "$0")/../lib/tap.sh"
need_peer kafka
T=stream_kill
kafka_topic $T 2
start_cluster "kill-$PGVER" "$PGVER" "shared_preload_libraries = 'ml_score'" "max_worker_processes = 16" "restart_after_crash = on"
use_cluster "kill-$PGVER"
sql <<-EOSQL
	CREATE EXTENSION ml_score;
	CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_PLAIN', security_protocol 'plaintext');
	CREATE TABLE t (id bigint);
	CREATE TABLE q (id bigint);
	CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.0002); RETURN NEW; END';
	CREATE TRIGGER slow BEFORE INSERT ON q FOR EACH ROW EXECUTE FUNCTION slow();
	SELECT ml_score.create_stream('s', 'hub', '$T', target => 't', max_batch_rows => 50, max_batch_delay => '20ms');
	SELECT ml_score.create_stream('q', 'hub', '$T', columns => 'id bigint', query => 'INSERT INTO q SELECT id FROM batch', max_batch_rows => 100, workers => 2);
EOSQL
SENT=0
# send N: events with the next ids, in the background.
send() {
	seq $((SENT + 1)) $((SENT + $1)) | awk '{printf "{\"id\": %d}\n", $1}' | kafka_produce $T -X linger.ms=5 &
	sender=$!
	SENT=$((SENT + $1))
}
# complete NAME: all that was sent is there, once.
complete() {
	wait_until 60 "SELECT true" # the server may be starting
	sql "SELECT ml_score.wait_stream('s', '100s')" >/dev/null
	sql "SELECT ml_score.wait_stream('q', '100s')" >/dev/null
	is "$(sql "SELECT count(*), count(DISTINCT id), sum(id) FROM t")|$(sql "SELECT count(*), count(DISTINCT id), sum(id) FROM q")" \
		"$SENT|$SENT|$((SENT * (SENT + 1) / 2))|$SENT|$SENT|$((SENT * (SENT + 1) / 2))" "$1"
}
send 200
wait $sender
complete "two streams of one topic"
# A worker that is killed takes all sessions with it.
for _ in $(seq 20); do
	send 300
	sleep 0.$((RANDOM % 5))$((RANDOM % 10))
	pid=$(sql "SELECT pid FROM pg_stat_activity WHERE backend_type = 'ml_score stream' ORDER BY random() LIMIT 1" 2>/dev/null)
	[ -z "$pid" ] || kill -KILL "$pid"
	wait $sender
	wait_until 60 "SELECT true"
done
complete "twenty kills of a worker lose and double nothing"
for _ in $(seq 20); do
	send 300
	sleep 0.$((RANDOM % 5))$((RANDOM % 10))
	postmaster=$(head -n 1 "$RUN/$CLUSTER/data/postmaster.pid")
	family=$(pgrep -d , -P "$postmaster")
	kill -KILL "$postmaster"
	wait $sender
	# As long as one of them is there, so is the shared memory, and PostgreSQL does not start.
	for _ in $(seq 200); do
		ps -o stat= -p "$postmaster,$family" | grep -qv '^Z' || break
		sleep 0.05
	done
	rm -f "$RUN/$CLUSTER/data/postmaster.pid" "$RUN/$CLUSTER/s/.s.PGSQL.5432.lock"
	restart_cluster "$CLUSTER"
done
complete "twenty kills of the server neither"
is "$(sql "SELECT sum(events), sum(rows) FROM ml_score.stat_stream")|$(sql "SELECT count(*) FROM ml_score.dead_letter")" "$((2 * SENT))|$((2 * SENT))|0" "and what is counted is what was stored"
stop_cluster "$CLUSTER"
use_cluster "main-$PGVER"
kafka_delete_topic $T
done_testing
