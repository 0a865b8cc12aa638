#!/bin/bash
# run.sh - speed and memory, as ratios taken in one run: medians of five, what is compared taking turns.
#
#   tests/bench/run.sh              all of it, about six minutes
#   tests/bench/run.sh NAME...      only these: copy client real latency single memory preload auto drift
#
# 300,000 rows of nine columns (the diamonds, again and again) against the fast endpoint, which parses every row, and
# against the real Azure ML inference server. PostgreSQL 15, fsync off on both sides of every comparison.

. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"
. "$ROOT/tests/lib/install.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/peers.sh"

RUNS=${RUNS:-5}
ROWS=300000
DIAMOND='carat, cut, color, clarity, depth, "table", x, y, z'
RESULTS=

sql() {
	"$PGBIN/psql" -XAtq -v ON_ERROR_STOP=1 -d bench "$@"
}

median() {
	sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

calc() {
	awk "BEGIN { printf \"%.${2:-3}f\", $1 }"
}

# seconds SQL...: how long the last of these statements took, in one session.
seconds() {
	local args=() statement
	for statement in "$@"; do args+=(-c "$statement"); done
	sql -c '\timing on' "${args[@]}" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | tail -n 1 | awk '{ print $1 / 1000 }'
}

# report WHAT OURS THEIRS RATIO OP TARGET
report() {
	local met
	met=$(awk "BEGIN { print ($4 $5 $6) ? \"yes\" : \"NO\" }")
	RESULTS+=$(printf '%-66s %14s %14s %8s %3s %-5s %s' "$1" "$2" "$3" "$4" "$5" "$6" "$met")$'\n'
	step "$1: $2 / $3 = $4 (wanted $5 $6: $met)"
}

# A checkpoint before, so that the log's files are there to be used again, as on a server that has been running.
insert_scores() {
	seconds "CHECKPOINT" "SET ml_score.max_batch_rows = $2" "SET ml_score.max_parallel_requests = $3" "TRUNCATE target" \
		"INSERT INTO target SELECT id, $1($DIAMOND) FROM stones"
}

prepare() {
	# shellcheck disable=SC2086
	need_packages $BUILD_PACKAGES
	build_extension 15
	need_diamonds
	need_peer fast
	start_cluster bench 15 "shared_preload_libraries = 'ml_score'" "shared_buffers = 512MB" "max_wal_size = 8GB" "min_wal_size = 1GB" "autovacuum = off" \
		"max_parallel_workers_per_gather = 0"
	use_cluster bench
	"$PGBIN/psql" -Xqc "CREATE DATABASE bench"
	step "loading $ROWS rows"
	sql <<-EOF
		CREATE EXTENSION ml_score;
		CREATE TABLE diamonds (id int GENERATED ALWAYS AS IDENTITY, carat float8, cut text, color text, clarity text,
			depth float8, "table" float8, price float8, x float8, y float8, z float8);
		\\copy diamonds (carat, cut, color, clarity, depth, "table", price, x, y, z) FROM '$CACHE/diamonds.csv' (FORMAT csv, HEADER)
		CREATE TABLE stones AS SELECT (row_number() OVER (ORDER BY round, id))::int AS id, $DIAMOND
			FROM diamonds, generate_series(1, 6) round ORDER BY round, diamonds.id LIMIT $ROWS;
		CREATE TABLE target (id int, score float8);
		VACUUM ANALYZE stones;
		CHECKPOINT;
	EOF
	model_function fast "$(peer_url fast)/score"
	model_function slow "$(peer_url fast)/latency/10ms/score"
}

model_function() {
	sql <<-EOF
		CREATE SERVER $1 TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$2', auth 'none');
		CREATE FUNCTION $1(carat float8, cut text, color text, clarity text, depth float8, "table" float8, x float8, y float8, z float8)
			RETURNS float8 LANGUAGE ml_score STABLE COST 10000 AS '$1';
	EOF
}

real_server() {
	[ ! -f "$RUN/peers/real_records.port" ] || return 0
	need_model
	start_inference_server real_records "$(free_port)" 2
	wait_healthy real_records
	model_function served "$(peer_url real_records)/score"
}

# bodies ROWS LIMIT: the request bodies for the first LIMIT rows, one a line.
bodies() {
	sql -c "COPY (SELECT json_build_object('data', json_agg(json_build_object('carat', carat, 'cut', cut, 'color', color,
		'clarity', clarity, 'depth', depth, 'table', \"table\", 'x', x, 'y', y, 'z', z) ORDER BY id))::text
		FROM stones WHERE id <= $2 GROUP BY (id - 1) / $1) TO STDOUT"
}

curl_multi() {
	[ "$CACHE/curl_multi" -nt "$ROOT/tests/bench/curl_multi.c" ] ||
		gcc -O2 -Wall -o "$CACHE/curl_multi" "$ROOT/tests/bench/curl_multi.c" -lcurl
	"$CACHE/curl_multi" "$@"
}

