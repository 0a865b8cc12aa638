#!/bin/bash
# Streams with event-time windows: the query runs once over all events of a window, when the watermark over all partitions
# says so; hopping windows; late events; idle partitions; kill -9 in between.
# Version: 16, windows are the same for every version
. "$(dirname "$0")/../lib/tap.sh"
need_peer kafka
for topic in win win_hop win_idle win_kill; do kafka_topic $topic 2; done
sql <<-EOF
	CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_PLAIN', security_protocol 'plaintext');
	CREATE TABLE won (stream text, window_start timestamptz, window_end timestamptz, n bigint, total bigint, runs int DEFAULT 1, PRIMARY KEY (stream, window_end));
EOF
export PGTZ=UTC

# create NAME TOPIC ARGUMENTS: a stream whose query counts and sums each window.
create() {
	sql "SELECT ml_score.create_stream('$1', server => 'hub', topic => '$2', columns => 'v int, at timestamptz', event_time => 'at', max_batch_delay => '20ms',
		query => \$\$INSERT INTO won AS w SELECT '$1', window_start, window_end, count(*), sum(v) FROM batch GROUP BY 1, 2, 3
			ON CONFLICT (stream, window_end) DO UPDATE SET n = excluded.n, total = excluded.total, runs = w.runs + 1\$\$, $3)" >/dev/null
}

# put TOPIC PARTITION "V TIME"...: events of these values at 2026-03-02 TIME.
put() {
	local topic=$1 partition=$2 event
	shift 2
	for event; do echo "{\"v\": ${event%% *}, \"at\": \"2026-03-02T${event#* }Z\"}"; done | kafka_produce "$topic" -p "$partition"
}

# result STREAM
result() {
	sql "SELECT to_char(window_end, 'HH24:MI:SS'), n, total, runs FROM won WHERE stream = '$1' ORDER BY window_end"
}

# until STREAM COUNT: that many windows are closed.
until_closed() {
	wait_until 30 "SELECT count(*) >= $2 FROM won WHERE stream = '$1'"
}

waiting() {
	sql "SELECT count(*) FROM ml_score.stream_window_event WHERE stream = '$1'"
}

create tumbling win "\"window\" => '1 minute', allowed_lateness => '30 seconds', idle_timeout => '1 hour'"
put win 0 "1 10:00:00" "2 10:00:59.999999" "4 10:01:00" "8 10:02:31"
wait_until 30 "SELECT count(*) = 4 FROM ml_score.stream_window_event WHERE stream = 'tumbling'"
ok $? "events wait for their window"
sleep 1
is "$(result tumbling)" "" "nothing is closed while a partition has said nothing"
put win 1 "16 10:00:30" "32 10:01:29"
sleep 1
is "$(result tumbling)" "" "nor before the watermark of all partitions has passed the lateness"
put win 1 "64 10:01:30"
until_closed tumbling 1
is "$(result tumbling)" "10:01:00|3|19|1" "then the query runs once over all events of the window"
put win 1 "128 10:00:59" "256 10:01:00" "512 10:02:30" "notanumber 10:02:30"
until_closed tumbling 2
is "$(result tumbling)" $'10:01:00|3|19|1\n10:02:00|4|356|1' "window by window, each event in its own"
is "$(sql "SELECT sqlstate, reason FROM ml_score.dead_letter WHERE stream = 'tumbling' ORDER BY id")" \
	$'22008|the event is late: its window ended at 2026-03-02 10:01:00+00 and is closed\n22032|the event is not JSON: unexpected characters at byte 7' "late events are dead letters, as is what cannot be read"
is "$(waiting tumbling)" 2 "events of closed windows wait no longer"
echo '{"v": 1}' | kafka_produce win -p 0
wait_until 20 "SELECT count(*) = 1 FROM ml_score.dead_letter WHERE stream = 'tumbling' AND sqlstate = '22004' AND reason ~ 'event time'"
ok $? "an event without a time is one, too"

