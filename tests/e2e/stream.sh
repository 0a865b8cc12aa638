#!/bin/bash
# A stream from a real broker into a table: rows as declared, exactly once, over pause, resume, seek and restart.
. "$(dirname "$0")/../lib/tap.sh"
need_peer kafka
T=stream_$PGVER
kafka_topic "$T" 3
sql <<-EOSQL
	CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score
		OPTIONS (bootstrap_servers '$KAFKA_EVENTHUBS', auth 'connection_string', ca_file '$KAFKA_CA');
	CREATE USER MAPPING FOR PUBLIC SERVER hub OPTIONS (connection_string '$KAFKA_CONNECTION_STRING');
	CREATE TABLE reading (id bigint PRIMARY KEY, temp float8 CHECK (temp < 1000), note text DEFAULT 'none', at timestamptz DEFAULT now(),
		twice float8 GENERATED ALWAYS AS (temp * 2) STORED, _partition int, _offset bigint, _time timestamptz, _key text, _headers jsonb);
EOSQL
seq 1 300 | awk '{printf "{\"id\": %d, \"temp\": %d.5}\n", $1, $1}' | kafka_produce "$T"
sql "SELECT ml_score.create_stream('readings', server => 'hub', topic => '$T', target => 'reading')" >/dev/null
wait_until 30 "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'ml_score stream' AND application_name = 'readings'"
ok $? "a worker comes at commit, and shows its stream"
sql "SELECT ml_score.wait_stream('readings', '60s')" >/dev/null
ok $? "wait_stream returns"
is "$(sql "SELECT count(*), count(DISTINCT id), sum(temp), sum(twice), count(DISTINCT note), count(at), count(_time) FROM reading")" \
	"300|300|45300|90600|1|300|300" "every event is a row, with defaults and generated columns"
is "$(sql "SELECT count(DISTINCT (_partition, _offset)), count(DISTINCT _partition) BETWEEN 1 AND 3 FROM reading")" "300|t" "positions are there"
is "$(sql "SELECT sum(rows), sum(lag), count(*), string_agg(DISTINCT state, ',') FROM ml_score.stat_stream WHERE stream = 'readings'")" "300|0|3|running" \
	"stat_stream counts them"

sql "SELECT ml_score.pause_stream('readings')" >/dev/null
wait_until 10 "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'ml_score stream'"
ok $? "pause ends the worker"
echo '{"value": {"id": 1000, "temp": 7}, "key": "k1", "partition": 1, "timestamp": 86400000, "headers": {"h": "v"}}' | kafka_produce_json "$T"
sleep 0.5
is "$(sql "SELECT count(*) FROM reading")" 300 "a paused stream takes nothing"
like "$(sql_error "SELECT ml_score.wait_stream('readings', '1s')")" "55000.*paused" "and cannot be waited for"
sql "SELECT ml_score.resume_stream('readings')" >/dev/null
sql "SELECT ml_score.wait_stream('readings', '60s')" >/dev/null
is "$(sql "SELECT temp, _partition, _time = '1970-01-02 00:00Z', _key, _headers FROM reading WHERE id = 1000")" '7|1|t|k1|{"h": "v"}' \
	"resumed, it goes on; key, time and headers arrive"

# What cannot be stored.
{
	echo '{"id": 2000, "temp": 1}'
	echo 'no json'
	echo '{"id": 2001, "temp": 5000}'
	echo '{"id": 1, "temp": 1}'
	echo '{"id": "x", "temp": 1}'
	echo '{"id": 2002, "temp": 2}'
} | kafka_produce "$T" -p 0
sql "SELECT ml_score.wait_stream('readings', '60s')" >/dev/null
is "$(sql "SELECT count(*) FROM reading WHERE id >= 2000")" 2 "good events of a micro-batch with bad ones are stored"
is "$(sql "SELECT convert_from(raw, 'UTF8'), sqlstate FROM ml_score.dead_letter WHERE stream = 'readings' ORDER BY id")" \
	$'no json|22032\n{"id": 2001, "temp": 5000}|23514\n{"id": 1, "temp": 1}|23505\n{"id": "x", "temp": 1}|22P02' "bad ones are dead letters, with bytes and SQLSTATE"
sql "ALTER TABLE reading DROP CONSTRAINT reading_temp_check"
is "$(sql "SELECT ml_score.replay_dead_letter('readings')")" 1 "what can be stored now is replayed"
is "$(sql "SELECT count(*) FROM ml_score.dead_letter WHERE stream = 'readings'")" 3 "and removed"
is "$(sql "SELECT ml_score.purge('0 seconds', 'readings')")" 3 "purge removes the rest"

# From the beginning again: the same rows are refused, nothing is doubled.
sql "TRUNCATE reading; SELECT ml_score.seek_stream('readings', 'earliest')" >/dev/null
sql "SELECT ml_score.wait_stream('readings', '60s')" >/dev/null
is "$(sql "SELECT count(*), count(DISTINCT id) FROM reading")" "304|304" "seek to the beginning"

# A copy of the database knows how far it is, and takes nothing before it is told to.
copy=${PGDATABASE}_copy
sql "CREATE DATABASE $copy"
"$PGBIN/pg_dump" | PGDATABASE=$copy sql >/dev/null
is "$(PGDATABASE=$copy sql "SELECT count(*) FROM reading; SELECT DISTINCT state FROM ml_score.stat_stream")" $'304\nrestored' "a restored stream waits"
seq 5001 5010 | awk '{printf "{\"id\": %d}\n", $1}' | kafka_produce "$T"
sql "SELECT ml_score.wait_stream('readings', '60s')" >/dev/null
is "$(PGDATABASE=$copy sql "SELECT count(*) FROM reading")" 304 "whatever comes"
PGDATABASE=$copy sql "SELECT ml_score.resume_stream('readings')" >/dev/null
PGDATABASE=$copy sql "SELECT ml_score.wait_stream('readings', '60s')" >/dev/null
is "$(PGDATABASE=$copy sql "SELECT count(*), count(DISTINCT id) FROM reading")|$(sql "SELECT count(*) FROM reading")" "314|314|314" \
	"and goes on where the original was, as does that"
sql "DROP DATABASE $copy"
ok $? "a database with a running stream can be dropped"

sql "SELECT ml_score.drop_stream('readings')" >/dev/null
wait_until 10 "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'ml_score stream'"
ok $? "drop ends the worker"
is "$(sql "SELECT count(*) FROM ml_score.stat_stream")|$(sql "SELECT count(*) FROM ml_score.stream_offset")" "0|0" "and nothing is left of it"

# The last micro-batch of a backlog waits for nothing; events that come later wait for company.
sql "CREATE TABLE line (line text)"
sql "SELECT ml_score.create_stream('backlog', 'hub', '$T', target => 'line', format => 'raw', max_batch_rows => 100, max_batch_delay => '10min')" >/dev/null
sql "SELECT ml_score.wait_stream('backlog', '60s')" >/dev/null
is "$(sql "SELECT count(*) FROM line; SELECT sum(lag) FROM ml_score.stat_stream WHERE stream = 'backlog'")" $'317\n0' "the rest of a backlog is stored at once"
echo '{"id": 6000}' | kafka_produce "$T"
wait_until 20 "SELECT sum(lag) = 1 FROM ml_score.stat_stream WHERE stream = 'backlog'"
sleep 0.5
is "$(sql "SELECT count(*) FROM line; SELECT sum(lag) FROM ml_score.stat_stream WHERE stream = 'backlog'")" $'317\n1' "what comes after it waits for max_batch_delay"
sql "SELECT ml_score.drop_stream('backlog')" >/dev/null
done_testing
