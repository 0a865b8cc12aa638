#!/bin/bash
# A stream under faults: what is wrong shows, nothing is lost or doubled, and it goes on by itself once the cause is gone.
# Version: 16, a stream's faults are the same for every version
. "$(dirname "$0")/../lib/tap.sh"
need_peer kafka
T=stream_faults
kafka_topic $T 2
start_cluster "faults-$PGVER" "$PGVER" "shared_preload_libraries = 'ml_score'" "max_worker_processes = 16" "restart_after_crash = on"
use_cluster "faults-$PGVER"
sql <<-EOSQL
	CREATE EXTENSION ml_score;
	CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score
		OPTIONS (bootstrap_servers '$KAFKA_EVENTHUBS', auth 'connection_string', ca_file '$KAFKA_CA', "kafka.reconnect.backoff.max.ms" '500');
	CREATE USER MAPPING FOR PUBLIC SERVER hub OPTIONS (connection_string 'Endpoint=sb://localhost/;SharedAccessKeyName=tests;SharedAccessKey=wrong');
	CREATE TABLE t (id bigint);
EOSQL
SENT=0
# send N: events with the next ids, spread over the partitions.
send() {
	seq $((SENT + 1)) $((SENT + $1)) | awk '{printf "{\"id\": %d}\n", $1}' | kafka_produce $T -X linger.ms=5 && SENT=$((SENT + $1))
}
# complete NAME: all that was sent is there, once.
complete() {
	wait_until 60 "SELECT true" # the server may be starting
	sql "SELECT ml_score.wait_stream('s', '100s')" >/dev/null
	is "$(sql "SELECT count(*), count(DISTINCT id), coalesce(sum(id), 0) FROM t")" "$SENT|$SENT|$((SENT * (SENT + 1) / 2))" "$1"
}
# shows REGEX NAME: the state waiting and this error, within seconds.
shows() {
	wait_until 20 "SELECT bool_or(state = 'waiting' AND last_error ~ '$1') FROM ml_score.stat_stream WHERE stream = 's'"
	ok $? "$2" "$(sql "SELECT stream, partition, state, last_error FROM ml_score.stat_stream")"
}

send 100
start=$(now_ms)
sql "SELECT ml_score.create_stream('s', 'hub', '$T', target => 't', max_batch_rows => 50, max_batch_delay => '20ms', on_offset_out_of_range => 'earliest')" >/dev/null
shows "AUTHENTICATION" "a wrong key shows"
unlike "$(cat "$RUN/$CLUSTER/log")" "SharedAccessKey=wrong" "and is not in the log"
sql "ALTER USER MAPPING FOR PUBLIC SERVER hub OPTIONS (SET connection_string '$KAFKA_CONNECTION_STRING')"
complete "the right key lets it run"

kafka_kill
shows "TRANSPORT|ALL_BROKERS_DOWN" "a broker that is gone shows"
kafka_restart
send 100
complete "and it goes on when the broker is back"

sql "BEGIN; LOCK t; SELECT pg_sleep(2)" >/dev/null &
locker=$!
send 100
complete "a locked table holds it up, no more"
wait $locker

sql "ALTER TABLE t RENAME TO hidden"
send 100
shows 'relation "public.t" does not exist' "a missing target shows"
is "$(sql "SELECT count(*) FROM ml_score.dead_letter")" 0 "its events are no dead letters"
sql "ALTER TABLE hidden RENAME TO t; ALTER TABLE t ADD other int DEFAULT 5"
complete "and it goes on when the table is back, with another column"
is "$(sql "SELECT count(*) FROM t WHERE other IS DISTINCT FROM 5")" 0 "whose default it takes"

kafka_add_partitions $T 4
seq $((SENT + 1)) $((SENT + 50)) | awk '{printf "{\"id\": %d}\n", $1}' | kafka_produce $T -p 3 && SENT=$((SENT + 50))
wait_until 60 "SELECT count(*) = 4 FROM ml_score.stat_stream WHERE stream = 's' AND partition IS NOT NULL"
ok $? "new partitions are found"
complete "and read from their beginning"

# The hub no longer has what comes next.
sql "SELECT ml_score.pause_stream('s')" >/dev/null
send 100
end=$(kafka_offsets $T | awk '$1 == 0 {print $3}')
seq 3 | sed 's/.*/{"id": 0}/' | kafka_produce $T -p 0
kafka_expire $T 0 $((end + 3))
sql "UPDATE ml_score.stream_offset SET next_offset = 0 WHERE stream = 's' AND partition = 0;
	UPDATE ml_score.stream SET on_offset_out_of_range = 'stop' WHERE name = 's'; SELECT ml_score.resume_stream('s')" >/dev/null
wait_until 60 "SELECT bool_or(state = 'stopped' AND last_error LIKE 'partition 0 of topic%has no offset 0%') FROM ml_score.stat_stream WHERE stream = 's'"
ok $? "an offset that has expired stops the stream, which says so" "$(sql "SELECT stream, partition, state, last_error FROM ml_score.stat_stream")"
sql "UPDATE ml_score.stream SET on_offset_out_of_range = 'earliest' WHERE name = 's'; SELECT ml_score.resume_stream('s')" >/dev/null
sql "SELECT ml_score.wait_stream('s', '60s')" >/dev/null
is "$(sql "SELECT next_offset FROM ml_score.stream_offset WHERE stream = 's' AND partition = 0")" $((end + 3)) "or goes on at the first there is, as told"

sql "CREATE DATABASE other"
start=$(now_ms)
stop_cluster "$CLUSTER"
cmp_ok $(($(now_ms) - start)) "<" 15000 "a fast shutdown ends the workers"
use_cluster "main-$PGVER"
done_testing
