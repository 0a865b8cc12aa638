#!/bin/bash
# streams.sh - streams: speed as ratios taken in one run, medians of several turns; latency; the worker's memory.
#
#   tests/bench/streams.sh              all of it, some minutes
#   tests/bench/streams.sh NAME...      only these: store latency scored backlog
#
# Events of about 138 bytes in four partitions of a real broker, over SASL_SSL (EVENTS, 1,000,000 of them; BACKLOG,
# 10,000,000). Beside each stream what does the same without exactly once: kcat with large queues, kcat piped into psql
# COPY, psql COPY from a file; beside the scored one libcurl with bodies made beforehand.

. "$(dirname "${BASH_SOURCE[0]}")/../lib/tap.sh"
EVENTS=${EVENTS:-1000000} TURNS=${TURNS:-3} BACKLOG=${BACKLOG:-10000000}
COLUMNS='id bigint, device text, temp float8, hum float8, at timestamptz, ok bool'
DIAMOND='carat, cut, color, clarity, depth, "table", x, y, z'

# make_events COUNT
make_events() {
	awk -v n="$1" 'BEGIN { for (i = 1; i <= n; i++) printf "{\"id\": %d, \"device\": \"device-%04d\", \"temp\": %.3f, \"hum\": %.2f, \"at\": \"2026-01-01T00:%02d:%02dZ\", \"ok\": true, \"note\": \"some text here %05d\"}\n",
		i, i % 1000, i / 1000, i % 100, (i / 60) % 60, i % 60, i % 100000 }'
}

# produce TOPIC: standard input, an event a line, spread evenly over the partitions.
produce() {
	kafka_produce "$1" -X linger.ms=50 -X sticky.partitioning.linger.ms=0
}

consume() {
	kcat -C -e -q -b "$KAFKA_EVENTHUBS" -t bench -o beginning -X security.protocol=SASL_SSL -X ssl.ca.location="$KAFKA_CA" -X sasl.mechanism=PLAIN \
		-X "sasl.username=\$ConnectionString" -X "sasl.password=$KAFKA_CONNECTION_STRING" -X queued.min.messages=1000000 -X queued.max.messages.kbytes=1000000
}

# rate COUNT COMMAND...: events a second of what it takes to run it.
rate() {
	local count=$1 start
	shift
	start=$(now_ms)
	"$@" >/dev/null
	echo $((count * 1000 / ($(now_ms) - start)))
}

# stream TOPIC ARGUMENTS: make a stream over all events and wait until it has them.
stream() {
	sql "SELECT ml_score.create_stream('bench', 'hub', '$1', $2)" && sql "SELECT ml_score.wait_stream('bench', '10 minutes')"
}