create hopping win_hop "\"window\" => '10 seconds', hop => '5 seconds', late_events => 'update', allowed_lateness => '20 seconds', idle_timeout => '1 hour'"
put win_hop 0 "1 11:00:01" "2 11:00:06" "4 11:00:16"
put win_hop 1 "8 11:00:16"
until_closed hopping 3
is "$(result hopping)" $'11:00:05|1|1|1\n11:00:10|2|3|1\n11:00:15|1|2|1' "hopping windows: an event is in each that has it"
put win_hop 0 "16 11:00:07"
wait_until 30 "SELECT sum(runs) = 5 FROM won WHERE stream = 'hopping'"
is "$(result hopping)" $'11:00:05|1|1|1\n11:00:10|3|19|2\n11:00:15|2|18|2' "a late event has the query run again over its windows"
put win_hop 0 "32 11:01:00"
put win_hop 1 "32 11:01:00"
until_closed hopping 5
put win_hop 0 "64 11:00:07"
wait_until 20 "SELECT count(*) = 1 FROM ml_score.dead_letter WHERE stream = 'hopping' AND reason ~ 'late'"
ok $? "but not after the allowed lateness"

create idle win_idle "\"window\" => '1 second', idle_timeout => '1 second'"
put win_idle 0 "1 12:00:00" "2 12:00:00.5" "4 12:00:01"
until_closed idle 2
is "$(result idle)" $'12:00:01|2|3|1\n12:00:02|1|4|1' "an idle partition does not hold the watermark, and idle ones let the last window be closed"

# Workers are ended again and again, once by kill -9, which takes the whole server down.
sql "SELECT ml_score.create_stream('killed', server => 'hub', topic => 'win_kill', columns => 'v int, at timestamptz', event_time => 'at', workers => 2, \"window\" => '10 seconds', idle_timeout => '2 seconds',
	max_batch_rows => 50, query => 'INSERT INTO won SELECT ''killed'', window_start, window_end, count(*), sum(v) FROM batch GROUP BY 1, 2, 3')" >/dev/null
for i in $(seq 0 4); do
	for p in 0 1; do
		for s in $(seq 0 199); do echo "{\"v\": 1, \"at\": \"2026-03-02T13:0$i:$((s * 60 / 200 / 10))$((s * 60 / 200 % 10)).0Z\"}"; done | kafka_produce win_kill -p $p
	done
	pid=$(sql "SELECT pid FROM pg_stat_activity WHERE backend_type = 'ml_score stream' AND application_name = 'killed' LIMIT 1")
	if [ -n "$pid" ] && [ "$i" = 2 ]; then
		kill -9 "$pid"
		sleep 0.3
		wait_until 30 "SELECT true"
	elif [ -n "$pid" ]; then
		sql "SELECT pg_terminate_backend($pid)" >/dev/null
	fi
	sleep 0.3
done
wait_until 60 "SELECT sum(n) = 2000 FROM won WHERE stream = 'killed'"
ok $? "every event is in its window" "$(sql "SELECT sum(n), count(*) FROM won WHERE stream = 'killed'")"
is "$(sql "SELECT count(*), sum(n), sum(total), (SELECT count(*) FROM ml_score.dead_letter WHERE stream = 'killed') FROM won WHERE stream = 'killed'")" "30|2000|2000|0" "exactly once, whatever ends in between"

# A query that fails by the events' fault.
sql "SELECT ml_score.create_stream('bad', server => 'hub', topic => 'win_idle', columns => 'v int, at timestamptz', event_time => 'at', \"window\" => '1 second', idle_timeout => '1 second',
	query => 'INSERT INTO won SELECT ''bad'', window_start, window_end, count(*), 1 / (sum(v) - 3) FROM batch GROUP BY 1, 2, 3')" >/dev/null
until_closed bad 1
is "$(sql "SELECT to_char(window_end, 'HH24:MI:SS') FROM won WHERE stream = 'bad'")|$(sql "SELECT count(*), min(sqlstate), min(reason) FROM ml_score.dead_letter WHERE stream = 'bad'")" \
	"12:00:02|2|22012|window ending at 2026-03-02 12:00:01+00: division by zero" "the events of a window that the query refuses are dead letters, the next is run over"

# A query that fails by no event's fault, and one whose stream is to stop.
sql "SELECT ml_score.create_stream('wrong', server => 'hub', topic => 'win_idle', columns => 'v int, at timestamptz', event_time => 'at', \"window\" => '1 second', idle_timeout => '1 second',
	query => 'INSERT INTO won SELECT ''wrong'', window_start, window_end, count(*), missing(sum(v)) FROM batch GROUP BY 1, 2, 3')" >/dev/null
