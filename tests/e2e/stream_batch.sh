#!/bin/bash
# The relation "batch" is made while it is read: however a query reads it, it has every row of the micro-batch once.
. "$(dirname "$0")/../lib/tap.sh"
need_peer kafka
T=stream_batch$PGVER
EVENTS=2500 # decoded a thousand at a time
kafka_topic $T 1
sql <<-EOSQL
	CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_PLAIN', security_protocol 'plaintext');
	CREATE TABLE seen (id bigint, made timestamptz DEFAULT clock_timestamp(), stored timestamptz);
	CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.stored := clock_timestamp(); RETURN NEW; END';
	CREATE TRIGGER stamp BEFORE INSERT ON seen FOR EACH ROW EXECUTE FUNCTION stamp();
	CREATE TABLE ranked (id bigint, smaller bigint);
	CREATE TABLE first (id bigint);
	CREATE TABLE everything (n bigint, total numeric);
EOSQL
{
	seq 1 $((EVENTS - 1)) | sed 's/.*/{"id": &}/'
	echo '{"id": "none"}'
} | kafka_produce $T

# stream NAME ARGUMENTS: all events in one micro-batch.
stream() {
	sql "SELECT ml_score.create_stream('$1', 'hub', '$T', max_batch_delay => '3s', $2)" >/dev/null
	sql "SELECT ml_score.wait_stream('$1', '90s')" >/dev/null
}

stream seen "target => 'seen'"
is "$(sql "SELECT count(*), count(DISTINCT id), sum(id) FROM seen")" "2499|2499|3123750" "rows go through a trigger, each once"
is "$(sql "SELECT max(batches) FROM ml_score.stat_stream WHERE stream = 'seen'")|$(sql "SELECT max(made) > min(stored) FROM seen")" "1|t" \
	"the last rows of the micro-batch are made after the first are stored"

stream ranked "columns => 'id bigint', query => 'INSERT INTO ranked SELECT id, (SELECT count(*) FROM batch AS b WHERE b.id < a.id) FROM batch AS a'"
is "$(sql "SELECT count(*), bool_and(smaller = id - 1) FROM ranked")" "2499|t" "two scans, one of them again and again, each see all rows"

stream first "columns => 'id bigint', query => 'INSERT INTO first SELECT id FROM batch LIMIT 10;
	WITH w AS (INSERT INTO everything SELECT count(*), sum(id) FROM batch RETURNING 1) INSERT INTO first SELECT -count(*) FROM batch WHERE id < 5'"
is "$(sql "SELECT count(*), min(id), max(id) FROM first")|$(sql "SELECT n, total FROM everything")" "11|-4|10|2499|3123750" \
	"a statement that reads the first rows only leaves all to the next"

stream none "columns => 'id bigint', query => 'INSERT INTO first SELECT id FROM batch LIMIT 0'"
is "$(sql "SELECT string_agg(stream || ' ' || \"offset\", ',' ORDER BY stream) FROM ml_score.dead_letter")" \
	"first 2499,none 2499,ranked 2499,seen 2499" "an event that cannot be decoded is a dead letter even when nobody reads that far"
is "$(sql "SELECT string_agg(stream || ' ' || rows || ' ' || lag, ',' ORDER BY stream) FROM ml_score.stat_stream")" \
	"first 2499 0,none 2499 0,ranked 2499 0,seen 2499 0" "and the rows are counted"

# A row is held while others come that do not fit into memory: the first event's, under the last one's 300 of 300 kB.
kafka_topic ${T}_wide 1
{
	printf '|{"id": 1, "name": "%0400000d"}\n' 0
	seq 2 1000 | sed 's/.*/|{"id": &}/'
	printf '%0300000d|[%s]\n' 0 "$(seq -s , 1001 1300 | sed 's/[0-9]*/{"id": &}/g')"
} | kafka_produce ${T}_wide -K '|'
sql "CREATE TABLE held (id bigint, others bigint, bytes bigint, name text)"
sql "SELECT ml_score.create_stream('held', 'hub', '${T}_wide', max_batch_delay => '3s', format => 'json_array', columns => 'id bigint, name text, _key text',
	query => 'INSERT INTO held SELECT id, (SELECT count(*) FROM batch AS b WHERE b.id > a.id), (SELECT sum(length(_key)) FROM batch AS b WHERE b.id > a.id), name
	FROM batch AS a WHERE id = 1')" >/dev/null
sql "SELECT ml_score.wait_stream('held', '90s')" >/dev/null
is "$(sql "SELECT id, others, bytes, name = repeat('0', 400000) FROM held")" "1|1299|90000000|t" \
	"a row that is held stays what it is when others come that do not fit into memory"

# The row is changed while the query waits for it, and its condition looked at again.
sql "CREATE TABLE aim (want bigint, never bool, hits bigint); INSERT INTO aim VALUES (1, false, 0)"
sql "BEGIN; UPDATE aim SET want = 2400;
	DO 'BEGIN LOOP PERFORM pg_stat_clear_snapshot();
		EXIT WHEN EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = ''Lock'');
		PERFORM pg_sleep(0.05); END LOOP; END'; COMMIT" >/dev/null &
changer=$!
wait_until 30 "SELECT count(*) > 0 FROM pg_locks WHERE relation = 'aim'::regclass AND mode = 'RowExclusiveLock'"
stream aim "columns => 'id bigint', query => 'UPDATE aim SET hits = hits + 1
	WHERE never OR EXISTS (SELECT FROM batch WHERE id >= want AND id <= want)'"
wait $changer
is "$(sql "SELECT want, hits FROM aim")" "2400|1" "a condition that is looked at again, for a row that another session changed, sees all rows"
sql "SELECT ml_score.drop_stream(name) FROM ml_score.stream" >/dev/null
done_testing
