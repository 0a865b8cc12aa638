#!/bin/bash
# Where a stream begins, which partitions it reads, what formats it takes live, and what tables it fills.
# Version: 16, events are the same for every version
. "$(dirname "$0")/../lib/tap.sh"
need_peer kafka registry
T=stream_read
kafka_topic $T 2
for topic in csv avro gaps; do kafka_topic ${T}_$topic 1; done
registry=$(peer_url registry)
sql <<-EOSQL
	CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_PLAIN', security_protocol 'plaintext');
	CREATE SERVER schemas TYPE 'registry' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$registry/', auth 'basic', max_attempts '1');
	CREATE USER MAPPING FOR PUBLIC SERVER schemas OPTIONS (username 'reader', password 'let-me-in');
	CREATE TABLE t (stream text, id bigint, _partition int, _offset bigint);
EOSQL
# create NAME TOPIC ARGUMENTS
create() {
	sql "SELECT ml_score.create_stream('$1', 'hub', '$2', columns => 'id bigint', query => 'INSERT INTO t SELECT ''$1'', id, _partition, _offset FROM batch', max_batch_delay => '20ms'${3:+, $3})" >/dev/null
}
ids() {
	sql "SELECT string_agg(id::text, ' ' ORDER BY id) FROM t WHERE stream = '$1'"
}
done_with() {
	sql "SELECT ml_score.wait_stream('$1', '60s')" >/dev/null
}
for i in 1 2 3 4; do echo "{\"value\": {\"id\": $i}, \"partition\": $((i % 2)), \"timestamp\": $((i * 1000000))}"; done | kafka_produce_json $T
create early $T
create late $T "start => 'latest'"
create timed $T "start => '1970-01-01 00:50:00Z'"
for stream in early late timed; do done_with $stream; done
for i in 5 6; do echo "{\"value\": {\"id\": $i}, \"partition\": $((i % 2)), \"timestamp\": $((i * 1000000))}"; done | kafka_produce_json $T
for stream in early late timed; do done_with $stream; done
is "$(ids early)|$(ids late)|$(ids timed)" "1 2 3 4 5 6|5 6|3 4 5 6" "a stream begins at the earliest event, the latest, or a time"
sql "SELECT ml_score.seek_stream('late', '1970-01-01 00:30:00Z'::timestamptz)" >/dev/null
done_with late
is "$(ids late)" "2 3 4 5 5 6 6" "and goes to another time"
create left $T "partitions => '{0}'"
create right $T "partitions => '{1}', workers => 2"
done_with left
done_with right
is "$(ids left)|$(ids right)" "2 4 6|1 3 5" "streams, of one server or several, share a topic by its partitions"
is "$(sql "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'ml_score stream' AND application_name = 'right'")" 2 "a worker without a partition waits for one"
sql "SELECT ml_score.drop_stream(name) FROM ml_score.stream" >/dev/null

# Transactions at the hub.
echo '{"value": {"id": 1}}' | kafka_produce_json ${T}_gaps commit
echo '{"value": {"id": 2}}' | kafka_produce_json ${T}_gaps abort
echo '{"value": {"id": 3}}' | kafka_produce_json ${T}_gaps commit
create gaps ${T}_gaps
done_with gaps
is "$(ids gaps)|$(sql "SELECT lag FROM ml_score.stat_stream WHERE stream = 'gaps'")" "1 3|0" "events of a transaction that was aborted are none, and the gap is no lag"
sql "SELECT ml_score.pause_stream('gaps'); SELECT ml_score.resume_stream('gaps')" >/dev/null
echo '{"value": {"id": 4}}' | kafka_produce_json ${T}_gaps commit
done_with gaps
is "$(ids gaps)" "1 3 4" "nor does it stop a stream that begins anew behind it"

# CSV with a header, gzip'd, into a partitioned table with a trigger, an identity and a default.
sql "CREATE TABLE parted (n bigint GENERATED ALWAYS AS IDENTITY, id bigint NOT NULL, name text DEFAULT 'nobody', seen boolean) PARTITION BY RANGE (id);
	CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (10); CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (10) TO (100);
	CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.seen = true; RETURN NEW; END';
	CREATE TRIGGER see BEFORE INSERT ON parted FOR EACH ROW EXECUTE FUNCTION see()" >/dev/null
for rows in $'id,name\n1,"a, b"\n20,\n' $'name,id\nx,2\n' $'id,name\n3000,nowhere\n'; do
	echo "{\"value_base64\": \"$(printf %s "$rows" | gzip -n | base64 -w 0)\"}"
done | kafka_produce_json ${T}_csv
sql "SELECT ml_score.create_stream('csv', 'hub', '${T}_csv', 'parted', columns => 'id bigint, name text', format => 'csv', format_options => '{\"header\": true, \"compression\": \"gzip\"}')" >/dev/null
done_with csv
is "$(sql "SELECT string_agg(concat_ws(':', tableoid::regclass, id, name), ' ' ORDER BY id), bool_and(seen), count(DISTINCT n) FROM parted")" \
	"parted_low:1:a, b parted_low:2:x parted_high:20|t|3" "gzip'd CSV goes into a partitioned table with a trigger"
is "$(sql "SELECT sqlstate, reason ~ 'no partition' FROM ml_score.dead_letter WHERE stream = 'csv'")" "23514|t" "what no partition takes is a dead letter"

# Avro whose schema is at a registry, which is asked outside of a transaction; and is away for a while.
curl -fsS -X PUT --data-binary '{"schema": "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"id\", \"type\": \"long\"}]}"}' "$registry/schemas/ids/77" >/dev/null
for body in AAAAAE0O AAAAAE0Q; do echo "{\"value_base64\": \"$body\"}"; done | kafka_produce_json ${T}_avro
sql "ALTER SERVER schemas OPTIONS (SET url 'http://127.0.0.1:9/')"
sql "SELECT ml_score.create_stream('avro', 'hub', '${T}_avro', columns => 'id bigint', format => 'avro', format_options => '{\"registry\": \"schemas\"}', query => 'INSERT INTO t SELECT ''avro'', id FROM batch')" >/dev/null
wait_until 30 "SELECT bool_or(state = 'waiting' AND last_error ~ 'server \"schemas\"') FROM ml_score.stat_stream WHERE stream = 'avro'"
ok $? "without its registry a stream of Avro waits" "$(sql "SELECT state, last_error FROM ml_score.stat_stream WHERE stream = 'avro'")"
sql "ALTER SERVER schemas OPTIONS (SET url '$registry/')"
done_with avro
is "$(ids avro)|$(sql "SELECT count(*) FROM ml_score.dead_letter WHERE stream = 'avro'")" "7 8|0" "and reads the events when it is back"
sql "SELECT ml_score.drop_stream(name) FROM ml_score.stream" >/dev/null
for topic in '' _csv _avro _gaps; do kafka_delete_topic $T$topic; done
done_testing
