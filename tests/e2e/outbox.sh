#!/bin/bash
# ml_score.send_event and send_query: what commits is sent, at least once; what does not, is not. Nothing is lost when workers,
# the server or the broker go away in between.
# Version: 16, sending is the same for every version
. "$(dirname "$0")/../lib/tap.sh"
need_peer kafka
for topic in out out_query out_later; do kafka_topic $topic 1; done
sql <<-EOF
	CREATE ROLE outbox_sender LOGIN;
	CREATE ROLE outbox_other LOGIN;
	CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_EVENTHUBS', auth 'connection_string', ca_file '$KAFKA_CA');
	CREATE USER MAPPING FOR outbox_sender SERVER hub OPTIONS (connection_string '$KAFKA_CONNECTION_STRING');
	GRANT USAGE ON FOREIGN SERVER hub TO outbox_sender;
EOF

# sent TOPIC [FORMAT]: all that is there, a line an event.
sent() {
	kcat -C -e -q -b "$KAFKA_PLAIN" -t "$1" -f "${2:-%s\\n}"
}

empty="SELECT count(*) = 0 FROM ml_score.outbox WHERE failed_at IS NULL"

sql_as outbox_sender "SELECT ml_score.send_event('hub', 'out', 'zürich', 'k', '{\"a\": \"x\", \"n\": 1.50, \"none\": null}')" >/dev/null
wait_until 20 "$empty"
ok $? "an event is sent after commit"
is "$(sent out '%k %s %h\n')" 'k zürich a=x,n=1.50,none=NULL' "with key, value and headers"
sql_as outbox_sender "BEGIN; SELECT ml_score.send_event('hub', 'out', 'never'); ROLLBACK" >/dev/null
sql_as outbox_sender "SELECT ml_score.send_event('hub', 'out', '\\x00ff'::bytea), ml_score.send_event('hub', 'out', NULL::text, 'gone')" >/dev/null
wait_until 20 "$empty"
is "$(sent out '%k %S\n')" $'k 7\n 2\ngone -1' "bytes are sent as they are, a NULL as a tombstone, and nothing of a transaction that rolled back"

sql_as outbox_sender "BEGIN; SELECT ml_score.send_event('hub', 'out', 'prepared'); PREPARE TRANSACTION 'outbox'" >/dev/null
is "$(sql "$empty")" t "a prepared transaction sends nothing yet"
sql_as outbox_sender "COMMIT PREPARED 'outbox'"
wait_until 30 "$empty"
is "$(sent out '%s\n' | tail -1)" prepared "but when it commits"

