#!/bin/bash
# What becomes of a stream when its topic is missing, deleted, made anew, and when odd events are in it.
# Version: 16, topics are the same for every version
. "$(dirname "$0")/../lib/tap.sh"
need_peer kafka
T=stream_topic
sql <<-EOSQL
	CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_PLAIN', security_protocol 'plaintext', "kafka.topic.metadata.refresh.interval.ms" '1000');
	CREATE TABLE t (id bigint, life text DEFAULT 'first');
EOSQL
# send FROM TO [PARTITION]
send() {
	seq "$1" "$2" | awk '{printf "{\"id\": %d}\n", $1}' | kafka_produce $T -p "${3:-0}" -X linger.ms=5
}
wait_for() {
	sql "SELECT ml_score.wait_stream('s', '60s')" >/dev/null
}
# stops REGEX NAME: the stream stops with this reason, and takes nothing.
stops() {
	wait_until 60 "SELECT bool_or(state = 'stopped' AND last_error ~ '$1') FROM ml_score.stat_stream WHERE stream = 's'"
	ok $? "$2" "$(sql "SELECT stream, partition, state, last_error FROM ml_score.stat_stream")"
}
sql "SELECT ml_score.create_stream('s', 'hub', '$T', 't', max_batch_delay => '20ms')" >/dev/null
wait_until 20 "SELECT bool_or(state = 'waiting' AND last_error ~ 'UNKNOWN_TOPIC|Unknown topic') FROM ml_score.stat_stream"
ok $? "a topic that is missing shows" "$(sql "SELECT state, last_error FROM ml_score.stat_stream")"
kafka_topic $T 2
send 1 100
wait_for
is "$(sql "SELECT count(*) FROM t")" 100 "and is read from its beginning once it is there"

# Made anew while the stream is away, with more events than it had: only what the events say tells.
sql "SELECT ml_score.pause_stream('s')" >/dev/null
kafka_delete_topic $T
kafka_topic $T 2
send 1001 1500
sql "SELECT ml_score.resume_stream('s')" >/dev/null
stops "was made anew: the event before offset 100 of partition 0" "a topic that was made anew while the stream was away stops it, even with more events than before"
is "$(sql "SELECT count(*), max(id) FROM t")" "100|100" "and nothing of it is taken as if it went on"
sql "SELECT ml_score.alter_stream('s', on_offset_out_of_range => 'earliest'); SELECT ml_score.resume_stream('s')" >/dev/null
wait_for
is "$(sql "SELECT count(*), count(DISTINCT id), max(id) FROM t")" "600|600|1500" "or is read from its beginning, as told"
sql "SELECT ml_score.pause_stream('s'); SELECT ml_score.resume_stream('s')" >/dev/null
wait_for
is "$(sql "SELECT count(*) FROM t")" 600 "one that is the same goes on where it was"

# Made anew while it runs, shorter and then longer; the other partition as well.
send 1501 1510 1
wait_for
sql "SELECT ml_score.alter_stream('s', on_offset_out_of_range => 'stop')" >/dev/null
wait_for
kafka_delete_topic $T
wait_until 30 "SELECT bool_or(last_error ~ 'UNKNOWN_TOPIC|Unknown topic|UNKNOWN_PARTITION') FROM ml_score.stat_stream"
ok $? "a topic that is deleted under it shows" "$(sql "SELECT state, last_error FROM ml_score.stat_stream")"
kafka_topic $T 2
send 2001 2003
stops "made anew|has no offset" "one that comes back shorter stops it"
is "$(sql "SELECT count(*) FROM t")" 610 "and nothing of it is taken"
sql "SELECT ml_score.seek_stream('s', 'earliest'); SELECT ml_score.resume_stream('s')" >/dev/null
wait_for
is "$(sql "SELECT count(*), max(id) FROM t")" "613|2003" "seek_stream begins anew there"

# The event before the position has expired, the next has not: nothing is lost.
sql "SELECT ml_score.pause_stream('s')" >/dev/null
send 2004 2010
kafka_expire $T 0 3
sql "SELECT ml_score.resume_stream('s')" >/dev/null
wait_for
is "$(sql "SELECT count(*), max(id) FROM t")" "620|2010" "events that expired up to the position are not missed"

# Odd events.
sql "TRUNCATE t; ALTER TABLE t ADD body text"
python3 -c 'print("{\"id\": 1, \"body\": \"" + "x" * 1000000 + "\"}")' | kafka_produce $T -p 0 -X message.max.bytes=2000000
for i in 2 3; do echo "{\"value\": {\"id\": $i}, \"partition\": 0}"; done | kafka_produce_json $T
for i in 1 2; do echo '{"key": "k", "partition": 0}'; done | kafka_produce_json $T
wait_for
is "$(sql "SELECT count(*), max(length(body)) FROM t")" "3|1000000" "the largest event that the hub takes is stored"
is "$(sql "SELECT sum(events) - sum(rows) FROM ml_score.stat_stream")|$(sql "SELECT count(*) FROM ml_score.dead_letter")" "2|0" "tombstones have no rows, and are no dead letters"
sql "ALTER SERVER hub OPTIONS (ADD \"kafka.fetch.message.max.bytes\" '1000')"
python3 -c 'print("{\"id\": 4, \"body\": \"" + "y" * 900000 + "\"}")' | kafka_produce $T -p 0 -X message.max.bytes=2000000
wait_for
is "$(sql "SELECT count(*), count(*) FILTER (WHERE body ~ '^y') FROM t")" "4|1" "so is one that is larger than what is fetched at a time"
sql "SELECT ml_score.create_stream('body', 'hub', '$T', columns => 'body bytea', format => 'raw', query => 'SELECT count(body) FROM batch HAVING count(*) <> count(body)')" >/dev/null
sql "SELECT ml_score.wait_stream('body', '60s')" >/dev/null
is "$(sql "SELECT sum(rows), sum(dead_letters) FROM ml_score.stat_stream WHERE stream = 'body'")" "13|0" "raw, a tombstone is a row with nothing in it"
sql "SELECT ml_score.drop_stream('body')" >/dev/null
{
	for i in $(seq 1000); do echo "poison $i"; done
	echo '{"id": 5}'
} | kafka_produce $T -p 1
wait_for
is "$(sql "SELECT count(*) FROM ml_score.dead_letter WHERE stream = 's' AND convert_from(raw, 'UTF8') ~ '^poison'")" 1000 "a thousand poison events in a row are dead letters"
is "$(sql "SELECT count(*) FROM t WHERE id = 5")" 1 "and what comes after them is stored"
sql "SELECT ml_score.drop_stream('s')" >/dev/null
kafka_delete_topic $T
done_testing
