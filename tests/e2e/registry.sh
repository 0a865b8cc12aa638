#!/bin/bash
# Avro events framed as Confluent's serializers do: their schemas come from a registry, with the mapping's name
# and password; what it does not know makes the event bad, what keeps it from answering does not.
. "$(dirname "$0")/../lib/tap.sh"
need_peer registry
registry=$(peer_url registry)
sql <<-EOF
	CREATE SERVER schemas TYPE 'registry' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$registry/', auth 'basic', max_attempts '1');
	CREATE USER MAPPING FOR PUBLIC SERVER schemas OPTIONS (username 'reader', password 'let-me-in');
EOF

# register ID REPLY
register() {
	curl -fsS -X PUT --data-binary "$2" "$registry/schemas/ids/$1"
}

# decode HEX [OPTIONS]: what becomes of a framed value.
decode() {
	sql_error "SELECT id, device, unit FROM ml_score.decode_event('avro', '\\x$1'::bytea, '{\"registry\": \"schemas\"}'::jsonb || '${2:-{\}}') AS e(id bigint, device text, unit text)"
}

register 1 '{"schema": "{\"type\":\"record\",\"name\":\"Reading\",\"fields\":[{\"name\":\"id\",\"type\":\"int\"},{\"name\":\"device\",\"type\":[\"null\",\"string\"]}]}"}'
register 2 '{"schemaType": "AVRO", "schema": "{\"type\":\"record\",\"name\":\"Reading\",\"fields\":[{\"name\":\"device_id\",\"type\":\"string\"},{\"name\":\"id\",\"type\":\"long\"}]}"}'
register 3 '{"schemaType": "PROTOBUF", "schema": "syntax = \"proto3\";"}'
register 4 '{"schema": "{\"type\":\"record\"}"}'
register 5 '{"schema": "\"int\"", "references": [{"name": "x", "subject": "x", "version": 1}]}'
register 6 'not JSON'

is "$(decode 00000000010e020261)" "no error: 7|a|" "an event is read by the schema of its number"
is "$(decode 0000000002026209 '{"paths": {"device": "$.device_id"}}')" "no error: -5|b|" "an event of the next version by that"
reader='{"schema": {"type": "record", "name": "Reading", "fields": [{"name": "id", "type": "long"}, {"name": "device", "type": ["null", "string"], "aliases": ["device_id"]}, {"name": "unit", "type": "string", "default": "celsius"}]}}'
is "$(decode 00000000010e020261 "$reader")" "no error: 7|a|celsius" "a schema of the options is what it is read as: defaults"
is "$(decode 0000000002026209 "$reader")" "no error: -5|b|celsius" "and aliases"
like "$(decode 00000000030e)" "22P03.*schema 3 of the registry cannot be used: it is of type PROTOBUF" "a schema of another kind makes the event bad"
like "$(decode 00000000040e)" "22P03.*schema 4 of the registry cannot be used: a type of records, enums or fixed has no name" "so does one that is malformed"
like "$(decode 00000000050e)" "22P03.*schema 5 of the registry cannot be used: it refers to other schemas" "one that refers to others"
like "$(decode 00000000060e)" "22P03.*schema 6 of the registry cannot be used: the reply is not JSON" "a reply that is none"
like "$(decode 00000f42400e)" "22P03.*schema 1000000 of the registry cannot be used: the registry has none of this number" "and a number that the registry does not know"
like "$(decode 00000000010e0202)" "22P03.*the data ends early" "a value that is cut is bad"
like "$(decode 7b226964223a317d)" "22P03.*does not begin with a zero byte and the number of a schema" "and one without a frame"

# In a stream the schemas are fetched between transactions; while the registry does not answer, the stream waits.
if [ "$PGVER" = 16 ]; then
	need_peer kafka
	kafka_topic registry 1
	sql <<-EOF
		CREATE TABLE reading (id bigint PRIMARY KEY, device text);
		CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_PLAIN', security_protocol 'plaintext');
		ALTER SERVER schemas OPTIONS (SET url 'http://127.0.0.1:1');
	EOF
	for hex in 00000000010e020261 0000000002026209 00000f42400e 00000000011000; do
		echo "{\"value_base64\": \"$(printf %s "${hex^^}" | basenc --base16 -d | base64)\"}"
	done | kafka_produce_json registry
	sql "SELECT ml_score.create_stream('readings', server => 'hub', topic => 'registry', target => 'reading', format => 'avro',
		format_options => '{\"registry\": \"schemas\", \"paths\": {\"device\": [\"$.device\", \"$.device_id\"]}}')" >/dev/null
	wait_until 30 "SELECT count(*) > 0 FROM ml_score.stat_stream WHERE stream = 'readings' AND last_error ~ 'schemas'"
	ok $? "a stream says that its registry is down"
	is "$(sql "SELECT (SELECT count(*) FROM ml_score.dead_letter), (SELECT count(*) FROM reading)")" "0|0" "and waits"
	sql "ALTER SERVER schemas OPTIONS (SET url '$registry'); SELECT ml_score.pause_stream('readings'); SELECT ml_score.resume_stream('readings')" >/dev/null
	sql "SELECT ml_score.wait_stream('readings', '60s')" >/dev/null
	is "$(sql "SELECT * FROM reading ORDER BY id")" $'-5|b\n7|a\n8|' "then it reads events of both versions"
	is "$(sql "SELECT sqlstate, reason ~ 'none of this number' FROM ml_score.dead_letter")" "22P03|t" "and puts the one without a schema aside"
	like "$(sql_error "DROP SERVER schemas CASCADE" | tr '\n' ' ')" "2BP01.*Used by: stream readings" "the registry cannot be dropped meanwhile"
	sql "ALTER SERVER schemas RENAME TO named_anew"
	is "$(sql "SELECT format_options ->> 'registry' FROM ml_score.stream")" named_anew "and its new name is the stream's"
	sql "ALTER SERVER named_anew RENAME TO schemas; SELECT ml_score.drop_stream('readings')" >/dev/null

	# What waits for its window, too; in a session that has not fetched them yet.
	sql "SELECT ml_score.create_stream('windowed', server => 'hub', topic => 'registry', columns => 'id bigint, device text', query => 'INSERT INTO reading SELECT id, device FROM batch',
		format => 'avro', format_options => '{\"registry\": \"schemas\"}', \"window\" => '1 hour', paused => true)" >/dev/null
	sql "INSERT INTO ml_score.dead_letter (stream, partition, \"offset\", event_time, raw, reason, sqlstate)
		VALUES ('windowed', 0, 1, now(), '\\x00000000010e020261', 'r', '22000'), ('windowed', 0, 2, now(), '\\x0000000002026209', 'r', '22000')"
	is "$("$PGBIN/psql" -XAtqc "SELECT ml_score.replay_dead_letter('windowed')" 2>&1)" 2 "replayed events are read by the schemas of their numbers, which are fetched in between"
	is "$(sql "SELECT count(*) FROM ml_score.stream_window_event")" 2 "and each waits once"
	sql "SELECT ml_score.drop_stream('windowed')" >/dev/null
fi

sql "ALTER USER MAPPING FOR PUBLIC SERVER schemas OPTIONS (SET password 'wrong-secret')"
out=$(decode 00000000010e020261)
like "$out" "28000.*schemas" "a wrong password is no fault of the event"
unlike "$out" "wrong-secret|$(printf reader:wrong-secret | base64)" "and is not shown"
sql "ALTER SERVER schemas OPTIONS (SET url 'http://127.0.0.1:1')"
like "$(decode 00000000010e020261)" "08006|08001" "nor is a registry that is down"
done_testing