bench_copy() {
	local i copy=() ours=()
	for ((i = 0; i < RUNS; i++)); do
		copy+=("$(seconds "COPY (SELECT $DIAMOND FROM stones) TO '/dev/null'")")
		ours+=("$(insert_scores fast 1000 4)")
	done
	COPY_S=$(printf '%s\n' "${copy[@]}" | median) OURS_S=$(printf '%s\n' "${ours[@]}" | median)
	report "INSERT ... SELECT id, f(...) : COPY of the nine columns to /dev/null" "${OURS_S}s" "${COPY_S}s" "$(calc "$OURS_S / $COPY_S")" '<=' 2.2
	is_right fast
}

# A benchmark of wrong answers is worth nothing.
is_right() {
	local wrong
	wrong=$(sql -c "SELECT count(*) FROM stones LEFT JOIN target USING (id) WHERE score IS DISTINCT FROM
		1*carat + 2*octet_length(cut) + 3*octet_length(color) + 4*octet_length(clarity) + 5*depth + 6*\"table\" + 7*x + 8*y + 9*z")
	[ "$wrong" = 0 ] || die "$1: $wrong of $ROWS scores are wrong"
}

bench_client() {
	local i theirs=() ours=() client ours_s
	need_venv client
	for ((i = 0; i < RUNS; i++)); do
		sql -c CHECKPOINT
		theirs+=("$("$CACHE/venv-client/bin/python" "$ROOT/tests/bench/client.py" "$PGHOST" bench "$(peer_url fast)/score")")
		[ $i -gt 0 ] || is_right client.py
		ours+=("$(insert_scores fast 1000 4)")
	done
	client=$(printf '%s\n' "${theirs[@]}" | median) ours_s=$(printf '%s\n' "${ours[@]}" | median)
	report "rows/s : a hand-written asyncio client" "$(calc "$ROWS / $ours_s" 0)/s" "$(calc "$ROWS / $client" 0)/s" "$(calc "$client / $ours_s")" '>=' 3
}

bench_real() {
	local i theirs=() ours=() a b
	real_server
	bodies 1000 $ROWS >"$RUN/bodies"
	curl_multi "$(peer_url real_records)/score" "$RUN/bodies" 4 >/dev/null
	for ((i = 0; i < RUNS; i++)); do
		theirs+=("$(curl_multi "$(peer_url real_records)/score" "$RUN/bodies" 4 | cut -d ' ' -f 1)")
		ours+=("$(insert_scores served 1000 4)")
	done
	a=$(printf '%s\n' "${theirs[@]}" | median) b=$(printf '%s\n' "${ours[@]}" | median)
	report "real inference server, rows/s : libcurl multi, bodies pre-encoded" "$(calc "$ROWS / $b" 0)/s" "$(calc "$ROWS / $a" 0)/s" "$(calc "$a / $b")" '>=' 0.95
}

bench_latency() {
	local i ours=() theirs=() s t
	bodies 100 $ROWS >"$RUN/bodies100"
	for ((i = 0; i < RUNS; i++)); do
		theirs+=("$(curl_multi "$(peer_url fast)/latency/10ms/score" "$RUN/bodies100" 16 | cut -d ' ' -f 1)")
		ours+=("$(insert_scores slow 100 16)")
	done
	s=$(printf '%s\n' "${ours[@]}" | median) t=$(printf '%s\n' "${theirs[@]}" | median)
	step "libcurl alone, bodies pre-encoded, reaches $(calc "$ROWS / $t / 160000") of the ideal on this machine now"
	report "16 in flight, 10 ms for 100 rows : ideal 160,000 rows/s" "$(calc "$ROWS / $s" 0)/s" "160000/s" "$(calc "$ROWS / $s / 160000")" '>=' 0.9
}

bench_single() {
	local i theirs=() ours=() a b one
	real_server
	one="SELECT served(0.23, 'Ideal', 'E', 'SI2', 61.5, 55, 3.95, 3.98, 2.43);"
	echo "$one" >"$RUN/one.sql"
	# the very body that the function sends
	bodies 1 1 >"$RUN/one.body"
	for ((i = 0; i < 200; i++)); do cat "$RUN/one.body"; done >"$RUN/ones"
	for ((i = 0; i < RUNS; i++)); do
		theirs+=("$(curl_multi "$(peer_url real_records)/score" "$RUN/ones" 1 | cut -d ' ' -f 2)")
		(cd "$RUN" && rm -f pgbench_log.* && "$PGBIN/pgbench" -n -f one.sql -c 1 -t 201 -l bench >/dev/null 2>&1)
		ours+=("$(tail -n +2 "$RUN"/pgbench_log.* | awk '{ print $3 / 1000 }' | median)")
	done
	a=$(printf '%s\n' "${theirs[@]}" | median) b=$(printf '%s\n' "${ours[@]}" | median)
	report "one-row SELECT f(...), p50 : the same request by libcurl" "$(calc "$b" 2)ms" "$(calc "$a" 2)ms" "$(calc "$b / $a")" '<=' 1.1
}