# watch_memory: the most private memory that a stream's worker has in the meantime, in kB, to $RUN/memory.
watch_memory() {
	local most=0 pid kb
	while sleep 0.2; do
		for pid in $(pgrep -f "^postgres: ml_score stream"); do
			kb=$(sed -n 's/^RssAnon:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$pid/status" 2>/dev/null)
			[ "${kb:-0}" -le "$most" ] || most=$kb
		done
		echo "$most" >"$RUN/memory"
	done
}

# end_stream TABLE COUNT: check that every event is a row, begin anew.
end_stream() {
	[ "$(sql "SELECT count(*) FROM $1")" = "$2" ] || die "events are missing in $1"
	sql "SELECT ml_score.drop_stream('bench')" >/dev/null
	wait_until 60 "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'ml_score stream'"
	sql "TRUNCATE $1"
	# So that the log's files are there to be used again, as on a server that has been running.
	sql CHECKPOINT
}

copy_events() {
	consume | "$PGBIN/psql" -Xq -c "COPY doc FROM STDIN"
}

copy_file() {
	"$PGBIN/psql" -Xq -c "\\copy typed FROM '$RUN/typed.csv' CSV"
}

median() {
	sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# report WHAT OURS THEIRS TARGET: files of rates, one a turn.
report() {
	awk -v what="$1" -v ours="$(median <"$RUN/$2")" -v theirs="$(median <"$RUN/$3")" -v target="$4" \
		'BEGIN { printf "%-62s %9d/s : %9d/s = %.2f x (wanted %.1f x)\n", what, ours, theirs, ours / theirs, target }'
}

bench_store() {
	local turn
	kafka_topic bench 4
	make_events "$EVENTS" | produce bench
	make_events "$EVENTS" | sql "COPY doc FROM STDIN"
	sql "COPY (SELECT e.* FROM doc, jsonb_to_record(doc) AS e ($COLUMNS)) TO STDOUT CSV" >"$RUN/typed.csv"
	sql "TRUNCATE doc; CHECKPOINT"
	for ((turn = 0; turn < TURNS; turn++)); do
		rate "$EVENTS" consume >>"$RUN/consume"
		rate "$EVENTS" stream bench "target => 'line', format => 'raw'" >>"$RUN/line"
		end_stream line "$EVENTS"
		rate "$EVENTS" copy_events >>"$RUN/copy_events"
		sql "TRUNCATE doc; CHECKPOINT"
		rate "$EVENTS" stream bench "target => 'doc', format => 'raw'" >>"$RUN/doc"
		end_stream doc "$EVENTS"
		rate "$EVENTS" copy_file >>"$RUN/copy_file"
		sql "TRUNCATE typed; CHECKPOINT"
		rate "$EVENTS" stream bench "target => 'typed'" >>"$RUN/typed"
		end_stream typed "$EVENTS"
		rate "$EVENTS" stream bench "target => 'typed', workers => 2" >>"$RUN/typed_two"
		end_stream typed "$EVENTS"
		rate "$EVENTS" stream bench "target => 'doc', format => 'raw', workers => 2" >>"$RUN/doc_two"
		end_stream doc "$EVENTS"
	done
	echo "$EVENTS events, medians of $TURNS turns"
	report "one text column : kcat to /dev/null" line consume 0.9
	report "one jsonb column : kcat | psql COPY" doc copy_events 1.0
	report "six typed columns, primary key : psql COPY from a CSV file" typed copy_file 0.6
	report "one jsonb column, two workers : one worker" doc_two doc 1.3
	report "six typed columns, two workers : one worker" typed_two typed 1.3
}

# ticks SECONDS: 1,000 events a second, ten at a time.
ticks() {
	python3 -uc "
import sys, time
start = time.monotonic()
for tick in range($1 * 100):
    time.sleep(max(0, start + tick / 100 - time.monotonic()))
    print('\n'.join('{\"id\": %d}' % (tick * 10 + i) for i in range(10)))"
}

# From the time the producer gave an event to that of the commit after which others see its row.
bench_latency() {
	local seconds=20
	kafka_topic ticks 4
	sql "SELECT ml_score.create_stream('bench', 'hub', 'ticks', target => 'tick', max_batch_delay => '50ms')" >/dev/null
	wait_until 60 "SELECT count(*) = 4 FROM ml_score.stat_stream WHERE state = 'running'"
	ticks $seconds | kafka_produce ticks
	sql "SELECT ml_score.wait_stream('bench', '1 minute')" >/dev/null
	sql "SELECT format('from event to commit at 1,000 events/s, max_batch_delay 50 ms: p50 %s ms, p99 %s ms, most %s ms (wanted: p99 150)',
		round(p[1]), round(p[2]), round(p[3])) FROM (SELECT percentile_cont(ARRAY[0.5, 0.99, 1]) WITHIN GROUP
		(ORDER BY extract(epoch FROM pg_xact_commit_timestamp(xmin) - _time)::float8 * 1000) AS p FROM tick) AS t"
	end_stream tick $((seconds * 1000))
}

curl_multi() {
	[ "$CACHE/curl_multi" -nt "$ROOT/tests/bench/curl_multi.c" ] ||
		gcc -O2 -Wall -o "$CACHE/curl_multi" "$ROOT/tests/bench/curl_multi.c" -lcurl
	"$CACHE/curl_multi" "$@"
}

# score_streams SERVERS WORKERS: rates of the stones priced on the way, and of the same rows in bodies made beforehand.
score_streams() {
	local turn url
	url=$(peer_url real_records)/score
	curl_multi "$url" "$RUN/bodies" 4 >/dev/null
	for ((turn = 0; turn < TURNS; turn++)); do
		curl_multi "$url" "$RUN/bodies" 4 | awk -v n="$STONES" '{ print n / $1 }' >>"$RUN/bodies.$1.$2"
		rate "$STONES" stream stones "workers => $2, max_batch_rows => 50000, query => 'INSERT INTO scored SELECT id, served($DIAMOND) FROM batch',
			columns => 'id bigint, carat float8, cut text, color text, clarity text, depth float8, \"table\" float8, x float8, y float8, z float8'" >>"$RUN/scored.$1.$2"
		end_stream scored "$STONES"
	done
	report "priced on the way, $1 server processes, $2 workers : libcurl" "scored.$1.$2" "bodies.$1.$2" 0.9
}

# The diamonds as events, priced on the way by the real inference server: one of its processes, which leaves the machine a
# core for everything else, and two. In a random order, so that hardly any row is twice in a request, where it would be sent once.
bench_scored() {
	need_model
	start_inference_server real_records "$(free_port)" 1
	wait_healthy real_records
	kafka_topic stones 4
	sql <<-EOSQL
		CREATE SERVER served TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(peer_url real_records)/score', auth 'none',
			max_batch_rows '1000', max_parallel_requests '4');
		CREATE FUNCTION served(carat float8, cut text, color text, clarity text, depth float8, "table" float8, x float8, y float8, z float8)
			RETURNS float8 LANGUAGE ml_score STABLE COST 10000 AS 'served';
		CREATE TABLE diamond (carat float8, cut text, color text, clarity text, depth float8, "table" float8, price float8, x float8, y float8, z float8);
		CREATE TABLE stone (LIKE diamond);
		CREATE TABLE scored (id bigint, score float8);
		\\copy diamond FROM '$CACHE/diamonds.csv' (FORMAT csv, HEADER)
		INSERT INTO stone SELECT diamond.* FROM diamond, generate_series(1, 10) AS round ORDER BY round, random();
	EOSQL
	STONES=$(sql "SELECT count(*) FROM stone")
	sql "COPY (SELECT json_build_object('data', json_agg(json_build_object('carat', carat, 'cut', cut, 'color', color, 'clarity', clarity, 'depth', depth,
		'table', \"table\", 'x', x, 'y', y, 'z', z)))::text FROM (SELECT *, row_number() OVER () AS n FROM stone) AS s GROUP BY (n - 1) / 1000) TO STDOUT" >"$RUN/bodies"
	sql "COPY (SELECT json_build_object('id', row_number() OVER (), 'carat', carat, 'cut', cut, 'color', color, 'clarity', clarity, 'depth', depth,
		'table', \"table\", 'x', x, 'y', y, 'z', z)::text FROM stone) TO STDOUT" | produce stones
	echo "$STONES diamonds"
	score_streams 1 1
	kill -TTIN "$(cat "$RUN/peers/real_records.pid")" # one process more
	sleep 10
	score_streams 2 1
	score_streams 2 2
}

