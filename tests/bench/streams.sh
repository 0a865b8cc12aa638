#!/bin/bash
# streams.sh - streams: speed as ratios taken in one run, medians of several turns, and the worker's memory.
#
#   tests/bench/streams.sh [EVENTS [TURNS]]     1,000,000 and 3 by default; some minutes
#
# Events of about 138 bytes in four partitions of a real broker, over SASL_SSL. Beside each stream what does the same without
# exactly once: kcat with large queues, kcat piped into psql COPY, psql COPY from a file.

. "$(dirname "${BASH_SOURCE[0]}")/../lib/tap.sh"
EVENTS=${1:-1000000} TURNS=${2:-3}
COLUMNS='id bigint, device text, temp float8, hum float8, at timestamptz, ok bool'

make_events() {
	awk -v n="$EVENTS" 'BEGIN { for (i = 1; i <= n; i++) printf "{\"id\": %d, \"device\": \"device-%04d\", \"temp\": %.3f, \"hum\": %.2f, \"at\": \"2026-01-01T00:%02d:%02dZ\", \"ok\": true, \"note\": \"some text here %05d\"}\n",
		i, i % 1000, i / 1000, i % 100, (i / 60) % 60, i % 60, i % 100000 }'
}

consume() {
	kcat -C -e -q -b "$KAFKA_EVENTHUBS" -t bench -o beginning -X security.protocol=SASL_SSL -X ssl.ca.location="$KAFKA_CA" -X sasl.mechanism=PLAIN \
		-X "sasl.username=\$ConnectionString" -X "sasl.password=$KAFKA_CONNECTION_STRING" -X queued.min.messages=1000000 -X queued.max.messages.kbytes=1000000
}

# rate COMMAND...: events a second of what it takes to run it.
rate() {
	local start
	start=$(now_ms)
	"$@" >/dev/null
	echo $((EVENTS * 1000 / ($(now_ms) - start)))
}

# stream ARGUMENTS: make a stream over all events and wait until it has them.
stream() {
	sql "SELECT ml_score.create_stream('bench', 'hub', 'bench', $1)" && sql "SELECT ml_score.wait_stream('bench', '10 minutes')"
}

# end_stream TABLE: check that every event is a row, note the worker's private memory, begin anew.
end_stream() {
	local pid kb
	pid=$(sql "SELECT pid FROM ml_score.stat_stream WHERE pid IS NOT NULL LIMIT 1")
	kb=$(sed -n 's/^RssAnon:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/${pid:-0}/status" 2>/dev/null)
	[ "${kb:-0}" -le "$MEMORY" ] || MEMORY=$kb
	[ "$(sql "SELECT count(*) FROM $1")" = "$EVENTS" ] || die "events are missing in $1"
	sql "SELECT ml_score.drop_stream('bench')" >/dev/null
	wait_until 60 "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'ml_score stream'"
	sql "TRUNCATE $1"
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

make_state_dirs
new_run_dir bench
trap cleanup EXIT
trap 'exit 130' INT TERM
build_extension 15
start_cluster bench 15 "shared_preload_libraries = 'ml_score'" "shared_buffers = 512MB" "max_wal_size = 8GB" "autovacuum = off"
use_cluster bench
need_peer kafka
kafka_topic bench 4
make_events | kafka_produce bench -X linger.ms=50 -X sticky.partitioning.linger.ms=0
sql <<-EOSQL
	CREATE EXTENSION ml_score;
	CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score
		OPTIONS (bootstrap_servers '$KAFKA_EVENTHUBS', auth 'connection_string', ca_file '$KAFKA_CA');
	CREATE USER MAPPING FOR PUBLIC SERVER hub OPTIONS (connection_string '$KAFKA_CONNECTION_STRING');
	CREATE TABLE line (line text);
	CREATE TABLE doc (doc jsonb);
	CREATE TABLE typed (id bigint PRIMARY KEY, device text, temp float8, hum float8, at timestamptz, ok bool);
EOSQL
make_events | sql "COPY doc FROM STDIN"
sql "COPY (SELECT e.* FROM doc, jsonb_to_record(doc) AS e ($COLUMNS)) TO STDOUT CSV" >"$RUN/typed.csv"
sql "TRUNCATE doc"

MEMORY=0
for ((turn = 0; turn < TURNS; turn++)); do
	rate consume >>"$RUN/consume"
	rate stream "target => 'line', format => 'raw'" >>"$RUN/line"
	end_stream line
	rate copy_events >>"$RUN/copy_events"
	sql "TRUNCATE doc"
	rate stream "target => 'doc', format => 'raw'" >>"$RUN/doc"
	end_stream doc
	rate copy_file >>"$RUN/copy_file"
	sql "TRUNCATE typed"
	rate stream "target => 'typed'" >>"$RUN/typed"
	end_stream typed
	rate stream "target => 'typed', workers => 2" >>"$RUN/typed_two"
	end_stream typed
done

echo "$EVENTS events, medians of $TURNS turns"
report "one text column : kcat to /dev/null" line consume 0.9
report "one jsonb column : kcat | psql COPY" doc copy_events 1.0
report "six typed columns, primary key : psql COPY from a CSV file" typed copy_file 0.6
report "the same, two workers : one worker" typed_two typed 1.3
echo "a worker's private memory at most: $MEMORY kB (wanted: 204800)"