# peak ROWS: the backend's peak memory in kB after scoring this many rows. They are made up in the query, because shared
# buffers count as memory of the backend that reads them, and without JIT, whose 60 MB library large queries load.
peak() {
	sql -c "SET jit = off" \
		-c "SELECT count(fast(g / 1000.0, 'Ideal', 'E', 'SI' || g % 3, 61.5, g % 50, 3.95, 3.98, 2.43)) FROM generate_series(1, $1) g" \
		-c "SELECT substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s+(\d+)')" | tail -n 1
}

bench_memory() {
	local small large
	small=$(peak 30000) large=$(peak 3000000)
	report "backend's peak memory, 3,000,000 rows - 30,000 rows, MB" "$(calc "$large / 1024" 1)" "$(calc "$small / 1024" 1)" "$(calc "($large - $small) / 1024" 1)" '<=' 32
}

tps() {
	"$PGBIN/pgbench" -h "$RUN/$1/s" -p 5432 -U postgres -S -n -c 2 -j 1 -T 4 bench 2>/dev/null | sed -n 's/^tps = \([0-9.]*\).*/\1/p'
}

bench_preload() {
	local i ratios=() with without
	start_cluster bare 15 "shared_buffers = 512MB" "autovacuum = off"
	"$PGBIN/psql" -Xq -h "$RUN/bare/s" -c "CREATE DATABASE bench"
	for i in bare bench; do
		"$PGBIN/pgbench" -q -i -s 5 -h "$RUN/$i/s" -p 5432 -U postgres bench >/dev/null 2>&1
		tps $i >/dev/null
	done
	for ((i = 0; i < 7; i++)); do
		if ((i % 2)); then with=$(tps bench) without=$(tps bare); else without=$(tps bare) with=$(tps bench); fi
		ratios+=("$(calc "$with / $without")")
	done
	report "pgbench -S, library preloaded : without, median of 7 pairs" "$(calc "$with" 0)tps" "$(calc "$without" 0)tps" \
		"$(printf '%s\n' "${ratios[@]}" | median)" '>=' 0.98
	stop_cluster bare
}

# What "auto" finds by itself in one run over the table, against the best of a few fixed settings.
bench_auto() {
	real_server
	auto_against_fixed fast "fast endpoint"
	auto_against_fixed served "real inference server"
}

auto_against_fixed() {
	local setting best=999 s auto
	for setting in "500 2" "1000 2" "1000 4" "2000 2" "2000 4"; do
		# shellcheck disable=SC2086
		s=$(insert_scores "$1" $setting)
		[ "$(calc "($s < $best)" 0)" = 0 ] || best=$s
	done
	insert_scores "$1" "'auto'" "'auto'" >/dev/null
	auto=$(for _ in 1 2 3; do insert_scores "$1" "'auto'" "'auto'"; done | median)
	report "$2, rows/s, auto : best fixed setting" "$(calc "$ROWS / $auto" 0)/s" "$(calc "$ROWS / $best" 0)/s" "$(calc "$best / $auto")" '>=' 0.9
}

# Drift of nine columns, 1,000,000 rows a side: beside counting their distinct values, and beside Python with scipy.
bench_drift() {
	local i counts=() ours=() theirs=() c o t columns=''
	need_venv scoring
	sql -c "CREATE TABLE drifting AS SELECT g > 1000000 AS current, d.carat * (1 + (g > 1000000)::int / 100.0) AS carat, cut, color, clarity, depth, \"table\", x + random() AS x, y, z
		FROM generate_series(1, 2000000) g JOIN diamonds d ON d.id = g % 53940 + 1" -c "VACUUM ANALYZE drifting"
	for i in carat cut color clarity depth '"table"' x y z; do columns+=", count(DISTINCT $i)"; done
	for ((i = 0; i < RUNS; i++)); do
		counts+=("$(seconds "SELECT ${columns#, } FROM drifting")")
		ours+=("$(seconds "SELECT * FROM ml_score.drift('SELECT $DIAMOND FROM drifting WHERE NOT current', 'SELECT $DIAMOND FROM drifting WHERE current')")")
		theirs+=("$("$CACHE/venv-scoring/bin/python" "$ROOT/tests/bench/drift_client.py" "$PGBIN/psql -Xq -d bench" drifting 2>"$RUN/drift_client.log")")
	done
	c=$(printf '%s\n' "${counts[@]}" | median) o=$(printf '%s\n' "${ours[@]}" | median) t=$(printf '%s\n' "${theirs[@]}" | median)
	report "drift, 2 x 1,000,000 rows : count(DISTINCT) of the nine columns" "${o}s" "${c}s" "$(calc "$o / $c")" '<=' 3
	report "the same : Python that fetches them, pandas and scipy" "${o}s" "$(calc "$t")s" "$(calc "$t / $o")" '>=' 1
}

make_state_dirs
new_run_dir bench
trap cleanup EXIT
trap 'exit 130' INT TERM
prepare
[ $# -gt 0 ] || set -- copy client real latency single memory preload auto drift
for name; do "bench_$name"; done

printf '\n%-66s %14s %14s %8s %9s %s\n' "What ($(nproc) cores, $ROWS rows)" ours beside ratio wanted met
printf '%s' "$RESULTS"
grep -q ' NO$' <<<"$RESULTS" && exit 1 || exit 0