# Memory does not depend on what waits at the hub.
bench_backlog() {
	local watcher
	kafka_topic backlog 4
	make_events "$BACKLOG" | produce backlog
	watch_memory &
	watcher=$!
	rate "$BACKLOG" stream backlog "target => 'line', format => 'raw'" >"$RUN/backlog"
	kill $watcher
	echo "$BACKLOG events waiting: $(cat "$RUN/backlog")/s, the worker's private memory at most $(cat "$RUN/memory") kB (wanted: 204800)"
	end_stream line "$BACKLOG"
	kafka_delete_topic backlog
}

[ $# -gt 0 ] || set -- store latency scored backlog
for name in "$@"; do
	declare -F "bench_$name" >/dev/null || die "no benchmark is called $name"
done
make_state_dirs
new_run_dir bench
trap cleanup EXIT
trap 'exit 130' INT TERM
# shellcheck disable=SC2086
need_packages $BUILD_PACKAGES
build_extension 15
start_cluster bench 15 "shared_preload_libraries = 'ml_score'" "shared_buffers = 512MB" "max_wal_size = 8GB" "min_wal_size = 4GB" "autovacuum = off" \
	"track_commit_timestamp = on"
use_cluster bench
need_peer kafka
sql <<-EOSQL
	CREATE EXTENSION ml_score;
	CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score
		OPTIONS (bootstrap_servers '$KAFKA_EVENTHUBS', auth 'connection_string', ca_file '$KAFKA_CA');
	CREATE USER MAPPING FOR PUBLIC SERVER hub OPTIONS (connection_string '$KAFKA_CONNECTION_STRING');
	CREATE TABLE line (line text);
	CREATE TABLE doc (doc jsonb);
	CREATE TABLE typed (id bigint PRIMARY KEY, device text, temp float8, hum float8, at timestamptz, ok bool);
	CREATE TABLE tick (id bigint, _time timestamptz);
	INSERT INTO line SELECT repeat('x', 100) FROM generate_series(1, 5000000);
	TRUNCATE line;
	CHECKPOINT;
EOSQL
for name in "$@"; do "bench_$name"; done
