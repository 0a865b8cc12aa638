#!/bin/bash
# A stream with a query: events scored on the way in, an endpoint that is down makes the stream wait, rows that a model
# refuses are dead letters; what a query may be, and in whose name it runs.
# Version: 16, events are the same for every version
. "$(dirname "$0")/../lib/tap.sh"
need_peer kafka
need_peer fast
T=stream_query
kafka_topic $T 2
fast_function f ""
sql <<-EOSQL
	CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_PLAIN', security_protocol 'plaintext');
	CREATE FUNCTION score(a float8) RETURNS float8 LANGUAGE ml_score STABLE PARALLEL SAFE COST 10000 AS 'f';
	ALTER SERVER f OPTIONS (ADD max_batch_rows '500', ADD max_attempts '2', ADD retry_base_delay '10ms');
	CREATE ROLE streamer;
	GRANT USAGE ON FOREIGN SERVER hub, f TO streamer;
	CREATE TABLE scored (id bigint PRIMARY KEY, score float8, who text DEFAULT current_user, pos text);
	CREATE TABLE counts (n bigint);
	GRANT INSERT ON scored, counts TO streamer;
EOSQL
seq 1 1000 | awk '{printf "{\"id\": %d, \"a\": %d}\n", $1, $1}' | kafka_produce $T
sql "SET ROLE streamer; SELECT ml_score.create_stream('scored', 'hub', '$T', columns => 'id bigint, a float8',
	query => 'INSERT INTO public.scored (id, score, pos) SELECT id, public.score(a), _partition || ''/'' || _offset FROM batch; INSERT INTO public.counts SELECT count(*) FROM batch')" >/dev/null
sql "SELECT ml_score.wait_stream('scored', '60s')" >/dev/null
is "$(sql "SELECT count(*), sum(score) = sum(id), count(DISTINCT pos), string_agg(DISTINCT who, ',') FROM scored")" "1000|t|1000|streamer" \
	"a query scores the events, in the name of the stream's owner, who needs no LOGIN"
is "$(sql "SELECT sum(n) FROM counts")" 1000 "it may be several statements over the same batch"
requests=$(sql "SELECT requests FROM ml_score.stat_endpoint WHERE server = 'f'")
cmp_ok "$requests" "<" 60 "calls went out in batches"

# The endpoint is down: nothing is lost, nothing is a dead letter, and it goes on by itself.
url=$(sql "SELECT split_part(o, '=', 2) FROM pg_foreign_server, unnest(srvoptions) o WHERE srvname = 'f' AND o LIKE 'url=%'")
sql "ALTER SERVER f OPTIONS (SET url 'http://127.0.0.1:9/score')"
seq 1001 1500 | awk '{printf "{\"id\": %d, \"a\": %d}\n", $1, $1}' | kafka_produce $T
wait_until 30 "SELECT bool_or(state = 'waiting' AND last_error LIKE '%server \"f\"%') FROM ml_score.stat_stream"
ok $? "while the endpoint is down the stream waits, and says so"
like "$(sql_error "SELECT ml_score.wait_stream('scored', '1s')")" '57014.*|last error is: .*server "f"' "wait_stream says why it has not caught up"
is "$(sql "SELECT count(*) FROM scored")|$(sql "SELECT count(*) FROM ml_score.dead_letter")" "1000|0" "nothing is stored in halves, nothing is a dead letter"
is "$(sql "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'ml_score stream' AND xact_start IS NOT NULL AND state LIKE 'idle%'")" 0 \
	"no transaction is left open while it waits"
sql "ALTER SERVER f OPTIONS (SET url '$url')"
sql "SELECT ml_score.wait_stream('scored', '90s')" >/dev/null
is "$(sql "SELECT count(*), sum(score) = sum(id) FROM scored")" "1500|t" "the endpoint is back: so is the stream"

# A row that the model refuses.
sql "CREATE TABLE graded (id bigint, score float8); GRANT INSERT ON graded TO streamer;
	CREATE SERVER picky TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(peer_url fast)/reject/Bad/score', max_batch_rows '100');
	GRANT USAGE ON FOREIGN SERVER picky TO streamer;
	CREATE FUNCTION grade(carat float8, cut text, color text, clarity text, depth float8, \"table\" float8, x float8, y float8, z float8)
		RETURNS float8 LANGUAGE ml_score STABLE AS 'picky'"
kafka_topic ${T}_graded 1
seq 1 200 | awk '{printf "{\"id\": %d, \"a\": 1, \"cut\": \"%s\"}\n", $1, $1 % 100 == 7 ? "Bad" : "Good"}' | kafka_produce ${T}_graded
sql "SET ROLE streamer; SELECT ml_score.create_stream('graded', 'hub', '${T}_graded', columns => 'id bigint, a float8, cut text',
	query => 'INSERT INTO public.graded SELECT id, public.grade(a, cut, ''E'', ''SI2'', 1, 1, 1, 1, 1) FROM batch')" >/dev/null
sql "SELECT ml_score.wait_stream('graded', '60s')" >/dev/null
is "$(sql "SELECT count(*), count(score) FROM graded")" "198|198" "rows that the model refuses are left out"
is "$(sql "SELECT string_agg(convert_from(raw, 'UTF8')::jsonb ->> 'id', ',' ORDER BY id), min(sqlstate), max(sqlstate) FROM ml_score.dead_letter WHERE stream = 'graded'")" \
	"7,107|38000|38000" "and are dead letters, those alone"

# The owner's privileges, nothing more.
sql "CREATE TABLE private (id bigint)"
sql "SET ROLE streamer; SELECT ml_score.create_stream('greedy', 'hub', '$T', columns => 'id bigint', query => 'INSERT INTO public.private SELECT id FROM batch')" >/dev/null
wait_until 30 "SELECT bool_or(last_error LIKE '%permission denied%' AND state = 'waiting') FROM ml_score.stat_stream WHERE stream = 'greedy'"
ok $? "what the owner may not do the stream may not do"
sql "GRANT INSERT ON private TO streamer"
sql "SELECT ml_score.wait_stream('greedy', '60s')" >/dev/null
is "$(sql "SELECT count(*) FROM private")" 1500 "until he may"
kafka_topic ${T}_role 1
echo '{"id": 1}' | kafka_produce ${T}_role
sql "SET ROLE streamer; SELECT ml_score.create_stream('climber', 'hub', '${T}_role', columns => 'id bigint', query => 'RESET SESSION AUTHORIZATION; INSERT INTO public.private SELECT id FROM batch')" >/dev/null
wait_until 30 "SELECT bool_or(last_error LIKE '%cannot set parameter \"session_authorization\"%') FROM ml_score.stat_stream WHERE stream = 'climber'"
ok $? "its query cannot become anyone else"
is "$(sql "SET ROLE streamer; SELECT count(DISTINCT stream) FROM ml_score.stat_stream")" 4 "the owner sees his streams"
sql "CREATE ROLE onlooker"
is "$(sql "SET ROLE onlooker; SELECT count(*) FROM ml_score.stat_stream")|$(sql "SET ROLE onlooker; SELECT count(*) FROM ml_score.dead_letter")" "0|0" "others do not"
like "$(sql_error "SET ROLE onlooker; SELECT ml_score.drop_stream('climber')")" "42501.*must be owner" "nor may they touch them"
sql "SELECT ml_score.drop_stream(name) FROM ml_score.stream" >/dev/null
done_testing