wait_until 30 "SELECT bool_or(state = 'waiting' AND last_error ~ 'function missing.bigint. does not exist') FROM ml_score.stat_stream WHERE stream = 'wrong'"
ok $? "a query with a function that is not there waits" "$(sql "SELECT state, last_error FROM ml_score.stat_stream WHERE stream = 'wrong'")"
is "$(sql "SELECT count(*) FROM ml_score.dead_letter WHERE stream = 'wrong'")|$(waiting wrong)" "0|3" "and its events, too"
sql "CREATE FUNCTION missing(v bigint) RETURNS bigint LANGUAGE sql AS 'SELECT 10 * v'"
until_closed wrong 2
is "$(result wrong)" $'12:00:01|2|30|1\n12:00:02|1|40|1' "until it is there"
sql "SELECT ml_score.create_stream('strict', server => 'hub', topic => 'win_idle', columns => 'v int, at timestamptz', event_time => 'at', \"window\" => '1 second', idle_timeout => '1 second', on_error => 'fail',
	query => 'INSERT INTO won SELECT ''strict'', window_start, window_end, count(*), 1 / (sum(v) - 3) FROM batch GROUP BY 1, 2, 3')" >/dev/null
wait_until 30 "SELECT bool_or(state = 'stopped' AND last_error ~ 'window ending at 2026-03-02 12:00:01.*division by zero') FROM ml_score.stat_stream WHERE stream = 'strict'"
ok $? "with on_error fail the stream stops at the window" "$(sql "SELECT state, last_error FROM ml_score.stat_stream WHERE stream = 'strict'")"
is "$(sql "SELECT count(*) FROM ml_score.dead_letter WHERE stream = 'strict'")|$(waiting strict)" "0|3" "which keeps its events"

# Altered while events wait; and what waits is in a dump.
sql "SELECT ml_score.alter_stream('strict', query => 'INSERT INTO won SELECT ''strict'', window_start, window_end, count(*), sum(v) FROM batch GROUP BY 1, 2, 3')" >/dev/null
copy=${PGDATABASE}_copy
sql "CREATE DATABASE $copy"
"$PGBIN/pg_dump" | PGDATABASE=$copy sql >/dev/null
sql "SELECT ml_score.resume_stream('strict')" >/dev/null
until_closed strict 2
is "$(result strict)" $'12:00:01|2|3|1\n12:00:02|1|4|1' "altered, it runs over the window that it stopped at"
(
	PGDATABASE=$copy
	sql "SELECT ml_score.resume_stream('strict')" >/dev/null
	until_closed strict 2
)
is "$(PGDATABASE=$copy result strict)" $'12:00:01|2|3|1\n12:00:02|1|4|1' "so does a copy, with the events that waited in the dump"
sql "DROP DATABASE $copy"

like "$(sql_error "SELECT ml_score.create_stream('x', server => 'hub', topic => 'win', target => 'won', \"window\" => '1 minute')")" '22023.*needs "query"' "windows need a query"
like "$(sql_error "SELECT ml_score.create_stream('x', server => 'hub', topic => 'win', columns => 'v int', query => 'SELECT', \"window\" => '1 month')")" '22023.*"window": "1 mon"' "of a fixed length"
like "$(sql_error "SELECT ml_score.create_stream('x', server => 'hub', topic => 'win', columns => 'v int', query => 'SELECT', \"window\" => '1 minute', hop => '2 minutes')")" '22023.*"hop"' "hops are no longer"
like "$(sql_error "SELECT ml_score.create_stream('x', server => 'hub', topic => 'win', columns => 'v int', query => 'SELECT', \"window\" => '1 minute', event_time => 'at')")" '42703.*event time "at"' "the event time is a column"
like "$(sql_error "SELECT ml_score.create_stream('x', server => 'hub', topic => 'win', columns => 'v int', query => 'SELECT', \"window\" => '1 minute', event_time => 'v')")" '42804.*event time "v"' "of type timestamptz"
like "$(sql_error "SELECT ml_score.create_stream('x', server => 'hub', topic => 'win', columns => 'window_end int', query => 'SELECT', \"window\" => '1 minute')")" "42701.*window's own" "the bounds' names are taken"
sql "SELECT ml_score.drop_stream(name) FROM ml_score.stream" >/dev/null
is "$(sql "SELECT count(*) FROM ml_score.stream_window")" 0 "drop_stream takes the windows along"
done_testing
