#!/bin/bash
# batch.sh - batch jobs: speed of export and load as ratios taken in one run, the worker's memory, the poller's share of a core.
#
#   tests/bench/batch.sh [ROWS]     1,000,000 by default; about three minutes, most of it the model's own work. Fails when a
#                                   target is missed.
#
# Rows of nine columns and a key go to Azurite, a job of the played endpoint runs the real model over them, the predictions
# come back. Beside it: the same rows by COPY ... TO PROGRAM to a file that curl uploads, and COPY FROM of the same results. Then
# a thousand jobs run, each looked at once a minute by the poller, over https: its processor time in a minute.

. "$(dirname "${BASH_SOURCE[0]}")/../lib/tap.sh"
. "$ROOT/tests/lib/batch_jobs.sh"
ROWS=${1:-1000000}
missed=0

# took JOB STATE: seconds until the job left a state.
took() {
	sql "SELECT round(extract(epoch FROM next - at)::numeric, 2) FROM (SELECT state, at, lead(at) OVER (ORDER BY at) AS next
		FROM (SELECT state, min(at) AS at FROM ml_score.batch_job_event WHERE job = $1 GROUP BY state) s) n WHERE state = '$2'"
}

# seconds STATEMENT
seconds() {
	"$PGBIN/psql" -XAtq -v ON_ERROR_STOP=1 -c '\timing on' -c "$1" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | awk '{ print $1 / 1000 }'
}

# watch_memory FILE: the largest private memory of a batch job's worker, in kB, until the file watch goes away.
watch_memory() {
	local pid kb most=0
	while [ -e "$RUN/watch" ]; do
		pid=$(sql "SELECT pid FROM pg_stat_activity WHERE backend_type = 'ml_score batch job' LIMIT 1")
		kb=$(sed -n 's/^RssAnon:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/${pid:-0}/status" 2>/dev/null)
		[ "${kb:-0}" -le "$most" ] || most=$kb
		echo "$most" >"$1"
		sleep 0.1
	done
}

# report WHAT OURS THEIRS TARGET
report() {
	awk -v what="$1" -v ours="$2" -v theirs="$3" -v target="$4" \
		'BEGIN { printf "%-60s %8.2f s : %8.2f s = %.2f x (wanted %.1f x)\n", what, ours, theirs, theirs / ours, target; exit theirs / ours < target }' || missed=$((missed + 1))
}

# at_most WHAT VALUE UNIT LIMIT
at_most() {
	awk -v what="$1" -v value="$2" -v unit="$3" -v limit="$4" 'BEGIN { printf "%-60s %s %s (wanted: at most %s)\n", what, value, unit, limit; exit value > limit }' ||
		missed=$((missed + 1))
}

# cpu_ticks PID: processor time that it has had.
cpu_ticks() {
	awk '{ print $14 + $15 }' "/proc/$1/stat"
}

make_state_dirs
new_run_dir bench
trap cleanup EXIT
trap 'exit 130' INT TERM
build_extension 15
start_cluster bench 15 "shared_preload_libraries = 'ml_score'" "max_wal_size = 4GB"
use_cluster bench
sql "CREATE EXTENSION ml_score"
batch_setup bench 53940
sql "CREATE TABLE big AS SELECT n AS id, $DIAMOND FROM generate_series(1, $ROWS) n JOIN diamonds d ON d.id = 1 + n % 53940; ANALYZE big"
sql "ALTER TABLE price DROP CONSTRAINT price_pkey"

: >"$RUN/watch"
watch_memory "$RUN/memory" &
watcher=$!
id=$(sql "SELECT ml_score.submit_batch('pb', query => 'SELECT * FROM big', target => 'price', key => '{id}', retain => 'all')")
echo "job: $(finish "$id" 1800), $(job "$id" "rows_in, missing")"
rm "$RUN/watch"
wait $watcher

url="$(blob_url "$BOX/all.csv")?$(blob_sas "$BOX")"
upload=$(seconds "COPY (SELECT $DIAMOND FROM big) TO PROGRAM 'cat >$RUN/bench/all.csv && curl -sS -f -T $RUN/bench/all.csv -H \"x-ms-blob-type: BlockBlob\" \"$url\"' (FORMAT csv, HEADER)")
report "export of $ROWS rows : COPY TO PROGRAM curl" "$(took "$id" exporting)" "$upload" 1.0
blob_get "$BOX/$(job "$id" folder)/out/predictions.csv" >"$RUN/predictions.csv"
chmod 644 "$RUN/predictions.csv"
sql "CREATE TABLE plain (n int, price float8, file text)"
copy=$(seconds "COPY plain FROM '$RUN/predictions.csv' (FORMAT csv)")
report "load of $ROWS predictions with key join : COPY FROM" "$(took "$id" loading)" "$copy" 0.5
at_most "the job's worker: private memory" "$(cat "$RUN/memory")" kB 65536

batch_fault '{"on": "job", "hold": "Running"}'
sql "ALTER SERVER pb OPTIONS (SET url '$BATCH_HTTPS_URL', ADD ca_file '$BLOB_CA', DROP poll_min_interval, DROP poll_max_interval)"
id=$(submit)
wait_until 60 "SELECT azure_status = 'Running' FROM ml_score.batch_job WHERE id = $id"
columns="owner, server, state, send_key, format, rows_per_file, gzip, result_format, on_missing, on_error, retain, folder, folders, search_path, time_zone, job_name, azure_status, deadline"
sql "INSERT INTO ml_score.batch_job ($columns, request_id, polls, next_poll_at)
	SELECT $columns, gen_random_uuid(), 30, clock_timestamp() + n * interval '60 ms' FROM ml_score.batch_job, generate_series(1, 999) n WHERE id = $id"
sleep 5
poller=$(sql "SELECT pid FROM pg_stat_activity WHERE backend_type = 'ml_score batch poller'")
asked=$(batch_requests status)
ticks=$(cpu_ticks "$poller")
sleep 60
ticks=$(($(cpu_ticks "$poller") - ticks))
echo "1,000 running jobs: looked at $(($(batch_requests status) - asked)) times in a minute"
at_most "the poller's share of a core" "$(awk -v t=$ticks -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "%.2f", 100 * t / hz / 60 }')" % 5
batch_no_faults
exit $((missed > 0))