sql_as outbox_sender "SELECT ml_score.send_query('hub', 'out_query', \$\$SELECT i AS id, i / 8.0 AS v, 'k' || i AS _key, CASE WHEN i = 1 THEN '{\"h\": \"1\"}'::jsonb END AS _headers FROM generate_series(1, 3000) i;\$\$)" >"$RUN/outbox.count"
is "$(cat "$RUN/outbox.count")" 3000 "send_query says how many rows it sends"
wait_until 30 "$empty"
is "$(sent out_query | wc -l)" 3000 "and sends them"
is "$(sent out_query '%k %s %h\n' | head -2)" $'k1 {"id":1,"v":0.12500000000000000000} h=1\nk2 {"id":2,"v":0.25000000000000000000} ' "as JSON objects, with all digits, in order, with keys and headers of their own"
is "$(sql "SELECT string_agg(line, '' ORDER BY n) = (SELECT string_agg('k' || i, '') FROM generate_series(1, 3000) i) FROM regexp_split_to_table('$(sent out_query '%k\n' | tr '\n' ' ' | sed 's/ $//')', ' ') WITH ORDINALITY AS t(line, n)")" t "in the order of the query"

like "$(PGUSER=outbox_other sql_error "SELECT ml_score.send_event('hub', 'out', 'x')")" "42501.*permission denied for foreign server hub" "who may not use the server sends nothing"
like "$(PGUSER=outbox_other sql_error "SELECT * FROM ml_score.outbox_event")" "42501" "nor reads what others send"
like "$(PGUSER=outbox_sender sql_error "SELECT ml_score.send_event('hub', 'a b', 'x')")" '22023.*"a b" is not the name of a topic' "a topic's name is checked"
like "$(PGUSER=outbox_sender sql_error "SELECT ml_score.send_event('hub', 'out', repeat('x', 1000001))")" "54000.*too large to be sent" "so is the size"
like "$(PGUSER=outbox_sender sql_error "SELECT ml_score.send_event('hub', 'out', 'x', NULL, '[1]')")" "22023.*headers of an event are not a JSON object" "headers are an object"
like "$(PGUSER=outbox_sender sql_error "SELECT ml_score.send_query('hub', 'out', 'SELECT 1 AS _value, 2 AS a')")" "22023.*_value" "_value stands alone"
like "$(PGUSER=outbox_sender sql_error "SELECT ml_score.send_query('hub', 'out', 'CREATE TABLE t ()')")" "22023.*not a query that gives rows" "a query gives rows"
like "$(PGUSER=outbox_sender sql_error "SELECT ml_score.send_query('hub', 'out', 'SELECT 1) q; DROP TABLE t; --')")" "42601|22023" "and is one"

# A topic that is not there waits, and holds up no other.
sql_as outbox_sender "SELECT ml_score.send_event('hub', 'out_missing', 'late'), ml_score.send_event('hub', 'out_later', 'now')" >/dev/null
wait_until 90 "SELECT count(*) = 0 FROM ml_score.outbox WHERE topic = 'out_later'"
ok $? "a missing topic holds up no other for long"
wait_until 30 "SELECT count(*) = 1 FROM ml_score.outbox WHERE topic = 'out_missing' AND attempts > 0 AND last_error ~ 'topic'"
ok $? "and the outbox says what is wrong"
is "$(sql_as outbox_other "SELECT count(*) FROM ml_score.outbox")" 0 "to the sender, not to others"

# The worker is killed again and again, the broker too, while events come in.
for i in $(seq 1 10); do
	sql_as outbox_sender "SELECT ml_score.send_event('hub', 'out_later', 'e' || i) FROM generate_series($i * 100, $i * 100 + 99) i" >/dev/null
	sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'ml_score outbox'" >/dev/null
	[ "$i" != 5 ] || kafka_kill
	sleep 0.1
done
kafka_restart
kafka_topic out_missing 1
wait_until 120 "$empty"
ok $? "everything is sent in the end" "$(sql 'SELECT id, topic, attempts, last_error FROM ml_score.outbox LIMIT 3')"
is "$(sent out_later | sort -u | grep -c ^e)" 1000 "each event at least once"
is "$(sent out_missing)" late "also to the topic that came late"

sql "REVOKE USAGE ON FOREIGN SERVER hub FROM outbox_sender"
sql "INSERT INTO ml_score.outbox_event (server, sender, topic, value, failed_at) SELECT s.oid, r.oid, 'out', 'x', now() FROM pg_foreign_server s, pg_roles r WHERE srvname = 'hub' AND rolname = 'outbox_sender'"
is "$(sql_as outbox_other "SELECT ml_score.purge_outbox()")" 0 "purge_outbox leaves others' events alone"
is "$(sql_as outbox_sender "SELECT ml_score.purge_outbox('hub')")" 1 "and removes one's own that were refused"
sql "INSERT INTO ml_score.outbox_event (server, sender, topic, value) SELECT s.oid, r.oid, 'out', 'x' FROM pg_foreign_server s, pg_roles r, generate_series(1, 2) WHERE srvname = 'hub' AND rolname = 'outbox_sender'"
is "$(sql_as outbox_sender "SELECT ml_score.purge_outbox('hub')")" 0 "it leaves alone what still waits"
like "$(sql_error "DROP ROLE outbox_sender" | tr '\n' ' ')" "2BP01.*events in ml_score.outbox.*purge_outbox with waiting => true" "which holds its sender"
like "$(sql_error "DROP SERVER hub CASCADE" | tr '\n' ' ')" "2BP01.*events in ml_score.outbox.*purge_outbox with waiting => true" "and its server"
is "$(sql_as outbox_other "SELECT ml_score.purge_outbox('hub', waiting => true)")" 0 "others remove none of it"
sql "CREATE ROLE outbox_owner LOGIN; GRANT USAGE ON FOREIGN DATA WRAPPER ml_score TO outbox_owner; ALTER SERVER hub OWNER TO outbox_owner"
is "$(sql_as outbox_owner "SELECT ml_score.purge_outbox('hub', waiting => true)")" 2 "the server's owner does"
sql "INSERT INTO ml_score.outbox_event (server, sender, topic, value) SELECT s.oid, r.oid, 'out', 'x' FROM pg_foreign_server s, pg_roles r WHERE srvname = 'hub' AND rolname = 'outbox_sender'"
is "$(sql_as outbox_sender "SELECT ml_score.purge_outbox(waiting => true)")" 1 "and the sender"
sql "DROP SERVER hub CASCADE; DROP ROLE outbox_sender, outbox_other; DROP OWNED BY outbox_owner; DROP ROLE outbox_owner"
ok $? "then all can be dropped"
unlike "$(cat "$RUN/$CLUSTER/log")" "CONFWARN|%[0-9]\|" "librdkafka writes nothing to the server's log"
done_testing
